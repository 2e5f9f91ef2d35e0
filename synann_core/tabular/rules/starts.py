"""Start training: rows as states, and first rules that are made of true literals of rows."""

from __future__ import annotations

import numpy as np

from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.structures import Array, Parameters
from synann_core.tabular.rules.training import DECAY, Limits, Samples

_STRONGEST = 50.0  # W
_STARTING = 2.4  # rules that training starts with, for one in the end
_MOST = 20  # in the end: each of many would have too small a gradient for the penalty


def make_samples(literals: Literals, codes: Codes, weight: Floats, target: Floats) -> Samples:
    """Rows as training takes them.

    Parameters
    ----------
    literals : Literals
    codes : ndarray of int64, shape (rows, features)
    weight : ndarray of float64, shape (members, rows)
        Of which each member's need not sum to 1.
    target : ndarray of float64, shape (classes, rows)
        Probabilities of the classes.
    """
    states = np.zeros((int(literals.starts[-1]), len(codes)), np.float32)
    for j, start in enumerate(literals.starts[:-1].tolist()):
        states[start + codes[:, j], np.arange(len(codes))] = 1.0
    return Samples(
        states,
        tuple(b._replace(untrue=b.untrue.astype(np.float32)) for b in literals.blocks()),
        target[None].astype(np.float32),
        (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32),
    )


def start_rules(
    literals: Literals,
    codes: Codes,
    label: Codes,
    weight: Floats,
    sides: Array,
    structure: str,
    max_rules: int,
    rng: np.random.Generator,
) -> tuple[Parameters, Limits]:
    """Rules made of some true literals of random rows, of every class as many."""
    classes = len(sides)
    wanted = min(max_rules, _MOST, len(label))  # a rule for each distinct row is enough
    each = max(3, round(_STARTING * wanted / classes))
    side = np.repeat(np.arange(classes), each)
    truth = literals(codes)
    few, strength = (6, 0.3) if structure == "mix" else (3, 1.5)
    W = np.zeros((len(weight), len(side), len(literals.names)))
    share = np.zeros((len(weight), classes))
    for m, own in enumerate(weight):
        mass = own * (label == np.arange(classes)[:, None])
        share[m] = mass.sum(axis=1)
        for i, c in enumerate(side.tolist()):
            by_row = mass[c] if share[m, c] else own
            reached = np.cumsum(by_row)
            row = int(np.searchsorted(reached, rng.random() * reached[-1], side="right"))
            true = np.flatnonzero((truth[row] > 0.5) & (sides[c] > 0.0))
            W[m, i, rng.permutation(true)[:few]] = strength
    W += 0.02 * (structure == "mix")
    most = np.broadcast_to(_STRONGEST * sides[side], W.shape)
    limits: Limits = {"W": (_as32(0.0), most.astype(np.float32))}
    share = np.where(share > 0.0, share, 1e-3 * share.sum(axis=1, keepdims=True))
    prior = np.log(share / share.sum(axis=1, keepdims=True))
    others: Parameters = {"bias": prior}
    towards = (side == np.arange(classes)[:, None]) * np.ones((len(W), 1, 1))
    bounded = not bool(np.all(sides))
    if structure == "mix":
        others = {"log_alpha": np.repeat(prior[:, :, None], each, axis=2)}
    elif structure == "rrl":
        others["votes"] = 0.15 * (2.0 * towards - 1.0)
        if bounded:
            limits["votes"] = (
                _as32(np.where(towards, 0, -np.inf)),
                _as32(np.where(towards, np.inf, 0)),
            )
    else:
        others["against"] = 0.3 * (1.0 - towards)
        limits["against"] = (
            _as32(0.0),
            _as32(
                np.where(towards, 0.0, _STRONGEST) if bounded else np.full_like(towards, _STRONGEST)
            ),
        )
    if not literals.names:
        others = {name: value * (name not in DECAY) for name, value in others.items()}
    parameters = {
        name: _as32(value) for name, value in ({"W": np.minimum(W, most)} | others).items()
    }
    return parameters, limits


def _as32(values: Array | float) -> Array:
    return np.asarray(values, dtype=np.float32)

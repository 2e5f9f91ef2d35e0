"""Make scores of classes from rules, and gradients: the structures `mix`, `duel` and `rrl`.

A rule is a synapse on literals y: ``r_i = α_i ∏_j (1 − β_ij (1 − y_j))``, inhibited by those that
are false. With W = −log(1 − β) its surprisal is ``W (1 − y) − log α``, and for literals that are 0
or 1 the log-transmission is a product of matrices. Scores are log p but for a constant:

- mix: ``s_c = log Σ_i r_i`` over the rules of class c, so that every term is one synapse;
- duel: ``s_c = b_c + Σ_i log(1 − γ_ci r_i)``, a second synapse tensor that rules inhibit;
- rrl: ``s_c = b_c + Σ_i v_ci r_i``, in which rules have signs.

Arrays have a first axis of members, models that are trained side by side, and the rows last.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # of NumPy's
Parameters = dict[str, Array]
Structure = Literal["mix", "duel", "rrl"]
STRUCTURES: tuple[str, ...] = get_args(Structure)

# Of a class, what one rule can take away: its part in the log-odds is below 7.
MOST = 0.999


class Scores(NamedTuple):
    """Scores, shape (members, classes, rows), and what their gradients need."""

    values: Array
    kept: tuple[Array, ...]


def class_scores(structure: str, parameters: Parameters, surprisal: Array) -> Scores:
    """Scores of all classes from ``W (1 − y)``, shape (members, rules, rows)."""
    if structure == "mix":
        log_alpha = parameters["log_alpha"]  # (members, classes, rules of each)
        members, classes, rules = log_alpha.shape
        z = log_alpha[..., None] - surprisal.reshape(members, classes, rules, -1)
        top = z.max(axis=2, keepdims=True)
        z -= top
        np.exp(z, out=z)
        total = z.sum(axis=2, keepdims=True)
        z /= total
        return Scores((top + np.log(total))[:, :, 0], (z,))
    r, bias = np.exp(-surprisal), parameters["bias"][..., None]
    if structure == "rrl":
        return Scores(bias + parameters["votes"] @ r, (r,))
    share = class_share(parameters["against"])[..., None]
    open_part = 1.0 - share * r[:, None]
    return Scores(bias + np.log(open_part).sum(axis=2), (r, open_part))


def score_gradients(
    structure: str, parameters: Parameters, scores: Scores, grad: Array
) -> tuple[Array, Parameters]:
    """Gradients with respect to the surprisals and to all parameters but W."""
    if structure == "mix":
        share = scores.kept[0] * grad[:, :, None]
        return -share.reshape(len(grad), -1, grad.shape[-1]), {"log_alpha": share.sum(axis=-1)}
    r, gradients = scores.kept[0], {"bias": grad.sum(axis=-1)}
    if structure == "rrl":
        gradients["votes"] = grad @ np.swapaxes(r, 1, 2)
        return -r * (np.swapaxes(parameters["votes"], 1, 2) @ grad), gradients
    against = parameters["against"]  # −log(1 − γ) but for MOST, (members, classes, rules)
    slope = grad[:, :, None] / scores.kept[1]
    by_share = -(slope * r[:, None]).sum(axis=-1)
    gradients["against"] = by_share * (MOST * np.exp(-against))
    return r * (class_share(against)[..., None] * slope).sum(axis=1), gradients


def class_share(against: Array) -> Array:
    """γ, in [0, MOST], of g = −log(1 − γ/MOST) ≥ 0."""
    return -MOST * np.expm1(-against)


def log_probabilities(scores: Array) -> Array:
    """Log-probabilities of the classes, which the second axis from the end counts."""
    top = scores.max(axis=-2, keepdims=True)
    shifted = scores - top
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=-2, keepdims=True))
    return log_p

"""Exact inference in noisy-OR networks with array operations, on any library.

The programs of `plan` as in noisy_or.h, one operation after the other, from the beginning to the
end: there is no backward program. All of it is differentiable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import device

from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.typing import Array, Namespace, NumpyArray
from synann_core.noisy_or.plan import CAUSE, ENTER, LEAVE, Plan, Program, Structure, make_plan
from synann_core.transmission import log_transmission

if TYPE_CHECKING:
    from synann_core.noisy_or.exact import Numbers

SECONDS_A_UNIT = 3e-9, 1.5e-8  # NumPy, evidence and posteriors


def planned_bytes(plan: Plan, *, shares: bool) -> float:
    """The memory that `run` takes."""
    kind = plan.forward.ops[:, 0]
    widths = np.cumsum((kind == ENTER).astype(int) - (kind == LEAVE))
    states = np.exp2(widths)
    return 8.0 * float(states.sum() * shares + 6.0 * np.max(states, initial=1.0))


def run(
    plan: Plan, numbers: Numbers, *, shares: bool
) -> tuple[float, tuple[NumpyArray, NumpyArray] | None]:
    """Return the evidence, and what the operations of both programs contribute to it."""
    program, xp = plan.forward, numpy_namespace
    states: list[Any] = [np.ones(1)]
    for at in range(len(program.ops)):
        states.append(_forward(program, at, numbers, states[-1], xp))
        if not shares:
            del states[0]
    evidence = float(states[-1][0])
    if not shares:
        return evidence, None
    return evidence, (_unwind(program, numbers, states), np.empty((0, 2)))


def log_evidence(prior: Array, leak: Array, beta: Array, X: NumpyArray, xp: Namespace) -> Array:
    """Log-probability of each sample's findings, shape (samples,); X is NumPy's."""

    def constant(value: Any) -> Array:
        numbers = xp.asarray(np.ravel(value).tolist(), dtype=beta.dtype, device=device(beta))
        return xp.reshape(numbers, np.shape(value))  # of no samples, too

    absent = constant(X == 0.0)
    q = xp.exp(log_transmission(absent, xp.permute_dims(beta, (1, 0))))
    scale = (1.0 - prior) + prior * q
    known = xp.where(scale > 0.0, scale, xp.ones_like(scale))
    weights = xp.stack([(1.0 - prior) / known, prior * q / known], axis=2)
    halves = constant((X == 0.5).sum(axis=1) * np.log(0.5))
    logs = xp.sum(xp.log(scale), axis=1) + absent @ xp.log1p(-leak) + halves
    rows = []
    for sample, x in enumerate(X):
        open_findings = np.flatnonzero((x > 0.0) & (x != 0.5))
        rows.append(logs[sample])
        if open_findings.size:
            index = xp.asarray(open_findings.tolist(), device=device(beta))
            own = xp.take(beta, index, axis=0), xp.take(leak, index, axis=0)
            rows[-1] = rows[-1] + _open(weights[sample, ...], *own, x[open_findings], xp, constant)
    return xp.stack(rows) if rows else logs


def _open(
    weights: Array, beta: Array, leak: Array, x: NumpyArray, xp: Namespace, constant: Any
) -> Array:
    """Log-probability of the findings that are present or uncertain, given the absent ones."""
    k, n = beta.shape
    structure = Structure(k, np.repeat(np.arange(n), k), np.tile(np.arange(k), n))
    plan = make_plan(structure, merge=False, split=False)
    if not isinstance(plan, Plan):
        raise ValueError(f"`X` must have at most 40 open findings a sample. Received: {k}")
    present = stop_gradient(weights[:, 1], xp)
    log_off = xp.log1p(-leak) + log_transmission(present, beta)
    # Scaled by the square root of the findings' probabilities, as in `exact`.
    on = -xp.expm1(stop_gradient(log_off, xp))
    tilted = (constant(x) == 1.0) & (on > 0.0)
    tilt = xp.sqrt(xp.where(tilted, on, xp.ones_like(on)))
    numbers: Any = _Arrays(
        initial=xp.stack([1.0 - leak, leak / tilt], axis=1),
        final=constant(np.stack([1.0 - x, x], axis=1)),
        causes=weights,
        stay=xp.reshape(xp.permute_dims(1.0 - beta, (1, 0)), (-1,)),
        move=xp.reshape(xp.permute_dims(beta / tilt[:, None], (1, 0)), (-1,)),
    )
    state = xp.ones_like(numbers.final[:1, 0])
    for at in range(len(plan.forward.ops)):
        state = _forward(plan.forward, at, numbers, state, xp)
    return xp.log(state[0]) + xp.sum(xp.log(tilt))


class _Arrays:
    """`Numbers`, of any library."""

    def __init__(self, **arrays: Array) -> None:
        self.__dict__.update(arrays)


def _pair(program: Program, at: int, numbers: Any) -> tuple[Any, Any]:
    """The two numbers of an operation."""
    kind, item = int(program.ops[at, 0]), int(program.items[at])
    table = {ENTER: numbers.initial, LEAVE: numbers.final, CAUSE: numbers.causes}[kind]
    return table[item, 0], table[item, 1]


def _links(program: Program, at: int) -> list[tuple[int, int]]:
    """The places and links of a cause."""
    first, count = (int(n) for n in program.ops[at, 2:4])
    own = slice(first, first + count)
    return list(zip(program.places[own].tolist(), program.links[own].tolist(), strict=True))


def _halves(state: Any, place: int, xp: Namespace) -> tuple[Any, Any]:
    parts = xp.reshape(state, (-1, 2, 1 << place))
    return parts[:, 0, :], parts[:, 1, :]


def _joined(off: Array, on: Array, xp: Namespace) -> Array:
    return xp.reshape(xp.stack([off, on], axis=1), (-1,))


def _forward(program: Program, at: int, numbers: Any, state: Any, xp: Namespace) -> Any:
    kind, (first, second) = program.ops[at, 0], _pair(program, at, numbers)
    if kind == ENTER:
        return xp.concat([state * first, state * second])
    if kind == LEAVE:
        off, on = _halves(state, int(program.ops[at, 1]), xp)
        return xp.reshape(off * first + on * second, (-1,))
    switched = state
    for place, link in _links(program, at):
        off, on = _halves(switched, place, xp)
        switched = _joined(numbers.stay[link] * off, on + numbers.move[link] * off, xp)
    return first * state + second * switched


def _unwind(program: Program, numbers: Numbers, states: list[NumpyArray]) -> NumpyArray:
    """What every operation contributes; the states before it and after the last one are given."""
    found, xp = np.zeros((len(program.ops), 2)), numpy_namespace
    other: Any = np.ones(1)
    for at in range(len(program.ops) - 1, -1, -1):
        kind, (first, second) = program.ops[at, 0], _pair(program, at, numbers)
        before, after = states[at], states[at + 1]
        if kind == ENTER:
            size = before.size
            found[at] = other[:size] @ after[:size], other[size:] @ after[size:]
            other = other[:size] * first + other[size:] * second
        elif kind == LEAVE:
            parts = other.reshape(-1, 1 << int(program.ops[at, 1]))
            other = _joined(parts * first, parts * second, xp)
        else:
            switched = other
            for place, link in _links(program, at):
                off, on = _halves(switched, place, xp)
                switched = _joined(numbers.stay[link] * off + numbers.move[link] * on, on, xp)
            found[at, 0] = second * (switched @ before)
            other = first * other + second * switched
    return found

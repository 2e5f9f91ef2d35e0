"""Traces: decaying sums of a whole signal, and the state that carries them between steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_int
from synann_core._lib.typing import Array, ArrayT, Namespace

# Steps handled by one product: its cost per step grows with the block, a Python step's does not.
_BLOCK = 64

State = dict[str, ArrayT]


def silent_state(weights: ArrayT, batch: int, **axes: str) -> State[ArrayT]:
    """Return zeros for `batch` samples and weights (m, n); axes are letters such as "Bmn"."""
    with Arguments[ArrayT](weights=weights) as given:
        given.check_shapes(weights=("m", "n"))
        m, n = given.shape("weights")
        sizes = {"B": check_int("batch", batch, 0), "m": m, "n": n}
        options = {"dtype": given.dtype, "device": device(weights)}
        shapes = {name: tuple(sizes[axis] for axis in own) for name, own in axes.items()}
        zeros = given.xp.zeros
        return {name: given.result(zeros(shape, **options)) for name, shape in shapes.items()}


def named_state(state: State[ArrayT], *names: str) -> State[ArrayT]:
    """Return the arrays of a state under the names that errors use."""
    if not isinstance(state, dict) or set(state) != set(names):
        received = sorted(map(str, state)) if isinstance(state, dict) else type(state).__qualname__
        raise ValueError(f"`state` must be a dict of {names}. Received: {received}")
    return {f"state_{name}": state[name] for name in names}


def state_shapes(axes: Mapping[str, str]) -> dict[str, Any]:
    """Return the shapes of a state under the names that errors use."""
    return {f"state_{name}": tuple(own) for name, own in axes.items()}


def decayed_sums(signal: Array, decay: float | Array, *, xp: Namespace) -> Array:
    """Return ``y[t] = decay · y[t − 1] + signal[t]`` along the first axis, from y[−1] = 0.

    A few matrix products, instead of a step for each time.
    """
    steps = signal.shape[0]
    if steps == 0:
        return signal
    rows = xp.reshape(signal, (steps, -1))
    size = min(_BLOCK, steps)
    time = xp.arange(size, dtype=signal.dtype, device=device(signal))
    age = time[:, None] - time[None, :]
    base = xp.asarray(decay, dtype=signal.dtype, device=device(signal))
    kernel = xp.where(age >= 0, base ** xp.maximum(age, 0.0 * age), 0.0 * age)
    fade = (base ** (time + 1.0))[:, None]
    parts: list[Array] = []
    for start in range(0, steps, size):
        part = rows[start : start + size, :]
        length = part.shape[0]
        sums = kernel[:length, :length] @ part
        if parts:
            sums = sums + fade[:length, :] * parts[-1][-1:, :]
        parts.append(sums)
    return xp.reshape(xp.concat(parts, axis=0), signal.shape)


def input_traces(x: Array, decay: float | Array, synaptic_decay: float, *, xp: Namespace) -> Array:
    """Return what membranes hold of their inputs (T, B, n) at each step, by way of the currents."""
    currents = decayed_sums(x, synaptic_decay, xp=xp) if synaptic_decay else x
    return decayed_sums(currents, decay, xp=xp)


def back_in_time(signal: Array, decay: float, *, xp: Namespace) -> Array:
    """Return `decayed_sums` from the last step to the first: their adjoint."""
    return xp.flip(decayed_sums(xp.flip(signal, axis=0), decay, xp=xp), axis=0)


def eligible_sum(trace: Array, pushes: Array, *, xp: Namespace) -> Array:
    """Return ``Σ_t Σ_b pushes_i trace_j`` of (T, B, m) and (T, B, n), as one product."""
    rows = [xp.reshape(a, (a.shape[0] * a.shape[1], a.shape[2])) for a in (pushes, trace)]
    return xp.matrix_transpose(rows[0]) @ rows[1]

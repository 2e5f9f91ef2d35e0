"""Check time-first arrays, place spikes at times, and find the times of spikes."""

from __future__ import annotations

from array_api_compat import device

from synann_core._lib.arguments import Arguments
from synann_core._lib.typing import Array, ArrayT, Namespace, Shape


def check_time_axis(given: Arguments[ArrayT], name: str, *others: str) -> Shape:
    """Return the shape of a time-first argument; `others` are its further axes, if not any."""
    shape = given.shape(name)
    if len(shape) < 1 or shape[0] < 1 or (others and len(shape) != 1 + len(others)):
        wanted = ", ".join(("time", *others)) if others else "time, ..."
        raise ValueError(f"`{name}` must have shape ({wanted}) and a step. Received: shape {shape}")
    return shape


def check_fits(given: Arguments[ArrayT], name: str, shape: Shape) -> None:
    """Refuse an argument that does not broadcast to `shape`, one step of a time-first array."""
    own = given.shape(name)
    fits = len(own) <= len(shape) and all(
        a in (1, b) for a, b in zip(reversed(own), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(
            f"`{name}` must be a number or broadcast to {tuple(shape)}. Received: shape {own}"
        )


def steps_like(steps: int, like: Array, xp: Namespace) -> Array:
    """Return 0, 1, … steps − 1 along a new first axis before those of `like`, in its dtype."""
    t = xp.arange(steps, dtype=like.dtype, device=device(like))
    return xp.reshape(t, (steps,) + (1,) * like.ndim)


def spikes_at(times: Array, steps: int, xp: Namespace) -> Array:
    """Spike once in each train, at a whole-numbered time; not where that is outside, or NaN."""
    return xp.astype(steps_like(steps, times, xp) == times, times.dtype)


def first_spikes(spikes: Array, *, xp: Namespace) -> Array:
    """Return the time of each train's first spike; the number of steps where there is none."""
    t = steps_like(spikes.shape[0], spikes[0, ...], xp)
    return xp.min(xp.where(spikes > 0.0, t, float(spikes.shape[0])), axis=0)

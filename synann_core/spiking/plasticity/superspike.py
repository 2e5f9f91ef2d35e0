"""SuperSpike: a rule by which neurons learn to fire at given times, and the distance it descends.

The error, what was put out minus what was wanted, and the eligibility of each synapse pass through
the same filter α of two decays; their product is what the weight moves against.

    α[k] = (1 − rise)(1 − fall) Σ_j rise^(k−j) fall^j, which adds up to 1 over all k
    gradient_ij = Σ_t Σ_b (α ∗ error_i)[t] (α ∗ σ'_i ε_j)[t]

with ε_j the input's trace as in e-prop. For the neurons of the output this is the gradient of
`van_rossum`; hidden neurons get the errors of the output through weights, random ones if need be.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and for decays outside [0, 1] (`rise` and
`fall`: outside [0, 1)).
"""

from __future__ import annotations

from typing import NamedTuple

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_known, check_number
from synann_core._lib.loops import runner
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.plasticity.traces import (
    State,
    back_in_time,
    decayed_sums,
    eligible_sum,
    input_traces,
    named_state,
    silent_state,
    state_shapes,
)

_TRACES = {"current": "Bn", "trace": "Bn", "error_rise": "Bm", "error": "Bm"}
_ELIGIBILITIES = {"rise": "Bmn", "eligibility": "Bmn"}


class _Decays(NamedTuple):
    """Decays beside the membrane's; a constant to JAX."""

    synaptic: float
    rise: float
    fall: float


def superspike_gradient(
    x: ArrayT,
    slope: ArrayT,
    error: ArrayT,
    /,
    decay: ArrayT | float,
    *,
    synaptic_decay: float,
    rise: float,
    fall: float,
) -> ArrayT:
    """Return the gradient of a layer's weights over a whole window, by one matrix product.

    Parameters
    ----------
    x : array, shape (T, B, n)
        Spikes of the inputs.
    slope : array, shape (T, B, m)
        Surrogate derivative σ'(u) at each neuron's membrane minus threshold: `Record.slope`.
    error : array, shape (T, B, m)
        Spikes minus wanted spikes; for hidden neurons those of the output times its weights, or
        random ones.
    decay : array, 0-d, or number
        Share of the membrane that is left after a step, in [0, 1].
    synaptic_decay : float
        That of the synaptic current, in [0, 1].
    rise, fall : float
        Decays of the filter of errors and eligibilities, in [0, 1).

    Returns
    -------
    array, shape (m, n)
        Step against it, best by `optim.RMaxProp`, the rule's own normalisation.

    Notes
    -----
    Memory O(T·B·(n + m) + m·n): the filter of the eligibilities runs backward over the errors.
    Source: F. Zenke and S. Ganguli, "SuperSpike: supervised learning in multilayer spiking neural
    networks" (2018).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import superspike_gradient
    >>> x = np.array([1.0, 0.0, 0.0])[:, None, None]  # 3 steps, 1 sample, 1 input
    >>> error = np.array([0.0, -1.0, 0.0])[:, None, None]  # a spike was wanted in the second
    >>> decays = {"synaptic_decay": 0.0, "rise": 0.0, "fall": 0.0}
    >>> superspike_gradient(x, np.ones_like(x), error, 0.5, **decays)
    array([[-0.5]])
    """
    check_known("decay", decay, 0.0, 1.0)
    decays = _checked(rise, fall, synaptic_decay)
    with Arguments(x=x, slope=slope, error=error, decay=decay) as given:
        given.check_shapes(
            x=("T", "B", "n"), slope=("T", "B", "m"), error=("T", "B", "m"), decay=()
        )
        run = runner(_superspike, given.xp)
        return given.result(run(*given.arrays, decays=decays, xp=given.xp))


def superspike_init(weights: ArrayT, batch: int) -> State[ArrayT]:
    """Return the traces of a layer that nothing has reached yet.

    Parameters
    ----------
    weights : array, shape (m, n)
    batch : int
        Samples that run side by side, ≥ 0.

    Returns
    -------
    dict
        Zeros: "current" and "trace", shape (batch, n), "error_rise" and "error", shape (batch, m),
        "rise" and "eligibility", shape (batch, m, n).
    """
    return silent_state(weights, batch, **_TRACES, **_ELIGIBILITIES)


def superspike_step(
    x: ArrayT,
    slope: ArrayT,
    error: ArrayT,
    state: State[ArrayT],
    /,
    decay: ArrayT | float,
    *,
    synaptic_decay: float,
    rise: float,
    fall: float,
) -> tuple[ArrayT, State[ArrayT]]:
    """Return one step's part of the gradient, and the traces after it: learning while running.

    Parameters
    ----------
    x : array, shape (B, n)
    slope, error : array, shape (B, m)
    state : dict
        Of `superspike_init`, or of the step before.
    decay : array, 0-d, or number
    synaptic_decay, rise, fall : float
        As for `superspike_gradient`, whose result is the sum of the steps' parts.

    Returns
    -------
    gradient : array, shape (m, n)
    state : dict

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import superspike_init, superspike_step
    >>> state, one = superspike_init(np.zeros((1, 1)), 1), np.ones((1, 1))
    >>> decays = {"synaptic_decay": 0.0, "rise": 0.0, "fall": 0.0}
    >>> gradient, state = superspike_step(one, one, -one, state, 0.5, **decays)
    >>> gradient
    array([[-1.]])
    """
    check_known("decay", decay, 0.0, 1.0)
    decays = _checked(rise, fall, synaptic_decay)
    axes = {**_TRACES, **_ELIGIBILITIES}
    named = named_state(state, *axes)
    with Arguments(x=x, slope=slope, error=error, decay=decay, **named) as given:
        shapes = state_shapes(axes)
        given.check_shapes(x=("B", "n"), slope=("B", "m"), error=("B", "m"), decay=(), **shapes)
        old = {name: given[f"state_{name}"] for name in axes}
        current = decays.synaptic * old["current"] + given["x"]
        trace = given["decay"] * old["trace"] + current
        own = given["slope"][:, :, None] * trace[:, None, :]
        error_rise, filtered = _alpha_step(old["error_rise"], old["error"], given["error"], decays)
        risen, eligibility = _alpha_step(old["rise"], old["eligibility"], own, decays)
        gradient = given.xp.sum(filtered[:, :, None] * eligibility, axis=0)
        after = (current, trace, error_rise, filtered, risen, eligibility)
        return given.result(gradient), dict(zip(axes, map(given.result, after), strict=True))


def van_rossum(
    spikes: ArrayT, target: ArrayT, /, *, rise: float, fall: float
) -> tuple[ArrayT, ArrayT]:
    """Return how far spikes are from those that were wanted, and the gradient by the spikes.

    ``½ Σ_t Σ_i (α ∗ (s_i − target_i))[t]²``, the mean over the batch.

    Parameters
    ----------
    spikes, target : array, shape (T, B, m)
    rise, fall : float
        Decays of the filter α, in [0, 1).

    Returns
    -------
    distance : array, shape ()
    gradient : array, shape (T, B, m)
        For `LIF.vjp`, or for `eprop_gradient`.

    Notes
    -----
    Source: M. van Rossum, "A novel spike distance" (2001), with the filter of SuperSpike.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import van_rossum
    >>> spikes, target = np.eye(3)[:, :1, None], np.eye(3)[:, 1:2, None]  # the first, the second
    >>> distance, gradient = van_rossum(spikes, target, rise=0.0, fall=0.0)
    >>> float(distance), gradient[:, 0, 0]
    (1.0, array([ 1., -1.,  0.]))
    """
    decays = _checked(rise, fall)
    with Arguments(spikes=spikes, target=target) as given:
        given.check_shapes(spikes=("T", "B", "m"), target=("T", "B", "m"))
        run = runner(_van_rossum, given.xp)
        distance, gradient = run(*given.arrays, decays=decays, xp=given.xp)
        return given.result(distance), given.result(gradient)


def _checked(rise: float, fall: float, synaptic_decay: float = 0.0) -> _Decays:
    return _Decays(
        check_number("synaptic_decay", synaptic_decay, 0.0, 1.0),
        check_number("rise", rise, 0.0, 1.0, ends="[)"),
        check_number("fall", fall, 0.0, 1.0, ends="[)"),
    )


def _alpha_step(risen: Array, filtered: Array, now: Array, decays: _Decays) -> tuple[Array, Array]:
    """Return both stages of the filter α after one more step."""
    risen = decays.rise * risen + (1.0 - decays.rise) * now
    return risen, decays.fall * filtered + (1.0 - decays.fall) * risen


def _alpha(signal: Array, decays: _Decays, xp: Namespace, *, back: bool = False) -> Array:
    """Return ``α ∗ signal``; `back` in time, its adjoint."""
    sums = back_in_time if back else decayed_sums
    scale = (1.0 - decays.rise) * (1.0 - decays.fall)
    return scale * sums(sums(signal, decays.rise, xp=xp), decays.fall, xp=xp)


def _superspike(
    x: Array, slope: Array, error: Array, decay: Array, *, decays: _Decays, xp: Namespace
) -> Array:
    trace = input_traces(x, decay, decays.synaptic, xp=xp)
    return eligible_sum(trace, slope * _both_ways(error, decays, xp)[1], xp=xp)


def _van_rossum(
    spikes: Array, target: Array, *, decays: _Decays, xp: Namespace
) -> tuple[Array, Array]:
    filtered, gradient = _both_ways(spikes - target, decays, xp)
    share = 1.0 / max(spikes.shape[1], 1)
    return 0.5 * share * xp.sum(filtered * filtered), share * gradient


def _both_ways(error: Array, decays: _Decays, xp: Namespace) -> tuple[Array, Array]:
    """Return ``α ∗ error``, and that filtered once more, back in time."""
    filtered = _alpha(error, decays, xp)
    return filtered, _alpha(filtered, decays, xp, back=True)

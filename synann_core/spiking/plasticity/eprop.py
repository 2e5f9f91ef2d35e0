"""e-prop: the gradient of a spiking layer from traces that run forward in time.

Each synapse keeps an eligibility; a learning signal for its neuron turns it into a gradient. In one
feed-forward layer with a detached reset this is backpropagation through time, exactly; with
recurrent weights it leaves out what a spike does by way of other neurons.
"""

from __future__ import annotations

from array_api_compat import device

from synann_core._lib.arguments import Call
from synann_core._lib.checks import check_int, check_number
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.plasticity.traces import State, decayed_sums, named_state

__all__ = ["eprop_gradient", "eprop_init", "eprop_step"]


def eprop_gradient(
    x: Array, slope: Array, signal: Array, /, beta: Array, *, kappa: float = 0.0
) -> Array:
    """Gradient of a layer's weights over a whole window, by one matrix product.

    ``Σ_t Σ_b L_i[t] ē_ij[t]`` with ``ε_j[t] = β ε_j[t−1] + x_j[t]`` and
    ``ē_ij[t] = κ ē_ij[t−1] + σ'_i[t] ε_j[t]``.

    Parameters
    ----------
    x : array, shape (T, B, n)
        What comes in through the weights: spikes or currents; for recurrent weights, the layer's
        own spikes one step earlier.
    slope : array, shape (T, B, m)
        Surrogate derivative σ'(u) at each neuron's membrane minus threshold.
    signal : array, shape (T, B, m)
        Learning signal L. With ∂L/∂s and κ = 0 the result is the gradient of backpropagation
        through time; e-prop proper takes the readout's error through its weights, or random ones.
    beta : array, 0-d, or number
        Decay of the membrane per step, in [0, 1].
    kappa : float
        Decay of the eligibility per step, in [0, 1): that of a leaky readout.

    Returns
    -------
    array, shape (m, n)
        Step against it: ``weights − rate · eprop_gradient(…)``.

    Raises
    ------
    TypeError
        If an argument is not a real floating-point array, or if the libraries differ.
    ValueError
        If the shapes do not fit or `kappa` is outside [0, 1).

    Notes
    -----
    Memory O(T·B·(n + m) + m·n): the sum over t is written with κ's decay running backward over L,
    so that no eligibility is stored. `eprop_step` has them, and needs no window. Source: Bellec et
    al., "A solution to the learning dilemma for recurrent networks of spiking neurons" (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.plasticity.eprop import eprop_gradient
    >>> x = np.array([1.0, 0.0, 0.0])[:, None, None]  # 3 steps, 1 sample, 1 input
    >>> eprop_gradient(x, np.ones_like(x), np.ones_like(x), 0.5)  # 1 + 0.5 + 0.25
    array([[1.75]])
    """
    call = Call(x=x, slope=slope, signal=signal, beta=beta)
    call.expect(x=("T", "B", "n"), slope=("T", "B", "m"), signal=("T", "B", "m"), beta=())
    kappa = check_number("kappa", kappa, 0.0, 1.0, ends="[)")
    return call.value(lambda *a, xp: _eprop(*a, kappa=kappa, xp=xp))


def eprop_init(weights: Array, batch: int) -> State:
    """Traces of a layer that nothing has reached yet.

    Parameters
    ----------
    weights : array, shape (m, n)
    batch : int
        Samples that run side by side, ≥ 0.

    Returns
    -------
    dict
        "trace", shape (batch, n), and "eligibility", shape (batch, m, n): zeros.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or shape.
    """
    call = Call(weights=weights)
    call.expect(weights=("m", "n"))
    m, n = call.shape("weights")
    batch = check_int("batch", batch, 0)
    options = {"dtype": call.dtype, "device": device(weights)}
    return {
        "trace": call.xp.zeros((batch, n), **options),
        "eligibility": call.xp.zeros((batch, m, n), **options),
    }


def eprop_step(
    x: Array,
    slope: Array,
    signal: Array,
    state: State,
    /,
    beta: Array,
    *,
    kappa: float = 0.0,
) -> tuple[Array, State]:
    """One step's part of the gradient, and the traces after it: learning while the network runs.

    Parameters
    ----------
    x : array, shape (B, n)
    slope, signal : array, shape (B, m)
    state : dict
        Of `eprop_init`, or of the step before.
    beta : array, 0-d, or number
    kappa : float
        As for `eprop_gradient`, whose result is the sum of the steps' parts.

    Returns
    -------
    gradient : array, shape (m, n)
        ``Σ_b L_i ē_ij`` of this step.
    state : dict

    Raises
    ------
    TypeError, ValueError
        As for `eprop_gradient`; also if `state` does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.plasticity.eprop import eprop_init, eprop_step
    >>> state, one = eprop_init(np.zeros((1, 1)), 1), np.ones((1, 1))
    >>> for x in (one, 0 * one):
    ...     gradient, state = eprop_step(x, one, one, state, 0.5)
    >>> gradient
    array([[0.5]])
    """
    named = named_state(state, "trace", "eligibility")
    call = Call(x=x, slope=slope, signal=signal, beta=beta, **named)
    call.expect(
        x=("B", "n"),
        slope=("B", "m"),
        signal=("B", "m"),
        beta=(),
        state_trace=("B", "n"),
        state_eligibility=("B", "m", "n"),
    )
    kappa, xp = check_number("kappa", kappa, 0.0, 1.0, ends="[)"), call.xp
    trace = call["beta"] * call["state_trace"] + call["x"]
    eligibility = kappa * call["state_eligibility"] + call["slope"][:, :, None] * trace[:, None, :]
    gradient = xp.sum(call["signal"][:, :, None] * eligibility, axis=0)
    results = (gradient, trace, eligibility)
    gradient, trace, eligibility = (xp.astype(a, call.dtype, copy=False) for a in results)
    return gradient, {"trace": trace, "eligibility": eligibility}


def _eprop(
    x: Array, slope: Array, signal: Array, beta: Array, *, kappa: float, xp: Namespace
) -> Array:
    if kappa > 0.0:
        signal = xp.flip(decayed_sums(xp.flip(signal, axis=0), kappa, xp=xp), axis=0)
    steps, batch, n = x.shape
    trace = xp.reshape(decayed_sums(x, beta, xp=xp), (steps * batch, n))
    pushes = xp.reshape(slope * signal, (steps * batch, slope.shape[2]))
    return xp.matrix_transpose(pushes) @ trace

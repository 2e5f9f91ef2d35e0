"""e-prop: the gradient of a spiking layer from traces that run forward in time.

Each synapse keeps an eligibility; a learning signal for its neuron turns it into a gradient. In one
feed-forward layer with a detached reset this is backpropagation through time, exactly; with
recurrent weights it leaves out what a spike does by way of other neurons.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit, a `decay` outside [0, 1] (but for one that
``jax.jit`` traces) and an `output_decay` outside [0, 1).
"""

from __future__ import annotations

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_known, check_number
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.plasticity.traces import State, decayed_sums, named_state, silent_state


def eprop_gradient(
    x: ArrayT, slope: ArrayT, signal: ArrayT, /, decay: ArrayT | float, *, output_decay: float = 0.0
) -> ArrayT:
    """Return the gradient of a layer's weights over a whole window, by one matrix product.

    ``Σ_t Σ_b L_i[t] ē_ij[t]`` with ``ε_j[t] = decay ε_j[t−1] + x_j[t]`` and
    ``ē_ij[t] = output_decay ē_ij[t−1] + σ'_i[t] ε_j[t]``.

    Parameters
    ----------
    x : array, shape (T, B, n)
        What comes in through the weights: spikes or currents; for recurrent weights, the layer's
        own spikes one step earlier.
    slope : array, shape (T, B, m)
        Surrogate derivative σ'(u) at each neuron's membrane minus threshold.
    signal : array, shape (T, B, m)
        Learning signal L. With ∂E/∂s of a loss E and without `output_decay` the result is the
        gradient of backpropagation through time; e-prop proper takes the readout's error through
        its weights, or random ones.
    decay : array, 0-d, or number
        Share of the membrane that is left after a step, in [0, 1].
    output_decay : float
        Share of the eligibility that is left after a step, in [0, 1): that of a leaky readout.

    Returns
    -------
    array, shape (m, n)
        Step against it: ``weights − rate · eprop_gradient(…)``.

    Notes
    -----
    Memory O(T·B·(n + m) + m·n): `output_decay` runs backward over L, so that no eligibility is
    stored. `eprop_step` has them, and needs no window. Source: Bellec et al., "A solution to the
    learning dilemma for recurrent networks of spiking neurons" (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import eprop_gradient
    >>> x = np.array([1.0, 0.0, 0.0])[:, None, None]  # 3 steps, 1 sample, 1 input
    >>> eprop_gradient(x, np.ones_like(x), np.ones_like(x), 0.5)  # 1 + 0.5 + 0.25
    array([[1.75]])
    """
    check_known("decay", decay, 0.0, 1.0)
    with Arguments(x=x, slope=slope, signal=signal, decay=decay) as given:
        given.check_shapes(
            x=("T", "B", "n"), slope=("T", "B", "m"), signal=("T", "B", "m"), decay=()
        )
        output_decay = check_number("output_decay", output_decay, 0.0, 1.0, ends="[)")
        return given.result(_eprop(*given.arrays, output_decay=output_decay, xp=given.xp))


def eprop_init(weights: ArrayT, batch: int) -> State[ArrayT]:
    """Return the traces of a layer that nothing has reached yet.

    Parameters
    ----------
    weights : array, shape (m, n)
    batch : int
        Samples that run side by side, ≥ 0.

    Returns
    -------
    dict
        "trace", shape (batch, n), and "eligibility", shape (batch, m, n): zeros.
    """
    return silent_state(weights, batch, trace="Bn", eligibility="Bmn")


def eprop_step(
    x: ArrayT,
    slope: ArrayT,
    signal: ArrayT,
    state: State[ArrayT],
    /,
    decay: ArrayT | float,
    *,
    output_decay: float = 0.0,
) -> tuple[ArrayT, State[ArrayT]]:
    """Return one step's part of the gradient, and the traces after it: learning while running.

    Parameters
    ----------
    x : array, shape (B, n)
    slope, signal : array, shape (B, m)
    state : dict
        Of `eprop_init`, or of the step before.
    decay : array, 0-d, or number
    output_decay : float
        As for `eprop_gradient`, whose result is the sum of the steps' parts.

    Returns
    -------
    gradient : array, shape (m, n)
        ``Σ_b L_i ē_ij`` of this step.
    state : dict

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import eprop_init, eprop_step
    >>> state, one = eprop_init(np.zeros((1, 1)), 1), np.ones((1, 1))
    >>> for x in (one, 0 * one):
    ...     gradient, state = eprop_step(x, one, one, state, 0.5)
    >>> gradient
    array([[0.5]])
    """
    check_known("decay", decay, 0.0, 1.0)
    named = named_state(state, "trace", "eligibility")
    with Arguments(x=x, slope=slope, signal=signal, decay=decay, **named) as given:
        given.check_shapes(
            x=("B", "n"),
            slope=("B", "m"),
            signal=("B", "m"),
            decay=(),
            state_trace=("B", "n"),
            state_eligibility=("B", "m", "n"),
        )
        output_decay = check_number("output_decay", output_decay, 0.0, 1.0, ends="[)")
        trace = given["decay"] * given["state_trace"] + given["x"]
        slopes = given["slope"][:, :, None] * trace[:, None, :]
        eligibility = output_decay * given["state_eligibility"] + slopes
        gradient = given.xp.sum(given["signal"][:, :, None] * eligibility, axis=0)
        after = {"trace": given.result(trace), "eligibility": given.result(eligibility)}
        return given.result(gradient), after


def _eprop(
    x: Array, slope: Array, signal: Array, decay: Array, *, output_decay: float, xp: Namespace
) -> Array:
    if output_decay > 0.0:
        signal = xp.flip(decayed_sums(xp.flip(signal, axis=0), output_decay, xp=xp), axis=0)
    steps, batch, n = x.shape
    trace = xp.reshape(decayed_sums(x, decay, xp=xp), (steps * batch, n))
    pushes = xp.reshape(slope * signal, (steps * batch, slope.shape[2]))
    return xp.matrix_transpose(pushes) @ trace

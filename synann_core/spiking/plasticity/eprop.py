"""e-prop: the gradient of a spiking layer from traces that run forward in time.

Each synapse keeps an eligibility; a learning signal for its neuron turns it into a gradient. In one
feed-forward layer with a detached reset this is backpropagation through time, exactly, also with
adaptive thresholds and synaptic currents; with recurrent weights it leaves out what a spike does by
way of other neurons.

    y_j[t] = synaptic_decay y_j[t−1] + x_j[t]          ε_j[t] = decay ε_j[t−1] + y_j[t]
    e_ij[t] = σ'_i[t] (ε_j[t] − adaptation a_ij[t])    a_ij[t+1] = adaptation_decay a_ij[t] + e_ij
    ē_ij[t] = output_decay ē_ij[t−1] + e_ij[t]         gradient_ij = Σ_t Σ_b L_i[t] ē_ij[t]

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and for decays outside [0, 1] (but for a
`decay` that ``jax.jit`` traces).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_bool, check_known, check_number
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.plasticity.traces import (
    State,
    back_in_time,
    eligible_sum,
    input_traces,
    named_state,
    silent_state,
    state_shapes,
)


class _Neuron(NamedTuple):
    """Numbers of the neurons beside their decay; a constant to JAX."""

    synaptic_decay: float
    adaptation: float
    adaptation_decay: float
    output_decay: float


def eprop_gradient(
    x: ArrayT,
    slope: ArrayT,
    signal: ArrayT,
    /,
    decay: ArrayT | float,
    *,
    output_decay: float = 0.0,
    synaptic_decay: float = 0.0,
    adaptation: float = 0.0,
    adaptation_decay: float = 0.0,
) -> ArrayT:
    """Return the gradient of a layer's weights over a whole window, by one matrix product.

    Parameters
    ----------
    x : array, shape (T, B, n)
        What comes in through the weights: spikes or currents; for recurrent weights, the layer's
        own spikes one step earlier.
    slope : array, shape (T, B, m)
        Surrogate derivative σ'(u) at each neuron's membrane minus threshold: `Record.slope`.
    signal : array, shape (T, B, m)
        Learning signal L. With ∂E/∂s of a loss E and without `output_decay` the result is the
        gradient of backpropagation through time; e-prop proper takes the readout's error through
        its weights, or random ones.
    decay : array, 0-d, or number
        Share of the membrane that is left after a step, in [0, 1].
    output_decay : float
        Share of the eligibility that is left after a step, in [0, 1): that of a leaky readout.
    synaptic_decay : float
        Share of the synaptic current that is left after a step, in [0, 1]; 0 for neurons without.
    adaptation, adaptation_decay : float
        What a spike adds to the threshold, ≥ 0, and the share of it that is left after a step, in
        [0, 1], as for `LIF`.

    Returns
    -------
    array, shape (m, n)
        Step against it: ``weights − rate · eprop_gradient(…)``.

    Notes
    -----
    Memory O(T·B·(n + m) + m·n): what readout and threshold keep of an eligibility runs backward
    over L instead, so that none is stored. `eprop_step` has them, and needs no window. Source:
    G. Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking neurons"
    (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import eprop_gradient
    >>> x = np.array([1.0, 0.0, 0.0])[:, None, None]  # 3 steps, 1 sample, 1 input
    >>> eprop_gradient(x, np.ones_like(x), np.ones_like(x), 0.5)  # 1 + 0.5 + 0.25
    array([[1.75]])
    """
    check_known("decay", decay, 0.0, 1.0)
    neuron = _checked(synaptic_decay, adaptation, adaptation_decay, output_decay)
    with Arguments(x=x, slope=slope, signal=signal, decay=decay) as given:
        given.check_shapes(
            x=("T", "B", "n"), slope=("T", "B", "m"), signal=("T", "B", "m"), decay=()
        )
        run = runner(_eprop, given.xp)
        return given.result(run(*given.arrays, neuron=neuron, xp=given.xp))


def eprop_init(
    weights: ArrayT, batch: int, *, synaptic: bool = False, adaptive: bool = False
) -> State[ArrayT]:
    """Return the traces of a layer that nothing has reached yet.

    Parameters
    ----------
    weights : array, shape (m, n)
    batch : int
        Samples that run side by side, ≥ 0.
    synaptic, adaptive : bool
        Whether the neurons have a `synaptic_decay` and an `adaptation` that are not 0.

    Returns
    -------
    dict
        "trace", shape (batch, n), and "eligibility", shape (batch, m, n): zeros; with `synaptic`
        also "current", shape (batch, n), and with `adaptive` "adaptation", shape (batch, m, n).
    """
    axes = _axes(check_bool("synaptic", synaptic), check_bool("adaptive", adaptive))
    return silent_state(weights, batch, **axes)


def _axes(synaptic: bool, adaptive: bool) -> dict[str, str]:
    """Return the axes of a state's arrays."""
    axes = {"trace": "Bn", "eligibility": "Bmn"}
    if synaptic:
        axes["current"] = "Bn"
    if adaptive:
        axes["adaptation"] = "Bmn"
    return axes


def eprop_step(
    x: ArrayT,
    slope: ArrayT,
    signal: ArrayT,
    state: State[ArrayT],
    /,
    decay: ArrayT | float,
    *,
    output_decay: float = 0.0,
    synaptic_decay: float = 0.0,
    adaptation: float = 0.0,
    adaptation_decay: float = 0.0,
) -> tuple[ArrayT, State[ArrayT]]:
    """Return one step's part of the gradient, and the traces after it: learning while running.

    Parameters
    ----------
    x : array, shape (B, n)
    slope, signal : array, shape (B, m)
    state : dict
        Of `eprop_init`, or of the step before.
    decay : array, 0-d, or number
    output_decay, synaptic_decay, adaptation, adaptation_decay : float
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
    neuron = _checked(synaptic_decay, adaptation, adaptation_decay, output_decay)
    axes = _axes(neuron.synaptic_decay != 0.0, neuron.adaptation != 0.0)
    named = named_state(state, *axes)
    with Arguments(x=x, slope=slope, signal=signal, decay=decay, **named) as given:
        shapes = state_shapes(axes)
        given.check_shapes(x=("B", "n"), slope=("B", "m"), signal=("B", "m"), decay=(), **shapes)
        arrives, after = given["x"], {}
        if neuron.synaptic_decay:
            arrives = after["current"] = neuron.synaptic_decay * given["state_current"] + arrives
        trace = after["trace"] = given["decay"] * given["state_trace"] + arrives
        reaches = trace[:, None, :]
        if neuron.adaptation:
            reaches = reaches - neuron.adaptation * given["state_adaptation"]
        own = given["slope"][:, :, None] * reaches
        if neuron.adaptation:
            kept = neuron.adaptation_decay * given["state_adaptation"]
            after["adaptation"] = kept + own
        eligibility = neuron.output_decay * given["state_eligibility"] + own
        after["eligibility"] = eligibility
        gradient = given.xp.sum(given["signal"][:, :, None] * eligibility, axis=0)
        return given.result(gradient), {name: given.result(after[name]) for name in axes}


def _checked(
    synaptic_decay: float, adaptation: float, adaptation_decay: float, output_decay: float
) -> _Neuron:
    return _Neuron(
        check_number("synaptic_decay", synaptic_decay, 0.0, 1.0),
        check_number("adaptation", adaptation, 0.0),
        check_number("adaptation_decay", adaptation_decay, 0.0, 1.0),
        check_number("output_decay", output_decay, 0.0, 1.0, ends="[)"),
    )


def _eprop(
    x: Array, slope: Array, signal: Array, decay: Array, *, neuron: _Neuron, xp: Namespace
) -> Array:
    if neuron.output_decay:
        signal = back_in_time(signal, neuron.output_decay, xp=xp)
    if neuron.adaptation and signal.shape[0]:
        signal = _through_thresholds(slope, signal, neuron, xp)
    trace = input_traces(x, decay, neuron.synaptic_decay, xp=xp)
    return eligible_sum(trace, slope * signal, xp=xp)


def _through_thresholds(slope: Array, signal: Array, neuron: _Neuron, xp: Namespace) -> Array:
    """Return L plus what a spike does to the neuron's own later spikes by way of its threshold."""

    def step(later: Array, at: Any) -> tuple[Array, tuple[Array]]:
        now, pushed = at[0], at[1] + later
        return neuron.adaptation_decay * later - neuron.adaptation * now * pushed, (pushed,)

    parts = (xp.flip(slope, axis=0), xp.flip(signal, axis=0))
    _, (pushed,) = scan(step, xp.zeros_like(signal[0, ...]), parts, xp)
    return xp.flip(pushed, axis=0)

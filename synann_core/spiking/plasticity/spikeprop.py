"""SpikeProp: firing times of neurons with delayed synapses, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synann_core._lib.arguments import Call
from synann_core._lib.checks import check_number
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.plasticity.firing import (
    first_crossings,
    first_crossings_vjp,
    response,
    response_slope,
)

__all__ = [
    "firing_times",
    "firing_times_vjp",
    "raise_silent",
    "spike_response",
    "spike_response_derivative",
    "spikeprop_gradients",
]

# ∂t/∂w has the potential's slope at the crossing for its denominator, which is 0 where the
# potential just touches the threshold.
SLOPE_FLOOR = 0.1


def spike_response(s: Array, /, tau: float) -> Array:
    """Postsynaptic potential ``ε(s) = (s/τ) e^(1 − s/τ)``, 0 before its spike.

    Parameters
    ----------
    s : array, any shape, or number
        Time since the spike arrived; ±inf give 0.
    tau : float
        Time constant, > 0, in the unit of s: the potential is largest, 1, at s = τ.

    Returns
    -------
    array, shape of s
        In [0, 1].

    Raises
    ------
    TypeError
        If `s` is not a real floating-point array or number.
    ValueError
        If `tau` is not finite and positive.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.plasticity.spikeprop import spike_response
    >>> spike_response(np.array([-1.0, 0.0, 7.0, 14.0]), 7.0).round(4)
    array([0.    , 0.    , 1.    , 0.7358])
    """
    return Call(s=s).value(lambda s, xp: response(s, check_number("tau", tau, 0.0, ends="()"), xp))


def spike_response_derivative(s: Array, /, tau: float) -> Array:
    """``ε′(s) = (1/τ)(1 − s/τ) e^(1 − s/τ)``, 0 for s ≤ 0; arguments of `spike_response`.

    Examples
    --------
    >>> from synann_core.spiking.plasticity.spikeprop import spike_response_derivative
    >>> float(spike_response_derivative(7.0, 7.0))
    0.0
    """
    return Call(s=s).value(
        lambda s, xp: response_slope(s, check_number("tau", tau, 0.0, ends="()"), xp)
    )


def firing_times(
    times: Array, weights: Array, delays: Array, /, *, tau: float, theta: float = 1.0
) -> Array:
    """When each neuron's potential first crosses its threshold upwards.

    ``x_j(t) = Σ_i Σ_k w_jik ε(t − t_i − d_k)``, with ε of `spike_response`.

    Parameters
    ----------
    times : array, shape (B, n)
        One spike of each input; inf for an input that is silent.
    weights : array, shape (m, n, K)
        One for each neuron, input and delay.
    delays : array, shape (K,)
        ≥ 0, in the unit of times.
    tau : float
        Time constant of ε, > 0.
    theta : float
        Threshold, > 0.

    Returns
    -------
    array, shape (B, m)
        inf for a neuron that stays silent; NaN where a sum is not a number. The root is bisected
        to the dtype: the error is that of the potential, some (20 + 3·span)·eps·Σ|w| with the span
        from a sample's first arrival to its crossing in units of τ, over its slope there. A
        potential that only touches the threshold may count as either.

    Raises
    ------
    TypeError
        If an argument is not a real floating-point array, if the libraries differ, or if `tau` or
        `theta` is no number.
    ValueError
        If the shapes do not fit, or `tau` or `theta` is not finite and positive.

    Notes
    -----
    Memory O(B·(n + m) + m·n·K) and a bounded block. All arrivals of a sample must lie within 80 τ
    in float32, 700 τ in float64; beyond, exponentials overflow and the result is NaN. A library's
    own autodiff sees no derivative through the bisection: use `firing_times_vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.plasticity.spikeprop import firing_times
    >>> times, delays = np.array([[0.0, 6.0], [0.0, np.inf]]), np.array([1.0, 2.0])
    >>> firing_times(times, np.full((1, 2, 2), 0.4), delays, tau=7.0).round(4)
    array([[8.2611],
           [   inf]])
    """
    call = _call(times, weights, delays)
    options = {
        "tau": check_number("tau", tau, 0.0, ends="()"),
        "theta": check_number("theta", theta, 0.0, ends="()"),
    }
    return call.value(lambda *a, xp: first_crossings(*a, **options, xp=xp))


def firing_times_vjp(
    times: Array,
    weights: Array,
    delays: Array,
    /,
    fired: Array,
    grad: Array,
    *,
    tau: float,
    slope_floor: float = SLOPE_FLOOR,
) -> tuple[Array, Array]:
    """Gradients of `firing_times` for an upstream gradient.

    With ``δ_j = grad_j / max(x_j′(t_j), slope_floor)``: ``∂L/∂w_jik = −Σ_b δ_j ε(t_j − t_i − d_k)``
    and ``∂L/∂t_i = Σ_j δ_j Σ_k w_jik ε′(t_j − t_i − d_k)``.

    Parameters
    ----------
    times : array, shape (B, n)
    weights : array, shape (m, n, K)
    delays : array, shape (K,)
    fired : array, shape (B, m)
        Result of `firing_times`.
    grad : array, shape (B, m), or number
        Gradient of the loss with respect to `fired`; that of a silent neuron counts as 0.
    tau : float
    slope_floor : float
        Smallest denominator, > 0, in threshold units per unit of time. Where it acts, the gradient
        is shorter than the true one.

    Returns
    -------
    gtimes : array, shape (B, n)
    gweights : array, shape (m, n, K)

    Raises
    ------
    TypeError, ValueError
        As for `firing_times`; also if `fired` or `grad` does not fit or `slope_floor` ≤ 0.

    Notes
    -----
    Source: Bohte, Kok and La Poutré, "Error-backpropagation in temporally encoded networks of
    spiking neurons" (2002), whose δ has the opposite sign.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.plasticity.spikeprop import firing_times, firing_times_vjp
    >>> case = np.array([[0.0, 6.0]]), np.full((1, 2, 2), 0.4), np.array([1.0, 2.0])
    >>> fired = firing_times(*case, tau=7.0)
    >>> gtimes, gweights = firing_times_vjp(*case, fired, 1.0, tau=7.0)
    >>> bool((gweights < 0).all())  # more weight, an earlier spike
    True
    """
    call = _call(times, weights, delays)
    shape = (call.shape("times")[0], call.shape("weights")[0])
    fired, grad = call.shaped(fired, shape, "fired"), call.shaped(grad, shape)
    floor = check_number("slope_floor", slope_floor, 0.0, ends="()")
    tau = check_number("tau", tau, 0.0, ends="()")

    def vjp(times: Array, weights: Array, delays: Array, upstream: Array, *, xp: Namespace) -> Any:
        gradients = first_crossings_vjp(
            times, weights, delays, *upstream, tau=tau, floor=floor, xp=xp
        )
        return *gradients, delays

    gtimes, gweights, _ = call.gradients(vjp, (fired, grad))
    return gtimes, gweights


def spikeprop_gradients(
    times: Array,
    layers: Sequence[Array],
    delays: Array,
    target: Array,
    /,
    *,
    tau: float,
    theta: float = 1.0,
    slope_floor: float = SLOPE_FLOOR,
) -> tuple[Array, list[Array], list[Array]]:
    """Loss, gradients and firing times of a network of layers.

    ``E = ½ Σ (t_j − target_j)²`` over the outputs that fire, one number per sample.

    Parameters
    ----------
    times : array, shape (B, n)
        Inputs of the first layer.
    layers : sequence of arrays, shapes (m, n, K)
        Weights; the outputs of a layer are the inputs of the next.
    delays : array, shape (K,)
    target : array, shape (B, m)
        Wanted firing times of the last layer.
    tau, theta, slope_floor : float
        As for `firing_times` and `firing_times_vjp`.

    Returns
    -------
    loss : array, shape (B,)
        inf where an output is silent.
    gradients : list of arrays
        Of Σ E by the weights of each layer; a silent neuron has none, see `raise_silent`.
    fired : list of arrays, shapes (B, m)
        Firing times of each layer.

    Raises
    ------
    TypeError, ValueError
        As for `firing_times`; also if there is no layer.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.plasticity.spikeprop import spikeprop_gradients
    >>> times, delays = np.array([[0.0, 6.0]]), np.array([1.0, 2.0])
    >>> weights, target = np.full((1, 2, 2), 0.4), np.array([[7.0]])
    >>> for _ in range(20):
    ...     loss, (gradient,), _ = spikeprop_gradients(times, [weights], delays, target, tau=7.0)
    ...     weights = weights - 0.01 * gradient
    >>> bool(loss[0] < 1e-4)
    True
    """
    if not isinstance(layers, list | tuple) or not layers:
        raise ValueError(f"`layers` must be a list of one or more arrays. Received: {layers!r}")
    fired = [times]
    for weights in layers:
        fired.append(firing_times(fired[-1], weights, delays, tau=tau, theta=theta))
    call = Call(fired=fired[-1])
    grad = call["fired"] - call.shaped(target, call.shape("fired"), "target")
    loss = call.value(lambda error, xp: 0.5 * xp.sum(error * error, axis=-1), grad)
    gradients: list[Array] = []
    for weights, before, after in reversed(list(zip(layers, fired[:-1], fired[1:], strict=True))):
        grad, gradient = firing_times_vjp(
            before, weights, delays, after, grad, tau=tau, slope_floor=slope_floor
        )
        gradients.insert(0, gradient)
    return loss, gradients, fired[1:]


def raise_silent(weights: Array, fired: Array, /, amount: float) -> Array:
    """Weights with those of silent neurons raised, which no gradient would wake.

    Parameters
    ----------
    weights : array, shape (m, n, K)
    fired : array, shape (B, m)
        Result of `firing_times`.
    amount : float
        Added to each weight of a neuron that is silent in all samples; a neuron that is silent in
        some gets that share of it.

    Returns
    -------
    array, shape (m, n, K)

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.plasticity.spikeprop import raise_silent
    >>> raise_silent(np.zeros((2, 1, 1)), np.array([[np.inf, 3.0]]), 0.1)[:, 0, 0]
    array([0.1, 0. ])
    """
    call = Call(weights=weights, fired=fired, amount=amount)
    call.expect(weights=("m", "n", "K"), fired=("B", "m"), amount=())
    return call.value(_raise_silent)


def _call(times: Array, weights: Array, delays: Array) -> Call:
    call = Call(times=times, weights=weights, delays=delays)
    call.expect(weights=("m", "n", "K"), times=("B", "n"), delays=("K",))
    return call


def _raise_silent(weights: Array, fired: Array, amount: Array, *, xp: Namespace) -> Array:
    silent = xp.astype(xp.isinf(fired), weights.dtype)
    share = xp.sum(silent, axis=0) / max(fired.shape[0], 1)
    return weights + amount * share[:, None, None]

"""SpikeProp: firing times of neurons with delayed synapses, and their gradients.

Functions raise TypeError for arrays that are not of real floating-point numbers, options that are
not numbers, and mixed libraries, and ValueError for shapes that do not fit and a `tau`, `threshold`
or `slope_floor` that is not finite and positive.
"""

from __future__ import annotations

from collections.abc import Sequence

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_number
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.plasticity.firing import (
    first_crossings,
    first_crossings_vjp,
    response,
    response_slope,
)

# ∂t/∂w has the potential's slope at the crossing for its denominator, which is 0 where the
# potential just touches the threshold.
SLOPE_FLOOR = 0.1


def spike_response(s: ArrayT | float, /, tau: float) -> ArrayT:
    """Return the postsynaptic potential ``ε(s) = (s/τ) e^(1 − s/τ)``, 0 before its spike.

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

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import spike_response
    >>> spike_response(np.array([-1.0, 0.0, 7.0, 14.0]), 7.0).round(4)
    array([0.    , 0.    , 1.    , 0.7358])
    """
    with Arguments(s=s) as given:
        return given.result(response(given["s"], _positive("tau", tau), given.xp))


def spike_response_derivative(s: ArrayT | float, /, tau: float) -> ArrayT:
    """Return ``ε′(s) = (1/τ)(1 − s/τ) e^(1 − s/τ)``, 0 for s ≤ 0; arguments of `spike_response`.

    Examples
    --------
    >>> from synann_core.spiking import spike_response_derivative
    >>> float(spike_response_derivative(7.0, 7.0))
    0.0
    """
    with Arguments(s=s) as given:
        return given.result(response_slope(given["s"], _positive("tau", tau), given.xp))


def firing_times(
    times: ArrayT, weights: ArrayT, delays: ArrayT, /, *, tau: float, threshold: float = 1.0
) -> ArrayT:
    """Find when each neuron's potential first crosses its threshold upwards.

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
    threshold : float
        > 0.

    Returns
    -------
    array, shape (B, m)
        inf for a neuron that stays silent; NaN where a sum is not a number. The root is bisected
        to the dtype: the error is that of the potential, some (20 + 3·span)·eps·Σ|w| with the span
        from a sample's first arrival to its crossing in units of τ, over its slope there. A
        potential that only touches the threshold may count as either.

    Notes
    -----
    Memory O(B·(n + m) + m·n·K) and a bounded block. All arrivals of a sample must lie within 80 τ
    in float32, 700 τ in float64; beyond, exponentials overflow and the result is NaN. A library's
    own autodiff sees no derivative through the bisection: use `firing_times_vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import firing_times
    >>> times, delays = np.array([[0.0, 6.0], [0.0, np.inf]]), np.array([1.0, 2.0])
    >>> firing_times(times, np.full((1, 2, 2), 0.4), delays, tau=7.0).round(4)
    array([[8.2611],
           [   inf]])
    """
    with _checked(times, weights, delays) as given:
        tau, threshold = _positive("tau", tau), _positive("threshold", threshold)
        fired = first_crossings(*given.arrays, tau=tau, threshold=threshold, xp=given.xp)
        return given.result(fired)


def firing_times_vjp(
    times: ArrayT,
    weights: ArrayT,
    delays: ArrayT,
    /,
    fired: ArrayT,
    grad: ArrayT | float,
    *,
    tau: float,
    slope_floor: float = SLOPE_FLOOR,
) -> tuple[ArrayT, ArrayT]:
    """Return the gradients of `firing_times` for an upstream gradient.

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

    Notes
    -----
    Source: Bohte, Kok and La Poutré, "Error-backpropagation in temporally encoded networks of
    spiking neurons" (2002), whose δ has the opposite sign.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import firing_times, firing_times_vjp
    >>> case = np.array([[0.0, 6.0]]), np.full((1, 2, 2), 0.4), np.array([1.0, 2.0])
    >>> fired = firing_times(*case, tau=7.0)
    >>> gtimes, gweights = firing_times_vjp(*case, fired, 1.0, tau=7.0)
    >>> bool((gweights < 0).all())  # more weight, an earlier spike
    True
    """
    with _checked(times, weights, delays) as given:
        shape = (given.shape("times")[0], given.shape("weights")[0])
        given.array("fired", fired, shape)
        given.array("grad", grad, shape)
        floor, tau = _positive("slope_floor", slope_floor), _positive("tau", tau)
        found = first_crossings_vjp(*given.arrays, tau=tau, floor=floor, xp=given.xp)
        gtimes, gweights = given.gradients((*found, given["delays"]))[:2]
        return gtimes, gweights


def spikeprop_gradients(
    times: ArrayT,
    layers: Sequence[ArrayT],
    delays: ArrayT,
    target: ArrayT,
    /,
    *,
    tau: float,
    threshold: float = 1.0,
    slope_floor: float = SLOPE_FLOOR,
) -> tuple[ArrayT, list[ArrayT], list[ArrayT]]:
    """Return loss, gradients and firing times of a network of layers.

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
    tau, threshold, slope_floor : float
        As for `firing_times` and `firing_times_vjp`.

    Returns
    -------
    loss : array, shape (B,)
        inf where an output is silent.
    gradients : list of arrays
        Of Σ E by the weights of each layer; a silent neuron has none, see `raise_silent`.
    fired : list of arrays, shapes (B, m)
        Firing times of each layer.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import spikeprop_gradients
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
    names = [f"layers[{k}]" for k in range(len(layers))]
    weights = dict(zip(names, layers, strict=True))
    with Arguments[ArrayT](times=times, **weights, delays=delays) as given:
        shapes = {name: (f"n{k + 1}", f"n{k}", "K") for k, name in enumerate(names)}
        given.check_shapes(**shapes, times=("B", "n0"), delays=("K",))
        delay, xp, tau, fired = given["delays"], given.xp, _positive("tau", tau), [given["times"]]
        level, floor = _positive("threshold", threshold), _positive("slope_floor", slope_floor)
        for name in names:
            last = given[name]
            fired.append(first_crossings(fired[-1], last, delay, tau=tau, threshold=level, xp=xp))
        grad = fired[-1] - given.array("target", target, tuple(fired[-1].shape))
        loss, found = given.result(0.5 * xp.sum(grad * grad, axis=-1)), [delay]
        for name, before, after in reversed(list(zip(names, fired[:-1], fired[1:], strict=True))):
            grad, gradient = first_crossings_vjp(
                before, given[name], delay, after, grad, tau=tau, floor=floor, xp=xp
            )
            found.insert(0, gradient)
        gradients = given.gradients((grad, *found))[1:-1]
        return loss, list(gradients), [given.result(times) for times in fired[1:]]


def raise_silent(weights: ArrayT, fired: ArrayT, /, amount: float) -> ArrayT:
    """Raise the weights of silent neurons, which no gradient would wake.

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

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import raise_silent
    >>> raise_silent(np.zeros((2, 1, 1)), np.array([[np.inf, 3.0]]), 0.1)[:, 0, 0]
    array([0.1, 0. ])
    """
    with Arguments(weights=weights, fired=fired, amount=amount) as given:
        given.check_shapes(weights=("m", "n", "K"), fired=("B", "m"), amount=())
        return given.result(_raise_silent(*given.arrays, xp=given.xp))


def _checked(times: ArrayT, weights: ArrayT, delays: ArrayT) -> Arguments[ArrayT]:
    given = Arguments[ArrayT](times=times, weights=weights, delays=delays)
    given.check_shapes(weights=("m", "n", "K"), times=("B", "n"), delays=("K",))
    return given


def _positive(name: str, value: float) -> float:
    return check_number(name, value, 0.0, ends="()")


def _raise_silent(weights: Array, fired: Array, amount: Array, *, xp: Namespace) -> Array:
    silent = xp.astype(xp.isinf(fired), weights.dtype)
    share: Array = xp.sum(silent, axis=0) / max(fired.shape[0], 1)
    return weights + amount * share[:, None, None]

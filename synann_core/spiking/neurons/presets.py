"""Neurons of other libraries, and decays from time constants.

A `decay` or `threshold` is a number or an array of shape (N,), as for `LIF`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from synann_core._lib.checks import check_number, check_option
from synann_core.spiking.neurons.lif import LIF
from synann_core.spiking.neurons.records import Reset
from synann_core.spiking.neurons.surrogates import superspike


def decay_factor(tau: float, dt: float = 1.0, *, method: Literal["exp", "euler"] = "exp") -> float:
    """Return the share that is left after a step `dt` of a decay with time constant `tau`.

    Parameters
    ----------
    tau, dt : float
        In the same unit, > 0.
    method : {"exp", "euler"}
        ``e^(−dt/tau)``, exact, or ``1 − dt/tau``, one step of Euler's method.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a number is not positive and finite, or the method unknown; also for Euler's method with
        dt > tau, which oscillates.

    Examples
    --------
    >>> from synann_core.spiking import decay_factor
    >>> decay_factor(10.0, method="euler"), round(decay_factor(10.0), 6)
    (0.9, 0.904837)
    """
    check_option("method", method, ("exp", "euler"))
    for name, value in (("tau", tau), ("dt", dt)):
        check_number(name, value, 0.0, ends="()")
    if method == "exp":
        return math.exp(-dt / tau)
    if dt > tau:
        raise ValueError(f"`dt` must be at most tau = {tau} with method 'euler'. Received: {dt}")
    return 1.0 - dt / tau


def leaky_integrator(decay: Any = 0.95, **options: Any) -> LIF:
    """Make a membrane without threshold, the readout of a network: ``m = decay·m + I``.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import leaky_integrator
    >>> leaky_integrator(0.5).run(np.ones((3, 1)))[1].membrane[:, 0]
    array([1.  , 1.5 , 1.75])
    """
    options.setdefault("reset", "none")
    return LIF(decay, None, **options)


def snntorch_leaky(decay: Any, threshold: Any = 1.0, *, reset: Reset = "subtract") -> LIF:
    """Make ``snntorch.Leaky(decay, threshold, reset_mechanism=reset)``, its surrogate too.

    Examples
    --------
    >>> from synann_core.spiking import snntorch_leaky
    >>> snntorch_leaky(0.95).surrogate.shape
    'arctan'
    """
    return LIF(decay, threshold, reset=reset)


def snntorch_synaptic(synaptic_decay: Any, decay: Any, threshold: Any = 1.0) -> LIF:
    """Make ``snntorch.Synaptic(synaptic_decay, decay, threshold)``; the reset is "subtract".

    Its reset to zero differs from that of `LIF`: it also takes the input away.

    Examples
    --------
    >>> from synann_core.spiking import snntorch_synaptic
    >>> snntorch_synaptic(0.9, 0.8).synaptic_decay
    0.9
    """
    return LIF(decay, threshold, synaptic_decay)


def norse_lif(
    tau_syn_inv: float = 200.0,
    tau_mem_inv: float = 100.0,
    v_leak: float = 0.0,
    v_th: float = 1.0,
    v_reset: float = 0.0,
    *,
    dt: float = 0.001,
) -> LIF:
    """Make Norse's ``lif_feed_forward_step``, with its parameters and defaults (1/s and s).

    Gradients pass through its reset; its surrogate ignores the slope. Its state i is `current`
    times `synaptic_decay`: the current after its decay, where this library keeps that before.

    Examples
    --------
    >>> from synann_core.spiking import norse_lif
    >>> round(norse_lif().decay, 12), round(norse_lif().synaptic_decay, 12)
    (0.9, 0.8)
    """
    for name, value in (("tau_syn_inv", tau_syn_inv), ("tau_mem_inv", tau_mem_inv), ("dt", dt)):
        check_number(name, value, 0.0)
    for name, value in (("v_leak", v_leak), ("v_th", v_th), ("v_reset", v_reset)):
        check_number(name, value)
    gain = dt * tau_mem_inv
    return LIF(
        1.0 - gain,
        v_th,
        1.0 - dt * tau_syn_inv,
        gain=gain,
        rest=v_leak,
        reset_to=v_reset,
        order="immediate",
        reset="zero",
        surrogate=superspike(width=1.0),
        detach_reset=False,
    )

"""Spike-timing-dependent plasticity: a synapse grows where its input fires before its neuron.

Two forms of one rule, a sum over pairs of spikes: traces that are updated step by step
(`STDP.step`, `STDP.online`), and products over a whole window (`STDP.offline`).

The rule raises TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and options that are unknown or out of range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_fields, check_option
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.plasticity.traces import State, decayed_sums, named_state, silent_state

Coincident = Literal["both", "potentiation", "depression", "none"]
Pairing = Literal["all", "nearest"]
Dependence = Literal["additive", "hard", "power", "linear"]

STEP_SHAPES: dict[str, Any] = {
    "weights": ("m", "n"),
    "pre": ("B", "n"),
    "post": ("B", "m"),
    "state_pre": ("B", "n"),
    "state_post": ("B", "m"),
}
_WINDOW_SHAPES = {**STEP_SHAPES, "pre": ("T", "B", "n"), "post": ("T", "B", "m")}


@dataclass(frozen=True)
class STDP:
    """Pair-based STDP, with the learning rate in its amplitudes.

    A pair of spikes whose postsynaptic one comes d = t_post − t_pre steps later changes the weight
    by ``W(d) = a_plus·e^(−d/tau_plus)`` for d > 0 and ``−a_minus·e^(d/tau_minus)`` for d < 0, times
    a factor F± of the weight.

    Parameters
    ----------
    a_plus, a_minus : float
        Amplitudes of potentiation and depression; a negative one turns its part around.
    tau_plus, tau_minus : float
        Time constants in steps, ≥ 0.001.
    coincident : {"both", "potentiation", "depression", "none"}
        What two spikes in one step (d = 0) do: ``a_plus − a_minus``, ``a_plus``, ``−a_minus``, 0.
    pairing : {"all", "nearest"}
        Every pair counts, or a spike of either side only meets the other side's latest one.
    dependence : {"additive", "hard", "power", "linear"}
        F±: 1; 1 while the weight is inside its bounds; ``((high − w)/(high − low))^mu_plus`` and
        ``((w − low)/(high − low))^mu_minus``; the same with exponents 1. All but "additive" keep
        the weight in [low, high].
    mu_plus, mu_minus : float
        Exponents of "power", ≥ 0.
    low, high : float
        Bounds of the weight, unused by "additive".
    target : float
        Taken from the trace that a postsynaptic spike meets, ≥ 0: the weight grows by ``a_plus ·
        (trace − target)``, so that inputs which have been silent fall back; 0 for STDP proper.

    Notes
    -----
    Spikes are 0 or 1 in floating-point arrays; weights have a row for each postsynaptic neuron, as
    in a linear layer. Samples of a batch see the same weights; their changes are added. Sources:
    Morrison, Diesmann and Gerstner, "Phenomenological models of synaptic plasticity based on spike
    timing" (2008), Gütig et al. (2003) for "power", and P. Diehl and M. Cook, "Unsupervised
    learning of digit recognition using spike-timing-dependent plasticity" (2015) for `target`.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import STDP
    >>> rule = STDP(a_plus=0.1, a_minus=0.1, tau_plus=1.0, tau_minus=1.0)
    >>> pre, post = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    >>> pre, post = pre[:, None, None], post[:, None, None]  # 3 steps, 1 sample, 1 neuron
    >>> rule.offline(np.array([[0.5]]), pre, post).round(4)  # one step later: 0.5 + 0.1/e
    array([[0.5368]])
    >>> rule.online(np.array([[0.5]]), post, pre)[0].round(4)  # one step earlier
    array([[0.4632]])
    """

    a_plus: float = 0.01
    a_minus: float = 0.012
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    coincident: Coincident = "both"
    pairing: Pairing = "all"
    dependence: Dependence = "additive"
    mu_plus: float = 1.0
    mu_minus: float = 1.0
    low: float = 0.0
    high: float = 1.0
    target: float = 0.0

    def __post_init__(self) -> None:
        ranges = {
            (-math.inf, math.inf): ("a_plus", "a_minus", "low", "high"),
            (1e-3, math.inf): ("tau_plus", "tau_minus"),
            (0.0, math.inf): ("mu_plus", "mu_minus", "target"),
        }
        check_fields(self, **{name: limits for limits, names in ranges.items() for name in names})
        check_option("coincident", self.coincident, get_args(Coincident))
        check_option("pairing", self.pairing, get_args(Pairing))
        check_option("dependence", self.dependence, get_args(Dependence))
        if not self.low < self.high:
            raise ValueError(f"`low` must be below `high`. Received: {self.low} and {self.high}")

    def window(self, delay: ArrayT | float, /) -> ArrayT:
        """Return W(d) for delays d = t_post − t_pre in steps: the learning window, without F±.

        It is that of a pair; what `target` takes for a postsynaptic spike is not of a pair.

        Parameters
        ----------
        delay : array, any shape, or number

        Returns
        -------
        array, shape of `delay`
        """
        with Arguments(delay=delay) as given:
            return given.result(self._window(given["delay"], xp=given.xp))

    def init(self, weights: ArrayT, batch: int) -> State[ArrayT]:
        """Return the traces of neurons that have been silent.

        Parameters
        ----------
        weights : array, shape (m, n)
        batch : int
            Samples that run side by side, ≥ 0.

        Returns
        -------
        dict
            "pre", shape (batch, n), and "post", shape (batch, m): zeros.
        """
        return silent_state(weights, batch, pre="Bn", post="Bm")

    def step(
        self, weights: ArrayT, pre: ArrayT, post: ArrayT, /, state: State[ArrayT]
    ) -> tuple[ArrayT, State[ArrayT]]:
        """Return weights and traces after one step.

        Parameters
        ----------
        weights : array, shape (m, n)
        pre : array, shape (B, n)
            Spikes of this step, 0 or 1.
        post : array, shape (B, m)
        state : dict
            Of `init`, or of the step before.

        Returns
        -------
        weights : array, shape (m, n)
        state : dict
        """
        named = named_state(state, "pre", "post")
        with Arguments(weights=weights, pre=pre, post=post, **named) as given:
            given.check_shapes(**STEP_SHAPES)
            weights, pre, post = map(given.result, self._step(*given.arrays, xp=given.xp))
            return weights, {"pre": pre, "post": post}

    def online(
        self, weights: ArrayT, pre: ArrayT, post: ArrayT, /, state: State[ArrayT] | None = None
    ) -> tuple[ArrayT, State[ArrayT]]:
        """Return weights and traces after a window: `step` in a loop (on JAX a scan).

        Parameters
        ----------
        weights : array, shape (m, n)
        pre : array, shape (T, B, n)
        post : array, shape (T, B, m)
        state : dict, optional
            Traces to start from; those of silent neurons unless given.

        Returns
        -------
        weights : array, shape (m, n)
        state : dict
        """
        named = {} if state is None else named_state(state, "pre", "post")
        with _window(weights, pre, post, **named) as given:
            if state is None:
                for name in ("pre", "post"):
                    given.array(f"state_{name}", 0.0, given.shape(name)[1:])
            run = runner(_online, given.xp)
            weights, pre, post = map(given.result, run(*given.arrays, rule=self, xp=given.xp))
            return weights, {"pre": pre, "post": post}

    def offline(self, weights: ArrayT, pre: ArrayT, post: ArrayT, /) -> ArrayT:
        """Return weights after a window, by matrix products over all its steps and samples.

        With "additive" the result of `online`, to rounding. With the others F± is that of the
        weights before the window, which are then clipped once: the same only for small changes.

        Parameters
        ----------
        weights : array, shape (m, n)
        pre : array, shape (T, B, n)
        post : array, shape (T, B, m)

        Returns
        -------
        array, shape (m, n)
        """
        with _window(weights, pre, post) as given:
            run = runner(_offline, given.xp)
            return given.result(run(*given.arrays, rule=self, xp=given.xp))

    def _window(self, delay: Array, *, xp: Namespace) -> Array:
        before = self.a_plus * xp.exp(-xp.abs(delay) / self.tau_plus)
        after = self.a_minus * xp.exp(-xp.abs(delay) / self.tau_minus)
        grows = delay >= 0 if self._meets("potentiation") else delay > 0
        fades = delay <= 0 if self._meets("depression") else delay < 0
        nothing = xp.zeros_like(delay)
        value = xp.where(grows, before, nothing) - xp.where(fades, after, nothing)
        return xp.where(xp.isnan(delay), delay, value)

    def _meets(self, part: str) -> bool:
        """Whether two spikes in one step count for this part of the rule."""
        return self.coincident in (part, "both")

    def _next(self, trace: Array, spikes: Array, tau: float, part: str) -> tuple[Array, Array]:
        """Return the trace after this step, and the trace that the other side's spikes meet."""
        faded = math.exp(-1.0 / tau) * trace
        kept = faded * (1.0 - spikes) if self.pairing == "nearest" else faded
        now = kept + spikes
        return now, now if self._meets(part) else faded

    def _factors(self, weights: Array, xp: Namespace) -> tuple[Any, Any]:
        """Return F₊ and F₋, amplitudes included."""
        if self.dependence == "additive":
            return self.a_plus, self.a_minus
        rooms = self.high - weights, weights - self.low
        if self.dependence == "hard":
            grow, fade = (xp.astype(room > 0, room.dtype) for room in rooms)
        else:
            shares = (room / (self.high - self.low) for room in rooms)
            above, below = (xp.maximum(share, xp.zeros_like(share)) for share in shares)
            powers = (self.mu_plus, self.mu_minus) if self.dependence == "power" else (1.0, 1.0)
            grow, fade = above ** powers[0], below ** powers[1]
        return self.a_plus * grow, self.a_minus * fade

    def _bounded(self, weights: Array, xp: Namespace) -> Array:
        return weights if self.dependence == "additive" else xp.clip(weights, self.low, self.high)

    def _changed(
        self, weights: Array, pre: Array, post: Array, met_x: Array, met_y: Array, xp: Namespace
    ) -> Array:
        """Return the weights after spikes (rows, n) and (rows, m) and the traces they meet."""
        grow, fade = self._factors(weights, xp)
        change = grow * (xp.matrix_transpose(post) @ (met_x - self.target))
        change = change - fade * (xp.matrix_transpose(met_y) @ pre)
        return self._bounded(weights + change, xp)

    def _step(
        self, weights: Array, pre: Array, post: Array, x: Array, y: Array, *, xp: Namespace
    ) -> tuple[Array, Array, Array]:
        x, met_x = self._next(x, pre, self.tau_plus, "potentiation")
        y, met_y = self._next(y, post, self.tau_minus, "depression")
        return self._changed(weights, pre, post, met_x, met_y, xp), x, y

    def _whole(self, spikes: Array, tau: float, part: str, xp: Namespace) -> Array:
        """Return what each step's spikes of the other side meet, for a whole window."""
        if self.pairing == "all":
            traces = decayed_sums(spikes, math.exp(-1.0 / tau), xp=xp)
            return traces if self._meets(part) else traces - spikes

        def step(trace: Array, now: Any) -> tuple[Any, Any]:
            trace, met = self._next(trace, now[0], tau, part)
            return trace, (met,)

        met: Array = scan(step, xp.zeros_like(spikes[0, ...]), (spikes,), xp)[1][0]
        return met


def _online(
    weights: Array, pre: Array, post: Array, x: Array, y: Array, *, rule: STDP, xp: Namespace
) -> tuple[Array, ...]:
    if pre.shape[0] == 0:
        return weights, x, y

    def step(carry: Any, spikes: Any) -> tuple[Any, None]:
        return rule._step(carry[0], *spikes, *carry[1:], xp=xp), None

    result: tuple[Array, ...] = scan(step, (weights, x, y), (pre, post), xp)[0]
    return result


def _offline(weights: Array, pre: Array, post: Array, *, rule: STDP, xp: Namespace) -> Array:
    if pre.shape[0] == 0:
        return weights
    met_x = rule._whole(pre, rule.tau_plus, "potentiation", xp)
    met_y = rule._whole(post, rule.tau_minus, "depression", xp)
    pre, post, met_x, met_y = (_rows(a, xp) for a in (pre, post, met_x, met_y))
    return rule._changed(weights, pre, post, met_x, met_y, xp)


def _window(weights: ArrayT, pre: ArrayT, post: ArrayT, **state: ArrayT) -> Arguments[ArrayT]:
    given = Arguments[ArrayT](weights=weights, pre=pre, post=post, **state)
    given.check_shapes(**{name: _WINDOW_SHAPES[name] for name in given.named})
    return given


def _rows(a: Array, xp: Namespace) -> Array:
    """Return (T, B, N) as (T·B, N)."""
    return xp.reshape(a, (a.shape[0] * a.shape[1], a.shape[2]))

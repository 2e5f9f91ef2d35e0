"""STDP that waits for a reward."""

from __future__ import annotations

import math
from dataclasses import dataclass

from array_api_compat import device

from synann_core._lib.arguments import Call
from synann_core._lib.checks import check_fields
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.plasticity.stdp import STDP, STEP_SHAPES
from synann_core.spiking.plasticity.traces import State, named_state

__all__ = ["RewardSTDP"]


@dataclass(frozen=True)
class RewardSTDP:
    """STDP that waits for a reward: pairs leave an eligibility, which a reward turns into change.

    ``E ← E e^(−1/tau) + Δ/tau`` with Δ the change that the rule would make in this step,
    ``w ← w + R E``.

    Parameters
    ----------
    rule : STDP
    tau : float
        Time constant of the eligibility in steps, ≥ 0.001.

    Raises
    ------
    TypeError, ValueError
        If `rule` is no STDP or `tau` is out of its range.

    Notes
    -----
    A reward belongs to a sample, so the eligibility has shape (B, m, n). Source: Izhikevich,
    "Solving the distal reward problem through linkage of STDP and dopamine signaling" (2007).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking.plasticity.reward import RewardSTDP
    >>> from synann_core.spiking.plasticity.stdp import STDP
    >>> rule = RewardSTDP(STDP(a_plus=0.1, a_minus=0.0, tau_plus=1.0), tau=2.0)
    >>> weights, spike, none = np.array([[0.5]]), np.array([[1.0]]), np.array([[0.0]])
    >>> state = rule.init(weights, 1)
    >>> weights, state = rule.step(weights, spike, spike, 0.0, state)
    >>> weights, state = rule.step(weights, none, none, 1.0, state)  # 0.05 e^(−1/2) is left
    >>> weights.round(4)
    array([[0.5303]])
    """

    rule: STDP
    tau: float = 100.0

    def __post_init__(self) -> None:
        if not isinstance(self.rule, STDP):
            raise TypeError(f"`rule` must be an STDP. Received: {self.rule!r}")
        check_fields(self, tau=(1e-3, math.inf))

    def init(self, weights: Array, batch: int) -> State:
        """Traces and eligibility of neurons that have been silent; arguments of `STDP.init`."""
        state = self.rule.init(weights, batch)
        shape = (state["pre"].shape[0], *weights.shape)
        call = Call(weights=weights)
        zeros = call.xp.zeros(shape, dtype=call.dtype, device=device(weights))
        return {**state, "eligibility": zeros}

    def step(
        self, weights: Array, pre: Array, post: Array, reward: Array, state: State
    ) -> tuple[Array, State]:
        """Weights and state after one step.

        Parameters
        ----------
        weights : array, shape (m, n)
        pre : array, shape (B, n)
        post : array, shape (B, m)
        reward : array, shape (B,), or number
            Reward (or punishment, < 0) of each sample in this step.
        state : dict

        Returns
        -------
        weights : array, shape (m, n)
        state : dict

        Raises
        ------
        TypeError, ValueError
            As for `STDP.step`; also if `reward` does not fit.
        """
        names = ("pre", "post", "eligibility")
        call = Call(weights=weights, pre=pre, post=post, **named_state(state, *names))
        call.expect(**STEP_SHAPES, state_eligibility=("B", "m", "n"))
        reward = call.shaped(reward, call.shape("pre")[:1], "reward")
        results = self._step(*call.arrays.values(), reward=reward, xp=call.xp)
        weights, *rest = (call.xp.astype(a, call.dtype, copy=False) for a in results)
        return weights, dict(zip(names, rest, strict=True))

    def _step(
        self,
        weights: Array,
        pre: Array,
        post: Array,
        x: Array,
        y: Array,
        eligibility: Array,
        *,
        reward: Array,
        xp: Namespace,
    ) -> tuple[Array, ...]:
        rule = self.rule
        x, met_x = rule._next(x, pre, rule.tau_plus, "potentiation")
        y, met_y = rule._next(y, post, rule.tau_minus, "depression")
        grow, fade = rule._factors(weights, xp)
        change = grow * (post[:, :, None] * met_x[:, None, :])
        change = change - fade * (met_y[:, :, None] * pre[:, None, :])
        eligibility = math.exp(-1.0 / self.tau) * eligibility + change / self.tau
        moved = weights + xp.sum(reward[:, None, None] * eligibility, axis=0)
        return rule._bounded(moved, xp), x, y, eligibility

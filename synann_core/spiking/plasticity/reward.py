"""STDP that waits for a reward.

The rule raises TypeError or ValueError for arguments of the wrong kind, shape or range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_fields
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.spiking.plasticity.stdp import STDP, STEP_SHAPES
from synann_core.spiking.plasticity.traces import State, named_state, silent_state


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

    Notes
    -----
    A reward belongs to a sample, so the eligibility has shape (B, m, n). Source: Izhikevich,
    "Solving the distal reward problem through linkage of STDP and dopamine signaling" (2007).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import STDP, RewardSTDP
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

    def init(self, weights: ArrayT, batch: int) -> State[ArrayT]:
        """Return traces and eligibility of neurons that have been silent; see `STDP.init`."""
        return silent_state(weights, batch, pre="Bn", post="Bm", eligibility="Bmn")

    def step(
        self,
        weights: ArrayT,
        pre: ArrayT,
        post: ArrayT,
        /,
        reward: ArrayT | float,
        state: State[ArrayT],
    ) -> tuple[ArrayT, State[ArrayT]]:
        """Return weights and state after one step.

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
        """
        names = ("pre", "post", "eligibility")
        named = named_state(state, *names)
        with Arguments(weights=weights, pre=pre, post=post, **named) as given:
            given.check_shapes(**STEP_SHAPES, state_eligibility=("B", "m", "n"))
            given.array("reward", reward, given.shape("pre")[:1])
            weights, *after = map(given.result, self._step(*given.arrays, xp=given.xp))
            return weights, dict(zip(names, after, strict=True))

    def _step(self, weights: Array, pre: Array, post: Array, *more: Array, xp: Namespace) -> Any:
        rule, (x, y, eligibility, reward) = self.rule, more
        x, met_x = rule._next(x, pre, rule.tau_plus, "potentiation")
        y, met_y = rule._next(y, post, rule.tau_minus, "depression")
        grow, fade = rule._factors(weights, xp)
        change = grow * (post[:, :, None] * (met_x - rule.target)[:, None, :])
        change = change - fade * (met_y[:, :, None] * pre[:, None, :])
        eligibility = math.exp(-1.0 / self.tau) * eligibility + change / self.tau
        moved = weights + xp.sum(reward[:, None, None] * eligibility, axis=0)
        return rule._bounded(moved, xp), x, y, eligibility

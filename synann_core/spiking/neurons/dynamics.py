"""Run neurons with array operations, on any library; their adjoint is in `adjoint`."""

from __future__ import annotations

from typing import Any

from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.neurons import formulas
from synann_core.spiking.neurons.adjoint import vjp
from synann_core.spiking.neurons.records import Inputs, Plan, Run, State

__all__ = ["forward", "vjp"]


def forward(inputs: Inputs, *, plan: Plan, xp: Namespace) -> Run:
    """Run the neurons for all steps."""
    run: Run = runner(_forward, xp)(inputs, plan=plan, xp=xp)
    return run


def _forward(inputs: Inputs, *, plan: Plan, xp: Namespace) -> Run:
    params, currents, rule = inputs.parameters, inputs.currents, plan.rule
    decay, threshold = params.decay, params.threshold
    delayed = rule.order != "immediate"
    # Computed once, not at every step.
    taken = formulas.taken_away(threshold, rule, xp)
    at_rest = (1.0 - decay) * rule.rest if rule.rest else None

    def step(state: State[Array], part: tuple[Array]) -> tuple[State[Array], tuple[Any, Array]]:
        m, adaptation = state.membrane, state.adaptation
        s: Any = state.spikes
        y = formulas.drive(params, state, part[0], xp)
        r = stop_gradient(s, xp) if rule.detach_reset else s
        if rule.reset == "zero" and delayed:
            m = formulas.reset_by(m, r, taken, rule)
        h = decay * m + (y if rule.gain == 1.0 else rule.gain * y)
        if at_rest is not None:
            h = h + at_rest
        if rule.reset == "subtract" and delayed:
            h = formulas.reset_by(h, r, taken, rule)
        new = formulas.fire(h, formulas.threshold_of(params, adaptation, rule), rule, xp)
        after = State(
            formulas.after_spikes(h, new, taken, rule, xp),
            None if state.current is None else y,
            new,
            formulas.adapted(adaptation, new, rule),
        )
        return after, (s if rule.order == "article" else new, h)

    if plan.steps is not None:
        currents = xp.broadcast_to(currents, (plan.steps, *currents.shape))
    start = formulas.complete(inputs, rule, formulas.fire, xp)
    final, (spikes, potential) = scan(step, start, (currents,), xp, in_time=True)
    return Run(spikes, potential, final)

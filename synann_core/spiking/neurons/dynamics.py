"""Run neurons with array operations, on any library; their adjoint is in `adjoint`."""

from __future__ import annotations

from typing import Any

from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.loops import runner, scan
from synann_core._lib.typing import Array, Namespace
from synann_core.spiking.neurons import adjoint
from synann_core.spiking.neurons.rule import (
    Rule,
    adapted,
    complete,
    drive,
    fire,
    membranes,
    reset_by,
    threshold_of,
)
from synann_core.spiking.neurons.state import Gradients, Inputs, Run, State, Upstream


def forward(inputs: Inputs, *, rule: Rule, steps: int | None, xp: Namespace) -> Run:
    """Run the neurons for all steps; `steps` says how many where the currents stay."""
    run: Run = runner(_forward, xp)(inputs, rule=rule, steps=steps, xp=xp)
    return run


def vjp(
    inputs: Inputs,
    potential: Array,
    upstream: Upstream,
    *,
    rule: Rule,
    steps: int | None,
    learned: bool,
    xp: Namespace,
) -> Gradients[Array]:
    """Return the gradients of everything in `inputs`; those of parameters have batch axes."""
    backward = runner(adjoint.backward, xp)
    gradients: Gradients[Array] = backward(
        inputs, potential, upstream, rule=rule, steps=steps, xp=xp
    )
    return gradients


def _forward(inputs: Inputs, *, rule: Rule, steps: int | None, xp: Namespace) -> Run:
    params, currents = inputs.parameters, inputs.currents
    decay, threshold = params.decay, params.threshold
    delayed = rule.order != "immediate"
    # Added once, not at every step.
    at_rest = (1.0 - decay) * rule.rest if rule.rest else None

    def step(state: State[Array], part: tuple[Array]) -> tuple[State[Array], tuple[Any, Array]]:
        m, adaptation = state.membrane, state.adaptation
        s: Any = state.spikes
        y = drive(params, state, part[0], xp)
        r = stop_gradient(s, xp) if rule.detach_reset else s
        if rule.reset == "zero" and delayed:
            m = reset_by(m, r, threshold, rule)
        h = decay * m + (y if rule.gain == 1.0 else rule.gain * y)
        if at_rest is not None:
            h = h + at_rest
        if rule.reset == "subtract" and delayed:
            h = reset_by(h, r, threshold, rule)
        new = fire(h, threshold_of(params, adaptation, rule), rule, xp)
        after = State(
            membranes(h, new, params, rule, xp),
            None if state.current is None else y,
            new,
            adapted(adaptation, new, rule),
        )
        return after, (s if rule.order == "article" else new, h)

    parts = currents if steps is None else xp.broadcast_to(currents, (steps, *currents.shape))
    final, (spikes, potential) = scan(step, complete(inputs, rule, fire, xp), (parts,), xp)
    return Run(spikes, potential, final)

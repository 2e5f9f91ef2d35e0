"""Choose who runs neurons, forward and backward: the one place where that is decided."""

from __future__ import annotations

from typing import Protocol

from synann_core._lib.torch_modes import is_torch_namespace, torch_watcher
from synann_core._lib.typing import Array, Namespace
from synann_core.native import host
from synann_core.spiking.neurons import dynamics, native
from synann_core.spiking.neurons.adjoint import through_first_spikes
from synann_core.spiking.neurons.rule import Rule
from synann_core.spiking.neurons.state import Gradients, Inputs, Run, Upstream


class Implementation(Protocol):
    """What every module that runs neurons offers."""

    def forward(self, inputs: Inputs, *, rule: Rule, steps: int | None, xp: Namespace) -> Run:
        """All steps; `steps` says how many where the currents stay."""

    def vjp(
        self,
        inputs: Inputs,
        potential: Array,
        upstream: Upstream,
        *,
        rule: Rule,
        steps: int | None,
        learned: bool,
        xp: Namespace,
    ) -> Gradients[Array]:
        """Gradients of everything in `inputs`; those of parameters may still have batch axes."""


def choose(xp: Namespace, rule: Rule, inputs: Inputs, *others: Array | None) -> Implementation:
    """Return the module that runs: compiled loops or array operations."""
    params, state, currents = inputs
    if params.threshold is None or params.recurrent is not None or rule.adaptation:
        return dynamics
    if state.membrane.ndim == 0:  # one neuron, whose spikes NumPy gives as a number
        return dynamics
    arrays = (*params, *state, currents, *others)
    if is_torch_namespace(xp) and torch_watcher(*arrays) != "nobody":
        return dynamics
    return native if host.serves(xp, *arrays) else dynamics


def forward(inputs: Inputs, *, rule: Rule, steps: int | None, xp: Namespace) -> Run:
    """Run the neurons for all steps.

    `steps` says how many where the currents stay; else currents are time first.
    """
    return choose(xp, rule, inputs).forward(inputs, rule=rule, steps=steps, xp=xp)


def vjp(
    inputs: Inputs,
    potential: Array,
    upstream: Upstream,
    *,
    rule: Rule,
    steps: int | None,
    learned: bool = True,
    xp: Namespace,
) -> Gradients[Array]:
    """Return the gradients of everything in `inputs`.

    Without a synaptic current only the shape of the currents counts. Gradients of parameters have
    the shape of the state or are summed to one a neuron. Where nothing is `learned`, those of the
    currents alone need to be right.
    """
    module = choose(xp, rule, inputs, potential, *upstream[:2], *(upstream.state or ()))
    gradients = module.vjp(
        inputs, potential, upstream, rule=rule, steps=steps, learned=learned, xp=xp
    )
    if learned and inputs.state.spikes is None:  # they came from the membrane
        return through_first_spikes(inputs, gradients, rule, xp)
    return gradients

"""Choose who runs neurons, forward and backward: the one place where that is decided."""

from __future__ import annotations

from typing import Protocol

from synann_core._lib.log import logger
from synann_core._lib.typing import Array, Namespace
from synann_core.native.host import serves_unwatched
from synann_core.spiking.neurons import dynamics, native
from synann_core.spiking.neurons.adjoint import through_first_spikes
from synann_core.spiking.neurons.records import Gradients, Inputs, Plan, Run, Upstream

_log = logger("kernels")


class Implementation(Protocol):
    """The functions of every module that runs neurons."""

    def forward(self, inputs: Inputs, *, plan: Plan, xp: Namespace) -> Run:
        """All steps."""

    def vjp(
        self, inputs: Inputs, potential: Array, upstream: Upstream, *, plan: Plan, xp: Namespace
    ) -> Gradients[Array]:
        """Gradients of everything in `inputs`; those of parameters may still have batch axes."""


def choose(xp: Namespace, inputs: Inputs, *others: Array | None) -> Implementation:
    """Return the module that runs: compiled kernels or array operations."""
    params, state, currents = inputs
    if state.membrane.ndim == 0:  # one neuron, whose spikes NumPy gives as a number
        return dynamics
    if not serves_unwatched(xp, *params, *state, currents, *others):
        return dynamics
    _log.debug("neurons by %s", native.__name__)  # not above: a compiler of torch's may watch there
    return native


def forward(inputs: Inputs, *, plan: Plan, xp: Namespace) -> Run:
    """Run the neurons for all steps."""
    return choose(xp, inputs).forward(inputs, plan=plan, xp=xp)


def vjp(
    inputs: Inputs, potential: Array, upstream: Upstream, *, plan: Plan, xp: Namespace
) -> Gradients[Array]:
    """Return the gradients of everything in `inputs`.

    Without a synaptic current only the shape of the currents counts. Gradients of parameters have
    the shape of the state or are summed to one a neuron.
    """
    given = (potential, *upstream[:2], *(upstream.state or ()))
    module = choose(xp, inputs, *given)
    gradients = module.vjp(inputs, potential, upstream, plan=plan, xp=xp)
    if plan.learned and inputs.state.spikes is None:  # they came from the membrane
        return through_first_spikes(inputs, gradients, plan.rule, xp)
    return gradients

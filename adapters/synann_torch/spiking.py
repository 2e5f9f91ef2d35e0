"""Spiking neurons as a module, called like snnTorch's; compiled kernels serve whole sequences."""

from __future__ import annotations

from typing import Any

import torch
from array_api_compat import torch as xp
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from synann_core import extending as core
from synann_core.extending import (
    as_tuple,
    check_int,
    check_option,
    check_tensor,
    mapped,
    sum_to_shape,
    torch_watcher,
)
from synann_core.spiking import LIF, State

from .state import RecordedModule

__all__ = ["Spiking"]

LEARNED = ("decay", "threshold", "synaptic_decay", "recurrent")


class Spiking(RecordedModule):
    """LIF neurons, of any kind that `synann_core.spiking.LIF` describes.

    Parameters
    ----------
    neuron : LIF
        Its numbers and arrays become float32 buffers, which follow the module's device and dtype.
    learn : tuple of {"decay", "threshold", "synaptic_decay", "recurrent"}
        Those that are parameters instead. A decay is used clamped to [0, 1], as in snnTorch.
    units : int, optional
        Neurons, for what is learned and given as a number: one a neuron; one for all if not given.

    Raises
    ------
    TypeError
        If `neuron` is not a LIF.
    ValueError
        If `learn` names what the neuron does not have.

    Notes
    -----
    ``spikes, state = module(current, state)`` for one step, beside snnTorch's layers; a snnTorch
    membrane may be given for the state. ``spikes, membranes, state = module.sequence(currents)``
    for all steps, which is faster: gradients are then the library's hand-written ones (of first
    order), which compiled kernels serve on the CPU, and only the membranes are kept for them. Under
    torch.func and torch.compile, torch differentiates the operations.

    Currents and states may be of int or bool, as spikes often are: they are taken in the dtype of
    the decay. A state has ``to`` and ``detach``, as a tensor has.

    The state dict tells the options that change what a neuron computes (``order``, ``reset``, …): a
    module with others refuses it with a ValueError. A state dict without them loads.

    Examples
    --------
    >>> import torch
    >>> from synann_core.spiking import LIF
    >>> from synann_torch.spiking import Spiking
    >>> layer = Spiking(LIF(decay=0.9), learn=("decay",))
    >>> spikes, state = layer(torch.ones(4, 3))
    >>> spikes, state = layer(torch.ones(4, 3), state)
    >>> int(spikes.sum())
    12
    >>> spikes, membranes, state = layer.sequence(torch.ones(25, 4, 3))
    >>> membranes.sum().backward()
    >>> layer.decay.grad.shape
    torch.Size([])
    """

    def __init__(
        self, neuron: LIF, *, learn: tuple[str, ...] = (), units: int | None = None
    ) -> None:
        super().__init__()
        if not isinstance(neuron, LIF):
            raise TypeError(f"`neuron` must be a LIF. Received: {neuron!r}")
        self._kind = neuron
        learn = as_tuple("learn", learn, "a tuple of names")
        units = None if units is None else check_int("units", units, 1)
        for name in learn:
            check_option("learn", name, LEARNED)
            if getattr(neuron, name) is None:
                raise ValueError(f"`learn` must name what the neuron has. Received: {name!r}")
        for name in LEARNED:
            value = getattr(neuron, name)
            if value is None:
                self.register_buffer(name, None)
                continue
            tensor = torch.as_tensor(value, dtype=torch.get_default_dtype()).clone()
            if name not in learn:
                self.register_buffer(name, tensor)
                continue
            if units is not None and tensor.ndim == 0:
                tensor = tensor.repeat(units)
            self.register_parameter(name, nn.Parameter(tensor))

    @property
    def neuron(self) -> LIF:
        """The neuron that the module was made with: its options, and its first numbers."""
        return self._kind

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of what is learned."""
        return tuple(name for name, _ in self.named_parameters())

    def forward(self, current: Tensor, state: State | Tensor | None = None) -> tuple[Tensor, State]:
        """One step: spikes (..., N), and the state for the next.

        Parameters
        ----------
        current : Tensor, shape (..., N)
        state : State, or Tensor of the current's shape, optional
            What the step before returned, or a membrane; at rest if not given.
        """
        current, state = self._floating(current, state)
        spikes, after = self._neuron().step(current, state)
        return spikes, after

    def sequence(
        self, currents: Tensor, state: State | Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """All steps: spikes and membranes (T, ..., N), and the last state.

        Parameters
        ----------
        currents : Tensor, shape (T, ..., N)
        state : State, or Tensor, optional
            As for `forward`.
        """
        currents, state = self._floating(currents, state)
        neuron = self._neuron()
        parts = state if isinstance(state, State) else ()  # else it is refused below
        arrays = (currents, *self.parameters(), *parts)
        if torch_watcher(*arrays) != "autograd":
            spikes, record = neuron.run(currents, state)
            return spikes, record.membrane, record.state
        given, inputs = neuron.checked(currents, state, None)
        spikes, membranes, *last = _Sequence.apply(
            core.NeuronPlan(neuron.rule), *inputs.parameters, *inputs.state, inputs.currents
        )
        after = mapped(given.result, State(*last))
        return given.result(spikes), given.result(membranes), after

    def extra_repr(self) -> str:
        """Order, reset and surrogate, and what is learned."""
        text = f"order={self._kind.order!r}, reset={self._kind.reset!r}, "
        return text + f"surrogate={self._kind.surrogate}, learn={list(self.learned)}"

    def _floating(
        self, currents: Tensor, state: State | Tensor | None
    ) -> tuple[Tensor, State | None]:
        """Return currents and state, those of int or bool in the decay's dtype."""
        check_tensor("currents", currents)
        dtype = self.decay.dtype

        def floating(a: Any) -> Any:
            # Complex and quantised tensors are left for the checks to refuse.
            other = not isinstance(a, Tensor) or a.is_complex() or a.is_quantized
            return a if other or a.is_floating_point() else a.to(dtype)

        state = State(state) if isinstance(state, Tensor) else state
        if isinstance(state, State):
            state = mapped(floating, state)
        return floating(currents), state

    def _computed(self) -> list[float]:
        return core.rule_state(self._kind.rule)

    def _check_computed(self, argument: str, found: list[float]) -> None:
        core.check_rule_state(argument, found, self._kind.rule)

    def _neuron(self) -> LIF:
        values: dict[str, Any] = {name: self._value(name) for name in LEARNED}
        return self._kind.with_parameters(**values)

    def _value(self, name: str) -> Tensor | None:
        value: Tensor | None = getattr(self, name)
        if value is None:
            return None
        return value.clamp(0.0, 1.0) if name in ("decay", "synaptic_decay") else value


class _Sequence(torch.autograd.Function):
    """A run and its hand-written backward pass; keeps membranes and, if they count, currents."""

    @staticmethod
    def forward(ctx: Any, plan: core.NeuronPlan, *arrays: Tensor | None) -> Any:
        inputs = _inputs(arrays)
        run = core.run_neurons(inputs, plan=plan, xp=xp)
        ctx.plan = plan
        ctx.set_materialize_grads(False)
        # Without a synaptic current, of the currents only the shape counts: the potential has it.
        kept = arrays if inputs.parameters.synaptic_decay is not None else (*arrays[:-1], None)
        ctx.save_for_backward(*kept, run.potential)
        after = core.membranes(run.potential, run.spikes, inputs.parameters, plan.rule, xp)
        return run.spikes, after, *run.state

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gspikes: Any, gmembranes: Any, *last: Any) -> Any:
        *arrays, currents, potential = ctx.saved_tensors
        inputs = _inputs((*arrays, potential if currents is None else currents))
        upstream = core.NeuronUpstream(gspikes, gmembranes, State(*last))
        plan = ctx.plan._replace(learned=any(ctx.needs_input_grad[1:-1]))
        found = core.run_neurons_vjp(inputs, potential, upstream, plan=plan, xp=xp)
        own = inputs.parameters
        parameters = mapped(lambda p, g: sum_to_shape(g, tuple(p.shape), xp), own, found[1:5])
        state = mapped(lambda _, g: g, inputs.state, found.state)
        return None, *parameters, *state, found.currents


def _inputs(arrays: Any) -> core.NeuronInputs:
    parameters = core.NeuronParameters(*arrays[:4])
    return core.NeuronInputs(parameters, State(*arrays[4:8]), arrays[8])

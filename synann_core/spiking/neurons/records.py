"""Records: a neuron's rule, parameters and state; what a run takes and gives, and its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from array_api_compat import is_torch_array, to_device

from synann_core._lib.autodiff import stop_gradient
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.typing import Array, ArrayT
from synann_core.spiking.neurons.surrogates import Surrogate

# States hold places in these: new values go to the end.
Order = Literal["article", "snntorch", "immediate"]
Reset = Literal["subtract", "zero", "none"]
Test = Literal[">", ">="]
RecordT = TypeVar("RecordT", bound=tuple[Any, ...])


class Rule(NamedTuple):
    """Options of a neuron; hashable, a constant to JAX."""

    order: Order
    reset: Reset
    fires: Test
    surrogate: Surrogate
    detach_reset: bool
    gain: float
    rest: float
    reset_to: float
    adaptation: float
    adaptation_decay: float


class Plan(NamedTuple):
    """How neurons run; hashable, a constant to JAX."""

    rule: Rule
    steps: int | None = None  # where the currents stay; else these have a time axis
    learned: bool = True  # whether more gradients than those of the currents need to be right


class Parameters(NamedTuple):
    """The numbers of a neuron that can be learned; None where it has no such part."""

    decay: Array
    threshold: Array | None = None
    synaptic_decay: Array | None = None
    recurrent: Array | None = None


class State(NamedTuple, Generic[ArrayT]):
    """State of a neuron between two steps; None where it has no such part.

    Attributes
    ----------
    membrane : array, shape (..., N)
    current : array or None
        Synaptic current y, of neurons with a `synaptic_decay`.
    spikes : array or None
        Last spikes; None stands for those that the membrane tells (delayed orders) or for none
        ("immediate"). With an adaptive threshold the membrane does not tell them: pass them on.
    adaptation : array or None
        What raises the threshold, of neurons with an `adaptation`.
    """

    membrane: ArrayT
    current: ArrayT | None = None
    spikes: ArrayT | None = None
    adaptation: ArrayT | None = None

    def to(self, *args: Any, **kwargs: Any) -> State[ArrayT]:
        """Return the state elsewhere: what `torch.Tensor.to` takes, or a device of the library.

        Examples
        --------
        >>> import torch
        >>> from synann_core.spiking import State
        >>> State(torch.ones(2)).to(torch.float64).membrane.dtype
        torch.float64
        """

        def moved(a: Any) -> Any:
            return a.to(*args, **kwargs) if is_torch_array(a) else to_device(a, *args, **kwargs)

        return mapped(moved, self)

    def detach(self) -> State[ArrayT]:
        """Return the state as a constant, through which no gradient of the library passes.

        Examples
        --------
        >>> import torch
        >>> from synann_core.spiking import State
        >>> State(torch.ones(2, requires_grad=True)).detach().membrane.requires_grad
        False
        """
        return mapped(lambda a: stop_gradient(a, array_namespace(a)), self)


class Inputs(NamedTuple):
    """Arrays that a run starts from."""

    parameters: Parameters
    state: State[Array]
    currents: Array  # time first; or one step's, which stay


class Run(NamedTuple):
    """Results of a run: all spikes and potentials, time first, and the state after it."""

    spikes: Array
    potential: Array
    state: State[Array]


class Upstream(NamedTuple):
    """Gradients of the results of a run; None where they are 0."""

    spikes: Array | None = None
    membrane: Array | None = None
    state: State[Array] | None = None


class Gradients(NamedTuple, Generic[ArrayT]):
    """Result of `LIF.vjp`: gradients, each in the shape and dtype of its argument."""

    currents: ArrayT
    decay: ArrayT
    threshold: ArrayT | None
    synaptic_decay: ArrayT | None
    recurrent: ArrayT | None
    state: State[ArrayT]


def mapped(function: Callable[..., Any], *records: RecordT) -> RecordT:
    """Return a record of ``function(*entries)``, with None where the first record has None."""
    make: Any = type(records[0])
    entries = zip(*records, strict=True)
    return make(*(None if group[0] is None else function(*group) for group in entries))  # type: ignore[no-any-return]

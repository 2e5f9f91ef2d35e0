"""One layer of a spiking network: what makes currents of its inputs, and neurons."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from synann_core._lib.checks import as_tuple, check_int, check_number, check_option
from synann_core.spiking.neurons.lif import LIF
from synann_core.spiking.neurons.records import Parameters

Kind = Literal["linear", "synapse"]
Learned = Literal["decay", "threshold", "synaptic_decay"]


@dataclass(frozen=True)
class Layer:
    """One layer: what makes currents of its inputs, and neurons.

    Parameters
    ----------
    units : int
        Neurons, ≥ 1.
    neuron : LIF
    kind : {"linear", "synapse"}
        ``I = W x + b``, or a synapse tensor's log output, ``I = gain · Σ_j log(1 − β_ij x_j) + b``,
        for inputs in [0, 1].
    recurrent : bool
        Learn weights from the layer's own spikes of the step before.
    learn : tuple of {"decay", "threshold", "synaptic_decay"}
        Numbers of the neurons to learn, one a neuron; decays are kept in [0, 1].
    mean_input : float
        Of a synapse layer: expected input, in (0, 1], for the initial β.
    spread : float
        Of a synapse layer: initial gains are uniform in ±spread, ≥ 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range.

    Examples
    --------
    >>> from synann_core.spiking import LIF, Layer
    >>> Layer(10, LIF(decay=0.9)).kind
    'linear'
    """

    units: int
    neuron: LIF = field(default_factory=LIF)
    kind: Kind = "linear"
    recurrent: bool = False
    learn: tuple[Learned, ...] = ()
    mean_input: float = 0.5
    spread: float = 1.0

    def __post_init__(self) -> None:
        check_int("units", self.units, 1)
        if not isinstance(self.neuron, LIF):
            raise TypeError(f"`neuron` must be a LIF. Received: {self.neuron!r}")
        for name in Parameters._fields:
            shape = tuple(getattr(getattr(self.neuron, name), "shape", ()))
            wanted = (self.units,) * (2 if name == "recurrent" else 1)
            if shape not in ((), wanted):
                raise ValueError(
                    f"`neuron` must have `{name}` of shape {wanted}. Received: shape {shape}"
                )
        check_option("kind", self.kind, get_args(Kind))
        if not isinstance(self.recurrent, bool):
            raise TypeError(f"`recurrent` must be a bool. Received: {self.recurrent!r}")
        if self.recurrent and self.neuron.recurrent is not None:
            raise ValueError("`recurrent` must be False if the neuron has recurrent weights")
        object.__setattr__(self, "learn", as_tuple("learn", self.learn, "a tuple of names"))
        for learned in self.learn:
            check_option("learn", learned, get_args(Learned))
            if getattr(self.neuron, learned) is None:
                raise ValueError(f"`learn` must name what the neuron has. Received: {learned!r}")
        for name, most, ends in (("mean_input", 1.0, "(]"), ("spread", math.inf, "[]")):
            number = check_number(name, getattr(self, name), 0.0, most, ends)
            object.__setattr__(self, name, number)

    @functools.cached_property
    def learned(self) -> tuple[str, ...]:
        """Names of all that the neurons learn."""
        return (*self.learn, "recurrent") if self.recurrent else self.learn

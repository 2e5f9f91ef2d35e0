"""The options of SynaMLP that its twins in torch and Keras share, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synann_core._lib.checks import check_fields, check_int, check_option

#: What stands in the middle of `SynaMLP`.
LayerKind = Literal["synapse", "dense", "none"]
#: How the activations of `SynaMLP` become probabilities.
GateKind = Literal["sigmoid", "softmax"]


@dataclass(frozen=True)
class Architecture:
    """Sizes and options of a classifier, as `synann_core.SynaMLP` documents them.

    Raises
    ------
    TypeError
        If a size is not an int, or `dropout` not a number.
    ValueError
        If a size is too small, an option unknown, or `dropout` out of range.
    """

    in_features: int
    hidden: int
    classes: int
    layer: LayerKind = "synapse"
    gate: GateKind = "sigmoid"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("in_features", 1), ("hidden", 1), ("classes", 2)):
            object.__setattr__(self, name, check_int(name, getattr(self, name), least))
        check_option("layer", self.layer, ("synapse", "dense", "none"))
        check_option("gate", self.gate, ("sigmoid", "softmax"))
        check_fields(self, dropout=(0.0, 1.0))

    @property
    def mean_input(self) -> float:
        """Expected input of the layer behind the gate."""
        return 0.5 if self.gate == "sigmoid" else 1.0 / self.hidden

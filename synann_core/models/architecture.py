"""The options of SynaMLP that its twins in torch and Keras share, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synann_core._lib.checks import check_int, check_option

Layer = Literal["synapse", "dense", "none"]
Gate = Literal["sigmoid", "softmax"]


@dataclass(frozen=True)
class Architecture:
    """Sizes and options of a classifier, as `synann_core.SynaMLP` documents them.

    Raises
    ------
    TypeError
        If a size is not an int.
    ValueError
        If a size is too small, an option unknown, or `dropout` out of range.
    """

    in_features: int
    hidden: int
    classes: int
    layer: Layer = "synapse"
    gate: Gate = "sigmoid"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_int("in_features", self.in_features, 1)
        check_int("hidden", self.hidden, 1)
        check_int("classes", self.classes, 2)
        check_option("layer", self.layer, ("synapse", "dense", "none"))
        check_option("gate", self.gate, ("sigmoid", "softmax"))
        if not (isinstance(self.dropout, int | float) and 0.0 <= self.dropout < 1.0):
            raise ValueError(f"`dropout` must be in [0, 1). Received: {self.dropout!r}")

    @property
    def mean_input(self) -> float:
        """Expected input of the layer behind the gate."""
        return 0.5 if self.gate == "sigmoid" else 1.0 / self.hidden

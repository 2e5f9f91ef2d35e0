"""Write SynaMLP's weights and configuration as a safetensors file, and read them back."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Self

from synann_core._lib.checks import to_numpy
from synann_core._lib.files import FilePath, read_config, read_tensors, write_tensors
from synann_core._lib.typing import NumpyArray
from synann_core.models import passes
from synann_core.models.architecture import Architecture, GateKind
from synann_core.models.samples import checked_classes

Arrays = dict[str, Any]
FORMAT = "synann.SynaMLP"
CONFIG = tuple(field.name for field in dataclasses.fields(Architecture))


class Saved:
    """The files of `SynaMLP`."""

    gate: GateKind
    classes: int
    labels: NumpyArray | None
    weights: Arrays

    def __repr__(self) -> str:
        """Configuration, without the weights."""
        return (
            f"{type(self).__name__}({', '.join(f'{key}={getattr(self, key)!r}' for key in CONFIG)})"
        )

    def _become(self, chosen: Architecture, weights: Arrays, labels: Any) -> Self:
        raise NotImplementedError

    def save(self, path: FilePath, /) -> None:
        """Write weights and configuration as one safetensors file, whole or not at all.

        ValueError if `load` would not take them, infinite ones for instance: the old file stays.
        """
        config, tensors = self._content("weights")
        write_tensors(path, tensors, {"format": FORMAT, "config": json.dumps(config)})

    def _content(self, parameter: str) -> tuple[dict[str, Any], dict[str, NumpyArray]]:
        """Configuration and weights for a file, checked as if they were read from one."""
        config = {key: getattr(self, key) for key in CONFIG}
        Architecture(**config)
        if self.labels is not None:
            config["labels"] = self.labels.tolist()
        tensors = {name: to_numpy(weight) for name, weight in self.weights.items()}
        return config, passes.checked_weights(tensors, config, parameter, "a SynaMLP")

    def load(self, path: FilePath, /) -> None:
        """Read the weights of a safetensors file into this model.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, does not hold this model's tensors in their shapes, or says that
            its model had another gate; the model is then as it was.
        """
        tensors, metadata = read_tensors(path)
        config = {key: getattr(self, key) for key in CONFIG}
        weights = passes.checked_weights(tensors, config, "path", repr(os.fspath(path)))
        # The gate and the labels have no tensors that could give them away.
        known = read_config(path, metadata)
        gate = known.get("gate", self.gate)
        if gate != self.gate:
            raise ValueError(
                f"`path` must hold a model with gate {self.gate!r}. "
                f"Received: {os.fspath(path)!r} with gate {gate!r}"
            )
        try:
            labels = _labels_of(known, self.classes)
        except TypeError as error:
            raise ValueError(
                f"`path` must hold labels. Received: {os.fspath(path)!r}, where {error}"
            ) from None
        self.weights, self.labels = weights, labels

    @classmethod
    def from_file(cls, path: FilePath, /) -> Self:
        """Make the model that `save` wrote; raises as `load` does."""
        return cls._from_content(path, *read_tensors(path))

    @classmethod
    def _from_content(
        cls, path: FilePath, tensors: dict[str, NumpyArray], metadata: dict[str, str]
    ) -> Self:
        """The model of a file that has been read; errors name its path."""
        config = read_config(path, metadata, required=CONFIG)
        # The tensors first: what a damaged configuration asks for may not fit into memory.
        weights = passes.checked_weights(tensors, config, "path", repr(os.fspath(path)))
        try:
            return cls._restored(config, weights)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`path` must hold a model's configuration. "
                f"Received: {os.fspath(path)!r}, where {error}"
            ) from None

    @classmethod
    def _restored(cls, config: dict[str, Any], weights: Arrays) -> Self:
        """A model with known weights: initial ones would take thirty times the memory of a file."""
        chosen = Architecture(**{key: config[key] for key in CONFIG})
        return cls.__new__(cls)._become(chosen, weights, _labels_of(config, chosen.classes))


def _labels_of(config: dict[str, Any], classes: int) -> NumpyArray | None:
    labels = config.get("labels")
    return None if labels is None else checked_classes("labels", labels, classes)

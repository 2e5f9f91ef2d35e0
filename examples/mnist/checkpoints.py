"""Checkpoints: arrays and what JSON holds, in one safetensors file, so that they cannot part."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from synann.extending import read_config, read_tensors, write_tensors, write_whole

Arrays = dict[str, np.ndarray]


class RunError(ValueError):
    """A run cannot start or go on; the message is one line."""


class Trainer(Protocol):
    """A model in training, in some library."""

    parameter_count: int

    def batches(self, images: int) -> int:
        """Batches in an epoch of so many images."""

    def train_epoch(self, images: np.ndarray, labels: np.ndarray) -> Iterable[tuple]:
        """Train on every batch of an epoch; after each give (images, mean loss, correct)."""

    def predict(self, images: np.ndarray, batch: int) -> np.ndarray:
        """Logits, (N, classes), of images (N, h·w), so many at a time."""

    def state(self) -> tuple[Arrays, dict]:
        """All that the next epoch depends on: arrays, and what JSON holds."""

    def load_state(self, arrays: Arrays, numbers: dict) -> None:
        """Put it back."""

    def weights(self) -> Arrays:
        """What predictions depend on."""

    def load_weights(self, arrays: Arrays) -> None:
        """Put them back."""


def save_checkpoint(path: Path, arrays: Arrays, content: dict) -> None:
    """Write a checkpoint; `path` holds its old content or the whole new one, whatever happens.

    Parameters
    ----------
    path : path
    arrays : dict of str to ndarray
    content : dict
        What JSON can hold; it keeps every finite float exactly.
    """
    # Safetensors keeps shapes, but NumPy's contiguous copy of a 0-d array is 1-d.
    scalars = [name for name, array in arrays.items() if array.ndim == 0]
    config = json.dumps({"content": content, "scalars": scalars})
    write_tensors(path, arrays, {"config": config, "checksum": _checksum(arrays, config)})


def load_checkpoint(path: Path) -> tuple[Arrays, dict]:
    """Read what `save_checkpoint` wrote.

    Raises
    ------
    RunError
        If the file is missing, damaged or not a checkpoint.
    """
    try:
        arrays, metadata = read_tensors(path)
        config = read_config(path, metadata, ("content", "scalars"))
    except (FileNotFoundError, ValueError) as error:
        raise RunError(f"{path}: not a readable checkpoint: {error}") from None
    if metadata.get("checksum") != _checksum(arrays, metadata["config"]):
        raise RunError(f"{path}: not a readable checkpoint: it is not what its checksum says")
    content, scalars = config["content"], config["scalars"]
    sizes = {name: array.size for name, array in arrays.items()}
    known = isinstance(content, dict) and isinstance(scalars, list)
    if not (known and all(isinstance(n, str) and sizes.get(n) == 1 for n in scalars)):
        raise RunError(f"{path}: not a readable checkpoint: its configuration is of another kind")
    arrays |= {name: arrays[name].reshape(()) for name in scalars}
    return arrays, content


def _checksum(arrays: Arrays, config: str) -> str:
    """Of all that a checkpoint holds: a changed bit in a number shows in nothing else."""
    total = zlib.crc32(config.encode())
    for name, array in sorted(arrays.items()):
        flat = np.ascontiguousarray(array)  # as `write_tensors` writes it
        total = zlib.crc32(f"{name} {flat.dtype} {flat.shape}".encode(), total)
        total = zlib.crc32(flat.tobytes(), total)
    return f"{total:08x}"


def write_text(path: Path, text: str) -> None:
    """Write a text file; `path` holds its old content or the whole new one."""
    write_whole(path, text.encode())

"""Tensors on disk: safetensors files, written whole or not at all, and checked when read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

FilePath = str | os.PathLike[str]
Tensors = dict[str, np.ndarray[Any, Any]]


def write_tensors(path: FilePath, tensors: Tensors, metadata: dict[str, str]) -> None:
    """Write a safetensors file; `path` holds either its old content or the whole new one."""
    data = save({k: np.ascontiguousarray(v) for k, v in tensors.items()}, metadata=metadata)
    write_whole(path, data)


def read_tensors(path: FilePath) -> tuple[Tensors, dict[str, str]]:
    """Read all tensors and the metadata; ValueError if it is not a complete safetensors file."""
    name = os.fspath(path)
    try:
        with safe_open(name, framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        raise
    # NumPy lacks bfloat16 (a TypeError) and the 8-bit floats (an AttributeError).
    except (SafetensorError, OSError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"`path` must be a safetensors file of NumPy's dtypes. Received: {name!r}, {error}"
        ) from None


def read_config(
    path: FilePath, metadata: Mapping[str, str], required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The configuration in a file's metadata, with the required keys; empty if there is none."""
    try:
        config = json.loads(metadata.get("config", "{}"))
    except (RecursionError, ValueError) as error:
        config = str(error)
    known = isinstance(config, dict)
    missing = [key for key in required if not (known and key in config)]
    if missing or not known:
        why = f"without {missing}" if known else f"with {str(config)[:80]!r}"
        raise ValueError(
            "`path` must hold the configuration that `save` writes, a JSON object (`load` can do "
            f"without). Received: {os.fspath(path)!r} {why}"
        )
    return dict(config)


def check_tensors(
    path: FilePath,
    tensors: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    ignore: Callable[[str], bool],
) -> None:
    """Check that a file holds exactly the expected tensors: names, shapes, finite numbers."""
    received = f"Received: {os.fspath(path)!r}"
    missing = sorted(shapes.keys() - tensors.keys())
    unknown = sorted(name for name in tensors.keys() - shapes.keys() if not ignore(name))
    if missing or unknown:
        raise ValueError(
            "`path` must hold the tensors of this model. "
            f"{received}, missing {missing}, not of this model {unknown}"
        )
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != tuple(shape):
            raise ValueError(
                f"`path` must hold `{name}` of shape {tuple(shape)}. "
                f"{received} with shape {tuple(tensor.shape)}"
            )
        if tensor.dtype.kind != "f":
            raise ValueError(
                f"`path` must hold floating-point numbers in `{name}`. "
                f"{received} with dtype {tensor.dtype}"
            )
        if not np.isfinite(tensor).all():
            raise ValueError(
                f"`path` must hold finite numbers in `{name}`. "
                f"{received} with {np.count_nonzero(~np.isfinite(tensor))} others"
            )


def write_whole(path: FilePath, data: bytes) -> None:
    """Write a file; `path` holds either its old content or all of the new one.

    A file keeps its mode, and a link its place. A device or a pipe is written to as it is.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        Path(path).write_bytes(data)
        return
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
    try:
        with open(temporary, "xb") as file:
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # or a crash soon after could leave the new name empty
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

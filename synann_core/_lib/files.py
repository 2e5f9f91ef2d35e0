"""Tensors on disk: safetensors files, written whole or not at all, and checked when read."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

FilePath = str | os.PathLike[str]
Tensors = dict[str, np.ndarray[Any, Any]]

# Bytes of a safetensors file's header, of which Python's objects may take thirty times as many.
_MOST_HEADER = 3 << 18
_SHOWN = 16  # names in a message


def path_text(path: object) -> str:
    """`path` as text that names a file, which need not be there."""
    try:
        text = os.fspath(path)  # type: ignore[call-overload]
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise TypeError(f"`path` must be a str or an os.PathLike of one. Received: {path!r}")
    if not text or "\0" in text:
        raise ValueError(f"`path` must name a file. Received: {text!r}")
    return text


def write_tensors(path: FilePath, tensors: Tensors, metadata: dict[str, str]) -> None:
    """Write a safetensors file; `path` holds either its old content or the whole new one.

    ValueError if names, shapes and metadata take more than 3/4 of a megabyte, beyond which
    `read_tensors` refuses a file.
    """
    data = save({k: np.asarray(v, order="C") for k, v in tensors.items()}, metadata=metadata)
    size = int.from_bytes(data[:8], "little")
    if size > _MOST_HEADER:
        raise ValueError(
            f"`metadata`, with the names of the tensors, must take at most {_MOST_HEADER} bytes. "
            f"Received: {size}"
        )
    write_whole(path, data)


def read_tensors(path: FilePath) -> tuple[Tensors, dict[str, str]]:
    """Read all tensors and the metadata; ValueError if it is not a complete safetensors file.

    bfloat16 comes as float32, which holds the same numbers.
    """
    name = path_text(path)
    try:
        with open(name, "rb") as data:
            size = int.from_bytes(data.read(8), "little")
            if size > _MOST_HEADER:
                raise ValueError(f"with a header of {size} bytes, more than {_MOST_HEADER}")
            with safe_open(name, framework="numpy") as file:
                keys = list(file.keys())
                narrow = {key for key in keys if file.get_slice(key).get_dtype() == "BF16"}
                tensors = {key: file.get_tensor(key) for key in keys if key not in narrow}
                metadata = file.metadata() or {}
            if narrow:
                tensors |= _bfloat16(data, size, narrow)
            return tensors, metadata
    except FileNotFoundError:
        raise
    # NumPy lacks the 8-bit floats (an AttributeError or a TypeError).
    except (SafetensorError, OSError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "`path` must be a safetensors file of NumPy's dtypes and bfloat16. "
            f"Received: {name!r}, {error}"
        ) from None


def _bfloat16(data: IO[bytes], size: int, names: set[str]) -> Tensors:
    """The named tensors of a file whose header, of `size` bytes, is known to be right."""
    data.seek(8)
    header, tensors = json.loads(data.read(size)), {}
    for name in names:
        begin, end = header[name]["data_offsets"]
        data.seek(8 + size + begin)
        half = np.frombuffer(data.read(end - begin), "<u2")  # the upper one of a float32
        number = (half.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = number.reshape(header[name]["shape"])
    return tensors


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
    parameter: str,
    source: str,
    tensors: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    ignore: Callable[[str], bool],
) -> None:
    """Check that `tensors` are exactly the expected ones: names, shapes, finite numbers.

    The message names the `parameter` that holds them, and the `source` that they were read from.
    """
    received = f"Received: {source}"
    missing = sorted(shapes.keys() - tensors.keys())
    unknown = sorted(name for name in tensors.keys() - shapes.keys() if not ignore(name))
    if missing or unknown:
        raise ValueError(
            f"`{parameter}` must hold the tensors of this model. "
            f"{received}, missing {_few(missing)}, not of this model {_few(unknown)}"
        )
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != tuple(shape):
            raise ValueError(
                f"`{parameter}` must hold `{name}` of shape {tuple(shape)}. "
                f"{received} with shape {tuple(tensor.shape)}"
            )
        if tensor.dtype.kind != "f" or tensor.dtype.itemsize > 8:
            raise ValueError(
                f"`{parameter}` must hold floating-point numbers in `{name}`. "
                f"{received} with dtype {tensor.dtype}"
            )
        if not np.isfinite(tensor).all():
            raise ValueError(
                f"`{parameter}` must hold finite numbers in `{name}`. "
                f"{received} with {np.count_nonzero(~np.isfinite(tensor))} others"
            )


def _few(names: list[str]) -> str:
    """A list of names for a message, not too long."""
    shown, more = [name[:80] for name in names[:_SHOWN]], len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else f"{shown}"


def write_whole(path: FilePath, data: bytes) -> None:
    """Write a file; `path` holds either its old content or all of the new one.

    A file keeps its mode and, where the system lets us, its owner. A link keeps its place, and what
    it points to is written; other names of that file (hard links) keep the old content. A device or
    a pipe is written to as it is.

    On Linux's own file systems new content has no name before it is complete: a process that is
    killed leaves nothing behind, unless between the two system calls that name it and move it to
    `path`. Elsewhere it may leave one file, ``.synann-*``, beside `path`.
    """
    name = path_text(path)
    if os.path.exists(name) and not os.path.isfile(name):
        Path(name).write_bytes(data)
        return
    target = Path(os.path.realpath(name))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    if name.endswith(("/", os.sep)) or not target.parent.is_dir():
        # Said of what was asked for, and not of the temporary file's name.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    # Not made of the target's name, which may be as long as a name can be.
    temporary = target.with_name(f".synann-{os.urandom(8).hex()}")
    try:
        if not _write_nameless(temporary, data, target):
            with open(temporary, "xb") as file:
                _fill(file, data, target)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_nameless(path: Path, data: bytes, like: Path) -> bool:
    """Write a new file that has no name until it is complete; False where there are none."""
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except (AttributeError, OSError):  # of another system, or of a file system without them
        return False
    with open(descriptor, "wb") as file:
        _fill(file, data, like)
        try:
            # (With a descriptor of a folder, which this path does not need, links are followed.)
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
        except OSError:
            return False
    return True


def _fill(file: IO[bytes], data: bytes, like: Path) -> None:
    """Write a new file to the disk, with the owner and mode of another one, if that is there."""
    with contextlib.suppress(FileNotFoundError, AttributeError):  # Windows has neither
        known = like.stat()
        with contextlib.suppress(PermissionError):
            os.fchown(file.fileno(), known.st_uid, known.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(known.st_mode))
    file.write(data)
    file.flush()
    os.fsync(file.fileno())  # or a crash soon after could leave the new name empty

"""Noisy-OR networks on disk: safetensors files of links and names."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from synann_core._lib.files import FilePath, Tensors, read_tensors, write_tensors
from synann_core.noisy_or.frames import Names
from synann_core.noisy_or.parameters import Parameters, is_sparse

_FORMAT = "synann noisy-or network 1"
_LINKS = ("beta", "protection")
_PARTS = ("values", "columns", "starts")  # of sparse links
_NAMES = ("causes", "findings")


def write_network(path: FilePath, network: Parameters) -> None:
    """Write a file that `read_network` takes; `path` holds the old content or the whole new one."""
    tensors: Tensors = {"prior": network.prior, "leak": network.leak}
    for name in _LINKS:
        links = getattr(network, name)
        if is_sparse(links):
            tensors[f"{name}.values"] = links.data
            tensors[f"{name}.columns"] = links.indices.astype(np.int64)
            tensors[f"{name}.starts"] = links.indptr.astype(np.int64)
        elif links is not None:
            tensors[name] = links
    for name in _NAMES:
        # As a tensor: thousands of names would not fit into a header.
        names: Names = getattr(network, name)
        if names is not None:
            text = json.dumps(names, ensure_ascii=False).encode("utf-8", "surrogatepass")
            tensors[name] = np.frombuffer(text, np.uint8)
    write_tensors(path, tensors, {"format": _FORMAT})


def read_network(path: FilePath) -> dict[str, Any]:
    """Arguments for a network; ValueError if the file is damaged or holds something else."""
    tensors, metadata = read_tensors(path)
    try:
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"the format is {metadata.get('format', 'not named')[:80]!r}")
        known = {"prior", "leak", *_NAMES}
        for name in _LINKS:
            parts = {f"{name}.{part}" for part in _PARTS}
            known |= parts if f"{name}.values" in tensors else {name}
        odd = next((name for name in tensors if name not in known), None)
        if odd is not None:
            raise ValueError(f"{odd[:80]!r} is not a part of it")
        shape = tensors["leak"].size, tensors["prior"].size
        found: dict[str, Any] = {name: tensors[name] for name in ("prior", "leak")}
        found |= {name: _links(tensors, name, shape) for name in _LINKS}
        found |= {name: _names(tensors, name) for name in _NAMES}
        Parameters(**found)
    except KeyError as error:
        reason: object = f"{error} is missing"
    except (TypeError, ValueError, RecursionError) as error:
        reason = error
    else:
        return found
    raise ValueError(
        f"`path` must hold a noisy-OR network. Received: {os.fspath(path)!r}, where {reason}"
    ) from None


def _links(tensors: Tensors, name: str, shape: tuple[int, int]) -> Any:
    if f"{name}.values" not in tensors:
        return tensors[name] if name == "beta" else tensors.get(name)
    from scipy.sparse import csr_array

    values, columns, starts = (tensors[f"{name}.{part}"] for part in _PARTS)
    for part, numbers in (("columns", columns), ("starts", starts)):
        if numbers.ndim != 1 or numbers.dtype.kind != "i":
            raise ValueError(f"`{name}.{part}` is not a row of integers")
    # SciPy would believe all of this, and read outside the arrays.
    fits = (
        starts.size == shape[0] + 1
        and starts[0] == 0
        and starts[-1] == columns.size == values.size
        and (np.diff(starts) >= 0).all()
        and not ((columns < 0) | (columns >= shape[1])).any()
    )
    if not fits:
        raise ValueError(f"`{name}` is not a sparse array of shape {shape}")
    return csr_array((values, columns, starts), shape=shape)


def _names(tensors: Tensors, name: str) -> list[str] | None:
    if name not in tensors:
        return None
    if tensors[name].dtype != np.uint8:
        raise ValueError(f"`{name}` is not text")
    names = json.loads(tensors[name].tobytes().decode("utf-8", "surrogatepass"))
    if not isinstance(names, list):
        raise ValueError(f"`{name}` is not a list of names")
    return names

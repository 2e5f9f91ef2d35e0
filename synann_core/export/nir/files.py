"""Read NIR files, which are HDF5, without trusting them.

Only what a graph needs is read: plain numbers and short texts, of known size before memory is asked
for; no links to elsewhere, no filters that would have to be loaded.
"""

from __future__ import annotations

import math
import os
from typing import IO, Any

import numpy as np

from synann_core._lib.files import FilePath
from synann_core.export.nir.nodes import MOST_DEPTH, MOST_NODES, Node

_TIMES, _MORE = 10, 3_000_000  # that unpacked numbers may be of the file's size, and bytes beside
_MOST_TEXT, _MOST_NAME = 10_000, 200  # bytes of a text, and of one in an edge
_MOST_FIELDS = 32  # of a node
_FILTERS = {1, 2, 3, 32000}  # deflate, shuffle, fletcher32, lzf: h5py's own
_TEXT = np.dtype([("length", "<u4"), ("place", "V12")])  # of a text, in the file


class Reader:
    """Reads the root node of an open file."""

    def __init__(self, h5py: Any, file: Any, raw: IO[bytes]) -> None:
        self._h5py, self._raw = h5py, raw
        self._left = _TIMES * os.fstat(raw.fileno()).st_size + _MORE
        plist = file.id.get_create_plist()
        if file.userblock_size or plist.get_sizes() != (8, 8):
            raise ValueError("its places are not counted as usual")
        self._nodes = 0

    def node(self, group: Any, depth: int = 0) -> Node:
        """Return a node, and all that is in it."""
        self._nodes += 1
        if self._nodes > MOST_NODES or depth > MOST_DEPTH + 1:
            raise ValueError(f"it has more than {MOST_NODES} nodes, or graphs too deep in graphs")
        fields = self._fields(group, "a node")
        kind = fields.pop("type", None)
        if not isinstance(kind, str):
            raise ValueError("a node has no type")
        if kind == "NIRGraph":
            fields["edges"] = self._edges(self.get(group, "edges"))
            inner, found = self.get(group, "nodes"), {}
            if len(inner) > MOST_NODES:
                raise ValueError(f"it has more than {MOST_NODES} nodes: {len(inner)}")
            for name in inner:
                found[name] = self.node(self.get(inner, name), depth + 1)
            fields["nodes"] = found
        if "metadata" in group:
            fields["metadata"] = self._fields(self.get(group, "metadata"), "metadata")
        return Node(kind, fields)

    def _fields(self, group: Any, what: str) -> dict[str, Any]:
        """The numbers and texts of a group."""
        if not isinstance(group, self._h5py.Group):
            raise ValueError(f"{what} is not a group of HDF5")
        if len(group) > _MOST_FIELDS:
            raise ValueError(f"{what} has {len(group)} fields")
        found = {}
        for name in group:
            if name not in ("nodes", "edges", "metadata"):
                part = self.get(group, name)
                if isinstance(part, self._h5py.Dataset):  # others may put groups into metadata
                    found[name] = self._value(part, name)
        return found

    def get(self, group: Any, name: str) -> Any:
        """Return a part of a group, which must be in the file itself."""
        if not isinstance(group, self._h5py.Group) or name not in group:
            raise ValueError(f"it has no {name[:80]!r} where there must be one")
        if not isinstance(group.get(name, getlink=True), self._h5py.HardLink):
            raise ValueError(f"{name[:80]!r} is a link to elsewhere")
        return group[name]

    def _value(self, dataset: Any, name: str) -> Any:
        self._check(dataset, name)
        if self._h5py.check_string_dtype(dataset.dtype) is not None:
            if dataset.shape != ():
                raise ValueError(f"{name[:80]!r} is not one text")
            return self._texts(dataset)[0]
        if dataset.dtype.kind not in "fiub" or dataset.dtype.itemsize > 8:
            raise ValueError(f"{name[:80]!r} are not numbers: {dataset.dtype}")
        return np.asarray(dataset[()])

    def _check(self, dataset: Any, name: str) -> None:
        """Refuse what is not in the file itself, or too large."""
        if not isinstance(dataset, self._h5py.Dataset) or dataset.shape is None:
            raise ValueError(f"{name[:80]!r} is not an array of HDF5")
        plist = dataset.id.get_create_plist()
        filters = {plist.get_filter(k)[0] for k in range(plist.get_nfilters())}
        if dataset.is_virtual or dataset.external or filters - _FILTERS:
            raise ValueError(f"{name[:80]!r} is not in the file itself, or packed in another way")
        each = dataset.dtype.itemsize
        chunk = math.prod(dataset.chunks or (0,)) * each
        size = math.prod(dataset.shape) * each
        self._left -= size
        if self._left < 0 or chunk > max(size, 1 << 20):
            raise ValueError(
                f"{name[:80]!r} asks for {size} bytes in pieces of {chunk}: in all more than "
                f"{_TIMES} times the file and {_MORE // 1_000_000} MB"
            )

    def _texts(self, dataset: Any, most: int = _MOST_TEXT) -> list[str]:
        """All texts of an array.

        HDF5 asks for as much memory as the length of each says, which may be any number, and many
        may share their bytes: the lengths are read first, from the file.
        """
        count, place = math.prod(dataset.shape), dataset.id.get_offset()
        if self._h5py.check_string_dtype(dataset.dtype).length is None:
            known = place is not None and dataset.id.get_storage_size() == count * _TEXT.itemsize
            self._raw.seek(place if known else 0)
            data = self._raw.read(count * _TEXT.itemsize) if known else b""
            if len(data) < count * _TEXT.itemsize:
                raise ValueError("it has texts that are not in one piece")
            if (np.frombuffer(data, _TEXT)["length"] > most).any():
                raise ValueError("it has texts that are too long")
        values = np.asarray(dataset[()], dtype=object).ravel().tolist()
        if not all(isinstance(value, bytes) for value in values):
            raise ValueError("it has texts that are not bytes")
        return [value.decode("utf-8") for value in values]

    def _edges(self, dataset: Any) -> list[tuple[str, str]]:
        self._check(dataset, "edges")
        shape = dataset.shape
        if 0 in shape:
            return []
        text = self._h5py.check_string_dtype(dataset.dtype) is not None
        if not text or len(shape) != 2 or shape[1] != 2 or shape[0] > 2 * MOST_NODES:
            raise ValueError(f"its edges are not pairs of names: {shape} {dataset.dtype}")
        names = self._texts(dataset, _MOST_NAME)
        return list(zip(names[::2], names[1::2], strict=True))


def read_graph(path: FilePath) -> Node:
    """Return the graph in a file; ValueError if there is none.

    Raises
    ------
    ImportError
        Without h5py.
    FileNotFoundError
        If there is no such file.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f'{error}. Install it with: pip install "synann[spiking]"') from None
    # What h5py raises for damaged files is of many kinds.
    try:
        with open(path, "rb") as raw, h5py.File(raw, "r") as file:
            reader = Reader(h5py, file, raw)
            node = reader.node(reader.get(file, "node"))
            if node.kind != "NIRGraph":
                raise ValueError(f"it is a node of kind {node.kind[:80]!r}")
            return node
    except FileNotFoundError:
        raise
    except (
        *(OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError),
        *(MemoryError, OverflowError, NotImplementedError),
    ) as error:
        reason = " ".join(str(error).split())[:300]
    raise ValueError(f"`path` must hold a NIR graph. Received: {os.fspath(path)!r}, where {reason}")

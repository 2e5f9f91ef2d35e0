"""Collect the nodes and constants of an ONNX graph, each of them once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from onnx import helper, numpy_helper

from synann_core._lib.typing import NumpyArray

# The first opset with all that is used, and the version of the format that came with it: files for
# old runtimes, too (onnxruntime from 1.14 on).
_OPSET, _FORMAT = 18, 8


Sizes = tuple[int | None, ...]  # None for the size that only a run knows


class Tensor(NamedTuple):
    """Name and type of an array of the file."""

    name: str
    dtype: np.dtype[Any]
    shape: Sizes


class _Node(NamedTuple):
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    uses: tuple[str, ...]  # the inputs, and of a loop what its body takes from outside


class Graph:
    """The nodes of a file, and those of the loop's body that is being made.

    A node is made where its inputs are known: what a loop's body computes of arrays from outside
    is computed outside, once. The same node or constant again is the one that is there.
    """

    def __init__(self) -> None:
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._arrays: dict[str, NumpyArray] = {}
        self._scopes: list[list[_Node]] = [[]]
        self._depth: dict[str, int] = {}
        self._known: dict[Any, tuple[str, ...]] = {}

    def argument(self, name: str) -> str:
        """Take the name of an input of the file."""
        self._depth[name] = 0
        return name

    def code(self, dtype: np.dtype[Any]) -> int:
        """Return ONNX's number of a dtype."""
        return int(helper.np_dtype_to_tensor_dtype(dtype))

    def fresh(self, depth: int) -> str:
        """Return a new name for an array of the file, or at depth 1 of a loop's body."""
        name = f"a{len(self._depth)}"
        self._depth[name] = depth
        return name

    def constant(self, value: NumpyArray) -> str:
        """Return the name of a constant."""
        key = value.dtype.str, value.shape, value.tobytes()
        if key not in self._constants:
            name = self._constants[key] = f"c{len(self._constants)}"
            self._arrays[name], self._depth[name] = value, 0
        return self._constants[key]

    def node(
        self, operator: str, inputs: Sequence[str], *, outputs: int = 1, **attributes: Any
    ) -> tuple[str, ...]:
        """Return the names of a node's outputs."""
        key = operator, *inputs, *attributes.items()
        if key not in self._known:
            depth = max(self._depth[name] for name in inputs)
            made = self._known[key] = tuple(self.fresh(depth) for _ in range(outputs))
            names = tuple(inputs)
            self._scopes[depth].append(_Node(operator, names, made, attributes, names))
        return self._known[key]

    def open_loop(self) -> None:
        """Begin a loop's body: `fresh(1)` names its variables."""
        self._scopes.append([])

    def close_loop(
        self,
        count: int,
        start: Sequence[str],
        variables: Sequence[Tensor],
        results: Sequence[Tensor],
    ) -> list[str]:
        """End the body of a Loop of `count` steps; return the names of its outputs.

        The first variables are the number of the step and whether to go on, the others begin with
        `start`. The first results are the new values of those, the others are stacked.
        """
        go_on, step_results = variables[1], []
        for result in (go_on, *results):
            # Its own node, since a body may return neither its inputs nor what is outside.
            name = self.fresh(1)
            self._scopes[1].append(_Node("Identity", (result.name,), (name,), {}, (result.name,)))
            step_results.append(result._replace(name=name))
        nodes = _needed(self._scopes.pop(), [result.name for result in step_results])
        # What is known inside is not known outside.
        self._known = {k: names for k, names in self._known.items() if not self._depth[names[0]]}
        body = helper.make_graph(
            [_proto(node) for node in nodes],
            "step",
            [_information(variable) for variable in variables],
            [_information(result) for result in step_results],
        )
        outside = (name for node in nodes for name in node.uses if not self._depth[name])
        inputs = (self.constant(np.array(count)), "", *start)
        outputs = tuple(self.fresh(0) for _ in results)
        uses = tuple(dict.fromkeys((inputs[0], *start, *outside)))
        self._scopes[0].append(_Node("Loop", inputs, outputs, {"body": body}, uses))
        return list(outputs)

    def serialised(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bytes:
        """Return the file; `outputs` are arrays of the graph with the names to give to them."""
        nodes = _needed(self._scopes[0], [tensor.name for tensor in outputs])
        used = {name for node in nodes for name in node.uses}
        constants = [
            numpy_helper.from_array(value, name)
            for name, value in self._arrays.items()
            if name in used
        ]
        graph = helper.make_graph(
            [_proto(node) for node in nodes],
            "synann",
            [_information(tensor) for tensor in inputs],
            [_information(tensor) for tensor in outputs],
            constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_FORMAT,
            producer_name="synann",
        )
        data: bytes = model.SerializeToString()
        return data

    def name_output(self, name: str, output: str) -> None:
        """Give an array its name as an output of the file."""
        self._scopes[0].append(_Node("Identity", (name,), (output,), {}, (name,)))


def _needed(nodes: Sequence[_Node], outputs: Iterable[str]) -> list[_Node]:
    """The nodes that outputs depend on, in their order."""
    wanted, found = set(outputs), []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.outputs):
            wanted.update(node.uses)
            found.append(node)
    return found[::-1]


def _proto(node: _Node) -> Any:
    return helper.make_node(node.operator, node.inputs, node.outputs, **node.attributes)


def _information(tensor: Tensor) -> Any:
    kind = helper.np_dtype_to_tensor_dtype(tensor.dtype)
    sizes = ["batch" if size is None else size for size in tensor.shape]
    return helper.make_tensor_value_info(tensor.name, kind, sizes)

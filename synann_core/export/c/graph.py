"""Write a synapse graph in C: one scalar variable for every neuron, in topological order."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from synann_core._lib.typing import NumpyArray, Space
from synann_core.export.c.text import literal, source
from synann_core.export.checks import Precision, parameters
from synann_core.graph import CompiledGraph, GraphParameters
from synann_core.graph.wiring import Name

_MOST_SYNAPSES = 20_000  # gcc took half a minute for 80,000 of them in one function


class _Form(NamedTuple):
    """How a neuron is written in one space."""

    what: str
    operation: str  # joins its terms
    nothing: float  # the gain that changes nothing
    piece: str  # of the templates, with the function that `inhibited` calls
    inhibited: str  # of the file's name, β or γ, and the input


_PROBABILITY = _Form("probabilities", "*=", 1.0, "open", "{0}_open({1}, {2})")
_SURPRISAL = _Form("surprisals in nats", "+=", 0.0, "complement", "{0}_complement({1} + {2})")
_FORMS: dict[Space, _Form] = {"probability": _PROBABILITY, "surprisal": _SURPRISAL}


class Statements(NamedTuple):
    """What computes the values of some nodes."""

    lines: list[str]
    values: list[str]  # the expression of each of these nodes
    pieces: list[str]  # of the templates, that the lines call
    reads: NumpyArray  # which inputs they read
    synapses: int  # of the graph


def graph_source(
    compiled: CompiledGraph,
    params: GraphParameters | None,
    name: str,
    dtype: Precision,
    space: Space,
) -> str:
    """Return the whole file."""
    nodes = compiled.output_nodes
    code = statements(compiled, params, name, dtype, space, nodes, "x[{}]".format)
    lines = [*([] if code.reads.any() else ["    (void)x;"]), *code.lines]
    lines += [f"    out[{k}] = {value};" for k, value in enumerate(code.values)]
    if not code.values:
        lines.append("    (void)out;")
    return source(
        f"{name}: a synapse graph, {len(compiled.neurons)} neurons and {code.synapses} synapses.",
        name,
        dtype,
        declarations=["void ${name}_run(const $real *x, $real *out);"],
        constants={},
        pieces=[*code.pieces, "graph"],
        inputs=len(compiled.inputs),
        outputs=len(code.values),
        what=_FORMS[space].what,
        statements="\n".join(lines),
    )


def statements(
    compiled: CompiledGraph,
    params: GraphParameters | None,
    name: str,
    dtype: Precision,
    space: Space,
    nodes: NumpyArray,
    read: Callable[[int], str],
) -> Statements:
    """Write what computes `nodes`, a variable for each neuron; `read` writes an input."""
    alpha, beta = parameters(compiled, params, space, dtype)
    synapses = compiled.excitatory.indices.size + compiled.inhibitory.indices.size
    if synapses > _MOST_SYNAPSES:
        raise ValueError(
            f"`model` must have at most {_MOST_SYNAPSES} synapses, as C (ONNX has no limit). "
            f"Received: {synapses}"
        )
    inputs, form = len(compiled.inputs), _FORMS[space]
    real = "float" if dtype == "float32" else "double"

    def value(node: int) -> str:
        return read(node) if node < inputs else f"n{node - inputs}"

    needed = _needed(compiled, nodes)
    lines, used = [], False
    for i in compiled.order.tolist():
        if not needed[inputs + i]:
            continue
        gain = alpha[compiled.alpha_index[i]]
        start, terms = literal(gain, dtype), [value(j) for j in compiled.excitatory.row(i)]
        for node, place in zip(*compiled.inhibitory.row(i), strict=True):
            terms.append(form.inhibited.format(name, literal(beta[place], dtype), value(node)))
            used = True
        if terms and gain == form.nothing:
            start = terms.pop(0)
        constant = "" if terms else "const "
        lines.append(f"    {constant}{real} n{i} = {start};{comment(compiled.neurons[i])}")
        lines += [f"    n{i} {form.operation} {term};" for term in terms]
    pieces = [form.piece] if used else []
    return Statements(lines, [value(j) for j in nodes], pieces, needed[:inputs], synapses)


def _needed(compiled: CompiledGraph, nodes: NumpyArray) -> NumpyArray:
    """Which nodes these need: a compiler warns of other variables."""
    inputs = len(compiled.inputs)
    needed = np.zeros(len(compiled.nodes), bool)
    needed[nodes] = True
    for i in compiled.order[::-1].tolist():
        if needed[inputs + i]:
            needed[compiled.excitatory.row(i)] = True
            needed[compiled.inhibitory.row(i)[0]] = True
    return needed


def comment(name: Name) -> str:
    """The neuron's name, where nothing in it means something to a compiler."""
    plain = isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) <= 40
    return f" /* {name} */" if plain else ""

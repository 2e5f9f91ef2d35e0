"""Write a synapse graph in C: one scalar variable for every neuron, in topological order."""

from __future__ import annotations

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


def graph_source(
    compiled: CompiledGraph,
    params: GraphParameters | None,
    name: str,
    dtype: Precision,
    space: Space,
) -> str:
    """Return the whole file."""
    alpha, beta = parameters(compiled, params, space, dtype)
    synapses = compiled.excitatory.indices.size + compiled.inhibitory.indices.size
    if synapses > _MOST_SYNAPSES:
        raise ValueError(
            f"`model` must have at most {_MOST_SYNAPSES} synapses, as C (ONNX has no limit). "
            f"Received: {synapses}"
        )
    inputs = len(compiled.inputs)
    form = _PROBABILITY if space == "probability" else _SURPRISAL

    def value(node: int) -> str:
        return f"x[{node}]" if node < inputs else f"n{node - inputs}"

    needed = _needed(compiled)
    lines = [] if needed[:inputs].any() else ["    (void)x;"]
    used = False
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
        lines.append(f"    {constant}$real n{i} = {start};{_comment(compiled.neurons[i])}")
        lines += [f"    n{i} {form.operation} {term};" for term in terms]
    nodes = compiled.output_nodes.tolist()
    lines += [f"    out[{k}] = {value(node)};" for k, node in enumerate(nodes)]
    if not nodes:
        lines.append("    (void)out;")
    real = "float" if dtype == "float32" else "double"
    return source(
        f"{name}: a synapse graph, {len(compiled.neurons)} neurons and {synapses} synapses.",
        name,
        dtype,
        declarations=["void ${name}_run(const $real *x, $real *out);"],
        constants={},
        pieces=[*([form.piece] if used else []), "graph"],
        inputs=inputs,
        outputs=len(nodes),
        what=form.what,
        statements="\n".join(lines).replace("$real", real),
    )


def _needed(compiled: CompiledGraph) -> NumpyArray:
    """Which nodes the outputs need: a compiler warns of other variables."""
    inputs = len(compiled.inputs)
    needed = np.zeros(len(compiled.nodes), bool)
    needed[compiled.output_nodes] = True
    for i in compiled.order[::-1].tolist():
        if needed[inputs + i]:
            needed[compiled.excitatory.row(i)] = True
            needed[compiled.inhibitory.row(i)[0]] = True
    return needed


def _comment(name: Name) -> str:
    """The neuron's name, where nothing in it means something to a compiler."""
    plain = isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) <= 40
    return f" /* {name} */" if plain else ""

"""A synapse graph in C: one scalar variable for every neuron, in topological order."""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core.export.c.text import literal, source
from synann_core.export.checks import parameters
from synann_core.graph.compiled import CompiledGraph

_MOST_SYNAPSES = 20_000  # gcc took half a minute for 80,000 of them in one function


def graph_source(
    compiled: CompiledGraph, params: Any, name: str, dtype: str, surprisals: bool
) -> str:
    """The whole file."""
    alpha, beta = parameters(compiled, params, surprisals=surprisals)
    strong, weak = compiled.excitatory, compiled.inhibitory
    synapses = strong.indices.size + weak.indices.size
    if synapses > _MOST_SYNAPSES:
        raise ValueError(
            f"`model` must have at most {_MOST_SYNAPSES} synapses, as C (ONNX has no limit). "
            f"Received: {synapses}"
        )
    inputs = len(compiled.inputs)
    operation = "+=" if surprisals else "*="
    inhibited = "{0}_complement({1} + {2})" if surprisals else "{0}_open({1}, {2})"

    def value(node: int) -> str:
        return f"x[{node}]" if node < inputs else f"n{node - inputs}"

    needed = _needed(compiled)
    lines = [] if needed[:inputs].any() else ["    (void)x;"]
    used = False
    for i in compiled.order.tolist():
        if not needed[inputs + i]:
            continue
        comment = _comment(compiled.neurons[i])
        start = literal(alpha[compiled.alpha_index[i]], dtype)
        sources = strong.indices[slice(*strong.indptr[i : i + 2])].tolist()
        part = slice(*weak.indptr[i : i + 2])
        pairs = zip(weak.indices[part].tolist(), weak.beta_index[part].tolist(), strict=True)
        terms = [value(node) for node in sources]
        for node, b in pairs:
            terms.append(inhibited.format(name, literal(beta[b], dtype), value(node)))
            used = True
        if terms and alpha[compiled.alpha_index[i]] == (0.0 if surprisals else 1.0):
            start = terms.pop(0)
        constant = "" if terms else "const "
        lines.append(f"    {constant}$real n{i} = {start};{comment}")
        lines += [f"    n{i} {operation} {term};" for term in terms]
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
        pieces=[*((["complement"] if surprisals else ["open"]) if used else []), "graph"],
        inputs=inputs,
        outputs=len(nodes),
        what="surprisals in nats" if surprisals else "probabilities",
        statements="\n".join(lines).replace("$real", real),
    )


def _needed(compiled: CompiledGraph) -> np.ndarray[Any, Any]:
    """Which nodes the outputs need: a compiler warns of other variables."""
    inputs = len(compiled.inputs)
    needed = np.zeros(len(compiled.nodes), bool)
    needed[compiled.output_nodes] = True
    for i in compiled.order[::-1].tolist():
        if needed[inputs + i]:
            for rows in (compiled.excitatory, compiled.inhibitory):
                needed[rows.indices[slice(*rows.indptr[i : i + 2])]] = True
    return needed


def _comment(name: Any) -> str:
    """The neuron's name, if nothing in it means something to a compiler."""
    plain = isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) <= 40
    return f" /* {name} */" if plain else ""

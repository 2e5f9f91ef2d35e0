"""Write a circuit in C: its state in a struct, and a function that takes a step."""

from __future__ import annotations

import numpy as np

from synann_core.export.c.graph import comment, statements
from synann_core.export.c.text import source
from synann_core.export.checks import Precision
from synann_core.graph import Circuit, GraphParameters
from synann_core.graph.wiring import Name


def circuit_source(
    circuit: Circuit, params: GraphParameters | None, name: str, dtype: Precision
) -> str:
    """Return the whole file."""
    compiled = circuit.graph.compile()
    node = dict(zip(compiled.outputs, compiled.output_nodes, strict=True))
    places = {state: f"state->x[{k}]" for k, state in enumerate(circuit.states)}
    places |= {drive: f"drive[{k}]" for k, drive in enumerate(circuit.drives)}
    inputs = [places[name] for name in compiled.inputs]
    nodes = np.asarray([node[output] for output in circuit.feedback.values()])
    code = statements(compiled, params, name, dtype, "probability", nodes, inputs.__getitem__)
    driven = any(inputs[j].startswith("drive") for j in np.flatnonzero(code.reads))
    bound = f"{name}_bounded({{}})".format if circuit.clip else "{}".format
    states = range(len(nodes))
    lines = [*([] if driven else ["    (void)drive;"]), *code.lines]
    # All of them before the first is written: a state may be another one, one step ago.
    lines += [f"    const $real s{k} = {bound(code.values[k])};" for k in states]
    lines += [
        f"    state->x[{k}] = s{k};{comment(state)}" for k, state in enumerate(circuit.states)
    ]
    real = "float" if dtype == "float32" else "double"
    return source(
        f"{name}: a circuit of {len(compiled.neurons)} neurons and {code.synapses} synapses.",
        name,
        dtype,
        declarations=[
            f"typedef struct {{ $real x[{len(nodes)}]; }} ${{name}}_state;",
            "void ${name}_step(${name}_state *state, const $real *drive);",
        ],
        constants={},
        pieces=[*code.pieces, *(["bounded"] if circuit.clip else []), "circuit"],
        states=len(nodes),
        driven=_driven(circuit.drives),
        statements="\n".join(lines).replace("$real", real),
    )


def _driven(drives: tuple[Name, ...]) -> str:
    """What `drive` points to, for a comment."""
    if not drives:
        return "drive is not read and may be NULL"
    plain = all(map(comment, drives)) and len(drives) <= 8
    names = f" ({', '.join(map(str, drives))})" if plain else ""
    return f"drive has {len(drives)} number{'s' * (len(drives) > 1)}{names}"

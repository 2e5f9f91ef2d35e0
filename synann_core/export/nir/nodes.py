"""Put the nodes of a NIR graph into a row: what a network of layers can be made of.

A node's kind is the name of its class in the package nir.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

PASSIVE = ("Input", "Output", "Flatten")  # that change no number
NEURONS = ("LIF", "CubaLIF", "IF", "LI", "CubaLI", "I")
MOST_NODES = 512
MOST_DEPTH = 4  # of graphs in graphs

Edges = list[tuple[str, str]]


class Node(NamedTuple):
    """A node: its kind, and its fields by name; of a graph, nodes and edges."""

    kind: str
    fields: dict[str, Any]


class Link(NamedTuple):
    """A node of the row, and what leads from its output back to its input."""

    name: str
    node: Node
    recurrent: Node | None = None


def node_of(graph: Any, depth: int = 0) -> Node:
    """Return a graph of the package nir, or one of its nodes, as a Node."""
    kind = type(graph).__name__
    if kind != "NIRGraph":
        return Node(kind, dict(vars(graph)))
    _check_depth(depth)
    nodes = {str(name): node_of(inner, depth + 1) for name, inner in graph.nodes.items()}
    edges = [(str(a), str(b)) for a, b in graph.edges]
    return Node(kind, {"nodes": nodes, "edges": edges, "metadata": graph.metadata})


def in_a_row(graph: Node) -> list[Link]:
    """Return the nodes between the input and the output, in their order.

    Raises
    ------
    ValueError
        If they are not a row: one node after the other, with at most one Linear or Affine node
        from the output of neurons back to their input.
    """
    nodes, edges = _flat(graph)
    if len(nodes) > MOST_NODES:
        raise ValueError(f"it has more than {MOST_NODES} nodes: {len(nodes)}")
    after: dict[str, list[str]] = {name: [] for name in nodes}
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for one, two in dict.fromkeys(edges):
        for name in (one, two):
            if name not in nodes:
                raise ValueError(f"an edge is with {name[:80]!r}, which is not a node")
        after[one].append(two)
        before[two].append(one)
    starts = [name for name, node in nodes.items() if node.kind == "Input" and not before[name]]
    if len(starts) != 1:
        raise ValueError(f"it has {len(starts)} inputs, not one")
    row: list[Link] = []
    name, seen = starts[0], {starts[0]}
    while True:
        loops = [
            other
            for other in after[name]
            if after[other] == [name] and before[other] == [name] and nodes[name].kind in NEURONS
        ]
        ahead = [other for other in after[name] if other not in loops]
        back = nodes[loops[0]] if loops else None
        if len(loops) > 1 or (back is not None and back.kind not in ("Linear", "Affine")):
            raise ValueError(f"{name[:80]!r} has more than one Linear or Affine node back to it")
        row.append(Link(name, nodes[name], back))
        seen.update(loops)
        if not ahead:
            break
        if len(ahead) > 1 or ahead[0] in seen:
            raise ValueError(f"{name[:80]!r} is not followed by one new node: {ahead[:4]}")
        name = ahead[0]
        seen.add(name)
        others = [other for other in before[name] if other not in (row[-1].name, *after[name])]
        if others:
            raise ValueError(f"{name[:80]!r} has more than one input: {others[:4]}")
    if row[-1].node.kind != "Output" or len(seen) < len(nodes):
        unused = sorted(nodes.keys() - seen)[:4]
        raise ValueError(f"its nodes do not lead from the input to one output: {unused}")
    return row


def _flat(graph: Node, depth: int = 0) -> tuple[dict[str, Node], Edges]:
    """Nodes and edges, with those of graphs that are nodes in their place."""
    _check_depth(depth)
    nodes: dict[str, Node] = {}
    edges: Edges = list(graph.fields["edges"])
    for name, node in graph.fields["nodes"].items():
        if node.kind != "NIRGraph":
            nodes[name] = node
            continue
        inner, own = _flat(node, depth + 1)
        ends = Counter(one.kind for one in inner.values() if one.kind in ("Input", "Output"))
        if ends != {"Input": 1, "Output": 1}:
            raise ValueError(f"the graph {name[:80]!r} in it has not one input and one output")
        renamed = {old: f"{name}/{old}" for old in inner}
        nodes |= {renamed[old]: one for old, one in inner.items()}
        door = {one.kind: renamed[old] for old, one in inner.items() if one.kind in ends}
        edges = [
            (door["Output"] if a == name else a, door["Input"] if b == name else b)
            for a, b in edges
        ]
        edges += [(renamed.get(a, a), renamed.get(b, b)) for a, b in own]
        if len(nodes) > MOST_NODES:
            break
    return nodes, edges


def _check_depth(depth: int) -> None:
    if depth > MOST_DEPTH:
        raise ValueError(f"it has graphs in graphs, more than {MOST_DEPTH} deep")

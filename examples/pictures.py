"""The pictures of docs/graphs.md: two graphs, and one synapse as a map.

    python examples/pictures.py                 into outputs/

Makes graph.png and synapse-surface.png.

Needs: pip install -e ".[examples]"
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from shared import plots
from shared.options import make_parser
from synann import SynapseGraph, plot
from synann.graph.motifs import logic_gate


def lungs() -> SynapseGraph:
    """Cough and scar, as docs/graphs.md has them."""
    graph = SynapseGraph()
    graph.input("smoking", "asbestos", "age")
    graph.synapse("no cough", inhibitory={"smoking": 0.6, "age": 0.1}, alpha=0.95)
    graph.synapse("cough", inhibitory="no cough")
    graph.synapse("no scar", inhibitory={"asbestos": 0.7}, alpha=0.99)
    graph.synapse("scar", excitatory="age", inhibitory="no scar")
    graph.output("cough", "scar")
    return graph


@plots.styled
def draw_graphs(path: Path) -> None:
    """A gate with its values, and the lungs."""
    figure = Figure(figsize=(plots.WIDTH, 4.0))
    left, right = figure.subplots(1, 2)
    gate, x = logic_gate("xor"), np.array([0.9, 0.8])
    plot.graph(gate, left, values=gate.compile().values(x))
    left.set_title("xor of two uncertain inputs, with every value")
    plot.graph(lungs(), right)
    right.set_title("three causes of cough and scars, with strengths")
    handles = [
        Line2D([], [], color=plot.EXCITATORY, marker=">", label="excites"),
        Line2D([], [], color=plot.INHIBITORY, marker="|", ms=9, mew=1.6, label="inhibits"),
        Line2D(
            [], [], color=plot.TEXT, marker="o", mfc="white", mew=2.2, ms=10, ls="", label="output"
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    plots.save(figure, path)


@plots.styled
def draw_surfaces(path: Path) -> None:
    """One synapse as a map, in probabilities and in surprisals."""
    figure = Figure(figsize=(plots.WIDTH, 4.7))
    left, right = figure.subplots(1, 2)
    plot.surface(left, beta=0.9).set_title("open probability S(x, y), β = 0.9")
    plot.surface(right, beta=0.9, space="surprisal").set_title(
        "surprisal −log S(x, y) in nats, β = 0.9"
    )
    plots.save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    output = make_parser(__doc__).parse_args(arguments).output
    draw_graphs(output / "graph.png")
    draw_surfaces(output / "synapse-surface.png")
    print(f"pictures: graph.png, synapse-surface.png in {output}")


if __name__ == "__main__":
    main()

"""The pictures of docs/graphs.md: two graphs, and one synapse as a surface.

    python examples/pictures.py                 into outputs/

Makes graph.png and synapse-surface.png.

Needs: pip install -e ".[examples]"
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

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


def main(arguments: list[str] | None = None) -> None:
    output = make_parser(__doc__).parse_args(arguments).output
    figure = Figure(figsize=(11, 4.2), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    gate = logic_gate("xor")
    plot.graph(gate, left, values=gate.compile().values(np.array([0.9, 0.8])))
    plot.graph(lungs(), right)
    plots.save(figure, output / "graph.png")
    figure = Figure(figsize=(9, 4.2), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2, subplot_kw={"projection": "3d"})
    plot.surface(left, beta=0.9)
    plot.surface(right, beta=0.9, space="surprisal")
    plots.save(figure, output / "synapse-surface.png")
    print(f"pictures: graph.png, synapse-surface.png in {output}")


if __name__ == "__main__":
    main()

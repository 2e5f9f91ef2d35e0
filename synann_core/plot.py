"""Pictures: a synapse's surface, a graph, a trajectory, and which pixels a decision came from.

Needs matplotlib, ``pip install "synann[plot]"``; nothing else in the library imports this module.
Every function draws into the axes that it is given, or into new ones of pyplot, and returns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._lib._arguments import Array
from ._lib._checks import check_int, check_option, to_numpy
from .graph import SynapseGraph
from .surprisal import surprisal
from .synapse import synapse

__all__ = ["graph", "pixels", "surface", "trajectory"]

Axes = Any

# Of the colours of Okabe and Ito, which colour-blind readers can tell apart.
EXCITATORY, INHIBITORY = "#0072B2", "#D55E00"


def surface(
    ax: Axes | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    space: str = "probability",
    points: int = 41,
) -> Axes:
    """Draw one synapse over its two inputs, S(x, y; α, β) or −log of it.

    Parameters
    ----------
    ax : three-dimensional Axes of matplotlib, optional
    alpha, beta : float
        Gain, ≥ 0, and strength, in [0, 1].
    space : {"probability", "surprisal"}
        What is drawn upwards; x and y are probabilities.
    points : int
        To each side, ≥ 2.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If `points` is no int of 2 or more, or `space` unknown.

    Examples
    --------
    >>> from synann_core import plot
    >>> plot.surface(beta=0.9).get_zlabel()
    'S(x, y)'
    """
    check_option("space", space, ("probability", "surprisal"))
    # In surprisal space the borders, where it is infinite, are left out.
    low, high = (0.0, 1.0) if space == "probability" else (0.02, 0.98)
    side = np.linspace(low, high, check_int("points", points, 2))
    x, y = np.meshgrid(side, side)
    s = synapse(x, y, alpha, beta)
    ax = _new_axes(projection="3d") if ax is None else ax
    ax.plot_surface(x, y, s if space == "probability" else surprisal(s), cmap="viridis", lw=0)
    ax.set_box_aspect(None, zoom=0.85)  # else the labels are cut
    label = "S(x, y)" if space == "probability" else "−log S(x, y)  [nats]"
    ax.set(
        xlabel="x excites", ylabel="y inhibits", zlabel=label, title=f"α = {alpha:g}, β = {beta:g}"
    )
    return ax


def graph(graph: SynapseGraph, /, ax: Axes | None = None, *, values: Array | None = None) -> Axes:
    """Draw a graph from its inputs on the left to its outputs on the right.

    Parameters
    ----------
    graph : SynapseGraph
        Of some dozens of neurons; larger ones cannot be read.
    ax : Axes of matplotlib, optional
    values : array, shape (nodes,), optional
        To be written under the names, as ``graph.compile().values(x)`` gives them.

    Returns
    -------
    Axes
        Excitatory synapses blue with an arrow, inhibitory ones orange with a bar and their β;
        outputs have a thick rim.

    Raises
    ------
    ImportError
        If networkx is missing.
    ValueError
        If the values are not as many as the nodes, or if the graph does not compile.

    Examples
    --------
    >>> from synann_core import plot
    >>> from synann_core.motifs import logic_gate
    >>> sorted(text.get_text() for text in plot.graph(logic_gate("or")).texts)[-3:]
    ['x nor y', 'y', 'z']
    """
    try:
        import networkx
    except ImportError:
        raise ImportError('pictures of graphs need networkx: pip install "synann[plot]"') from None
    compiled = graph.compile()
    names = {node: str(node) for node in compiled.nodes}
    if values is not None:
        numbers = to_numpy(values)
        if numbers.shape != (len(names),):
            raise ValueError(f"`values` must have shape ({len(names)},). Received: {numbers.shape}")
        names = {node: f"{node}\n{v:.3g}" for node, v in zip(names, numbers, strict=True)}
    drawn = networkx.MultiDiGraph(graph.to_networkx())
    levels = [0] * len(compiled.inputs) + compiled.levels.tolist()
    # Columns of nodes as declared: from attributes, networkx would take them in any order.
    columns = {
        k: [n for n, at in zip(compiled.nodes, levels, strict=True) if at == k]
        for k in sorted(set(levels))
    }
    places = networkx.multipartite_layout(drawn, subset_key=columns)
    ax = _new_axes() if ax is None else ax
    rims = [2.5 if node in compiled.outputs else 0.8 for node in drawn]
    networkx.draw_networkx_nodes(
        drawn,
        places,
        ax=ax,
        node_color="white",
        edgecolors="black",
        linewidths=rims,
        node_size=1700,
    )
    networkx.draw_networkx_labels(drawn, places, names, ax=ax, font_size=8)
    for kind, colour, tip in (
        ("excitatory", EXCITATORY, "-|>"),
        ("inhibitory", INHIBITORY, "-["),
    ):
        edges = [e for e in drawn.edges(keys=True, data=True) if e[3]["kind"] == kind]
        networkx.draw_networkx_edges(
            drawn,
            places,
            [e[:3] for e in edges],
            ax=ax,
            edge_color=colour,
            arrowstyle=tip,
            node_size=1700,
            connectionstyle=["arc3,rad=0.12", "arc3,rad=-0.12", "arc3,rad=0.3"],
        )
        if kind == "inhibitory":
            strengths = {e[:2]: f"{e[3]['beta']:.3g}" for e in edges}
            networkx.draw_networkx_edge_labels(
                networkx.DiGraph(drawn),
                places,
                strengths,
                ax=ax,
                font_size=7,
                font_color=colour,
                connectionstyle="arc3,rad=0.12",
            )
    ax.margins(0.12)
    ax.set_axis_off()
    return ax


def trajectory(
    states: Array, /, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the states of a circuit by time step.

    Parameters
    ----------
    states : array, shape (steps, neurons)
        As `Circuit.iterate` returns them.
    names : sequence of str, optional
        One for each neuron.
    ax : Axes of matplotlib, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `states` is no matrix, or the names are not as many as its columns.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core import plot
    >>> axes = plot.trajectory(np.array([[0.9, 0.1], [0.8, 0.0]]), ["x", "y"])
    >>> [line.get_label() for line in axes.lines]
    ['x', 'y']
    """
    values = to_numpy(states)
    if values.ndim != 2:
        raise ValueError(f"`states` must have shape (steps, neurons). Received: {values.shape}")
    names = [str(k) for k in range(values.shape[1])] if names is None else list(names)
    if len(names) != values.shape[1]:
        raise ValueError(f"`names` must hold {values.shape[1]} names. Received: {len(names)}")
    ax = _new_axes() if ax is None else ax
    for name, column in zip(names, values.T, strict=True):
        ax.plot(column, label=name, marker="." if len(values) <= 60 else None)
    ax.set(xlabel="step", ylabel="open probability")
    ax.legend(frameon=False)
    return ax


def pixels(
    parts: Array,
    /,
    image_shape: tuple[int, int],
    ax: Axes | None = None,
    *,
    limit: float | None = None,
) -> Axes:
    """Draw what each pixel added to a surprisal, or to the difference of two.

    Parameters
    ----------
    parts : array, shape (h·w,)
        In nats; blue below zero, orange above, white where a pixel added nothing.
    image_shape : tuple of int
        (h, w).
    ax : Axes of matplotlib, optional
    limit : float, optional
        Nats of the deepest colour; the largest part if not given.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the parts are not as many as the pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core import plot
    >>> axes = plot.pixels(np.array([0.3, 0.0, -0.1, 0.0]), (2, 2))
    >>> axes.images[0].get_clim()
    (-0.3, 0.3)
    """
    values, size = to_numpy(parts), image_shape[0] * image_shape[1]
    if values.shape != (size,):
        raise ValueError(f"`parts` must have shape ({size},). Received: {values.shape}")
    from matplotlib.colors import LinearSegmentedColormap

    ax = _new_axes() if ax is None else ax
    limit = float(np.abs(values).max()) if limit is None else float(limit)
    colours = LinearSegmentedColormap.from_list("parts", (EXCITATORY, "white", INHIBITORY))
    image = values.reshape(image_shape)
    ax.imshow(image, cmap=colours, vmin=-(limit or 1.0), vmax=limit or 1.0)
    ax.set(xticks=[], yticks=[])
    return ax


def _new_axes(**options: Any) -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "synann[plot]"') from None
    return pyplot.figure(layout="constrained").add_subplot(**options)

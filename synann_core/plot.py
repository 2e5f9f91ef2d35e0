"""Draw a synapse's surface, a graph, a trajectory, and the pixels that a decision came from.

This needs matplotlib, ``pip install "synann[plot]"``; nothing else in the library imports this
module. Every function draws into the axes that it is given, or into new ones of pyplot, and returns
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import any_numbers, check_int, check_number, check_option
from synann_core._lib.typing import Array, Space
from synann_core.graph import SynapseGraph
from synann_core.surprisals import surprisal
from synann_core.synapses import synapse

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D  # type: ignore[import-untyped]

__all__ = ["EXCITATORY", "INHIBITORY", "graph", "pixels", "surface", "trajectory"]

_BENDS = (0.12, 0.3, 0.48, 0.66)  # of synapses that join the same two nodes

# Of the colours of Okabe and Ito, which colour-blind readers can tell apart.
#: Colours of excitatory and of inhibitory inputs, in this order.
EXCITATORY, INHIBITORY = "#0072B2", "#D55E00"


def surface(
    ax: Axes3D | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    space: Space = "probability",
    points: int = 41,
) -> Axes3D:
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
        If `ax` is not three-dimensional, `points` not an int of 2 or more, or `space` unknown.

    Examples
    --------
    >>> from synann_core import plot
    >>> plot.surface(beta=0.9).get_zlabel()
    'S(x, y)'
    """
    check_option("space", space, get_args(Space))
    if not (ax is None or hasattr(ax, "plot_surface")):
        raise TypeError(f"`ax` must be three-dimensional. Received: {type(ax).__name__}")
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
        Written under the names, as ``graph.compile().values(x)`` gives them.

    Returns
    -------
    Axes
        Excitatory synapses blue with an arrow, inhibitory ones orange with a bar and their β;
        outputs have a thick rim.

    Raises
    ------
    ImportError
        If networkx is missing.
    TypeError
        If `graph` is not a SynapseGraph, or `values` not an array.
    ValueError
        If the values are not as many as the nodes, or if the graph does not compile.

    Examples
    --------
    >>> from synann_core import plot
    >>> from synann_core.graph.motifs import logic_gate
    >>> sorted(text.get_text() for text in plot.graph(logic_gate("or")).texts)[-3:]
    ['x nor y', 'y', 'z']
    """
    try:
        import networkx
    except ImportError:
        raise ImportError('pictures of graphs need networkx: pip install "synann[plot]"') from None
    if not isinstance(graph, SynapseGraph):
        raise TypeError(f"`graph` must be a SynapseGraph. Received: {type(graph).__name__}")
    compiled = graph.compile()
    names = {node: str(node) for node in compiled.nodes}
    if values is not None:
        numbers = any_numbers("values", values)
        check_shape("values", numbers, len(names))
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
    colours, size = {"node_color": "white", "edgecolors": "black"}, {"ax": ax, "node_size": 1700}
    networkx.draw_networkx_nodes(drawn, places, linewidths=rims, **colours, **size)
    networkx.draw_networkx_labels(drawn, places, names, ax=ax, font_size=8)
    # Bent to either side: a pair of nodes may have synapses of both kinds.
    for kind, colour, tip, side in (
        ("excitatory", EXCITATORY, "-|>", -1.0),
        ("inhibitory", INHIBITORY, "-[", 1.0),
    ):
        bent = {"connectionstyle": [f"arc3,rad={side * bend}" for bend in _BENDS]}
        edges = {e[:3]: e[3] for e in drawn.edges(keys=True, data=True) if e[3]["kind"] == kind}
        line = {"edgelist": list(edges), "edge_color": colour, "arrowstyle": tip}
        networkx.draw_networkx_edges(drawn, places, **line, **bent, **size)
        if kind == "inhibitory":
            strengths = {edge: f"{attributes['beta']:.3g}" for edge, attributes in edges.items()}
            text = {"ax": ax, "font_size": 7, "font_color": colour}
            networkx.draw_networkx_edge_labels(drawn, places, strengths, **text, **bent)
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
    TypeError, ValueError
        If `states` is not a matrix, or if `names` is not a sequence of one for each column.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core import plot
    >>> axes = plot.trajectory(np.array([[0.9, 0.1], [0.8, 0.0]]), ["x", "y"])
    >>> [line.get_label() for line in axes.lines]
    ['x', 'y']
    """
    values = any_numbers("states", states)
    check_shape("states", values, "steps", "neurons")
    names = [str(k) for k in range(values.shape[1])] if names is None else names
    if not isinstance(names, Sequence):
        raise TypeError(f"`names` must be a sequence. Received: {type(names).__name__}")
    if len(names) != values.shape[1]:
        raise ValueError(f"`names` must hold {values.shape[1]} names. Received: {len(names)}")
    ax = _new_axes() if ax is None else ax
    for name, column in zip(names, values.T, strict=True):
        ax.plot(column, label=name, marker="." if len(values) <= 60 else None)
    ax.set(xlabel="step", ylabel="open probability")
    if len(names):
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
        In nats; blue below zero, orange above, white where a pixel added nothing. Infinite ones,
        of closed synapses, have the deepest colour.
    image_shape : tuple of int
        (h, w).
    ax : Axes of matplotlib, optional
    limit : float, optional
        Nats of the deepest colour; the largest finite part if not given.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If `parts` is not an array of as many entries as there are pixels, `image_shape` not two
        ints of 1 or more, or `limit` not a finite number ≥ 0.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core import plot
    >>> axes = plot.pixels(np.array([0.3, 0.0, -0.1, 0.0]), (2, 2))
    >>> axes.images[0].get_clim()
    (-0.3, 0.3)
    """
    if not (isinstance(image_shape, tuple | list) and len(image_shape) == 2):
        raise TypeError(f"`image_shape` must be a pair of ints. Received: {image_shape!r}")
    rows, columns = (check_int("image_shape", side, 1) for side in image_shape)
    values = any_numbers("parts", parts)
    check_shape("parts", values, rows * columns)
    if limit is not None:
        limit = check_number("limit", limit, 0.0)
    ax = _new_axes() if ax is None else ax
    from matplotlib.colors import LinearSegmentedColormap

    if limit is None:
        limit = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    limit = limit or 1.0
    colours = LinearSegmentedColormap.from_list("parts", (EXCITATORY, "white", INHIBITORY))
    image = np.clip(values, -limit, limit).reshape(rows, columns)  # infinity would be left blank
    ax.imshow(image, cmap=colours, vmin=-limit, vmax=limit)
    ax.set(xticks=[], yticks=[])
    return ax


def _new_axes(**options: Any) -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "synann[plot]"') from None
    return pyplot.figure(layout="constrained").add_subplot(**options)

"""Draw a synapse's surface, a graph, a trajectory, and the pixels that a decision came from.

This needs matplotlib, ``pip install "synann[plot]"``; nothing else in the library imports this
module. Every function draws into the axes that it is given, or into new ones of pyplot, and returns
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import any_numbers, check_int, check_number, check_option
from synann_core._lib.style import COLOURS, QUIET, STYLE, TEXT, drawn_into
from synann_core._lib.typing import AnyArray, NumpyArray, Space
from synann_core.graph import SynapseGraph
from synann_core.surprisals import surprisal
from synann_core.synapses import synapse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLOURS",
    "EXCITATORY",
    "INHIBITORY",
    "QUIET",
    "STYLE",
    "TEXT",
    "graph",
    "pixels",
    "surface",
    "trajectory",
]

_BENDS = (0.0, 0.15, -0.15, 0.3, -0.3, 0.5, -0.5)  # of synapses, the first free one

#: Colours of excitatory and of inhibitory inputs, in this order.
EXCITATORY, INHIBITORY = COLOURS[:2]


def surface(
    ax: Axes | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    space: Space = "probability",
    points: int = 101,
) -> Axes:
    """Draw one synapse over its two inputs as a map, S(x, y; α, β) or −log of it.

    Parameters
    ----------
    ax : Axes of matplotlib, optional
    alpha, beta : float
        Gain, ≥ 0, and strength, in [0, 1].
    space : {"probability", "surprisal"}
        What the colours and the lines of equal height mean; x and y are probabilities.
    points : int
        To each side, ≥ 2.

    Returns
    -------
    Axes
        Lines have their heights; the darker, the less probable. Surprisals above 5 nats are drawn
        as 5.

    Raises
    ------
    TypeError, ValueError
        If `points` is not an int of 2 or more, or `space` unknown.

    Examples
    --------
    >>> from synann_core import plot
    >>> plot.surface(beta=0.9).get_title()
    'S(x, y), α = 1, β = 0.9'
    """
    check_option("space", space, get_args(Space))
    side = np.linspace(0.0, 1.0, check_int("points", points, 2))
    x, y = np.meshgrid(side, side)
    heights = synapse(x, y, alpha, beta)
    if space == "probability":
        levels = max(alpha, 1.0) * np.linspace(0.0, 1.0, 11)
        name, colours, ends = "S(x, y)", "cividis", "neither"
    else:
        levels = np.array([0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
        heights = np.minimum(surprisal(heights), levels[-1])  # infinite where S is 0
        name, colours = "−log S(x, y), nats", "cividis_r"
        ends = "min" if alpha > 1.0 else "neither"  # surprisals below 0
    ax = drawn_into(ax, 4.6, 4.2)
    ax.contourf(x, y, heights, levels, cmap=colours, extend=ends)
    inner = levels[1:-1]
    on = [
        TEXT if (k > len(inner) / 2) == (space == "probability") else "white"
        for k in range(len(inner))
    ]
    lines = ax.contour(x, y, heights, inner, colors=on, linewidths=0.8)
    ax.clabel(lines, fontsize="small", fmt="%g")
    ax.set(xlabel="x, which excites", ylabel="y, which inhibits", aspect="equal")
    ax.set_title(f"{name}, α = {alpha:g}, β = {beta:g}")
    ax.grid(False)
    return ax


def graph(
    graph: SynapseGraph, /, ax: Axes | None = None, *, values: AnyArray | None = None
) -> Axes:
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
        Excitatory synapses blue with an arrow, inhibitory ones orange with a bar and their β if it
        is not 1; outputs have a thick rim.

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
    places = {node: place * (1.0, -1.0) for node, place in places.items()}  # the first one above
    ax = drawn_into(ax)
    rims = [2.5 if node in compiled.outputs else 0.8 for node in drawn]
    widest = max(len(line) for name in names.values() for line in name.split("\n"))
    diameter = max(38.0, 5.4 * widest + 6.0)  # points
    size, margin = {"ax": ax, "node_size": diameter**2}, diameter / 2 + 3.0
    colours = {"node_color": "white", "edgecolors": TEXT}
    networkx.draw_networkx_nodes(drawn, places, linewidths=rims, **colours, **size)
    networkx.draw_networkx_labels(drawn, places, names, ax=ax, font_size=9, font_color=TEXT)
    box = ax.get_position().transformed(ax.figure.transSubfigure)  # pixels
    high = np.ptp([y for _, y in places.values()]) or 1.0
    radius = 0.55 * diameter * ax.figure.dpi / 72.0 * 1.3 * high / box.height
    wide = np.ptp([x for x, _ in places.values()]) or 1.0
    ways = _ways(drawn, places, (high / wide) * box.width / box.height, radius)
    for kind, colour, tip in (
        ("excitatory", EXCITATORY, "-|>"),
        ("inhibitory", INHIBITORY, "|-|,widthA=0,widthB=0.5"),
    ):
        for edge, way in ways.items():
            if drawn.edges[edge]["kind"] == kind:
                line = {"edgelist": [edge], "edge_color": colour, "arrowstyle": tip, "width": 1.4}
                bent = {"connectionstyle": f"arc3,rad={way.bend}"}
                line |= {"arrowsize": 14, "min_target_margin": margin}
                networkx.draw_networkx_edges(drawn, places, **line, **bent, **size)
                beta = drawn.edges[edge].get("beta", 1.0)
                if kind == "inhibitory" and beta != 1.0:
                    text = {"font_size": 8, "font_color": colour, "label_pos": 1.0 - way.free}
                    text |= {"rotate": False, "bbox": {"fc": "white", "ec": "none", "pad": 0.5}}
                    label = {edge: f"{beta:.3g}"}
                    networkx.draw_networkx_edge_labels(drawn, places, label, ax=ax, **bent, **text)
    ax.margins(0.14)
    ax.set_axis_off()
    return ax


class _Way(NamedTuple):
    """How a synapse is drawn."""

    bend: float  # of an arc
    free: float  # where it is farthest from other synapses, as a share of its length


def _ways(
    drawn: Any, places: dict[Any, Any], aspect: float, radius: float
) -> dict[tuple[Any, ...], _Way]:
    """Bend each synapse, and find where on it there is room for a number.

    Of several between two nodes each is bent more than the one before it. All keep `radius` away
    from other nodes if one of the bends does. A width of 1 is drawn as wide as a height of
    `aspect`.
    """
    t = np.linspace(0.0, 1.0, 41)[:, None]
    at = {node: place * (aspect, 1.0) for node, place in places.items()}

    def curve(edge: tuple[Any, ...], bend: float) -> NumpyArray:
        a, b = at[edge[0]], at[edge[1]]
        control = (a + b) / 2 + bend * (b - a)[::-1] * (1.0, -1.0)
        found: NumpyArray = (1 - t) ** 2 * a + 2 * t * (1 - t) * control + t**2 * b
        return found

    def free(edge: tuple[Any, ...], bend: float) -> bool:
        others = [place for node, place in at.items() if node not in edge[:2]]
        gaps = [np.linalg.norm(curve(edge, bend) - place, axis=1).min() for place in others]
        return min(gaps, default=np.inf) > radius

    bends: dict[tuple[Any, ...], float] = {}
    for edge in drawn.edges(keys=True):
        taken = {bend for other, bend in bends.items() if other[:2] == edge[:2]}
        left = [b for b in _BENDS if b not in taken] or list(_BENDS)
        bends[edge] = next((b for b in left if free(edge, b)), left[0])
    curves = {edge: curve(edge, bend) for edge, bend in bends.items()}
    middle = np.arange(12, 27)  # of 41 points: clear of the nodes
    ways = {}
    for edge, own in curves.items():
        others = [c for other, c in curves.items() if other != edge] or [own + 1.0]
        gaps = np.linalg.norm(own[middle, None] - np.concatenate(others), axis=-1).min(axis=1)
        ways[edge] = _Way(bends[edge], float(t[middle[np.argmax(gaps)], 0]))
    return ways


def trajectory(
    states: AnyArray, /, names: Sequence[str] | None = None, ax: Axes | None = None
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
    ax = drawn_into(ax, 7.0, 3.2)
    for k, (name, column) in enumerate(zip(names, values.T, strict=True)):
        # Where curves coincide, the earlier ones are seen beside the later ones.
        width = max(1.4, 4.2 - 1.4 * k) if len(names) <= 3 else 1.6
        ax.plot(column, label=name, lw=width, color=COLOURS[k % len(COLOURS)])
    ax.set(xlabel="step", ylabel="open probability")
    if len(names):
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def pixels(
    parts: AnyArray,
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
    ax = drawn_into(ax)
    from matplotlib.colors import LinearSegmentedColormap

    if limit is None:
        limit = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    limit = limit or 1.0
    colours = LinearSegmentedColormap.from_list("parts", (EXCITATORY, "white", INHIBITORY))
    image = np.clip(values, -limit, limit).reshape(rows, columns)  # infinity would be left blank
    ax.imshow(image, cmap=colours, vmin=-limit, vmax=limit)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
    ax.grid(False)
    return ax

"""Pictures show the numbers that they are given."""

import subprocess
import sys
from unittest.mock import Mock

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from synann_core import plot
from synann_core.graph import SynapseGraph


@pytest.fixture(autouse=True)
def closed_figures():
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def test_nothing_imports_matplotlib_unless_asked():
    code = "import sys, synann_core.graph; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def heights(ax):
    """The levels that are filled, and those with a line."""
    filled, lines = ax.collections[:2]
    return filled.levels, lines.levels


def test_surface_rises_with_x_and_falls_with_y():
    ax = Mock()
    plot.surface(ax, alpha=1.5, beta=0.5, points=5)
    x, y, s, levels = ax.contourf.call_args.args
    np.testing.assert_allclose(s, 1.5 * x * (1 - 0.5 * y), rtol=1e-15)
    assert (levels[0], levels[-1]) == (0.0, 1.5)
    assert ax.set.call_args.kwargs["xlabel"][0] == "x"
    assert ax.set.call_args.kwargs["ylabel"][0] == "y"


def test_surface_of_surprisals():
    ax = Mock()
    plot.surface(ax, beta=0.5, space="surprisal", points=5)
    x, y, u, levels = ax.contourf.call_args.args
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(u, np.minimum(-np.log(x * (1 - 0.5 * y)), 5.0), rtol=1e-12)
    assert levels[-1] == 5.0


@pytest.mark.parametrize("options", [{}, {"alpha": 1.5}, {"space": "surprisal", "alpha": 3.0}])
def test_a_surface_has_lines_with_their_heights(options):
    ax = Figure().add_subplot()
    assert plot.surface(ax, beta=0.9, **options) is ax
    filled, lines = heights(ax)
    np.testing.assert_array_equal(lines, filled[1:-1])
    assert {text.get_text() for text in ax.texts} <= {f"{level:g}" for level in lines}
    assert len(ax.texts) >= 3


def test_pixels_have_one_scale_on_both_sides():
    ax = Figure().add_subplot()
    assert plot.pixels(np.array([0.1, -0.4, 0.0, 0.2, 0.0, 0.0]), (2, 3), ax) is ax
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), [[0.1, -0.4, 0.0], [0.2, 0.0, 0.0]])
    assert image.get_clim() == (-0.4, 0.4)


def test_infinite_pixels_have_the_deepest_colour():
    ax = plot.pixels(np.array([0.1, np.inf, -0.4, -np.inf]), (2, 2))
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0.1, 0.4], [-0.4, -0.4]])
    assert ax.images[0].get_clim() == (-0.4, 0.4)
    ax = plot.pixels(np.array([0.5, 3.0]), (1, 2), limit=2)
    assert ax.images[0].get_clim() == (-2, 2)


def test_pixels_without_any_part():
    ax = plot.pixels(np.zeros(4), (2, 2))
    assert ax.images[0].get_clim() == (-1.0, 1.0)


def test_trajectory_of_an_array_of_torch():
    import torch

    states = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    ax = plot.trajectory(states)
    assert [line.get_label() for line in ax.lines] == ["0", "1"]
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), states[:, 1].numpy())


def test_graph():
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("z", excitatory=("x", "x"), inhibitory={"x": 0.25, "y": 0.5})
    ax = plot.graph(graph, values=graph.compile().values(np.array([0.5, 1.0])))
    texts = {text.get_text() for text in ax.texts}
    assert texts == {"x\n0.5", "y\n1", "z\n0.109", "0.25", "0.5"}
    # Two excitatory synapses from x, one inhibitory from each; only z is an output.
    colours = [to_hex(patch.get_edgecolor()).upper() for patch in ax.patches]
    assert colours == [plot.EXCITATORY] * 2 + [plot.INHIBITORY] * 2
    assert np.argmax(ax.collections[0].get_linewidths()) == 2
    with pytest.raises(ValueError, match=r"`values` must have shape \(3,\)"):
        plot.graph(graph, values=np.ones(2))


def test_graph_with_several_synapses_between_two_neurons():
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("z", excitatory=("x", "x"), inhibitory=(("x", 0.25), ("x", 0.75)))
    ax = plot.graph(graph)
    assert {text.get_text() for text in ax.texts} == {"x", "z", "0.25", "0.75"}
    middles = [tuple(patch.get_path().vertices[1].round(6)) for patch in ax.patches]
    assert len(set(middles)) == len(middles) == 4  # each on its own way


def test_synapses_go_round_other_neurons():
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("middle", inhibitory="x")
    graph.synapse("end", excitatory="x", inhibitory="middle")
    ax = plot.graph(graph)
    (way,) = [p for p in ax.patches if to_hex(p.get_edgecolor()).upper() == plot.EXCITATORY]
    ax.figure.canvas.draw()
    nodes = ax.transData.transform(ax.collections[0].get_offsets())
    at = way.get_path().interpolated(50).vertices
    size = np.sqrt(ax.collections[0].get_sizes()[0]) * ax.figure.dpi / 72.0
    assert np.linalg.norm(at - nodes[1], axis=1).min() > size / 2


def test_a_strength_of_one_has_no_number():
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("z", inhibitory={"x": 1.0, "y": 0.5})
    assert {text.get_text() for text in plot.graph(graph).texts} == {"x", "y", "z", "0.5"}


def test_curves_that_coincide_are_both_seen():
    ax = plot.trajectory(np.tile([[0.1], [0.9]], (1, 3)), ["x", "y", "z"])
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.surface(points=1), "`points` must be at least 2. Received: 1"),
        (lambda: plot.surface(space="odds"), "`space` must be one of"),
        (lambda: plot.pixels(np.zeros(3), (2, 2)), r"`parts` must have shape \(4,\)"),
        (lambda: plot.pixels(np.zeros(0), (0, 2)), "`image_shape` must be at least 1"),
        (lambda: plot.pixels(np.zeros(4), (2, 2), limit=-1.0), r"`limit` must be in \[0, inf\)"),
        (lambda: plot.trajectory(np.zeros(3)), r"`states` must have shape \(steps, neurons\)"),
        (lambda: plot.trajectory(np.zeros((3, 2)), ["x"]), "`names` must hold 2 names"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.graph("g"), "`graph` must be a SynapseGraph. Received: str"),
        (lambda: plot.pixels([0.1, 0.2], (1, 2)), "`parts` must be an array"),
        (lambda: plot.pixels(np.zeros(4), 4), "`image_shape` must be a pair of ints"),
        (lambda: plot.trajectory([[0.1]]), "`states` must be an array"),
        (lambda: plot.trajectory(np.zeros((3, 2)), 2), "`names` must be a sequence"),
    ],
)
def test_input_of_another_kind(call, message):
    with pytest.raises(TypeError, match=message):
        call()

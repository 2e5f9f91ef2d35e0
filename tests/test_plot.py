"""Pictures show the numbers that they are given."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from synann_core import plot
from synann_core.graph import SynapseGraph


@pytest.fixture(autouse=True)
def closed_figures():
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def test_nothing_imports_matplotlib_unless_asked():
    code = "import sys, synann_core, synann_torch; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_surface():
    ax = plot.surface(alpha=1.5, beta=0.5, points=5)
    np.testing.assert_array_equal(ax.zz_dataLim.intervalx, [0.0, 1.5])


def test_surface_of_surprisals():
    ax = plot.surface(beta=0.5, space="surprisal", points=5)
    least, most = -np.log(0.98 * (1 - 0.5 * 0.02)), -np.log(0.02 * (1 - 0.5 * 0.98))
    np.testing.assert_allclose(ax.zz_dataLim.intervalx, [least, most], rtol=1e-12)


def test_pixels_have_one_scale_on_both_sides():
    ax = Figure().add_subplot()
    assert plot.pixels(np.array([0.1, -0.4, 0.0, 0.2, 0.0, 0.0]), (2, 3), ax) is ax
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), [[0.1, -0.4, 0.0], [0.2, 0.0, 0.0]])
    assert image.get_clim() == (-0.4, 0.4)


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
    assert len(ax.patches) == 4  # two excitatory synapses from x, one inhibitory from each
    with pytest.raises(ValueError, match=r"`values` must have shape \(3,\)"):
        plot.graph(graph, values=np.ones(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.surface(points=1), "`points` must be at least 2. Received: 1"),
        (lambda: plot.surface(space="odds"), "`space` must be one of"),
        (lambda: plot.pixels(np.zeros(3), (2, 2)), r"`parts` must have shape \(4,\)"),
        (lambda: plot.trajectory(np.zeros(3)), r"`states` must have shape \(steps, neurons\)"),
        (lambda: plot.trajectory(np.zeros((3, 2)), ["x"]), "`names` must hold 2 names"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

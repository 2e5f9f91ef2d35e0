"""Graphs in C: compiled without a warning by gcc, they compute what the graphs compute."""

import numpy as np
import pytest

from synann_core.export import save_c
from synann_core.graph import GraphParameters, SynapseGraph
from tests.export_models import compiled, odd_inputs, random_graph, rows, strong
from tests.helpers import EPS, assert_close


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_graphs(space, dtype, tmp_path):
    rng = np.random.default_rng(1)
    graph = random_graph(rng, inputs=5, neurons=40)
    X = odd_inputs(rng, 50, 5, space)
    save_c(graph, tmp_path / "graph.c", name="graph", dtype=dtype, space=space)
    x = X.astype(dtype)
    got = rows(compiled(tmp_path / "graph.c").graph_run, x, 4)
    want = graph.compile()(x.astype(np.float64), space=space)
    scale = np.maximum(1.0, np.abs(np.where(np.isfinite(want), want, 1.0)))
    assert_close(got, want, 1e-6 if dtype == "float32" else 1e-14, scale=scale)


def test_a_trained_graph(tmp_path):
    graph = random_graph(np.random.default_rng(2), inputs=3, neurons=5)
    net = graph.compile()
    params = GraphParameters(net.params.alpha * 0.5, net.params.beta**2)
    save_c(graph, tmp_path / "graph.c", dtype="float64", params=params)
    x = np.random.default_rng(0).random((3, 3))
    assert_close(rows(compiled(tmp_path / "graph.c").model_run, x, 4), net(x, params), 1e-14)


def test_a_gain_beyond_float32_has_a_surprisal_within(tmp_path):
    save_c(strong(), tmp_path / "graph.c", space="surprisal")
    got = rows(compiled(tmp_path / "graph.c").model_run, np.full((1, 1), 90.0, np.float32), 1)
    assert_close(got, [[90.0 - np.log(1e39)]], EPS["float32"], scale=90.0)
    save_c(strong(), tmp_path / "wide.c", dtype="float64")
    assert rows(compiled(tmp_path / "wide.c").model_run, np.ones((1, 1)), 1) == 1e39


def test_graphs_at_the_edges(tmp_path):
    """Neurons that nothing needs, one that reads nothing, and names that would be code."""
    graph = SynapseGraph()
    graph.input("x", "y")
    graph.synapse("*/ int main;", alpha=0.25)
    graph.synapse("??/", excitatory="x")
    graph.synapse("unneeded", excitatory="??/", inhibitory="x")
    graph.output("*/ int main;")
    save_c(graph, tmp_path / "graph.c", name="graph")
    assert "main" not in (tmp_path / "graph.c").read_text()
    got = rows(compiled(tmp_path / "graph.c").graph_run, np.ones((1, 2), np.float32), 1)
    assert got.tolist() == [[0.25]]
    save_c(SynapseGraph(), tmp_path / "empty.c", name="empty")
    compiled(tmp_path / "empty.c").empty_run(None, None)

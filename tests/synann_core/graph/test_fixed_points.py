"""Fixed points of circuits, and their stability."""

import numpy as np
import pytest

from synann_core.graph import Circuit, SynapseGraph
from synann_core.graph.motifs import latch


def logistic(alpha):
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("next", excitatory="x", inhibitory="x", alpha=alpha)
    return Circuit(graph, {"x": "next"})


@pytest.mark.parametrize(
    ("alpha", "points"),
    [
        (0.8, [(0.0, 0.8)]),
        (1.0, [(0.0, 1.0)]),  # two points meet
        (2.0, [(0.0, 2.0), (0.5, 0.0)]),
        (3.2, [(0.0, 3.2), (1 - 1 / 3.2, 1.2)]),
    ],
)
def test_fixed_points_of_the_logistic_map(alpha, points):
    found = logistic(alpha).fixed_points(starts=20)
    assert len(found) == len(points)
    for got, (state, radius) in zip(found, points, strict=True):
        accuracy = 1e-5 if alpha == 1.0 else 1e-12
        np.testing.assert_allclose(got.state, [state], atol=accuracy)
        np.testing.assert_allclose(got.spectral_radius, radius, atol=10 * accuracy)
        assert got.stable == (radius < 1.0 - 10 * accuracy or got.spectral_radius < 1.0)


def test_fixed_points_of_the_latch():
    found = latch().fixed_points(drive=np.zeros(2))
    stable = [point.state.tolist() for point in found if point.stable]
    assert stable == [[0.0, 1.0], [1.0, 0.0]]
    # Between them a saddle, x = 2x(1 − 0.8x), and the empty state, which nothing holds.
    middle = [point.state for point in found if not point.stable]
    np.testing.assert_allclose(sorted(map(tuple, middle)), [(0, 0), (0.625, 0.625)], atol=1e-12)

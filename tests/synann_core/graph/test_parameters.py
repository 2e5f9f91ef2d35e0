"""Parameters beside the other arguments of a call."""

import numpy as np
import pytest

from synann_core.graph import GraphParameters
from synann_core.graph.parameters import arguments
from tests.graphs import graph_of


def test_libraries_do_not_mix():
    torch = pytest.importorskip("torch")
    compiled = graph_of(z={"excitatory": "x", "inhibitory": "y"}).compile()
    with pytest.raises(TypeError, match=r"`x` and `params.alpha` must come from one array library"):
        compiled(torch.ones(2), compiled.params)


@pytest.mark.parametrize("pair", [3, (1.0,), np.ones(2), {"alpha": 1, "beta": 2}])
def test_what_is_not_a_pair(pair):
    with pytest.raises(TypeError, match=r"`params` must be a pair \(alpha, beta\). Received"):
        arguments(GraphParameters(np.ones(2), np.ones(3)), pair, x=np.ones(4))


def test_parameters_are_arguments_by_name():
    own = GraphParameters(np.ones(2), np.ones(3))
    given = arguments(own, (np.ones(2, np.float32), np.ones(3, np.float32)), x=np.ones(4))
    assert [*given.named] == ["x", "params.alpha", "params.beta"]
    assert given.dtype == np.float64
    assert [*arguments(own, None, x=np.ones(4)).named] == ["x"]
    with pytest.raises(ValueError, match=r"`params.beta` must have shape \(3,\)"):
        arguments(own, own._replace(beta=np.ones(2)), x=np.ones(4))

"""Index arrays and parameters that `from_arrays` refuses."""

import numpy as np
import pytest

from synann_core.graph import SynapseGraph

ARRAYS = [
    ({"inputs": 1.0}, TypeError, "`inputs` must be an int"),
    ({"neurons": -1}, ValueError, "`neurons` must be at least 0"),
    ({"excitatory": ([2.0], [0])}, TypeError, r"`excitatory\[0\]` must hold integers.*float64"),
    ({"excitatory": ([1], [0])}, ValueError, r"`excitatory\[0\]`.*neurons, 2 to 3. Received: 1"),
    ({"inhibitory": ([2], [9])}, ValueError, r"`inhibitory\[1\]`.*nodes, 0 to 3. Received: 9"),
    ({"inhibitory": ([2], [-1])}, ValueError, r"Received: -1"),
    ({"inhibitory": ([2, 3], [0])}, ValueError, "`inhibitory`.*2 targets and 1 sources"),
    ({"inhibitory": ([[2]], [0])}, ValueError, r"one axis. Received: shape \(1, 1\)"),
    ({"inhibitory": 3}, TypeError, r"`inhibitory` must be a pair \(targets, sources\)"),
    ({"beta": [0.5]}, ValueError, r"`beta` must have shape \(0,\). Received: shape \(1,\)"),
    ({"inhibitory": ([2], [0]), "beta": [1.5]}, ValueError, r"`beta`.*\[0, 1\].*1.5 at 0"),
    ({"inhibitory": ([2], [0]), "beta": ["a"]}, TypeError, "`beta` must hold real numbers"),
    ({"alpha": [1.0, np.nan]}, ValueError, "`alpha`.*nan at 1"),
    ({"alpha": [1.0, -2.0]}, ValueError, r"`alpha`.*-2.0 at 1"),
    ({"alpha": [1.0], "alpha_index": [0, 1]}, ValueError, "`alpha_index`.*parameters, 0 to 0"),
    ({"alpha": [1.0], "alpha_index": [0]}, ValueError, r"`alpha_index` must have shape \(2,\)"),
    ({"outputs": [4]}, ValueError, "`outputs`.*0 to 3. Received: 4"),
    ({"outputs": [3, 2, 3]}, ValueError, "`outputs`.*Received: 3 twice"),
]


@pytest.mark.parametrize(("options", "kind", "message"), ARRAYS)
def test_arrays(options, kind, message):
    with pytest.raises(kind, match=message):
        SynapseGraph.from_arrays(**{"inputs": 2, "neurons": 2, **options})


def test_rows_of_several_lengths():
    with pytest.raises(ValueError, match=r"`inhibitory\[0\]` must have rows of one length"):
        SynapseGraph.from_arrays(1, 1, inhibitory=([1, [1]], [0, 0]))
    with pytest.raises(ValueError, match="`alpha` must have rows of one length"):
        SynapseGraph.from_arrays(1, 1, alpha=[1.0, [1.0]])

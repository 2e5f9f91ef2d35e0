"""Namespaces of arrays, and what is not imported for NumPy's."""

import array_api_strict
import numpy as np
import pytest

from synann_core._lib.namespaces import array_namespace, numpy_namespace
from tests.synann_core.contraction.test_native_processes import python


def test_arrays_of_numpy_have_one_namespace():
    assert array_namespace(np.ones(2), np.float32(1.0)) is numpy_namespace
    assert {"astype", "isdtype", "permute_dims"} <= set(dir(numpy_namespace))


def test_other_arrays():
    assert array_namespace(array_api_strict.ones(2)).__name__ == "array_api_strict"
    with pytest.raises(TypeError):
        array_namespace("a")
    with pytest.raises(TypeError):
        array_namespace(np.ones(2), array_api_strict.ones(2))


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.4.0", reason="array_api_compat serves")
def test_numpy_needs_no_namespace_of_array_api_compat():
    """It would import numpy.f2py and numpy.testing."""
    code = """
import sys
import numpy as np
import synann_core as syn
y, beta = np.full((2, 3), 0.5), np.full((4, 3), 0.5)
T = syn.log_transmission(y, beta)
syn.log_transmission_vjp(y, beta, T)
syn.synapse_tensor(1.0, y, alpha=1.0, beta=beta)
net = syn.SynaMLP(3, 4, 2)
net.predict(y)
print(*sys.modules)
"""
    loaded = set(python(code))
    assert "synann_core.contraction.native" in loaded
    assert not {"numpy.f2py", "numpy.testing", "array_api_compat.numpy", "torch", "jax"} & loaded

"""`synann.keras` is `synann_keras`, imported when it is first used."""

import numpy as np
import pytest

import synann
import synann.keras
import synann_keras
from tests.synann.test_init import run


def test_names_are_those_of_the_adapter():
    assert synann.keras.__all__ == synann_keras.__all__
    for name in synann_keras.__all__:
        assert getattr(synann.keras, name) is getattr(synann_keras, name)


def test_a_layer_runs():
    assert tuple(synann.keras.Synapse(2)(np.full((4, 3), 0.5)).shape) == (4, 2)


@pytest.mark.parametrize(
    "statement", ["import synann; synann.keras.Synapse", "from synann.keras import Synapse"]
)
def test_without_keras_the_error_says_what_to_install(statement):
    result = run(f"import sys; sys.modules['keras'] = None; {statement}")
    assert result.returncode == 1
    assert 'pip install "synann[keras,jax]"' in result.stderr

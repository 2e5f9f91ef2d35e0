"""`synann.torch` is `synann_torch`, imported when it is first used."""

import pytest
import torch

import synann
import synann.torch
import synann_torch
import synann_torch.spiking
from tests.synann.test_init import run


def test_names_are_those_of_the_adapter():
    assert synann.torch.__all__ == synann_torch.__all__
    for name in set(synann_torch.__all__) - {"functional"}:
        assert getattr(synann.torch, name) is getattr(synann_torch, name)
    # The two modules: tests/synann/test_init.py.
    assert synann.torch.functional.synapse_tensor is synann_torch.functional.synapse_tensor
    assert synann.torch.spiking.Spiking is synann_torch.spiking.Spiking


def test_a_layer_runs():
    assert synann.torch.Synapse(3, 2)(torch.rand(4, 3)).shape == (4, 2)


def test_it_is_imported_when_it_is_first_used():
    result = run("import sys, synann; print('torch' in sys.modules); print(synann.torch.Synapse)")
    assert result.stdout.split() == ["False", "<class", "'synann_torch.layer.Synapse'>"]


@pytest.mark.parametrize(
    "statement",
    [
        "import synann; synann.torch",
        "import synann.torch",
        "from synann.torch import Synapse",
        "from synann import torch",
    ],
)
def test_without_torch_the_error_says_what_to_install(statement):
    result = run(f"import sys; sys.modules['torch'] = None; {statement}")
    assert result.returncode == 1
    assert 'synann_torch needs torch. Install it with: pip install "synann[torch]"' in result.stderr

"""The Triton kernels, called as their host calls them; test_triton.py tests them through it."""

import numpy as np
import pytest
import torch

from tests.synann_core.contraction.test_triton import DEVICE, kernels

__all__ = ["kernels"]  # the fixture


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_launch_writes_every_output(kernels, dtype):
    """A tile larger than the arrays, so that masks keep what lies outside from being touched."""
    rng = np.random.default_rng(0)
    y, beta = (torch.asarray(rng.random(s), dtype=dtype, device=DEVICE) for s in ((3, 5), (2, 5)))
    floor = float(torch.finfo(dtype).eps) / 2
    exact, guarded = kernels._log_product(y, None, beta, None, floor=floor)
    want = torch.log1p(-(y.double()[:, None, :] * beta)).sum(-1)
    for got in (exact, guarded):
        assert got.shape == (3, 2)
        assert torch.allclose(got.double(), want, rtol=20 * torch.finfo(dtype).eps)


def test_an_integer_of_every_width_is_named(kernels):
    module = kernels._kernels()
    assert {str(module.integer(bits)) for bits in (32, 64)} == {"int32", "int64"}

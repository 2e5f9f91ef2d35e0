"""The compiled tangent of the sum of logarithms."""

import numpy as np
import pytest

from synann_core.native.contraction_tangent import tangent_block


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 32, 45])
def test_the_tangent_is_the_sum_over_the_inputs(kind, n):
    rng = np.random.default_rng(n)
    y, dy, beta, dbeta = (rng.random(s, kind) for s in ((4, n), (4, n), (3, n), (3, n)))
    out = np.full((4, 3), np.nan, kind)
    floor = kind(np.finfo(kind).eps / 2)
    tangent_block(y, None, dy, beta, None, dbeta, floor, out, 0, 4, 0, 3)
    dq = dy[:, None, :].astype(float) * beta + y[:, None, :] * dbeta.astype(float)
    want = -(dq / (1 - y[:, None, :].astype(float) * beta)).sum(-1)
    assert np.allclose(out, want, rtol=40 * np.finfo(kind).eps, atol=0)

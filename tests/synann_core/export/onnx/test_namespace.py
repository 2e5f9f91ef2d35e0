"""The core's formulas run on ndonnx, and keep their accuracy."""

import numpy as np
import onnxruntime
import pytest

import synann_core as syn
from synann_core import tensor, transmission
from synann_core.export.onnx.writer import traced
from tests.helpers import EPS, assert_relative, spread


def run(data, **inputs):
    """Outputs of onnxruntime."""
    session = onnxruntime.InferenceSession(data)
    (output,) = session.run(None, inputs)
    return output


def points(n):
    """Rows of ordinary inputs, of tiny ones, and with closed factors; β likewise."""
    rng = np.random.default_rng(0)
    y, beta = rng.random((9, n)), rng.random((6, n))
    y[3:6] = spread(rng, 1e-30, 1e-8, (3, n))
    beta[:2] = spread(rng, 1e-9, 1e-3, (2, n))
    y[8, 0] = beta[5, 0] = 1.0
    return y.astype(np.float32), beta.astype(np.float32)


@pytest.mark.parametrize("n", [1, 3, 70])
def test_the_log_transmission_keeps_small_terms(n):
    y, beta = points(n)

    def formula(y, *, xp):
        return transmission._log_transmission(y, xp.asarray(beta), xp=xp)

    got = run(traced(formula, {"y": (n,)}, "T", "float32"), y=y)
    want = syn.log_transmission(y.astype(np.float64), beta.astype(np.float64))
    assert (want[3:6] < 0).all()
    assert (want[3:6, :2] > -1e-9).all()
    assert_relative(got, want, 2 * (10 + n**0.5) * EPS["float32"])


def test_the_surprisal_synapse_tensor():
    """From γ + v near 0, where e^(−v) would round to 1, to where e^(−γ−v) is tiny."""
    rng = np.random.default_rng(0)
    m, n = 5, 70
    u, v = (spread(rng, 1e-6, 60.0, (8, size)).astype(np.float32) for size in (m, n))
    theta = rng.random(m).astype(np.float32)
    gamma = spread(rng, 1e-6, 60.0, (m, n)).astype(np.float32)
    v[0, 0] = gamma[1, 0] = 0.0

    def formula(u, v, *, xp):
        constants = xp.asarray(theta), xp.asarray(gamma)
        return tensor._surprisal_synapse_tensor(u, v, *constants, xp=xp)

    got = run(traced(formula, {"u": (m,), "v": (n,)}, "z", "float32"), u=u, v=v)
    exact = (a.astype(np.float64) for a in (u, v, theta, gamma))
    want = syn.surprisal_synapse_tensor(*exact)
    assert np.isinf(want[0, 1])
    assert_relative(got, want, 2 * (10 + n**0.5) * EPS["float32"])


def test_the_synapse_tensor():
    y, beta = points(33)
    alpha = np.linspace(0.5, 1.5, 6, dtype=np.float32)

    def formula(x, y, *, xp):
        return tensor._synapse_tensor(x, y, xp.asarray(alpha), xp.asarray(beta), xp=xp)

    x = y[:, :6]
    got = run(traced(formula, {"x": (6,), "y": (33,)}, "s", "float32"), x=x, y=y)
    exact = (a.astype(np.float64) for a in (x, y, alpha, beta))
    assert_relative(got, syn.synapse_tensor(*exact), 1e-5)  # |T| is up to 30


def test_arrays_like_another_one_keep_its_known_sizes():
    shapes = []

    def formula(x, *, xp):
        for name in ("zeros_like", "ones_like"):
            shapes.append(getattr(xp, name)(x).shape)
        return xp.ones_like(x) + xp.zeros_like(x)

    got = run(traced(formula, {"x": (3,)}, "y", "float32"), x=np.zeros((2, 3), np.float32))
    assert shapes == [(None, 3)] * 2
    np.testing.assert_array_equal(got, np.ones((2, 3)))

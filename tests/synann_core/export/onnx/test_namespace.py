"""The core's formulas run on the namespace that writes ONNX, and keep their accuracy."""

import array_api_compat.numpy
import numpy as np
import pytest

import synann_core as syn
from synann_core import tensor, transmission
from synann_core.export.onnx.writer import traced
from tests.helpers import EPS, assert_relative, spread
from tests.synann_core.export.onnx.cases import of, run

ODD = np.array([[np.nan, np.inf, -np.inf, 0.25], [-0.5, 0.0, 3.0, 700.0]])
# Each with the namespace of NumPy, or another one.
FUNCTIONS = {
    "abs": lambda x, xp: xp.abs(x),
    "any": lambda x, xp: xp.astype(xp.any(x > 0.25, axis=1), xp.float64),
    "astype": lambda x, xp: xp.astype(xp.astype(x[:, 3:], xp.int64), xp.float64),
    "broadcast_to": lambda x, xp: xp.broadcast_to(x, (3, *x.shape)),
    "clip": lambda x, xp: xp.clip(xp.clip(x, None, 2.5), -1.0, None),
    "concat": lambda x, xp: xp.concat([x, xp.zeros_like(x), x[:, :0], x[:, 1:2]], axis=1),
    "exp": lambda x, xp: xp.exp(x),
    "full_like": lambda x, xp: x * xp.full_like(x, 2.0),
    "isfinite": lambda x, xp: xp.where(xp.isfinite(x), x, 1.0),
    "isinf": lambda x, xp: xp.where(xp.isinf(1.0 / x), 2.0, x),
    "log": lambda x, xp: xp.log(x),
    "matmul": lambda x, xp: xp.matmul(x[:, 2:], xp.asarray([[0.5, 2.0], [0.25, -1.0]])),
    "max": lambda x, xp: xp.max(x[:, 1:], axis=-1, keepdims=True),
    "maximum": lambda x, xp: xp.maximum(x, xp.ones_like(x)),
    "minimum": lambda x, xp: xp.minimum(x, xp.asarray(0.5)),
    "permute": lambda x, xp: xp.permute_dims(x[:, None, :], (2, 0, 1)),
    "reshape": lambda x, xp: xp.reshape(xp.reshape(x, (-1, 2)), (-1, 4, 1)),
    "reshape of nothing": lambda x, xp: xp.reshape(x[:, :0], (x.shape[0], 0, 2)),
    "sqrt": lambda x, xp: xp.sqrt(x),
    "sum": lambda x, xp: xp.sum(x[:, 2:], axis=1),
    "sum of nothing": lambda x, xp: xp.sum(x[:, :0], axis=1),
    "take": lambda x, xp: xp.take(x, xp.asarray([3, 0, 0]), axis=1),
    "transpose": lambda x, xp: xp.matrix_transpose(x[:, :, None]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    """Of arrays as nodes, and of numbers at once."""
    function = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        want = function(ODD, array_api_compat.numpy)
    got = of(function, ODD)
    assert_relative(got, want, 4 * EPS["float64"])
    assert got.shape == want.shape

    def at_once(x, *, xp):
        found = function(xp.asarray(ODD), xp)
        assert found.numbers is not None
        return found

    assert_relative(of(at_once, ODD), want, 4 * EPS["float64"])


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

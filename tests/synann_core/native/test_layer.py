"""Strengths and transmissions of a layer, and the kernels that compute the whole of a small one."""

import numpy as np
import pytest

from synann_core.native.host import kernels

mpmath = pytest.importorskip("mpmath")
KINDS = [np.float32, np.float64]


def ulps(got, want, kind):
    """Largest error, in ulp of the exact values, which are mpmath's numbers."""
    mpmath.mp.prec = 200
    ulp = np.spacing(np.array([float(w) for w in want]).astype(kind)).astype(float)
    errors = [abs(mpmath.mpf(float(g)) - w) / u for g, w, u in zip(got, want, ulp, strict=True)]
    return max(map(float, errors))


def strengths(logit, mask=None):
    beta = np.full_like(logit, 7)
    kernels.strengths(logit, mask, beta)
    return beta


@pytest.mark.parametrize("kind", KINDS)
def test_strengths_are_the_sigmoid(kind):
    lowest = -100 if kind == np.float32 else -740  # denormal strengths
    z = np.concatenate([np.linspace(lowest, 15, 400), np.linspace(-2, 2, 101)]).astype(kind)
    want = [1 / (1 + mpmath.exp(-mpmath.mpf(float(v)))) for v in z]
    assert ulps(strengths(z[None])[0], want, kind) <= 3


@pytest.mark.parametrize("kind", KINDS)
def test_strengths_of_saturated_logits(kind):
    strongest = 1 - np.finfo(kind).eps
    z = np.array([[-np.inf, -1e30, 0.0, -0.0, 40.0, 1e30, np.inf, np.nan]], kind)
    want = np.array([[0, 0, 0.5, 0.5, strongest, strongest, strongest, np.nan]], kind)
    assert np.array_equal(strengths(z), want, equal_nan=True)
    mask = np.arange(8)[None] % 2 == 0
    assert np.array_equal(strengths(z, mask), np.where(mask, want, 0), equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_transmissions_are_the_exponential(kind):
    limit = 87 if kind == np.float32 else 706
    t = np.linspace(-limit, limit, 500).astype(kind)[None]
    out, zero = np.full_like(t, 7), np.zeros(500, kind)
    assert kernels.transmissions(t, zero, out) == 1
    assert ulps(out[0], [mpmath.exp(mpmath.mpf(float(v))) for v in t[0]], kind) <= 2
    theta = np.linspace(-3, 3, 500).astype(kind)
    shifted = np.full_like(t, 7)
    kernels.transmissions(t / 2, theta, shifted)
    kernels.transmissions(t / 2 - theta, None, out)
    assert np.array_equal(shifted, out)


@pytest.mark.parametrize("kind", KINDS)
def test_transmissions_tell_of_others_than_normal_numbers(kind):
    t = np.array([[-np.inf, -1e30, np.inf, np.nan, -90 if kind == np.float32 else -730]], kind)
    out = np.full_like(t, 7)
    assert kernels.transmissions(t, None, out) == 0
    assert np.array_equal(out[0, :4], [0, 0, np.inf, np.nan], equal_nan=True)
    assert 0 < out[0, 4] < np.finfo(kind).smallest_normal


def problem(rows, m, n, kind, seed=0):
    rng = np.random.default_rng([seed, rows, m, n])
    logit, mask = rng.normal(-2, 2, (m, n)), rng.random((m, n)) < 0.8
    theta, y, x = rng.normal(size=m), rng.random((rows, n)), rng.random((rows, m))
    grad = rng.normal(size=(rows, m))
    return [a if a.dtype == bool else a.astype(kind) for a in (logit, mask, theta, y, x, grad)]


def forward(logit, mask, theta, y, x):
    beta = np.full_like(logit, 7)
    near, s = np.full((2, len(y), len(logit)), 7, y.dtype)
    return kernels.layer_open(logit, mask, theta, y, x, beta, near, s), beta, near, s


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1, 1), (1, 64, 64), (5, 17, 65), (40, 3, 9)])
def test_the_whole_has_the_bits_of_its_parts(size, kind):
    logit, mask, theta, y, x, grad = problem(*size, kind)
    for where, gains, given in ((mask, theta, x), (None, None, None)):
        open_, beta, near, s = forward(logit, where, gains, y, given)
        assert open_ == 1
        assert np.array_equal(beta, strengths(logit, where))
        logarithm, p = np.full((2, *s.shape), 7, kind)
        assert kernels.log_product_open(y, beta, logarithm)
        assert kernels.transmissions(logarithm, gains, p)
        assert np.array_equal(near, p)
        assert np.array_equal(s, p if given is None else p * given)
        t = s * grad
        gy, gbeta = np.full_like(y, 7), np.full_like(beta, 7)
        assert kernels.gradients_open(y, beta, t, gy, gbeta)
        gx, gy_too = np.full_like(s, 7), np.full_like(y, 7)
        glogit, gtheta = np.full_like(beta, 7), np.full_like(theta, 7)
        arrays = beta, y, given, near, grad, gx, gy_too, glogit, gtheta
        assert kernels.layer_gradients_open(*arrays) == 1
        assert np.array_equal(gx, near * grad)
        assert np.array_equal(gy_too, gy)
        assert np.array_equal(glogit, gbeta * beta * (1 - beta))
        bound = 4 * np.finfo(kind).eps * np.abs(t).sum(0)
        assert np.all(np.abs(gtheta + t.sum(0, dtype=float)) <= bound)


def test_gradients_are_those_of_complex_steps():
    logit, mask, theta, y, x, grad = problem(3, 4, 5, np.float64)
    beta, near = forward(logit, mask, theta, y, x)[1:3]

    def loss(logit, theta, y, x):
        factors = 1 - np.where(mask, 1 / (1 + np.exp(-logit)), 0) * y[:, None, :]
        return (grad * x * np.exp(-theta) * factors.prod(-1)).sum()

    got = [np.full_like(a, 7) for a in (x, y, logit, theta)]
    kernels.layer_gradients_open(beta, y, x, near, grad, *got)
    given = [logit, theta, y, x]
    for gradient, place in zip(got, (3, 2, 0, 1), strict=True):
        for at in np.ndindex(gradient.shape):
            moved = [a.astype(complex) for a in given]
            moved[place][at] += 1e-30j
            want = loss(*moved).imag / 1e-30
            assert abs(gradient[at] - want) <= 1e-14 * (1 + np.abs(gradient).max())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unusual_is_left_to_others(kind):
    logit, mask, theta, y, x, grad = problem(2, 3, 4, kind)
    for bad in (-0.5, 1.5, np.nan):
        other = y.copy()
        other[1, 2] = bad
        open_, beta, near, _ = forward(logit, mask, theta, other, x)
        assert open_ == 0
        room = [np.empty_like(a) for a in (x, y, logit, theta)]
        assert kernels.layer_gradients_open(beta, other, x, near, grad, *room) == 0
    far = np.full_like(theta, 95 if kind == np.float32 else 730)
    assert forward(logit, mask, far, y, x)[0] == 0
    assert forward(np.full_like(logit, np.nan), None, theta, y, x)[0] == 0

"""Layers that learn in C: the steps of `surprisal_rule`, and in whole numbers the same integers."""

import ctypes

import numpy as np
import pytest

import synann_core as syn
from synann_core.export import save_c_learner
from synann_core.export.c.integers import logarithms
from tests.export_models import call, compiled, rows
from tests.helpers import EPS, assert_close, spread
from tests.whole_numbers import STRICT, exp2, fits, product_surprisal

POINTS = {key: values.astype(np.int64) for key, values in logarithms().items()}
UNITS, FINE = 2**15 / np.log(2.0), 2**24 / np.log(2.0)  # in a nat


def test_the_learning_rule(dtype, tmp_path):
    """Twenty steps, up to the bound of γ, are those of `surprisal_rule`."""
    rng = np.random.default_rng(3)
    m, n, rate, least = 5, 8, 0.2, 0.05
    gamma, theta = spread(rng, 0.05, 5.0, (m, n)), rng.random(m)
    save_c_learner(theta, gamma, tmp_path / "layer.c", dtype=dtype, gamma_min=least)
    library = compiled(tmp_path / "layer.c")
    number = ctypes.c_float if dtype == "float32" else ctypes.c_double
    strengths = (number * (m * n)).in_dll(library, "layer_gamma")
    limit = 1e-5 if dtype == "float32" else 1e-12  # errors of twenty steps add up
    bounded = False
    for _ in range(20):
        u, v = spread(rng, 1e-3, 5.0, m).astype(dtype), spread(rng, 1e-3, 5.0, n).astype(dtype)
        target = rng.random(m).astype(dtype)
        z = rows(lambda x, out, u=u: call(library.layer_forward, u, x, out), v[None], m)
        assert_close(z[0], syn.surprisal_synapse_tensor(u, v, theta, gamma), limit)
        _, step = syn.surprisal_rule(*(a.astype(float) for a in (u, v)), theta, gamma, target)
        gamma = np.maximum(least, gamma - rate * step)
        call(library.layer_learn, u, v, target, number(rate))
        assert_close(np.array(strengths).reshape(m, n), gamma, limit)
        bounded |= bool((gamma == least).any() and (gamma > least).any())
    assert bounded


def test_learning_at_closed_factors_is_finite(tmp_path):
    """γ + v = 0 for all inputs of an output, and for one of another."""
    gamma = np.array([[0.0, 0.0], [0.0, 0.5]])
    save_c_learner(np.zeros(2), gamma, tmp_path / "layer.c", dtype="float64", gamma_min=1e-3)
    library = compiled(tmp_path / "layer.c")
    u, v, target = np.zeros(2), np.zeros(2), np.array([0.0, 1.0])
    call(library.layer_learn, u, v, target, ctypes.c_double(0.1))
    got = np.array((ctypes.c_double * 4).in_dll(library, "layer_gamma")).reshape(2, 2)
    _, step = syn.surprisal_rule(u, v, np.zeros(2), gamma, target)
    assert_close(got, np.maximum(1e-3, gamma - 0.1 * step), 1e-9)


@pytest.mark.parametrize("u", [[np.inf, 0.25, 0.5], [np.inf] * 3])
def test_learning_where_an_input_is_impossible(u, dtype, tmp_path):
    """x = 0 makes z infinite, for one output and for all of them."""
    u, v, target = np.array(u, dtype), np.array([0.25, 0.75], dtype), np.eye(3, dtype=dtype)[0]
    gamma, theta = np.arange(1, 7).reshape(3, 2) / 4.0, np.zeros(3)
    save_c_learner(theta, gamma, tmp_path / "layer.c", dtype=dtype)
    library = compiled(tmp_path / "layer.c")
    number = ctypes.c_float if dtype == "float32" else ctypes.c_double
    z = rows(lambda x, out: call(library.layer_forward, u, x, out), v[None], 3)
    assert_close(z[0], syn.surprisal_synapse_tensor(u, v, theta, gamma), 4 * EPS[dtype])
    _, step = syn.surprisal_rule(u, v, theta, gamma, target)
    call(library.layer_learn, u, v, target, number(0.125))
    got = np.array((number * 6).in_dll(library, "layer_gamma")).reshape(3, 2)
    assert_close(got, gamma - 0.125 * step, 4 * EPS[dtype])
    assert (got[0] != gamma[0]).all()


@pytest.mark.parametrize("seed", range(4))
def test_infinite_inputs_learn_as_in_python(seed, dtype, tmp_path):
    """Several steps with x = 0 and y = 0 here and there: z, and every γ, are those of the rule."""
    rng = np.random.default_rng(seed)
    m, n, least = 4, 5, 0.05
    gamma, theta = spread(rng, 0.1, 3.0, (m, n)).astype(dtype).astype(float), rng.normal(size=m)
    theta = theta.astype(dtype).astype(float)
    save_c_learner(theta, gamma, tmp_path / "layer.c", dtype=dtype, gamma_min=least)
    library = compiled(tmp_path / "layer.c")
    number = ctypes.c_float if dtype == "float32" else ctypes.c_double
    strengths = (number * (m * n)).in_dll(library, "layer_gamma")
    for step in range(6):
        u, v = spread(rng, 0.01, 5.0, m).astype(dtype), spread(rng, 0.01, 5.0, n).astype(dtype)
        u[rng.random(m) < (0.5 if step else 1.0)] = v[rng.random(n) < 0.3] = np.inf
        target = rng.random(m).astype(dtype)
        wide = [a.astype(float) for a in (u, v)]
        z = rows(lambda x, out, u=u: call(library.layer_forward, u, x, out), v[None], m)
        assert_close(z[0], syn.surprisal_synapse_tensor(*wide, theta, gamma), 64 * EPS[dtype])
        _, change = syn.surprisal_rule(*wide, theta, gamma, target.astype(float))
        assert np.isfinite(change).all()
        gamma = np.maximum(least, gamma - 0.25 * change)
        call(library.layer_learn, u, v, target, number(0.25))
        assert_close(np.array(strengths).reshape(m, n), gamma, 64 * EPS[dtype])


def test_learning_ignores_a_sample_that_is_not_a_number(tmp_path):
    gamma = np.array([[0.5, 1.0], [1.5, 2.0]])
    save_c_learner(0.0, gamma, tmp_path / "layer.c", dtype="float64")
    library = compiled(tmp_path / "layer.c")
    u, v, target = np.zeros(2), np.array([np.nan, 0.5]), np.array([1.0, 0.0])
    z = rows(lambda x, out: call(library.layer_forward, u, x, out), v[None], 2)
    assert np.isnan(z).all()
    call(library.layer_learn, u, v, target, ctypes.c_double(0.1))
    got = np.array((ctypes.c_double * 4).in_dll(library, "layer_gamma")).reshape(2, 2)
    assert_close(got, gamma, 0.0)


class Emulated:
    """What the file in whole numbers computes, in integers of 64 bits."""

    def __init__(self, theta, gamma, least):
        self.theta = np.rint(theta * UNITS).astype(np.int64)
        self.gamma = np.rint(gamma * FINE).astype(np.int64)
        self.least = round(least * FINE)

    def inhibited(self, v):
        return np.minimum(exp2(POINTS, fits(((self.gamma + 256) >> 9) + v, 32)), 65534)

    def forward(self, u, v):
        return fits(self.theta + u + product_surprisal(POINTS, self.inhibited(v).T), 32)

    def learn(self, u, v, target, rate):
        z = self.forward(u, v)
        p = exp2(POINTS, z - z.min())
        share = fits(target.sum() * p + p.sum() // 2, 33) // p.sum()
        step = toward_zero((share - target) * rate * 94548, 8388608)
        inhibited = self.inhibited(v)
        occupation = (inhibited << 16) // (65536 - inhibited)
        change = toward_zero(step[:, None] * occupation, 65536)
        self.gamma = np.clip(self.gamma - change, self.least, 2**31 - 1)


def toward_zero(a, b):
    """Division as in C."""
    return np.sign(a) * (np.abs(a) // b)


def whole(folder, theta, gamma, least=1e-3):
    """The functions of the file in whole numbers, and its γ."""
    save_c_learner(theta, gamma, folder / "layer.c", dtype="int32", gamma_min=least)
    library = compiled(folder / "layer.c", STRICT)
    return library, (ctypes.c_uint32 * gamma.size).in_dll(library, "layer_gamma")


def surprisals(rng, count):
    """Of all sizes up to impossible, in units."""
    some = np.rint(10.0 ** rng.uniform(-1, 6, count)).astype(np.int32)
    some[rng.random(count) < 0.1] = 2**30
    some[rng.random(count) < 0.1] = 0
    return some


@pytest.mark.parametrize("seed", range(4))
def test_whole_numbers_learn_the_same_integers(seed, tmp_path):
    """Numbers of all sizes, targets that do not sum to 1, large rates, both bounds of γ."""
    rng = np.random.default_rng(seed)
    m, n, least = 6, 40, 0.01
    theta, gamma = rng.normal(0, 3.0, m), 10.0 ** rng.uniform(-8, 2.2, (m, n))
    gamma = np.minimum(gamma, 80.0)
    library, strengths = whole(tmp_path, theta, gamma, least)
    wanted, bounds = Emulated(theta, gamma, least), np.zeros(2, bool)
    for _ in range(20):
        u, v = surprisals(rng, m), surprisals(rng, n)
        target = (rng.random(m) / m * 32768).astype(np.uint16)
        target[rng.random(m) < 0.3] = 0
        rate = int(rng.integers(0, 65536))
        z = rows(lambda x, out, u=u: call(library.layer_forward, u, x, out), v[None], m)
        np.testing.assert_array_equal(z[0], wanted.forward(u, v))
        call(library.layer_learn, u, v, target, ctypes.c_uint16(rate))
        wanted.learn(u, v, target.astype(np.int64), rate)
        np.testing.assert_array_equal(np.array(strengths).reshape(m, n), wanted.gamma)
        bounds |= [(wanted.gamma == end).any() for end in (wanted.least, 2**31 - 1)]
    assert bounds.all()


def test_whole_numbers_are_close_to_the_rule(tmp_path):
    """z and twenty steps of learning, with surprisals as a sensor gives them."""
    rng = np.random.default_rng(0)
    m, n, rate, least = 5, 30, 0.05, 0.05
    gamma, theta = spread(rng, 0.1, 5.0, (m, n)), rng.random(m)
    library, strengths = whole(tmp_path, theta, gamma, least)
    for step in range(20):
        u, v = spread(rng, 0.01, 5.0, m), spread(rng, 0.01, 5.0, n)
        units = [np.rint(a * UNITS).astype(np.int32) for a in (u, v)]
        z = np.empty(m, np.int32)
        call(library.layer_forward, *units, z)
        np.testing.assert_allclose(
            z / UNITS, syn.surprisal_synapse_tensor(u, v, theta, gamma), atol=1e-3
        )
        target = np.eye(m)[step % m]
        _, change = syn.surprisal_rule(u, v, theta, gamma, target)
        gamma = np.maximum(least, gamma - rate * change)
        whole_target = (32768 * target).astype(np.uint16)
        call(library.layer_learn, *units, whole_target, ctypes.c_uint16(round(65536 * rate)))
        np.testing.assert_allclose(np.array(strengths).reshape(m, n) / FINE, gamma, atol=1e-3)


def test_surprisals_of_probabilities(tmp_path):
    library, _ = whole(tmp_path, np.zeros(1), np.ones((1, 1)))
    p = np.concatenate([np.arange(1, 5000), np.arange(5000, 65536, 97)])
    found = np.array([library.layer_surprisal(int(a)) for a in p])
    np.testing.assert_allclose(found / UNITS, -np.log(p / 65536), atol=3e-5)
    assert library.layer_surprisal(0) == 2**30
    assert [library.layer_surprisal(p) for p in (2**16, 2**32 - 1)] == [0, 0]


def test_strengths_that_are_not_real_numbers(tmp_path):
    for wrong in (np.ones((2, 3), complex), np.ones((2, 3), object), np.full((2, 3), "1")):
        with pytest.raises(TypeError, match="`gamma` must hold real numbers"):
            save_c_learner(0.0, wrong, tmp_path / "layer.c")


@pytest.mark.parametrize(
    ("theta", "gamma", "message"),
    [
        (0.0, np.ones((2, 1024)), "`gamma` must have at most 1023 inputs"),
        (np.array([0.0, -6000.0]), np.ones((2, 3)), "`theta` must be within ±5678 nats"),
    ],
)
def test_what_whole_numbers_cannot_hold(theta, gamma, message, tmp_path):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        save_c_learner(theta, gamma, tmp_path / "layer.c", dtype="int32")
    assert not list(tmp_path.iterdir())

"""C files: compiled without a warning by gcc, they compute what the models compute."""

import ctypes
import re
import subprocess

import numpy as np
import pytest

import synann_core as syn
from synann_core.export import save_c, save_c_learner
from synann_core.graph import SynapseGraph
from tests.export_models import broken, call, compiled, fitted, rows, spiking, strong
from tests.helpers import EPS, assert_close, spread


def test_a_file_has_no_heap_and_no_library(tmp_path):
    """Beside math.h nothing is included, and beside its functions nothing is called."""
    save_c(fitted()[0], tmp_path / "net.c", name="net")
    save_c_learner(0.0, np.full((3, 4), 0.5), tmp_path / "layer.c")
    for name in ("net", "layer"):
        text = (tmp_path / f"{name}.c").read_text()
        assert re.findall(r"#include.*", text) == ["#include <math.h>"]
        subprocess.run(["gcc", "-c", "-o", tmp_path / "o", tmp_path / f"{name}.c"], check=True)
        found = subprocess.run(["nm", "-u", tmp_path / "o"], check=True, capture_output=True)
        needed = {line.split()[-1] for line in found.stdout.decode().splitlines()}
        assert needed <= {"_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail", "expf", "logf", "log1pf",
                          "expm1f"}  # fmt: skip


def test_a_file_may_be_included_twice_and_beside_another(tmp_path):
    for name in ("one", "two"):
        save_c(fitted(hidden=3)[0], tmp_path / f"{name}.c", name=name)
    program = tmp_path / "program.c"
    program.write_text('#include "one.c"\n#include "two.c"\n#include "one.c"\n')
    compiled(program)


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


def large():
    edges = np.full(20_001, 1), np.zeros(20_001, int)
    return SynapseGraph.from_arrays(1, 1, inhibitory=edges)


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda p: save_c(fitted(hidden=3)[0], p, dtype="int32"), ValueError, "`dtype`"),
        (lambda p: save_c(fitted(hidden=3)[0], p, levels=9), TypeError, "`levels` must be None"),
        (lambda p: save_c(SynapseGraph(), p, dtype="int8"), TypeError, "`model`"),
        (lambda p: save_c(spiking(), p, dtype="int16"), TypeError, "`model` must be a SynaMLP"),
        (lambda p: save_c(fitted(hidden=3)[0], p, space="surprisal"), ValueError, "`space`"),
        (lambda p: save_c(SynapseGraph(), p, space="log"), ValueError, "`space`"),
        (lambda p: save_c(SynapseGraph(), p, params=([], [1.0])), ValueError, "`beta`"),
        (lambda p: save_c(large(), p), ValueError, "`model`.*20000 synapses"),
        (lambda p: save_c({}, p), TypeError, "`model`"),
        (lambda p: save_c(broken("output.bias", np.nan), p), ValueError, "`model`.*finite"),
        (lambda p: save_c(broken("output.bias", 1e39), p), ValueError, "`model`.*float32"),
        (lambda p: save_c(strong(), p), ValueError, "`alpha`.*float32"),
        (lambda p: save_c_learner(0.0, np.ones(3), p), ValueError, "`gamma`.*shape"),
        (lambda p: save_c_learner(0.0, np.ones((0, 3)), p), ValueError, "`gamma`.*empty"),
        (lambda p: save_c_learner(0.0, -np.ones((2, 3)), p), ValueError, "`gamma`.*≥ 0"),
        (lambda p: save_c_learner(0.0, np.full((2, 3), np.inf), p), ValueError, "`gamma`.*finite"),
        (lambda p: save_c_learner(np.zeros(3), np.ones((2, 3)), p), ValueError, "`theta`.*shape"),
        (lambda p: save_c_learner(0.0, np.ones((2, 3)), p, gamma_min=0.0), ValueError, "gamma_min"),
        (lambda p: save_c_learner(0.0, np.ones((2, 3)), p, gamma_min="1"), TypeError, "gamma_min"),
        (
            lambda p: save_c_learner(0.0, np.ones((2, 3)), p, gamma_min=1e-50),
            ValueError,
            r"`gamma_min` must be in \(0, inf\)",
        ),
        (lambda p: save_c_learner(0.0, [[0.5]], p), TypeError, "`gamma` must be an array"),
        (lambda p: save_c_learner([0.5], np.ones((1, 1)), p), TypeError, "`theta` must be an"),
    ],
)
def test_bad_input_is_refused(write, error, message, tmp_path):
    with pytest.raises(error, match=f"{message}.*Received"):
        write(tmp_path / "x.c")
    assert not list(tmp_path.iterdir())

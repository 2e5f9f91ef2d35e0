"""Every branch gives the same values: kernels, array operations, transforms, JAX, ONNX and C."""

import contextlib
import dataclasses
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reference.graph
from synann_core.export import save_c, save_onnx
from synann_core.graph import GraphParameters, SynapseGraph, explain
from tests import export_models
from tests.graphs import cases
from tests.helpers import EPS, TINY, assert_relative

# Gain and β of the graph x -> a (α = gain) -> z (inhibited by a with β), and z at x = 1.
GAINS = {
    "float32": [(1e8, 5e-9, 0.5), (3e4, 1e-5, 0.7), (1e10, 6e-11, 0.4)],
    "float64": [(1e17, 5e-18, 0.5), (1e8, 5e-9, 0.5), (3e4, 1e-5, 0.7)],
}


@contextlib.contextmanager
def kernels(setting):
    with pytest.MonkeyPatch.context() as patch:
        if setting == "off":
            patch.setenv("SYNANN_KERNELS", "off")
        else:
            patch.delenv("SYNANN_KERNELS", raising=False)
        yield


def values_by_branches(graph, x, space="probability", slow=True):
    """Outputs (rows, outputs) of every branch for a NumPy matrix; JAX and ONNX take seconds."""
    compiled, results = graph.compile(), {}
    dtype, tensor = str(x.dtype), torch.asarray(x)

    def evaluate(a):
        return compiled(a, space=space)

    for setting in ("on", "off"):
        with kernels(setting):
            results[f"numpy {setting}"] = evaluate(x)
            results[f"torch {setting}"] = evaluate(tensor).numpy()
            results[f"torch.func {setting}"] = torch.func.vjp(evaluate, tensor)[0].numpy()
    results["vmap"] = torch.func.vmap(evaluate)(tensor).numpy()
    with tempfile.TemporaryDirectory() as folder:
        if slow:
            results["jax"] = np.asarray(evaluate(jnp.asarray(x)))
            save_onnx(graph, Path(folder, "g.onnx"), dtype=dtype, space=space)
            session = onnxruntime.InferenceSession(Path(folder, "g.onnx"))
            (results["onnx"],) = session.run(None, {"x": x})
        save_c(graph, Path(folder, "g.c"), dtype=dtype, space=space)
        run = export_models.compiled(Path(folder, "g.c")).model_run
        results["c"] = export_models.rows(run, x, len(compiled.outputs))
    return results


def assert_branch(name, got, want, limit):
    try:
        assert_relative(got, want, limit)
    except AssertionError as error:
        error.add_note(name)
        raise


def amplified(gain, beta):
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("a", excitatory="x", alpha=gain)
    graph.synapse("z", inhibitory={"a": beta})
    return graph


def test_a_gain_and_its_inverse(dtype):
    for gain, beta, want in GAINS[dtype]:
        graph, kind = amplified(gain, beta), np.dtype(dtype)
        exact = 1 - float(kind.type(gain)) * float(kind.type(beta))
        assert abs(exact - want) < 1e-6
        for name, got in values_by_branches(graph, np.ones((2, 1), dtype)).items():
            assert_branch(name, got, [[exact]] * 2, 4 * EPS[dtype])
        part = explain(graph.compile(), np.ones(1, dtype), "z")[1]
        # `explain` takes the value of "a" as it is, and β in float64.
        precise = 1 - float(kind.type(gain)) * beta
        assert_relative(part.surprisal, -np.log(precise), 8 * EPS["float64"])


def test_a_gain_and_its_inverse_in_surprisal_space(dtype):
    """γ + u is a difference: what it loses, relative to γ, stays lost."""
    for gain, beta, want in GAINS[dtype]:
        u, limit = np.zeros((2, 1), dtype), 8 * EPS[dtype] * np.log(gain)
        for name, got in values_by_branches(amplified(gain, beta), u, "surprisal").items():
            assert_branch(name, got, [[-np.log(want)]] * 2, 4 * limit)


def test_gradients_of_a_gain_and_its_inverse(dtype):
    """z = 1 − α β x."""
    gain, beta, value = GAINS[dtype][0]
    compiled, one = amplified(gain, beta).compile(), np.ones(1, dtype)
    want = [-gain * beta, -beta, value, -gain]  # by x, α of both neurons, and β
    params = [p.astype(dtype) for p in compiled.params]

    def by_hand(x, alpha, beta):
        gx, gparams = compiled.vjp(x, GraphParameters(alpha, beta), grad=1.0)
        return [gx, *gparams]

    def total(x, alpha, beta):
        return compiled(x, GraphParameters(alpha, beta)).sum()

    results = [torch.func.grad(total, (0, 1, 2))(*map(torch.asarray, (one, *params)))]
    results += [jax.grad(total, (0, 1, 2))(*map(jnp.asarray, (one, *params)))]
    for setting in ("on", "off"):
        with kernels(setting):
            results.append(by_hand(one, *params))
            tangent = compiled.jvp(one, GraphParameters(*params), dx=one)
            assert_relative(tangent, want[:1], 4 * EPS[dtype])
    for result in results:
        got = np.concatenate([np.asarray(g) for g in result])
        assert_relative(got, want, 4 * EPS[dtype])


def strong_neuron(alpha, n, beta, kind="inhibitory"):
    graph = SynapseGraph()
    graph.input(*range(n), "x")
    pairs = [(k, beta) for k in range(n)] if kind == "inhibitory" else ()
    strong = ("x",) if kind == "inhibitory" else ("x", *range(n))
    graph.synapse("z", excitatory=strong, inhibitory=pairs, alpha=alpha)
    return graph


@pytest.mark.parametrize("kind", ["inhibitory", "excitatory"])
@pytest.mark.parametrize(
    ("dtype", "alpha", "n", "y", "beta"),
    [("float32", 1e30, 200, 0.5, 0.9), ("float32", 1e20, 170, 0.5, 0.9),
     ("float64", 1e250, 1500, 0.5, 0.9)],
)  # fmt: skip
def test_what_a_gain_makes_of_a_product_that_underflows(kind, dtype, alpha, n, y, beta):
    graph = strong_neuron(alpha, n, beta, kind)
    x = np.full((9, n + 1), y, dtype)
    x[:, -1] = 1.0
    factor = 1 - float(np.dtype(dtype).type(beta)) * y if kind == "inhibitory" else y
    gain = float(np.dtype(dtype).type(alpha))
    with mpmath.workdps(40):
        want = float(mpmath.mpf(gain) * mpmath.mpf(factor) ** n)
        by_y = want / factor * (-beta if kind == "inhibitory" else 1.0)
    assert TINY[dtype] < want < 1.0
    limit = 2 * EPS[dtype] * (10 + n**0.5 + 2 * np.log(alpha))
    for name, got in values_by_branches(graph, x).items():
        assert_branch(name, got, np.full((9, 1), want), limit)
    compiled, moved = graph.compile(), np.zeros_like(x)
    moved[:, 0] = 1.0
    wanted = np.full(n + 1, by_y)
    wanted[-1] = want
    params = GraphParameters(*(torch.asarray(p.astype(dtype)) for p in compiled.params))

    def total(a):
        return compiled(a).sum()

    results = [torch.func.grad(total)(torch.asarray(x[0]))]
    results += [torch.func.grad(lambda a: compiled(a, params).sum())(torch.asarray(x[0]))]
    if n < 200:  # JAX compiles for seconds
        results += [jax.grad(total)(jnp.asarray(x[0]))]
    for setting in ("on", "off"):
        with kernels(setting):
            results.append(compiled.vjp(x, grad=1.0)[0][4])
            tangent = compiled.jvp(x, dx=moved)
            assert_relative(tangent, np.full((9, 1), by_y), limit)
    for got in results:
        assert_relative(np.asarray(got), wanted, limit)


@pytest.mark.parametrize("setting", ["on", "off"])
def test_the_gradient_at_a_closed_factor_among_many(setting):
    """The product of the others is one, too."""
    n = 2000
    graph = strong_neuron(1e200, n, 0.9).compile()
    params = GraphParameters(np.array([1e200]), np.full(n, 0.9))
    x = np.full(n + 1, 0.5)
    x[[n // 2, n]], params.beta[n // 2] = 1.0, 1.0
    with mpmath.workdps(40):
        want = -float(mpmath.mpf(1e200) * (1 - mpmath.mpf(0.9) * 0.5) ** (n - 1))
    with kernels(setting):
        assert graph(x, params) == [0.0]
        gx, _ = graph.vjp(x, params, grad=1.0)
    assert_relative(gx[n // 2], want, 1e-12)
    assert np.count_nonzero(gx) == 1


def exact(case, dtype):
    """Values of all nodes to 60 digits, and bounds of their relative errors in eps; or inf."""
    with mpmath.workdps(60):
        x, alpha, beta = (
            np.vectorize(mpmath.mpf, otypes=[object])(a.astype(dtype).astype(float))
            for a in (case.x, case.alpha, case.beta)
        )
        values = reference.graph.values(case.neurons, x, alpha, beta)
        bounds = [0.0] * case.inputs
        for excitatory, inhibitory, _ in case.neurons:
            bound = 4.0 + len(excitatory) + sum(bounds[k] for k in excitatory)
            for k, place in inhibitory:
                q = beta[place] * values[k]
                bound += 4.0 if q == 0 else 4.0 + (
                    float(abs(q / (1 - q))) * (bounds[k] + 1.0) if q != 1 else np.inf
                )  # fmt: skip
            size = abs(values[len(bounds)])
            ordinary = size == 0 or 1e4 * TINY[dtype] / EPS[dtype] < size < 1e-4 / TINY[dtype]
            bounds.append(bound if ordinary else np.inf)
        return values.astype(float), np.asarray(bounds)


@st.composite
def amplifying(draw):
    """Small graphs with gains up to 1e6, strengths to match, and inputs outside [0, 1], too.

    A neuron with a gain of at least 1e3 inhibits one that every case has, by β of about 1/gain.
    """
    case = draw(cases(most=9, corners=(0.0, 1.0, 1.0)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    high = draw(st.sampled_from([1.0, 10.0, 1e6]))
    alpha = np.exp(rng.uniform(-1.0, np.log(high), case.alpha.size))
    beta = np.minimum(1.0, case.beta * np.exp(rng.uniform(-np.log(high), 1.0, case.beta.size)))
    gain = draw(st.sampled_from([1e3, 3e4, 1e6]))
    strong, bound = case.inputs + len(case.neurons), (gain * rng.uniform(0.3, 3.0)) ** -1
    neurons = [([0], [], alpha.size), ([], [(strong, beta.size)], alpha.size + 1)]
    return dataclasses.replace(
        case,
        neurons=[*case.neurons, *neurons],
        alpha=np.append(alpha, [gain, 1.0]),
        beta=np.append(beta, bound),
        x=case.x * draw(st.sampled_from([1.0, 3.0, -2.0, 1e3])),
    )


DTYPES = st.sampled_from(["float32", "float64"])


@settings(max_examples=2)
@given(amplifying(), DTYPES)
def test_all_branches_agree_inside_and_outside_the_domain(case, dtype):
    assert_branches(case, dtype, slow=True)


@settings(max_examples=25)
@given(amplifying(), DTYPES)
def test_branches_that_compile_little_agree_everywhere(case, dtype):
    assert_branches(case, dtype, slow=False)


def assert_branches(case, dtype, slow):
    values, bounds = exact(case, dtype)
    known = np.isfinite(bounds) & (bounds * EPS[dtype] < 0.01)
    assert known[: case.inputs].all()
    assert known[-2]  # the neuron with the high gain
    want = values[known]
    x = np.stack([case.x] * 3).astype(dtype)
    for name, got in values_by_branches(graph_of(case), x, slow=slow).items():
        error = np.abs(got[:, known] - want)
        allowed = 2 * bounds[known] * EPS[dtype] * np.abs(want)
        assert np.all(error <= allowed), (name, got[0, known], want, bounds[known])


def graph_of(case):
    """The case as a graph whose outputs are all nodes, in the reference's order."""
    graph = SynapseGraph()
    graph.input(*range(case.inputs))
    alphas = [graph.parameter(f"a{k}", a) for k, a in enumerate(case.alpha)]
    betas = [graph.parameter(f"b{k}", b) for k, b in enumerate(case.beta)]
    for i, (excitatory, inhibitory, own) in enumerate(case.neurons):
        weak = [(k, betas[place]) for k, place in inhibitory]
        graph.synapse(case.inputs + i, excitatory=excitatory, inhibitory=weak, alpha=alphas[own])
    graph.output(*graph.nodes)
    return graph

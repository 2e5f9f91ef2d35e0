"""Random synapse graphs against the slow reference and complex step, with and without kernels."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import reference.graph as slow
import synann_core.graph.array_api as formulas
from reference.differentiate import complex_step
from synann_core.graph import GraphParameters, SynapseGraph
from tests.graphs import cases
from tests.helpers import EPS, assert_close, assert_relative

EPS64 = EPS["float64"]
few = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(params=["native", "array-api"])
def branch(request, monkeypatch):
    """Both branches that serve NumPy."""
    if request.param == "native":
        monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    else:
        monkeypatch.setenv("SYNANN_KERNELS", "off")
    return request.param


def surprisals(case):
    with np.errstate(divide="ignore"):
        return [-np.log(a) for a in (case.x, case.alpha, case.beta)]


@few
@given(cases())
def test_values(branch, case):
    want = slow.values(case.neurons, case.x, case.alpha, case.beta)
    compiled = case.compile()
    assert compiled.variant(case.x) == branch
    # A few roundings for each factor, and those of what it reads.
    assert_close(compiled(case.x), want, 1e-13)
    assert_close(compiled.values(case.x)[case.nodes], want, 1e-13)


@few
@given(cases())
def test_gradients_equal_complex_step(branch, case):
    """At Boolean corners too: to 1e-10 of the largest entry, none of them NaN."""
    grad = case.gradient()[0]
    gx, gparams = case.compile().vjp(case.x, grad=grad)
    arguments = (case.x, case.alpha, case.beta)

    def values(*arguments):
        return slow.values(case.neurons, *arguments)

    for index, got in enumerate((gx, *gparams)):
        want = complex_step(values, arguments, index, grad)
        assert_close(got, want, 1e-10)
    for got, want in zip((gx, *gparams), slow.vjp(case.neurons, *arguments, grad), strict=True):
        assert_close(got, want, 1e-12)


@few
@given(cases())
def test_tangents_are_the_transpose_of_gradients(branch, case):
    compiled, rng = case.compile(), np.random.default_rng(1)
    grad, arguments = case.gradient()[0], (case.x, case.alpha, case.beta)
    dx, dalpha, dbeta = (rng.normal(size=a.shape) for a in arguments)
    gx, (galpha, gbeta) = compiled.vjp(case.x, grad=grad)
    tangent = compiled.jvp(case.x, dx=dx, dparams=GraphParameters(dalpha, dbeta))
    parts = [np.sum(gx * dx), np.sum(galpha * dalpha), np.sum(gbeta * dbeta)]
    scale = sum(np.sum(np.abs(g * d)) for g, d in ((gx, dx), (galpha, dalpha), (gbeta, dbeta)))
    scale += np.sum(np.abs(grad * tangent))
    assert_close(np.sum(grad * tangent), sum(parts), 1e-12, scale=scale + EPS64)
    # Without tangents of the parameters they are held.
    still = compiled.jvp(case.x, dx=dx, dparams=GraphParameters(0 * dalpha, 0 * dbeta))
    np.testing.assert_array_equal(compiled.jvp(case.x, dx=dx), still)


@few
@given(cases(corners=None, gain=1.0, low=0.05))
def test_surprisal_space(branch, case):
    u, theta, gamma = surprisals(case)
    params = GraphParameters(theta, gamma)
    compiled = case.compile()
    want = slow.surprisal_values(case.neurons, u, theta, gamma)
    got = compiled(u, params, space="surprisal")
    assert_close(got, want, 1e-13, scale=1 + np.abs(want))
    # Its own parameters are the same ones; and both spaces agree.
    assert_close(compiled(u, space="surprisal"), got, 1e-13, scale=1 + np.abs(got))
    assert_relative(np.exp(-got), compiled(case.x), 1e-12 * (1 + np.max(np.abs(want))))
    grad = case.gradient()[0]
    gu, gparams = compiled.vjp(u, params, space="surprisal", grad=grad)
    wanted = slow.surprisal_vjp(case.neurons, u, theta, gamma, grad)
    for a, b in zip((gu, *gparams), wanted, strict=True):
        assert_close(a, b, 1e-10)
    rng = np.random.default_rng(2)
    du, dtheta, dgamma = (rng.normal(size=a.shape) for a in (u, theta, gamma))
    tangent = compiled.jvp(
        u, params, space="surprisal", dx=du, dparams=GraphParameters(dtheta, dgamma)
    )
    terms = [a * b for a, b in zip((gu, *gparams), (du, dtheta, dgamma), strict=True)]
    scale = sum(np.sum(np.abs(t)) for t in terms) + np.sum(np.abs(grad * tangent)) + EPS64
    assert_close(np.sum(grad * tangent), sum(map(np.sum, terms)), 1e-11, scale=scale)


@few
@given(cases(gain=1.0))
def test_surprisals_at_the_corners(branch, case):
    """Infinite surprisals and closed factors: values as of e^(−u), gradients never NaN."""
    u, _, _ = surprisals(case)
    compiled = case.compile()
    with np.errstate(divide="ignore"):
        want = -np.log(slow.values(case.neurons, case.x, case.alpha, case.beta))
    got = compiled(u, space="surprisal")
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
    finite = np.isfinite(want)
    assert_close(got[finite], want[finite], 1e-12, scale=1 + np.abs(want[finite]))
    gu, gparams = compiled.vjp(u, space="surprisal", grad=1.0)
    assert not any(np.isnan(g).any() for g in (gu, *gparams))
    assert not np.isnan(compiled.jvp(u, space="surprisal", dx=1.0)).any()


@few
@given(cases())
def test_float32(branch, case):
    compiled, x = case.compile(), case.x.astype(np.float32)
    params = GraphParameters(*(p.astype(np.float32) for p in compiled.params))
    double = GraphParameters(*(p.astype(np.float64) for p in params))
    grad = case.gradient()[0].astype(np.float32)
    got = (compiled(x, params), *_flat(compiled.vjp(x, params, grad=grad)))
    wide, upstream = x.astype(np.float64), grad.astype(np.float64)
    want = (compiled(wide, double), *_flat(compiled.vjp(wide, double, grad=upstream)))
    for a, b in zip(got, want, strict=True):
        assert a.dtype == np.float32
        assert_close(a, b, 1e4 * EPS["float32"], scale=1e-30 + np.abs(b).max(initial=0))


@settings(few, max_examples=10)
@given(cases(most=15))
def test_batch(branch, case):
    """A row's bits do not depend on its batch mates; gradients of parameters add up."""
    compiled, rng = case.compile(), np.random.default_rng(3)
    x = rng.choice([0.0, 0.3, 0.7, 1.0], (2, 13, case.inputs))
    grad = rng.normal(size=(2, 13, len(compiled.nodes)))
    out, tangent = compiled(x), compiled.jvp(x, dx=x)
    gx, gparams = compiled.vjp(x, grad=grad)
    assert out.shape == grad.shape
    assert gx.shape == x.shape
    added = [np.zeros_like(p) for p in gparams]
    for k in np.ndindex(2, 13):
        np.testing.assert_array_equal(compiled(x[k]), out[k])
        np.testing.assert_array_equal(compiled.jvp(x[k], dx=x[k]), tangent[k])
        one, parts = compiled.vjp(x[k], grad=grad[k])
        np.testing.assert_array_equal(one, gx[k])
        added = [total + part for total, part in zip(added, parts, strict=True)]
    for got, want in zip(gparams, added, strict=True):
        assert_close(got, want, 1e-12, scale=1 + np.abs(want).max(initial=0))


def _flat(gradients):
    gx, gparams = gradients
    return gx, *gparams


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_unsorted_edges_with_parameters_of_their_own(dtype, monkeypatch):
    """Both branches agree, and parameters stand in the order given, wherever edges go."""
    rng, inputs, neurons, edges = np.random.default_rng(5), 5, 60, 300
    nodes = inputs + neurons
    place = np.concatenate([np.arange(inputs), inputs + rng.permutation(neurons)])
    targets = rng.integers(inputs, nodes, edges)
    sources = (rng.random(edges) * targets).astype(int)
    strong = np.arange(inputs, nodes), rng.integers(0, inputs, neurons)
    beta, alpha = rng.random(edges), rng.uniform(0.5, 1, neurons)
    compiled = SynapseGraph.from_arrays(
        inputs,
        neurons,
        excitatory=tuple(place[a] for a in strong),
        inhibitory=(place[targets], place[sources]),
        beta=beta,
        alpha=alpha,
    ).compile()
    np.testing.assert_array_equal(compiled.params.beta, beta)
    x, grad = rng.random((11, inputs)).astype(dtype), rng.normal(size=(11, 1)).astype(dtype)
    grad = np.broadcast_to(grad, (11, len(compiled.outputs)))

    def everything():
        results = []
        for space in ("probability", "surprisal"):
            results += [compiled(x, space=space), compiled.jvp(x, space=space, dx=x)]
            results += _flat(compiled.vjp(x, space=space, grad=grad))
        return results

    monkeypatch.delenv("SYNANN_KERNELS", raising=False)
    assert compiled.variant(x) == "native"
    got = everything()
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert compiled.variant(x) == "array-api"
    for a, b in zip(got, everything(), strict=True):
        assert a.dtype == dtype
        assert_close(a, b, 200 * EPS[dtype])
    # One of them by central differences.
    wide, step = x.astype(np.float64), 1e-6 * (np.arange(edges) == 3)
    above, below = (
        np.sum(grad * compiled(wide, GraphParameters(alpha, beta + way))) for way in (step, -step)
    )
    gbeta = got[4]
    assert_close(gbeta[3], (above - below) / 2e-6, 1e-4, scale=np.abs(gbeta).max())


def test_a_gradient_wrong_by_a_little_is_caught(monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    others = formulas._others
    monkeypatch.setattr(formulas, "_others", lambda *given: 1.0005 * others(*given))
    graph = SynapseGraph.from_arrays(
        2, 1, excitatory=([2], [0]), inhibitory=([2, 2], [0, 1]), beta=[0.5, 0.25]
    ).compile()
    neurons = [([0], [(0, 0), (1, 1)], 0)]
    x, grad = np.array([0.5, 0.75]), np.array([0.0, 0.0, 1.0])
    want, _, _ = slow.vjp(neurons, x, *graph.params, grad)
    with pytest.raises(AssertionError, match="entry"):
        assert_close(graph.vjp(x, grad=1.0)[0], want, 1e-10)
    monkeypatch.undo()
    assert_close(graph.vjp(x, grad=1.0)[0], want, 1e-10)

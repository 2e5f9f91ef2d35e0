"""Compiled graphs against the slow reference and complex step, with and without kernels."""

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import reference.graph as slow
import synann_core as syn
from reference.differentiate import complex_step
from synann_core.graph import GraphParameters, SynapseGraph
from tests.graphs import cases, graph_of, small_graph
from tests.helpers import EPS, assert_close, assert_relative

pytestmark = pytest.mark.kernel_branches

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
    # In probability space float64 cannot tell a value of e^(−37) that is 1 less another: exactly.
    with mpmath.workdps(60):
        exact = [
            np.vectorize(mpmath.mpf, otypes=[object])(a) for a in (case.x, case.alpha, case.beta)
        ]
        surprise = np.vectorize(lambda v: float(-mpmath.log(v)) if v else np.inf, otypes=[float])
        want = surprise(slow.values(case.neurons, *exact))
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


def test_values_by_hand():
    x, y = 0.8, 0.4
    early = 0.9 * (1 - 0.5 * x) * (1 - 0.3 * y)
    late = early * x * x * (1 - 0.3 * y) * (1 - 0.2 * x)
    compiled = small_graph().compile()
    assert_close(compiled(np.array([x, y])), [late, y, 2.0], 1e-15)
    assert_close(compiled.values(np.array([x, y])), [x, y, late, early, 2.0], 1e-15)


def test_compiled_is_frozen():
    graph = small_graph()
    compiled = graph.compile()
    before = compiled(np.ones(2))
    graph.synapse("more", excitatory="late")
    assert compiled.neurons == ("late", "early", "bare")
    np.testing.assert_array_equal(compiled(np.ones(2)), before)
    with pytest.raises(ValueError, match="read-only"):
        compiled.params.beta[0] = 1.0


@pytest.mark.parametrize("inputs", [0, 1])
def test_sizes_of_zero(inputs):
    graph = SynapseGraph.from_arrays(inputs, 0).compile()
    assert graph(np.ones((3, inputs))).shape == (3, 0)
    gx, gparams = graph.vjp(np.ones((3, inputs)), grad=1.0)
    assert gx.shape == (3, inputs)
    assert [p.shape for p in gparams] == [(0,), (0,)]
    leak = SynapseGraph.from_arrays(inputs, 2, alpha=[0.5, 0.25]).compile()
    np.testing.assert_array_equal(leak(np.ones((2, inputs))), [[0.5, 0.25]] * 2)
    assert leak(np.ones((0, inputs))).shape == (0, 2)
    gx, gparams = leak.vjp(np.ones((0, inputs)), grad=1.0)
    assert gparams.alpha.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("off", [False, True])
def test_sizes_of_zero_on_both_branches(off, monkeypatch):
    if off:
        monkeypatch.setenv("SYNANN_KERNELS", "off")
    test_sizes_of_zero(0)
    test_sizes_of_zero(1)


@settings(max_examples=25)
@given(cases())
def test_structure_says_what_is_computed(case):
    """Evaluated by its public arrays alone, as an exporter does."""
    compiled = case.compile()
    alpha, beta = compiled.params
    strong, weak = compiled.excitatory, compiled.inhibitory
    values = dict(enumerate(case.x))
    for i in compiled.order.tolist():
        value = alpha[compiled.alpha_index[i]]
        for node in strong.indices[strong.indptr[i] : strong.indptr[i + 1]].tolist():
            value *= values[node]
        for k in range(weak.indptr[i], weak.indptr[i + 1]):
            value *= 1.0 - beta[weak.beta_index[k]] * values[int(weak.indices[k])]
        values[case.inputs + i] = value
    got = compiled.values(case.x)
    assert_close(got, [values[k] for k in range(len(got))], 1e-13)
    for i, level in enumerate(compiled.levels.tolist()):
        read = [*strong.indices[strong.indptr[i] : strong.indptr[i + 1]].tolist()]
        read += weak.indices[weak.indptr[i] : weak.indptr[i + 1]].tolist()
        levels = [0 if n < case.inputs else compiled.levels[n - case.inputs] for n in read]
        assert level == 1 + max(levels, default=0)


CALLS = [
    (lambda c: c(np.ones(3)), ValueError, r"`x` must have shape \(..., 2\). Received: shape \(3,"),
    (lambda c: c(np.ones(2, int)), TypeError, "`x` must have a real floating-point dtype.*int64"),
    (lambda c: c(0.5), ValueError, r"`x` must have shape \(..., 2\). Received: shape \(\)"),
    (lambda c: c([1.0, 1.0]), TypeError, "`x` must be an array"),
    (lambda c: c(np.ones(2), space="log"), ValueError, "`space` must be one of.*'log'"),
    (lambda c: c(np.ones(2), 3), TypeError, "`params` must be a pair"),
    (
        lambda c: c(np.ones(2), GraphParameters(np.ones(2), np.ones(1))),
        ValueError,
        r"`params.alpha` must have shape \(1,\). Received: shape \(2,\)",
    ),
    (
        lambda c: c(np.ones(2), GraphParameters(np.ones(1), np.ones((1, 1)))),
        ValueError,
        r"`params.beta` must have shape \(1,\). Received: shape \(1, 1\)",
    ),
    (
        lambda c: c(np.ones(2), GraphParameters(np.ones(1), np.ones(1, int))),
        TypeError,
        "`params.beta` must have a real floating-point dtype",
    ),
    (lambda c: c.vjp(np.ones(2), grad=np.ones(2)), ValueError, r"`grad` must have shape \(1,\)"),
    (lambda c: c.jvp(np.ones(2), dx=np.ones(3)), ValueError, r"`dx` must have shape \(2,\)"),
    (
        lambda c: c.jvp(np.ones(2), dx=1.0, dparams=(np.ones(1), np.ones(2))),
        ValueError,
        r"`dparams.beta` must have shape \(1,\)",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), CALLS)
def test_calls(call, kind, message):
    compiled = graph_of(z={"excitatory": "x", "inhibitory": "y"}).compile()
    with pytest.raises(kind, match=message):
        call(compiled)


def tensor_graph(m, n):
    """Inputs x (m,), then y (n,), every one of which inhibits every neuron."""
    neurons = m + n + np.arange(m)
    return SynapseGraph.from_arrays(
        m + n,
        m,
        excitatory=(neurons, np.arange(m)),
        inhibitory=(np.repeat(neurons, n), np.tile(m + np.arange(n), m)),
    ).compile()


@pytest.mark.parametrize("off", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["training", "uniform", "repeated", "weak"])
def test_fully_connected_is_the_synapse_tensor(kind, dtype, off, monkeypatch):
    """Within 4·(10 + √n)·eps, values entry by entry and gradients of the largest one."""
    if off:
        monkeypatch.setenv("SYNANN_KERNELS", "off")
    for n in (1, 7, 100, 800):
        m, rng = 4, np.random.default_rng(n)
        x, y, alpha, beta = (rng.random(size) for size in ((3, m), (3, n), m, (m, n)))
        if kind == "training":
            beta = syn.initial_beta(m, n, rng=rng)
        elif kind == "repeated":
            y[:], beta[:] = 0.3, 1.7 / n
        elif kind == "weak":
            beta *= 1e-3 / n
        elif n == 800 and dtype == "float32":
            beta *= 0.1  # or the product underflows
        grad = rng.normal(size=(3, m))
        x, y, alpha, beta, grad = (np.asarray(a, dtype) for a in (x, y, alpha, beta, grad))
        graph, limit = tensor_graph(m, n), 4 * (10 + np.sqrt(n)) * EPS[dtype]
        for space, (first, second, third, fourth) in {
            "probability": (x, y, alpha, beta),
            "surprisal": tuple(-np.log(a) for a in (x, y, alpha, beta)),
        }.items():
            name = "synapse_tensor" if space == "probability" else "surprisal_synapse_tensor"
            given_ = (first, second, third, fourth)
            want = getattr(syn, name)(*given_)
            both = np.concatenate([first, second], axis=1)
            params = GraphParameters(third, fourth.ravel())
            got = graph(both, params, space=space)
            assert got.dtype == dtype
            assert_close(got, want, limit, scale=np.abs(want))
            gx, (galpha, gbeta) = graph.vjp(both, params, space=space, grad=grad)
            grads = (gx[:, :m], gx[:, m:], galpha, gbeta.reshape(m, n))
            for a, b in zip(grads, getattr(syn, name + "_vjp")(*given_, grad), strict=True):
                assert_close(a, b, limit)


def test_closed_factors_among_many():
    """One closed of 800: the product of the others, to the same promise; with two, 0."""
    n, rng = 800, np.random.default_rng(0)
    graph, y, beta = tensor_graph(1, n), rng.random(n), syn.initial_beta(1, n, rng=rng)
    for closed in ([3], [3, 500]):
        y[closed], beta[0, closed] = 1.0, 1.0
        x = np.concatenate([[0.7], y])
        params = GraphParameters(np.ones(1), beta[0])
        neurons = [([0], [(1 + j, j) for j in range(n)], 0)]
        grad = np.concatenate([np.zeros(n + 1), [1.0]])
        want = slow.vjp(neurons, x, params.alpha, params.beta, grad)
        gx, gparams = graph.vjp(x, params, grad=np.ones(1))
        limit = 4 * (10 + np.sqrt(n)) * EPS["float64"]
        for a, b in zip((gx, *gparams), want, strict=True):
            assert_close(a, b, limit, scale=np.abs(b).max() + 1e-300)

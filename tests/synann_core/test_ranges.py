"""What no part of a formula may lose: results where e^T, βy or a gradient leaves the range."""

import functools

import mpmath
import numpy as np
import pytest

import synann_core as syn
from tests.helpers import EPS, TINY, assert_close, assert_relative, spread

pytestmark = [pytest.mark.kernel_branches, pytest.mark.jax_alternates]

# x, α and inputs n of equal factors 0.55, whose product is below the normal numbers or is 0
FAR = {
    "float32": [
        *((1.0, 1e30, 200), (1.0, 1e20, 170), (1e30, 1.0, 200), (1e15, 1e15, 190)),
        *((1e38, 1e-8, 145), (1e-10, 1e37, 140)),
    ],
    "float64": [
        *((1.0, 1e200, 1250), (1e200, 1.0, 1250), (1.0, 1e300, 2000), (1e-5, 1e10, 1200)),
        *((1e300, 1e-100, 1400), (1e-120, 1e300, 1180)),
    ],
}


@functools.cache
def exact_product(dtype, n):
    with mpmath.workdps(40):
        return (1 - mpmath.mpf(0.5) * mpmath.mpf(float(np.asarray(0.9, dtype)))) ** n


def far(xp, dtype, x, alpha, n):
    arguments = (
        np.full((2, 1), x),
        np.full((2, n), 0.5),
        np.full((1,), alpha),
        np.full((1, n), 0.9),
    )
    return [xp.asarray(a, dtype) for a in arguments]


def slack(dtype, n):
    """Relative error of e^T."""
    return ((10 + np.sqrt(n)) * n + 10) * EPS[dtype]


@pytest.mark.parametrize("case", range(6))
def test_a_product_is_not_lost_because_a_part_of_it_is(xp, dtype, case):
    x, alpha, n = FAR[dtype][case]
    arguments = far(xp, dtype, x, alpha, n)
    x, alpha = (float(xp.to_numpy(a).ravel()[0]) for a in arguments[::2])
    want = float(alpha * x * exact_product(dtype, n))
    assert TINY[dtype] < want
    got = xp.to_numpy(xp.call(syn.synapse_tensor, *arguments))
    assert_relative(got, np.full((2, 1), want), slack(dtype, n))


def far_gradients(dtype, x, alpha, n):
    """Of x, y, α and β, by an upstream gradient of 1, as they are where they are normal numbers."""
    p, f = exact_product(dtype, n), exact_product(dtype, 1)
    s = alpha * x * p
    beta = float(np.asarray(0.9, dtype))
    return [float(v) for v in (alpha * p, -s * beta / f, 2 * x * p, -2 * s * 0.5 / f)]


def check_far_gradients(gradients, wants, dtype, n):
    for got, want in zip(gradients, wants, strict=True):
        # Below the normal numbers there are fewer digits, and on JAX none.
        limit = slack(dtype, n) * abs(want) + TINY[dtype]
        assert_close(got, np.full(got.shape, want), 1.0, scale=limit)


@pytest.mark.parametrize(
    ("x", "y", "alpha", "beta"),
    [
        (1e-30, -1e30, 1e-20, 1.0),
        (1e30, 0.99, 1e10, 1.0),
        (1e-25, -1e30, 1e-25, 1.0),
        (1e25, 1.0 - 2.0**-20, 1e16, 1.0),
        (1e38, 0.5, 2e-38, 1.0),
    ],
)
def test_a_single_synapse_loses_none_either(xp, x, y, alpha, beta):
    arguments = [xp.asarray(np.asarray([v]), "float32") for v in (x, y, alpha, beta)]
    x, y, alpha, beta = (float(xp.to_numpy(a)[0]) for a in arguments)
    f = 1.0 - y * beta
    got = xp.to_numpy(xp.call(syn.synapse, *arguments))
    assert_relative(got, np.array([alpha * x * f]), 4 * EPS["float32"])
    gradients = xp.to_numpy(xp.call(syn.synapse_vjp, *arguments, xp.asarray(np.ones(1), "float32")))
    with np.errstate(over="ignore"):
        wants = np.float32([alpha * f, -alpha * beta * x, x * f, -alpha * x * y])
    for got, want in zip(gradients, wants, strict=True):
        if np.isfinite(want) and (want == 0.0 or abs(want) > TINY["float32"]):
            assert_relative(got, np.array([want]), 4 * EPS["float32"])


@pytest.mark.parametrize("case", range(6))
def test_gradients_are_not_lost_either(xp, dtype, case):
    x, alpha, n = FAR[dtype][case]
    arguments = far(xp, dtype, x, alpha, n)
    x, alpha = (float(xp.to_numpy(a).ravel()[0]) for a in arguments[::2])
    gradients = xp.to_numpy(xp.call(syn.synapse_tensor_vjp, *arguments, 1.0))
    check_far_gradients(gradients, far_gradients(dtype, x, alpha, n), dtype, n)


@pytest.mark.parametrize("case", range(6))
def test_autodiff_does_not_lose_them(ad, dtype, case):
    x, alpha, n = FAR[dtype][case]
    arguments = far(ad, dtype, x, alpha, n)
    x, alpha = (float(ad.to_numpy(a).ravel()[0]) for a in arguments[::2])
    upstream = ad.asarray(np.ones((2, 1)), dtype)
    gradients = ad.to_numpy(tuple(ad.gradients(syn.synapse_tensor, upstream, *arguments)))
    check_far_gradients(gradients, far_gradients(dtype, x, alpha, n), dtype, n)


def test_ordinary_products_are_one_exponential(xp, dtype):
    """Nothing is moved out of e^T where it is a normal number."""
    rng = np.random.default_rng(0)
    y, beta = (xp.asarray(rng.random(shape), dtype) for shape in ((4, 30), (5, 30)))
    s = xp.to_numpy(xp.call(syn.synapse_tensor, 1.0, y, 1.0, beta))
    t = xp.to_numpy(xp.call(syn.log_transmission, y, beta))
    assert_relative(s, np.exp(t.astype(np.float64)), 4 * EPS[dtype])


def faint(dtype, n, kind):
    """y and β whose products are subnormal numbers, and whose sum is not."""
    middle = 1e-20 if dtype == "float32" else 10.0**-157.5
    rng = np.random.default_rng(n)
    if kind == "equal":
        return np.full((2, n), middle, dtype), np.full((1, n), middle, dtype)
    y, beta = (middle * spread(rng, 0.03, 30, (k, n)) for k in (2, 1))
    y[1] = 0
    y[1, : n // 2] = middle
    return y.astype(dtype), beta.astype(dtype)


@pytest.mark.parametrize("kind", ["equal", "spread"])
def test_sums_of_subnormal_products(xp, dtype, kind):
    """They keep the promise where numbers can be looked at; elsewhere a product may become 0."""
    n = 2000 if xp.name.startswith("strict") else 100_000
    y, beta = faint(dtype, n, kind)
    # (Of its 64 bits 40 are needed, and its range is far below that of float64.)
    want = -(y.astype(np.longdouble) @ beta.T.astype(np.longdouble)).astype(np.float64)
    got = xp.to_numpy(xp.call(syn.log_transmission, xp.asarray(y, dtype), xp.asarray(beta, dtype)))
    limit = (10 + np.sqrt(n)) * EPS[dtype] * np.abs(want)
    if not xp.name.startswith(("numpy", "torch")):
        limit = limit + n * TINY[dtype] * (1 if xp.is_jax else EPS[dtype])
    assert_close(got, want, 1.0, scale=limit)
    # The same bits beside other rows.
    one = xp.call(syn.log_transmission, xp.asarray(y[1:], dtype), xp.asarray(beta, dtype))
    np.testing.assert_array_equal(xp.to_numpy(one), got[1:])


HALVES = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38}


def closed(xp, half):
    """Arguments of a function and its _vjp at a closed factor, where reciprocals are largest."""
    one, zero = (xp.asarray(np.full((1, 1), v), half) for v in (1.0, 0.0))
    row, none = (xp.asarray(np.array([v]), half) for v in (1.0, 0.0))
    return [
        (syn.log_transmission, syn.log_transmission_vjp, (one, one)),
        (
            syn.surprisal_synapse_tensor,
            syn.surprisal_synapse_tensor_vjp,
            (zero, zero, none, zero),
        ),
        (syn.surprisal_synapse, syn.surprisal_synapse_vjp, (none, none, none, none)),
        (syn.contributions, None, (one, one)),
        (syn.synapse_tensor, syn.synapse_tensor_vjp, (one, one, row, one)),
    ]


@pytest.mark.parametrize("half", HALVES)
def test_16_bit_gradients_at_closed_factors_are_finite(xp, half):
    if xp.name.startswith("strict") or (half == "bfloat16" and xp.name.startswith("numpy")):
        return  # there is no such type
    for _, vjp, arguments in closed(xp, half):
        if vjp is None:
            continue
        gradients = xp.to_numpy(xp.call(vjp, *arguments, 1.0))
        sizes = [np.abs(g.astype(np.float64)).max() for g in gradients]
        assert max(sizes) <= HALVES[half], vjp
        if half == "float16" and vjp is not syn.synapse_tensor_vjp:
            assert max(sizes) == HALVES[half], vjp


@pytest.mark.parametrize("half", HALVES)
def test_16_bit_autodiff_at_closed_factors_is_finite(ad, half):
    for function, _, arguments in closed(ad, half):
        shape = ad.to_numpy(function(*arguments)).shape
        upstream = ad.asarray(np.ones(shape), half)
        gradients = ad.to_numpy(tuple(ad.gradients(function, upstream, *arguments)))
        sizes = [np.abs(g.astype(np.float64)).max() for g in gradients]
        assert max(sizes) <= HALVES[half], function
        if half == "float16" and function is not syn.synapse_tensor:
            assert max(sizes) == HALVES[half], function


def test_infinite_derivatives_stay_infinite_in_16_bits(xp):
    if xp.name.startswith("strict"):
        return
    p = xp.asarray(np.array([0.0, 1.0]), "float16")
    if xp.name in ("torch", "jax", "jax-jit"):
        (gradient,) = xp.gradients(syn.surprisal, xp.asarray(np.ones(2), "float16"), p)
        np.testing.assert_array_equal(xp.to_numpy(gradient), [-np.inf, -1.0])


# torch's own, when it first loads forward-mode rules
def test_16_bit_tangents_at_a_closed_factor_are_finite():
    y, beta = np.array([1, 0.5], np.float16), np.array([[1, 0.5]], np.float16)
    tangent = syn.log_transmission_jvp(y, beta, np.ones(2, np.float16), 0.0)
    assert tangent.dtype == np.float16
    assert tangent == -65504


def test_16_bit_gradients_of_graphs_are_finite():
    graph = syn.SynapseGraph()
    graph.input("x", "y")
    graph.synapse("z", excitatory="x", inhibitory={"y": 1.0})
    compiled = graph.compile()
    x = np.array([[60000, 0.5]], np.float16)
    gx, _ = compiled.vjp(x, grad=300.0)
    np.testing.assert_array_equal(gx, np.float16([[150, -65504]]))
    assert compiled.jvp(x, dx=np.float16([[0, 300]])) == -65504


def test_an_upstream_gradient_that_brings_a_product_back(xp, dtype):
    x, y, alpha, beta = far(xp, dtype, 1.0, 1.0, 200 if dtype == "float32" else 1250)
    scale = 1e30 if dtype == "float32" else 1e200
    grad = xp.asarray(np.full((2, 1), scale), dtype)
    _, gy, _, gbeta = xp.call(syn.synapse_tensor_vjp, x, y, alpha, beta, grad)
    n = y.shape[1]
    product = float(exact_product(dtype, n) * scale)
    strength = float(np.asarray(0.9, dtype))
    share = product / (1 - 0.5 * strength)
    assert_relative(xp.to_numpy(gy), np.full((2, n), -share * strength), slack(dtype, n))
    assert_relative(xp.to_numpy(gbeta), np.full((1, n), -2 * share * 0.5), slack(dtype, n))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_16_bit_gradients_of_torch_func():
    torch = pytest.importorskip("torch")
    one = torch.ones((3, 1, 1), dtype=torch.float16)

    def loss(y, beta):
        return syn.log_transmission(y, beta).sum()

    gradients = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)))(one, one)
    for gradient in gradients:
        assert gradient.dtype == torch.float16
        assert (gradient == -65504).all()
    _, tangent = torch.func.jvp(syn.log_transmission, (one[0], one[0]), (one[0], one[0]))
    assert tangent.dtype == torch.float16  # a result like any other: it may be infinite


def test_16_bit_gradients_under_transforms_of_jax():
    jax = pytest.importorskip("jax")
    one = jax.numpy.ones((3, 1, 1), dtype="float16")

    def loss(y, beta):
        return syn.log_transmission(y, beta).sum()

    for gradient in jax.jit(jax.vmap(jax.grad(loss, argnums=(0, 1))))(one, one):
        assert gradient.dtype == "float16"
        assert (gradient == -65504).all()
    ordinary = one / 2
    value, tangent = jax.jvp(syn.log_transmission, (ordinary[0],) * 2, (ordinary[0],) * 2)
    assert value.dtype == tangent.dtype == "float16"
    np.testing.assert_allclose(tangent, -0.5 / 0.75, rtol=2e-3)

"""The contraction on JAX: the kernels' numbers under every transform, and where the scan serves."""

import concurrent.futures
import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import synann_core as syn
from synann_core.contraction import array_api, jax_primitives
from synann_core.contraction.factors import probability_factors
from tests.helpers import EPS, assert_close
from tests.synann_core.contraction.test_native import (
    arguments,
    assert_same_bits,
    kernels_on,
    outputs,
)

__all__ = ["kernels_on"]  # a fixture, for every test here too

# In surprisal space XLA's exponential is another one than NumPy's.
SAME_BITS = ("T", "gy", "gbeta", "dT")


def on_jax(given):
    return [jnp.asarray(a) for a in given]


def same_bits(got, want, message=""):
    assert_same_bits({n: got[n] for n in SAME_BITS}, {n: want[n] for n in SAME_BITS}, message)


def compiled(function, *arrays):
    """A compiled function, and the names of the kernels that it calls."""
    lowered = jax.jit(function).lower(*arrays)
    return lowered.compile(), set(re.findall(r"@synann_(\w+)", lowered.as_text()))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 17, 5), (40, 129, 7), (300, 200, 130)])
def test_bits_are_those_of_numpy_arrays(size, dtype):
    """Also where several threads of XLA divide the work."""
    given = arguments(*size, dtype)
    want, moved = outputs(*given), on_jax(given)
    assert syn.log_transmission_variant(*moved[:2]) == "native"
    got = outputs(*moved)
    same_bits(got, want)
    for name in ("z", "gv", "ggamma"):
        assert_close(got[name], want[name], 20 * EPS[dtype])
    y, beta, grad = moved[0], moved[1], moved[4]
    gy, gbeta = jax.jit(lambda *a: syn.log_transmission_vjp(*a))(y, beta, grad)
    jitted = {"gy": np.asarray(gy), "gbeta": np.asarray(gbeta)}
    assert_same_bits(jitted, {name: want[name] for name in jitted})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_empty_arrays(size, dtype):
    given = arguments(*size, dtype)
    want, got = outputs(*given), outputs(*on_jax(given))
    for name, value in want.items():
        assert got[name].dtype == value.dtype
        np.testing.assert_array_equal(got[name], value, name)
    y, beta = on_jax(given[:2])
    jax.vmap(syn.log_transmission, (0, None))(y[:, None], beta)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rows", [9, 700])
@pytest.mark.parametrize("step", [1, 3])
def test_closed_factors(rows, step, dtype):
    """In runs of rows and alone; the guarded product is the product's, and finite."""
    given = arguments(rows, 140, 6, dtype)
    y, beta, v, gamma, grad = given[:5]
    y[2::step, 30] = beta[1, 30] = 1
    v[2::step, 30] = gamma[1, 30] = 0
    got, want = outputs(*on_jax(given)), outputs(*given)
    same_bits(got, want)
    assert np.array_equal(np.isinf(got["z"]), np.isinf(want["z"]))
    ones = np.ones(6, dtype)
    wants = syn.synapse_tensor_vjp(ones, y, ones, beta, grad)
    found = syn.synapse_tensor_vjp(*on_jax((ones, y, ones, beta, grad)))
    for value, expected in zip(found, wants, strict=True):
        assert np.isfinite(value).all()
        assert_close(value, expected, 2000 * EPS[dtype])  # e^T, where T is around −100


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_outside_the_domain(dtype):
    given = arguments(300, 70, 40, dtype)
    y, _, v = given[:3]
    bad = {1: 1.5, 3: -0.25, 4: np.nan, 7: np.inf, 8: -1e30, 10: 1e30, 11: 2.0, 12: 1.0}
    given[1][0, 33] = 0.5
    for row, value in bad.items():
        y[row, 33] = v[row, 33] = value
    want, got = outputs(*given), outputs(*on_jax(given))
    good = np.setdiff1d(np.arange(300), sorted(bad))
    for name in ("T", "gy", "dT"):
        assert_same_bits({name: got[name][good]}, {name: want[name][good]})
    for name, value in want.items():
        np.testing.assert_array_equal(np.isfinite(got[name]), np.isfinite(value), name)
    assert got["T"][11, 0] == -np.inf  # 2 · ½ = 1
    for row in (1, 3, 8, 11):
        for name in ("T", "gy", "dT"):
            assert_close(got[name][row], want[name][row], 300 * EPS[dtype])
    finite = np.isfinite(want["gbeta"])
    assert_close(got["gbeta"][finite], want["gbeta"][finite], 300 * EPS[dtype])


@pytest.mark.parametrize("weight", [1.5, -0.25, np.nan, np.inf])
def test_weights_outside_the_domain(weight):
    given = arguments(5, 40, 6, "float64")
    given[1][2, 3] = weight
    want, got = outputs(*given), outputs(*on_jax(given))
    for name in SAME_BITS:
        finite = np.isfinite(want[name])
        np.testing.assert_array_equal(np.isfinite(got[name]), finite, name)
        assert_close(got[name][finite], want[name][finite], 300 * EPS["float64"])


def test_bits_of_a_row_do_not_depend_on_the_others():
    given = arguments(515, 100, 37)
    given[1][5, 7] = given[0][3, 7] = 1
    whole = outputs(*on_jax(given))
    given[0][1::3, 7] = np.resize([np.nan, 2.0, -1.0, 1.0, np.inf], 172)
    beside = outputs(*on_jax(given))
    for name in ("T", "gy", "dT"):
        for rows in (slice(0, None, 3), slice(2, None, 3)):
            assert_same_bits({name: beside[name][rows]}, {name: whole[name][rows]})


def test_calls_from_many_threads():
    """The pool that they share is XLA's, whose threads wait for each other's parts."""
    given = on_jax(arguments(64, 300, 200))
    function = jax.jit(
        lambda y, beta, t: (syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, t))
    )
    want = [np.asarray(a) for a in function(given[0], given[1], given[4])]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(function, given[0], given[1], given[4]) for _ in range(100)]
        for done in calls:
            for got, expected in zip(done.result(), want, strict=True):
                np.testing.assert_array_equal(got, expected)


def dense(y, beta):
    return jnp.log1p(-y[..., None, :] * beta).sum(-1)


def dense_surprisal(v, gamma):
    return -jnp.log(-jnp.expm1(-(v[..., None, :] + gamma))).sum(-1)


def surprisal(v, gamma):
    return syn.surprisal_synapse_tensor(0.0, v, 0.0, gamma)


def loss(f):
    return lambda y, beta: jnp.sum(jnp.sin(f(y, beta)))


def stacked(a):
    return jnp.stack([a, 0.9 * a, 0.5 * a])


VALUE, TANGENT, GRADIENTS = {"log_product"}, {"tangent"}, {"gradients"}
# What is made of f, a function of y (4, 6) and β (3, 6), and the kernels that compute it: terms of
# second derivatives are the scan's.
TRANSFORMS = {
    "value": (lambda f: f, VALUE),
    "gradient": (lambda f: jax.grad(loss(f), (0, 1)), VALUE | GRADIENTS),
    "tangent": (lambda f: lambda y, b: jax.jvp(f, (y, b), (y**2, b**3)), VALUE | TANGENT),
    "jacfwd": (lambda f: jax.jacfwd(f, (0, 1)), TANGENT),
    "jacrev": (lambda f: jax.jacrev(f, (0, 1)), GRADIENTS),
    "hessian of y": (lambda f: jax.hessian(loss(f)), VALUE | TANGENT),
    "hessian of beta": (lambda f: jax.hessian(loss(f), 1), VALUE | TANGENT),
    "twice forward": (lambda f: jax.jacfwd(jax.jacfwd(loss(f)), 1), VALUE | TANGENT),
    "gradient of a gradient": (
        lambda f: jax.grad(lambda y, b: jnp.sum(jax.grad(loss(f), 1)(y, b) ** 2)),
        VALUE | GRADIENTS,
    ),
    "checkpoint": (lambda f: jax.grad(jax.checkpoint(loss(f)), (0, 1)), VALUE | GRADIENTS),
    "vmap of y": (lambda f: lambda y, b: jax.vmap(f, (0, None))(stacked(y), b), VALUE),
    "vmap of y, elsewhere": (
        lambda f: lambda y, b: jax.vmap(f, (1, None), 2)(jnp.moveaxis(stacked(y), 0, 1), b),
        VALUE,
    ),
    "vmap of beta": (lambda f: lambda y, b: jax.vmap(f, (None, 0))(y, stacked(b)), VALUE),
    "vmap of both": (lambda f: lambda y, b: jax.vmap(f)(stacked(y), stacked(b)), VALUE),
    "vmap of vmap": (
        lambda f: lambda y, b: jax.vmap(jax.vmap(f, (0, None)), (None, 0))(stacked(y), stacked(b)),
        VALUE,
    ),
    "vmap of the gradient of y": (
        lambda f: lambda y, b: jax.vmap(jax.grad(loss(f)), (0, None))(stacked(y), b),
        VALUE | GRADIENTS,
    ),
    "vmap of gradients": (
        lambda f: lambda y, b: jax.vmap(jax.grad(loss(f), (0, 1)), (0, None))(stacked(y), b),
        VALUE | GRADIENTS,
    ),
    "vmap of gradients, both": (
        lambda f: lambda y, b: jax.vmap(jax.grad(loss(f), (0, 1)))(stacked(y), stacked(b)),
        VALUE | GRADIENTS,
    ),
    "vmap of the tangent": (
        lambda f: lambda y, b: jax.vmap(lambda y: jax.jvp(f, (y, b), (y, b)))(stacked(y)),
        VALUE | TANGENT,
    ),
    "gradient of vmap": (
        lambda f: jax.grad(
            lambda y, b: jnp.sum(jax.vmap(f, (0, None))(stacked(y), b) ** 2), (0, 1)
        ),
        VALUE | GRADIENTS,
    ),
    "scan": (
        lambda f: lambda y, b: jax.lax.scan(lambda b, y: (b * 0.9, f(y[None], b)), b, y),
        VALUE,
    ),
}


def problem(dtype="float64"):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.uniform(0.1, 0.9, size), dtype) for size in ((4, 6), (3, 6))]


def same_leaves(got, want, limit):
    got, want = jax.tree.leaves(got), jax.tree.leaves(want)
    assert [(a.shape, a.dtype) for a in got] == [(a.shape, a.dtype) for a in want]
    for value, expected in zip(got, want, strict=True):
        assert_close(value, expected, limit)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms(transform):
    make, names = TRANSFORMS[transform]
    given = problem()
    function, used = compiled(make(syn.log_transmission), *given)
    assert used == names
    same_leaves(function(*given), jax.jit(make(dense))(*given), 100 * EPS["float64"])


@pytest.mark.parametrize(
    "transform", ["gradient", "tangent", "hessian of beta", "vmap of y", "vmap of gradients"]
)
def test_transforms_in_surprisal_space(transform):
    make, names = TRANSFORMS[transform]
    given = problem()
    function, used = compiled(make(surprisal), *given)
    # β = e^(−γ) has a second derivative, too.
    assert used == (names | GRADIENTS if "hessian" in transform else names)
    same_leaves(function(*given), jax.jit(make(dense_surprisal))(*given), 100 * EPS["float64"])


@pytest.mark.parametrize("transform", ["gradient", "tangent", "vmap of gradients"])
def test_transforms_that_are_not_compiled(transform):
    given, make = problem("float32"), TRANSFORMS[transform][0]
    want = make(dense)(*given)
    same_leaves(make(syn.log_transmission)(*given), want, 200 * EPS["float32"])
    with jax.disable_jit():
        same_leaves(make(syn.log_transmission)(*given), want, 200 * EPS["float32"])


@pytest.mark.parametrize("transform", ["vmap of y", "vmap of the gradient of y", "jacrev"])
def test_rows_of_a_batch_go_in_one_call(transform):
    make = TRANSFORMS[transform][0]
    f = syn.log_transmission
    if transform == "jacrev":
        make = jax.jacrev
    assert "while" not in jax.jit(make(f)).lower(*problem()).as_text()
    many = TRANSFORMS["vmap of beta"][0]
    assert "while" in jax.jit(many(f)).lower(*problem()).as_text()


def test_transposes():
    """The gradients are linear in the upstream gradient, and the tangent in both tangents."""
    y, beta = problem()
    t = jnp.linspace(-1, 1, 12).reshape(4, 3)

    def gradients(t):
        return syn.log_transmission_vjp(y, beta, t)

    (got,) = jax.linear_transpose(gradients, t)((y, beta))
    assert_close(got, syn.log_transmission_jvp(y, beta, y, beta), 50 * EPS["float64"])
    tangent = jax.linear_transpose(
        lambda *moved: syn.log_transmission_jvp(y, beta, *moved), y, beta
    )
    same_leaves(tangent(t), gradients(t), 50 * EPS["float64"])
    of_upstream = jax.grad(lambda t: jnp.sum(gradients(t)[0] * y) + jnp.sum(gradients(t)[1] * beta))
    assert_close(of_upstream(t), got, 50 * EPS["float64"])


def test_weak_types_and_float32_where_x64_is_off():
    weak = jnp.full((2, 3), 0.5)
    assert weak.weak_type
    assert not syn.log_transmission(weak, weak).weak_type
    got, want = (jax.grad(loss(f), (0, 1))(weak, 0.9 * weak) for f in (syn.log_transmission, dense))
    same_leaves(got, want, 20 * EPS["float64"])
    with jax.enable_x64(False):
        y, beta = problem("float32")
        got = jax.jit(syn.log_transmission)(y, beta), *syn.log_transmission_vjp(y, beta, 1.0)
        assert {value.dtype.name for value in got} == {"float32"}


@pytest.mark.parametrize("rows", ["4", "rows"])
def test_exports_hold_the_scan(rows):
    """A file has to run where there are no kernels: on another machine, or on a GPU."""
    y, beta = problem()
    (size, *_), n, m = jax.export.symbolic_shape(rows), 6, 3
    types = [jax.ShapeDtypeStruct(shape, "float64") for shape in ((size, n), (m, n))]
    for function in (syn.log_transmission, jax.grad(loss(syn.log_transmission), (0, 1))):
        exported = jax.export.export(jax.jit(function), platforms=["cpu", "cuda"])(*types)
        assert "custom_call @synann" not in exported.mlir_module()
        again = jax.export.deserialize(exported.serialize())
        same_leaves(again.call(y, beta), jax.jit(function)(y, beta), 50 * EPS["float64"])


def test_kernels_can_be_turned_off(monkeypatch):
    y, beta = problem()
    want = jax.jit(lambda *a: syn.log_transmission(*a))(y, beta)
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    function, used = compiled(lambda *a: syn.log_transmission(*a), y, beta)
    assert not used
    assert_close(function(y, beta), want, 50 * EPS["float64"])


def test_names_of_the_variants(monkeypatch):
    y, beta = problem()
    names = []
    jax.jit(lambda y, b: names.append(syn.log_transmission_variant(y, b)) or y)(y, beta)
    with monkeypatch.context() as patch:  # an array of another device than a CPU
        patch.setattr(jax_primitives, "device", lambda a: types.SimpleNamespace(platform="gpu"))
        names.append(syn.log_transmission_variant(y, beta))
    monkeypatch.setattr(jax_primitives, "_primitives", dict)
    names.append(syn.log_transmission_variant(y, beta))
    assert names == ["native", "jax-scan", "jax-scan"]
    factors = probability_factors(y, beta, xp=jnp)
    assert syn.log_transmission(y, beta).tolist() == array_api.forward(factors, xp=jnp)[0].tolist()


def test_an_xla_that_refuses_the_kernels(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("another version")

    monkeypatch.setattr(jax.ffi, "register_ffi_target", refuse)
    assert jax_primitives._primitives.__wrapped__() == {}

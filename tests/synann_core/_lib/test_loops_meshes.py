"""Loops of JAX on several devices, in exports and under checkify, beside a product of matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import synann_core as syn
from synann_core.spiking import LIF
from tests.helpers import EPS, assert_close
from tests.synann_core.contraction.test_native_processes import python

MESHES = r"""
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import synann_core as syn
from synann_core.spiking import LIF

eps = 2.0**-23
rng = np.random.default_rng(0)
y, beta = (jnp.asarray(rng.uniform(0.1, 0.9, s), "float32") for s in ((16, 12), (8, 12)))
currents = jnp.asarray(rng.normal(0.2, 0.5, (5, 16, 8)), "float32")
neurons = {
    "plain": LIF(0.9),
    "synaptic": LIF(0.9, synaptic_decay=0.8, order="article"),
    "adaptive": LIF(0.9, adaptation=0.2, adaptation_decay=0.9, order="immediate"),
    "recurrent": LIF(0.9, recurrent=jnp.full((8, 8), 0.1, "float32"), reset="zero"),
}


def product(y, beta):
    return y @ beta.T


def loss(f):
    return lambda *arrays: jnp.sum(jnp.sin(f(*arrays)))


def compare(function, arrays, want):
    found = jax.jit(function)(*arrays)
    for got, expected in zip(jax.tree.leaves(found), jax.tree.leaves(want), strict=True):
        assert got.shape == expected.shape
        assert np.abs(np.asarray(got) - expected).max() <= 200 * eps * np.abs(expected).max()


mesh = jax.make_mesh((8,), ("d",), axis_types=(AxisType.Explicit,))
place = lambda a, *axes: jax.device_put(a, NamedSharding(mesh, P(*axes)))
for f in (product, syn.log_transmission):
    gradients = jax.grad(loss(f), (0, 1))
    want, want_gradients = jax.jit(f)(y, beta), jax.jit(gradients)(y, beta)
    for check in (True, False):
        for y_spec, b_spec, spec in ((P("d"), P(), P("d")), (P(), P("d"), P(None, "d"))):
            options = dict(in_specs=(y_spec, b_spec), out_specs=spec, check_vma=check)
            each = jax.shard_map(f, mesh=mesh, **options)
            arrays = place(y, *y_spec), place(beta, *b_spec)
            compare(each, arrays, want)
            compare(jax.grad(loss(each), (0, 1)), arrays, want_gradients)
    inner = jax.shard_map(gradients, mesh=mesh, in_specs=(P("d"), P()), out_specs=(P("d"), P()))
    compare(inner, (place(y, "d"), place(beta)), want_gradients)
    # Explicit axes: rows of y over the devices, or outputs.
    for y_spec, b_spec in ((P("d"), P()), (P(), P("d"))):
        arrays = place(y, *y_spec), place(beta, *b_spec)
        compare(f, arrays, want)
        compare(gradients, arrays, want_gradients)
print("contraction")

for name, neuron in neurons.items():

    def run(currents):
        spikes, record = neuron.run(currents)
        return spikes, record.membrane

    def weighted(currents):
        spikes, membrane = run(currents)
        return jnp.sum(jnp.sin(membrane)) + jnp.sum(spikes * jnp.cos(membrane))

    want, want_gradient = run(currents), jax.grad(weighted)(currents)
    where = [P(None, "d"), P(None, None, "d")] if name == "plain" else [P(None, "d")]
    for check in (True, False) if name == "plain" else (True,):
        for spec in where:
            each = jax.shard_map(run, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=check)
            compare(each, (place(currents, *spec),), want)

            def whole(currents):
                spikes, membrane = each(currents)
                return jnp.sum(jnp.sin(membrane)) + jnp.sum(spikes * jnp.cos(membrane))

            compare(jax.grad(whole), (place(currents, *spec),), want_gradient)
    by_hand = lambda c: neuron.vjp(neuron.run(c)[1], membrane=1.0).currents
    spec = where[0]
    each = jax.shard_map(by_hand, mesh=mesh, in_specs=spec, out_specs=spec)
    compare(each, (place(currents, *spec),), by_hand(currents))
    compare(run, (place(currents, *spec),), want)  # with explicit axes
print("neurons")
"""


def test_meshes_of_devices():
    """Where the loop itself is divided; test_jax_primitives.py does the same with the kernels."""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_ENABLE_X64": "0"}
    flags |= {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "SYNANN_KERNELS": "off"}
    done = python(MESHES, timeout=500, **flags)
    assert done == ["contraction", "neurons"]


def product(y, beta):
    return y @ beta.T


def tensor(y, beta):
    return syn.synapse_tensor(0.5, y, 1.0, beta)


def surprisal_tensor(v, gamma):
    return syn.surprisal_synapse_tensor(0.5, v, 0.0, gamma)


# Each formula, and the loop without the kernels for a logarithm and for what is made of one.
CASES = [
    (product, ""),
    (syn.log_transmission, ""),
    (syn.log_transmission, "off"),
    (tensor, ""),
    (surprisal_tensor, "off"),
]


def problem():
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.uniform(0.1, 0.9, size)) for size in ((5, 6), (3, 6))]


@pytest.mark.parametrize(("function", "kernels"), CASES)
def test_exports_for_any_number_of_rows(function, kernels, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    y, beta = problem()
    rows, more = jax.export.symbolic_shape("rows, more")

    def loss(y, beta):
        return jnp.sum(jnp.sin(function(y, beta)))

    for shape, given in (((rows, 6), y), ((rows, more, 6), jnp.stack([y, 0.5 * y]))):
        types = [jax.ShapeDtypeStruct(s, "float64") for s in (shape, (3, 6))]
        for f in (function, jax.grad(loss, (0, 1))):
            exported = jax.export.deserialize(jax.export.export(jax.jit(f))(*types).serialize())
            for got, want in zip(
                jax.tree.leaves(exported.call(given, beta)),
                jax.tree.leaves(f(given, beta)),
                strict=True,
            ):
                assert_close(got, want, 50 * EPS["float64"])


@pytest.mark.parametrize("neuron", [LIF(0.9), LIF(0.9, synaptic_decay=0.5, adaptation=0.1)])
def test_neurons_exported_for_any_number_of_samples(neuron):
    currents = jnp.asarray(np.random.default_rng(0).normal(0.2, 0.5, (4, 3, 2)))
    (rows,) = jax.export.symbolic_shape("rows")

    def run(currents):
        return neuron.run(currents)[0]

    def gradient(currents):
        return jax.grad(lambda c: jnp.sum(neuron.run(c)[1].membrane ** 2))(currents)

    for f in (run, gradient):
        kind = jax.ShapeDtypeStruct((4, rows, 2), "float64")
        exported = jax.export.export(jax.jit(f))(kind)
        assert_close(exported.call(currents), f(currents), 50 * EPS["float64"])


@pytest.mark.parametrize(("function", "kernels"), CASES)
def test_checkify_sees_no_nan_where_no_result_has_one(function, kernels, monkeypatch):
    """Also where factors are closed, and in gradients."""
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    y, beta = problem()
    closed = y.at[2, 1].set(0.0 if function is surprisal_tensor else 1.0)
    weights = beta.at[1, 1].set(0.0 if function is surprisal_tensor else 1.0)

    def loss(y, beta):
        return jnp.sum(jnp.exp(-jnp.abs(function(y, beta))))

    for given in ((y, beta), (closed, weights)):
        for f in (function, jax.grad(loss, (0, 1))):
            error, got = checkify.checkify(jax.jit(f), errors=checkify.float_checks)(*given)
            assert error.get() is None
            assert not any(bool(jnp.isnan(a).any()) for a in jax.tree.leaves(got))
    outside = y.at[0, 0].set(jnp.nan)
    error, got = checkify.checkify(function, errors=checkify.nan_checks)(outside, beta)
    assert bool(jnp.isnan(got).any())


def test_checkify_of_neurons():
    currents = jnp.asarray(np.random.default_rng(0).normal(0.2, 0.5, (4, 3, 2)))

    def run(currents):
        return jnp.sum(LIF(0.9).run(currents)[0])

    for f in (run, jax.grad(run)):
        error, _ = checkify.checkify(f, errors=checkify.float_checks)(currents)
        assert error.get() is None

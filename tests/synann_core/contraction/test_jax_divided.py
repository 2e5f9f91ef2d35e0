"""The contraction on several devices of JAX: who computes, what is sent, and the right numbers."""

import jax
import jax.numpy as jnp
import pytest

from synann_core.contraction import jax_divided, jax_primitives
from tests.synann_core.contraction.test_native import kernels_on
from tests.synann_core.contraction.test_native_processes import python

__all__ = ["kernels_on"]  # a fixture, for every test here too

START = r"""
import re
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import synann_core as syn

f, eps = syn.log_transmission, 2.0**-23
rng = np.random.default_rng(0)
y, beta = (jnp.asarray(rng.uniform(0.1, 0.9, s), "float32") for s in ((16, 12), (8, 12)))
loss = lambda f: lambda y, b: jnp.sum(jnp.sin(f(y, b)))
gradients = jax.grad(loss(f), (0, 1))


def compare(function, arrays, want, calls, reductions=None, limit=100):
    # The numbers, the kernels that are called, and how often all devices wait for each other.
    compiled = jax.jit(function).lower(*arrays).compile()
    text = compiled.as_text()
    used = set(re.findall(r'custom_call_target="synann_(\w+)"', text))
    assert used == set(calls.split()), (used, calls)
    if reductions is not None:
        assert len(re.findall(r"all-reduce(?:-start)?\(", text)) == reductions
        assert " while(" not in text
    found = compiled(*arrays)
    for got, expected in zip(jax.tree.leaves(found), jax.tree.leaves(want), strict=True):
        assert got.shape == expected.shape
        error = np.abs(np.asarray(got) - expected).max()
        assert error <= limit * eps * np.abs(expected).max(), error
    return found


def meshes(*sizes):
    for kind in (AxisType.Auto, AxisType.Explicit):
        names = "de"[: len(sizes)]
        mesh = jax.make_mesh(sizes, tuple(names), axis_types=(kind,) * len(sizes))
        yield mesh, lambda a, *axes: jax.device_put(a, NamedSharding(mesh, P(*axes)))
"""

DIVIDED = r"""
tangent = lambda y, b: jax.jvp(f, (y, b), (y**2, b**3))[1]
surprisal = lambda y, b: syn.surprisal_synapse_tensor(0.0, -jnp.log(y), 0.0, -jnp.log(b))
both = "log_product gradients"
functions = (
    (f, "log_product", (0, 0)),
    (gradients, both, (1, 1)),
    (tangent, "tangent", (0, 0)),
    (jax.grad(loss(surprisal), (0, 1)), both, (1, 1)),
    (lambda *a: syn.log_transmission_vjp(*a, jnp.ones((16, 8), "float32")), "gradients", (1, 1)),
)
for mesh, place in meshes(4, 2):
    explicit = mesh.axis_types[0] == AxisType.Explicit
    for rows, outputs in (("d", None), (None, "d"), (("d", "e"), None), ("e", "d"))[explicit:]:
        ys, bs = place(y, rows), place(beta, outputs)
        assert syn.log_transmission_variant(ys, bs) == "native"
        for function, calls, counts in functions:
            # Once for the gradient of y where outputs are divided, and of β where rows are.
            count = sum(n for n, axis in zip(counts, (outputs, rows)) if axis)
            found = compare(function, (ys, bs), function(y, beta), calls, count, limit=4)
        assert found[0].sharding.is_equivalent_to(ys.sharding, 2)
        assert found[1].sharding.is_equivalent_to(bs.sharding, 2)
    # The same numbers for every device: no sums.
    np.testing.assert_array_equal(f(place(y, "d"), place(beta, "e")), f(y, beta))

    hessian = jax.hessian(loss(f))
    many = jax.vmap(gradients, (0, None))
    for ys, bs in ((place(y, "d"), place(beta)), (place(y), place(beta, "d"))):
        calls = "log_product" if explicit else "log_product tangent"
        compare(hessian, (ys, bs), hessian(y, beta), calls)
        stack = lambda a, b: (jnp.stack([a, 0.5 * a]), b)
        want = many(*stack(y, beta))
        compare(lambda a, b: many(*stack(a, b)), (ys, bs), want, "" if explicit else both)

# What the rule does not divide: axes that y and β share, inputs, and rows that are not even.
mesh, place = next(meshes(4, 2))
for y_spec, b_spec in ((("d",), ("d",)), ((None, "d"), (None, "d")), (("d", "e"), ("e", "d"))):
    arrays = place(y, *y_spec), place(beta, *b_spec)
    compare(f, arrays, f(y, beta), "log_product", 0, limit=0)
    compare(gradients, arrays, gradients(y, beta), both, limit=4)
uneven = jax.jit(lambda a: jax.lax.with_sharding_constraint(a[:14], NamedSharding(mesh, P("d"))))


def of_uneven(function):
    return lambda a, b: function(uneven(a), b)


compare(of_uneven(gradients), (y, beta), gradients(y[:14], beta), both, limit=4)
print("done")
"""

SHARD_MAPS = r"""
for mesh, place in meshes(8):
    ys, bs = place(y, "d"), place(beta)
    want, want_gradients = f(y, beta), gradients(y, beta)
    for check in (True, False):
        # Rows over the devices, and outputs.
        for y_spec, b_spec, spec in ((P("d"), P(), P("d")), (P(), P("d"), P(None, "d"))):
            options = dict(in_specs=(y_spec, b_spec), out_specs=spec, check_vma=check)
            each = jax.shard_map(f, mesh=mesh, **options)
            arrays = place(y, *y_spec), place(beta, *b_spec)
            compare(each, arrays, want, "log_product")
            compare(jax.grad(loss(each), (0, 1)), arrays, want_gradients, "log_product gradients")
    options = dict(in_specs=(P("d"), P()), out_specs=(P("d"), P()))
    inner = jax.shard_map(gradients, mesh=mesh, **options)
    compare(inner, (ys, bs), want_gradients, "log_product gradients")
# Some axes are the map's own, and XLA divides over the others: the scan.
mesh, place = next(meshes(4, 2))
options = dict(mesh=mesh, axis_names={"d"}, in_specs=(P("d"), P()), out_specs=P("d"))
compare(jax.shard_map(f, **options), (place(y, "d"), place(beta, "e")), f(y, beta), "")
print("done")
"""

WITHOUT = r"""
ones = jnp.ones((16, 8), "float32")
functions = f, gradients, jax.hessian(loss(f)), lambda *a: syn.log_transmission_vjp(*a, ones)
wants = [function(y, beta) for function in functions]
explicit = jax.config.jax_use_shardy_partitioner  # which it needs
for mesh, place in list(meshes(4, 2))[: 1 + explicit]:
    for rows, outputs in (("d", None), ("d", "e")):
        ys, bs = place(y, rows), place(beta, outputs)
        assert syn.log_transmission_variant(ys, bs) == "jax-scan"
        for function, want in zip(functions, wants, strict=True):
            compare(function, (ys, bs), want, "")
print("done")
"""


def on_eight_devices(code, **environment):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_ENABLE_X64": "0"}
    assert python(START + code, timeout=400, **flags, **environment) == ["done"]


@pytest.mark.parametrize("code", [DIVIDED, SHARD_MAPS], ids=["divided", "shard_map"])
def test_devices_compute_their_parts(code):
    on_eight_devices(code)


@pytest.mark.parametrize("variable", ["SYNANN_KERNELS=off", "JAX_USE_SHARDY_PARTITIONER=0"])
def test_the_scan_is_divided_without_the_rule(variable):
    """Without kernels, and on a JAX that divides by other means."""
    on_eight_devices(WITHOUT, **dict([variable.split("=")]))


def test_types_of_one_device_name_no_axes():
    y, beta = (jax.typeof(jnp.ones(shape, "float32")) for shape in ((4, 6), (3, 6)))
    assert jax_divided.serves(y, beta)
    shapes = {
        "log_product": [(4, 3), (4, 3)],
        "tangent": [(4, 3)],
        "gradients": [(4, 6), (3, 6)],
    }
    for name, want in shapes.items():
        assert [a.shape for a in jax_divided.result_types(name, y, beta)] == want


def test_a_jax_without_its_list(monkeypatch):
    """Of primitives that ask for devices, which is not public: the scan serves as before."""
    import jax._src.dispatch as dispatch

    monkeypatch.delattr(dispatch, "prim_requires_devices_during_lowering")
    assert not jax_divided.register(jax_primitives._primitives().values())

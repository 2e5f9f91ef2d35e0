"""The contraction as primitives of JAX, which the compiled kernels evaluate on a CPU.

There are three: the values, their tangent, and the gradients, which are each other's transposes.
XLA calls the kernels (native/xla.c) where it compiles for CPUs: on each device's own part of the
arrays where there are several (jax_divided.py). Elsewhere the array-API branch takes their place,
whose operations it can export: on GPUs, in exports, and in second derivatives.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from array_api_compat import device

from synann_core._lib.loops import mesh_axes
from synann_core._lib.typing import Array, Namespace
from synann_core.contraction import array_api, jax_divided
from synann_core.contraction.factors import Factors
from synann_core.native import host

# Who else computes each, and what it takes behind the factors: arrays of rows (r) or outputs (m).
_KINDS: dict[str, tuple[Any, str]] = {
    "log_product": (array_api.forward, ""),
    "tangent": (array_api.jvp, "rm"),
    "gradients": (array_api.vjp, "r"),
}


def serves(*arrays: Any) -> bool:
    """Whether there are kernels, an XLA that takes them, and no type that these do not take."""
    if not (host.enabled() and host.installed() and _primitives()):
        return False
    divides = _divides()  # in any case: from now on JAX says on which devices
    y, _, beta, *_ = arrays
    named = any(map(mesh_axes, arrays))
    return not named or (divides and jax_divided.serves(y, beta))


def computes(*arrays: Any) -> bool:
    """Whether the kernels compute the numbers; of traced arrays, on the default device."""
    import jax

    places = [device(a) or jax.devices()[0] for a in arrays]
    several = [getattr(place, "device_set", (place,)) for place in places]
    if any(len(devices) > 1 for devices in several) and not _divides():
        return False
    return all(getattr(one, "platform", "") == "cpu" for devices in several for one in devices)


def forward(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j, exact and with every f kept from 0; both (rows, m)."""
    exact, guarded = _bind("log_product", factors)
    return exact, guarded


def vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/f and −Σ_b t y/f."""
    gy, gbeta = _bind("gradients", factors, grad)
    return gy, gbeta


def jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    """Tangent −Σ_j (β dy + y dβ)/f."""
    tangent: Array = _bind("tangent", factors, dy, dbeta)[0]
    return tangent


def _bind(name: str, factors: Factors, *others: Any) -> Any:
    import jax
    import jax.numpy as jnp

    arrays: list[Any] = [a for a in (*factors[:4], *others) if a is not None]
    if getattr(getattr(jax.sharding, "get_abstract_mesh", tuple)(), "manual_axes", ()):
        # In a shard_map: let all vary over the axes that any of them varies over.
        anchor = sum(jnp.sum(a) for a in arrays)
        arrays = [jnp.where(True, a, anchor) for a in arrays]
    options = {"floor": factors.floor, "group": factors.group, "both": True}
    return _primitives()[name].bind(*arrays, **options)


@functools.cache
def _divides() -> bool:
    """Whether XLA divides the primitives over the devices of a mesh by our rule."""
    return jax_divided.register(_primitives().values())


@functools.cache
def _primitives() -> dict[str, Any]:
    """The primitives by name; none where XLA does not take the kernels."""
    try:
        import jax
        from jax.extend.core import Primitive
        from jax.interpreters import ad

        for name in _KINDS:
            handler = getattr(host.kernels, f"xla_{name}")
            jax.ffi.register_ffi_target(f"synann_{name}", handler, platform="cpu")
    except Exception:  # JAX without this interface, or with another version of it
        return {}
    made = {name: Primitive(f"synann_{name}") for name in _KINDS}
    for name, primitive in made.items():
        _define(name, primitive)

    def value_jvp(arrays: Any, tangents: Any, **options: Any) -> Any:
        moved = (ad.instantiate_zeros(tangents[k]) for k in (0, len(arrays) // 2))
        tangent = made["tangent"].bind(*arrays, *moved, **options)[0]
        return made["log_product"].bind(*arrays, **options), [tangent, tangent]

    def tangent_transpose(upstream: Any, *arrays: Any, both: bool, **options: Any) -> Any:
        *own, dy, dbeta = arrays
        asked = [ad.is_undefined_primal(a) for a in (dy, dbeta)]
        grad = ad.instantiate_zeros(upstream[0])
        found = made["gradients"].bind(*own, grad, both=asked[1], **options)
        return [None] * len(own) + [g if ask else None for g, ask in zip(found, asked, strict=True)]

    def gradients_transpose(upstream: Any, *arrays: Any, **options: Any) -> Any:
        moved = map(ad.instantiate_zeros, upstream)
        return [None] * (len(arrays) - 1) + made["tangent"].bind(*arrays[:-1], *moved, **options)

    ad.primitive_jvps[made["log_product"]] = value_jvp
    ad.primitive_transposes[made["tangent"]] = tangent_transpose
    ad.primitive_transposes[made["gradients"]] = gradients_transpose
    return made


def _define(name: str, primitive: Any) -> None:
    """Say how to evaluate, type, lower and batch a primitive, and differentiate its other form."""
    import jax
    import jax.numpy as jnp
    from jax.interpreters import ad, batching, mlir

    evaluate, others = _KINDS[name]

    def scan(*arrays: Any, floor: float, group: int, both: bool) -> Any:
        own = arrays[: len(arrays) - len(others)]
        y, y_bar, beta, beta_bar = own if len(own) == 4 else (own[0], None, own[1], None)
        factors = Factors(y, y_bar, beta, beta_bar, floor, group)
        found = evaluate(factors, *arrays[len(own) :], xp=jnp)
        return list(found) if isinstance(found, tuple) else [found]

    def types(*arrays: Any, **options: Any) -> Any:
        own = (len(arrays) - len(others)) // 2
        return jax_divided.result_types(name, arrays[0], arrays[own])

    def jvp(arrays: Any, tangents: Any, **options: Any) -> Any:
        moved = tuple(map(ad.instantiate_zeros, tangents))
        found = jax.jvp(functools.partial(scan, **options), tuple(arrays), moved)[1]
        return primitive.bind(*arrays, **options), found

    def batch(arrays: Any, axes: Any, *, both: bool, **options: Any) -> Any:
        """All rows in one call where β is the same for all of them; else one call after the other.

        Only if both gradients are asked for does anybody look at that of β. Arrays whose types name
        axes of a mesh cannot be joined to more rows: the scan takes them as they are.
        """
        named = [a.aval.sharding.mesh for a in arrays if mesh_axes(a)]
        if named:
            with jax.sharding.use_abstract_mesh(named[0]):
                found = jax.vmap(functools.partial(scan, both=both, **options), axes)(*arrays)
            return found, [0] * len(found)
        own = (len(arrays) - len(others)) // 2
        kinds, run = "r" * own + "m" * own + others, functools.partial(primitive.bind, both=both)
        given, batched = list(arrays), [k for k, axis in enumerate(axes) if axis is not None]
        for k in batched:
            given[k] = jnp.moveaxis(given[k], axes[k], 0)
        size, rows = given[batched[0]].shape[0], given[0].shape[-2]
        if any(kinds[k] == "m" for k in batched) or (both and name == "gradients"):

            def one(parts: Any) -> Any:
                now = dict(zip(batched, parts, strict=True))
                return run(*(now.get(k, a) for k, a in enumerate(given)), **options)

            found = jax.lax.map(one, [given[k] for k in batched])
            return found, [0] * len(found)
        for k, a in enumerate(given):
            if kinds[k] == "r":
                given[k] = jax.lax.collapse(jnp.broadcast_to(a, (size, *a.shape[-2:])), 0, 2)
        found = run(*given, **options)
        shared = found[1:] if name == "gradients" else []
        stacked = [a.reshape(size, rows, a.shape[1]) for a in found[: len(found) - len(shared)]]
        return stacked + shared, [0] * len(stacked) + [None] * len(shared)

    slow = mlir.lower_fun(scan, multiple_results=True)
    kernels = jax.ffi.ffi_lowering(f"synann_{name}")

    def run_kernels(context: Any, *operands: Any, floor: float, **options: Any) -> Any:
        return kernels(context, *operands, floor=np.float64(floor))

    def lower(alone: Any, context: Any, *operands: Any, **options: Any) -> Any:
        module = context.module_context
        axes = module.axis_context  # XLA divides the computation over those that are not manual
        names = getattr(axes, "mesh", None) and set(axes.mesh.axis_names) - set(axes.manual_axes)
        if module.lowering_parameters.for_export or names:
            return slow(context, *operands, **options)
        if getattr(axes, "num_devices", 1) == 1:
            return alone(context, *operands, **options)
        if _divides() and axes.device_assignment and axes.abstract_mesh is not None:
            divided = jax_divided.lowering(primitive, name, len(operands), **options)
            return divided(context, *operands)
        return slow(context, *operands, **options)

    jitted = jax.jit(primitive.bind, static_argnames=("floor", "group", "both"))

    def run_at_once(*arrays: Any, **options: Any) -> Any:
        with jax.disable_jit(False):  # else it would come here again
            return jitted(*arrays, **options)

    primitive.multiple_results = True
    primitive.def_impl(run_at_once)
    primitive.def_abstract_eval(types)
    mlir.register_lowering(primitive, functools.partial(lower, slow))
    mlir.register_lowering(primitive, functools.partial(lower, run_kernels), platform="cpu")
    batching.primitive_batchers[primitive] = batch
    if name != "log_product":
        ad.primitive_jvps[primitive] = jvp

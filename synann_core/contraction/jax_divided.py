"""Divide the contraction's primitives over the devices of a mesh.

Rows and outputs do not depend on each other: each device evaluates a primitive on its own rows and
its own outputs, with all inputs. What sums over one of them is added up over the devices once: the
gradient of y over outputs, that of β over rows. Without this rule XLA divides the loop over inputs
instead, whose backward pass waits for all devices at each of its steps.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from synann_core._lib.loops import mesh_axes

# Dimensions of what a primitive takes behind its factors, and of its results: rows r, outputs m,
# inputs n. The factors are one array of y (r n) and one of β (m n), or two of each.
_OTHERS: dict[str, list[str]] = {"log_product": [], "tangent": ["r n", "m n"], "gradients": ["r m"]}
_RESULTS = {"log_product": ["r m", "r m"], "tangent": ["r m"], "gradients": ["r n", "m n"]}


def register(primitives: Any) -> bool:
    """Let JAX say, where it lowers these primitives, on which devices; whether this JAX can."""
    try:
        import jax
        from jax._src.dispatch import prim_requires_devices_during_lowering as asking

        if not jax.config.jax_use_shardy_partitioner:
            return False
        asking.update(primitives)
    except (ImportError, AttributeError):  # a JAX before Shardy, or with another inside
        return False
    return True


def serves(y: Any, beta: Any) -> bool:
    """Whether the rule divides y and β: by rows and outputs, over different axes.

    Types name axes of a mesh where these are explicit. What the rule does not take JAX refuses, as
    for a product of matrices, or divides by other means.
    """
    import jax

    if not hasattr(jax.sharding, "use_abstract_mesh"):  # which a vmap over such types needs
        return False
    rows, outputs = mesh_axes(y), mesh_axes(beta)
    return not any(rows[1:] + outputs[1:]) and not set(_names(rows)) & set(_names(outputs))


def result_types(name: str, y: Any, beta: Any) -> list[Any]:
    """Types of a primitive's results, divided as y and β are."""
    sizes = {"r": y.shape[0], "m": beta.shape[0], "n": y.shape[1]}
    axes = {"r": (*mesh_axes(y), None)[0], "m": (*mesh_axes(beta), None)[0], "n": None}
    found = []
    for dims in map(str.split, _RESULTS[name]):
        changes: dict[str, Any] = {"shape": tuple(sizes[d] for d in dims), "weak_type": False}
        if any(axes.values()):
            changes["sharding"] = _sharding((y if axes["r"] else beta).sharding.mesh, axes, dims)
        found.append(y.update(**changes))
    return found


def _sharding(mesh: Any, axes: Any, dims: Any) -> Any:
    from jax.sharding import NamedSharding, PartitionSpec

    return NamedSharding(mesh, PartitionSpec(*(axes[d] or None for d in dims)))


@functools.cache
def lowering(primitive: Any, name: str, operands: int, **options: Any) -> Any:
    """Return what lowers a primitive with these options to a program that XLA divides."""
    import jax
    from jax.experimental.custom_partitioning import custom_partitioning
    from jax.interpreters import mlir

    factors = (operands - len(_OTHERS[name])) // 2
    taken, given = ["r n"] * factors + ["m n"] * factors + _OTHERS[name], _RESULTS[name]
    evaluate = functools.partial(primitive.bind, **options)

    def partition(mesh: Any, arrays: Any, results: Any) -> Any:
        axes = {"r": _even_axes(arrays[0]), "m": _even_axes(arrays[factors]), "n": ()}
        if set(axes["r"]) & set(axes["m"]):
            axes["m"] = ()

        def own_part(*parts: Any) -> Any:
            found = evaluate(*parts)
            if name != "gradients":
                return tuple(found)
            over = axes["m"], axes["r"]
            pairs = zip(found, over, strict=True)
            return tuple(jax.lax.psum(part, names) if names else part for part, names in pairs)

        places = [
            tuple(_sharding(mesh, axes, dims.split()) for dims in side) for side in (given, taken)
        ]
        return mesh, own_part, *places

    function = custom_partitioning(lambda *arrays: tuple(evaluate(*arrays)))
    function.def_partition(partition, sharding_rule=f"{', '.join(taken)} -> {', '.join(given)}")
    return mlir.lower_fun(function, multiple_results=True)


def _even_axes(array: Any) -> tuple[str, ...]:
    """Axes that divide the rows of an array; none if some devices had padded rows, which count."""
    names = _names((*array.sharding.spec, None))
    size = math.prod(array.sharding.mesh.shape[name] for name in names)
    return names if array.shape[0] % size == 0 else ()


def _names(spec: tuple[Any, ...]) -> tuple[str, ...]:
    """Names of the axes that divide the first dimension."""
    first = spec[0] if spec else None
    return (first,) if isinstance(first, str) else tuple(first or ())

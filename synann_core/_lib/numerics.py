"""Elementary functions on any array library, accurate where the plain formula is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import device, is_jax_namespace, is_numpy_namespace

from synann_core._lib.autodiff import attach, stop_gradient
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.torch_modes import (
    dispatch_mode_active,
    exports_to_onnx,
    is_torch_namespace,
    torch_values_known,
)
from synann_core._lib.typing import Array, Namespace, Shape

_FEW = 1024
LOG_5_8 = -0.4700036292457356


def accumulation_dtype(dtype: Any, xp: Namespace) -> Any:
    """Dtype to compute in: 16-bit floats are computed in float32."""
    return xp.float32 if xp.finfo(dtype).bits < 32 else dtype


def constant(value: float, like: Array, xp: Namespace) -> Array:
    """0-d array with the dtype and device of `like`."""
    return xp.asarray(value, dtype=like.dtype, device=device(like))


def row_count(y: Array) -> int:
    """Rows of (..., n) without its batch axes; −1, for `reshape`, where a graph does not know."""
    rows = 1
    for size in y.shape[:-1]:
        if size is None:
            return -1
        rows *= size
    return rows


def sum_to_shape(value: Array, shape: Shape, xp: Namespace) -> Array:
    """Undo broadcasting: sum `value` over the axes along which `shape` was repeated."""
    extra = value.ndim - len(shape)
    repeated = (k for k, size in enumerate(value.shape) if size != 1)
    axes = tuple(k for k in repeated if k < extra or shape[k - extra] == 1)
    if not (extra or axes):
        return value
    return xp.reshape(xp.sum(value, axis=axes) if axes else value, shape)


def expm1(w: Array, xp: Namespace) -> Array:
    """``e^w − 1``, accurate where w is small."""
    if not exports_to_onnx(xp):
        return xp.expm1(w)
    rounded = xp.exp(w)  # ONNX has no expm1 either
    small = (rounded - 1.0) * (w / xp.log(rounded))
    near = xp.where(rounded == 1.0, w, small)
    return xp.where(xp.abs(w) < 0.5, near, rounded - 1.0)


def log_one_minus(q: Array, xp: Namespace) -> Array:
    """Return log(1 − q), for q ≤ ½."""
    if exports_to_onnx(xp):  # which has no log1p; the exporter would write log(1 − q)
        rounded = 1.0 - q
        return xp.where(rounded == 1.0, -q, -q * (xp.log(rounded) / (rounded - 1.0)))
    if not (is_jax_namespace(xp) and q.dtype == xp.float64):
        return xp.log1p(-q)
    # XLA's float64 log1p is 125 ulp off between −0.41 and −0.3; log ⅝ + log1p stays inside ±0.2.
    shift = q > 0.25
    value = xp.log1p(xp.where(shift, (0.375 - q) / 0.625, -q))
    return xp.where(shift, LOG_5_8 + value, value)


def softplus(z: Array, xp: Namespace) -> Array:
    """Return log(1 + e^z)."""
    if exports_to_onnx(xp):  # which has no logaddexp; the exporter's overflows
        return xp.clip(z, 0.0, None) + log_one_minus(-xp.exp(-xp.abs(z)), xp)
    return xp.logaddexp(z, constant(0.0, z, xp))


def log_complement(p: Array, q: Array, smooth: Array, xp: Namespace) -> Array:
    """Return log p where q = 1 − p is known as well: relatively accurate at both ends.

    log1p(−q) where q < ½ and log p = log ½ + log 2p elsewhere, each term being 0 or log ½ where the
    other one rules: on NumPy much faster than a choice by `where`. Derivatives are those of
    log `smooth`, which is p kept away from 0.
    """
    half, one = constant(0.5, p, xp), constant(1.0, p, xp)
    value = log_one_minus(xp.minimum(q, half), xp) + xp.log(xp.minimum(p + p, one))
    return attach(value, lambda: xp.log(smooth), xp)


def ordered_product(t: Array, a: Array, b: Array, xp: Namespace) -> Array:
    """Return tab, which is lost on the way only where it is no ordinary number itself.

    a comes first as long as ta is an ordinary number. Elsewhere a small t takes the larger of a and
    b first, and a large t the smaller one: if that underflows or overflows, so does the whole.
    """
    first = t * a
    info, size = xp.finfo(first.dtype), xp.abs(stop_gradient(first, xp))
    # Of a factor 0, as images have many, nothing is lost in either order.
    lost = (size < float(info.smallest_normal)) & (t != 0.0) & (a != 0.0)
    lost = lost | (size > float(info.max))
    # Nearly always, and what follows takes much longer. (Compared, for torch may trace this: its
    # compiler warns of the cache from which array_api_compat answers.)
    if xp is numpy_namespace and not xp.any(lost):
        return first * b
    a_first = ~lost | ((xp.abs(a) >= xp.abs(b)) == (xp.abs(t) <= 1.0))
    return (t * xp.where(a_first, a, b)) * xp.where(a_first, b, a)


def surprisal_floor(dtype: object, xp: Namespace) -> float:
    """Smallest 1 − p that gradients in surprisal space divide by.

    Its reciprocal leaves a factor 1/eps of headroom below overflow, so that no sum of gradients can
    turn into inf − inf.
    """
    info = xp.finfo(dtype)
    return float(info.smallest_normal) / float(info.eps)


def add_with_error(a: Array, b: Array, xp: Namespace) -> tuple[Array, Array]:
    """Sum a + b and its rounding error (two-sum), 0 where the sum is not finite."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    return total, stop_gradient(xp.where(xp.isfinite(total), error, 0.0), xp)


def cheap_to_look_at(xp: Namespace, *arrays: Any) -> bool:
    """Whether numbers can be looked at now, with no wait for a device; None stands for none."""
    if not is_torch_namespace(xp):
        return bool(is_numpy_namespace(xp))
    given = [a for a in arrays if a is not None]
    seen = all(torch_values_known(a) and a.device.type == "cpu" for a in given)
    return seen and not dispatch_mode_active()


def known_below(most: float, a: Any) -> bool:
    """Whether all numbers of an array that nobody watches are seen to be at most so large.

    NumPy's array, or torch's tensor. NaN is not, and a device is not waited for.
    """
    if not isinstance(a, np.ndarray):
        import torch

        if not (type(a) is torch.Tensor and a.is_cpu):
            return False
        a = a.numpy(force=True)  # whose operations on a few numbers take a fifth of torch's time
    # Of few numbers the sum of squares says it in a tenth of the time.
    if a.size <= _FEW and np.vdot(a, a) <= most * most:
        return True
    return bool(np.all(np.abs(a) <= most))


def known_inside(xp: Namespace, *arrays: Any) -> bool:
    """Whether all numbers are seen to be in [0, 1]: to choose between ways to the same bits."""
    return cheap_to_look_at(xp, *arrays) and all(_all_inside(a, xp) for a in arrays)


def _all_inside(a: Array, xp: Namespace) -> bool:
    """Whether all numbers are in [0, 1]: NaN, which the least and the largest become, is not."""
    own = stop_gradient(a, xp)
    return 0 in own.shape or (float(xp.min(own)) >= 0.0 and float(xp.max(own)) <= 1.0)


def halves(a: Array, xp: Namespace) -> tuple[Array, Array]:
    """Two parts, high + low = a, whose products with other such parts are exact (Veltkamp).

    They are constants to autodiff. Above the dtype's maximum/2^12 (float64: 2^27), and on JAX where
    XLA would flush it, the low part is 0.
    """
    a = stop_gradient(a, xp)
    digits = 1 - round(math.log2(float(xp.finfo(a.dtype).eps)))  # 24 or 53; 11 or 8 of 16 bits
    split = -(-digits // 2)
    if is_jax_namespace(xp):
        from jax import lax

        # XLA may fuse a product and a sum, and then the split below finds nothing to split.
        exponents = int(xp.finfo(a.dtype).bits) - digits
        high = lax.reduce_precision(a, exponents, digits - split - 1)
        least = float(xp.finfo(a.dtype).smallest_normal) * 2.0 ** (split + 1)
        high = xp.where(xp.abs(a) < least, a, high)
    else:
        shifted = a * (2.0**split + 1.0)
        high = shifted - (shifted - a)
    fits = xp.isfinite(high)
    return xp.where(fits, high, a), xp.where(fits, a - high, 0.0)


def minus_product(start: Array, a: tuple[Array, Array], b: tuple[Array, Array]) -> Array:
    """Return start − ab from the `halves` of a and b: with start 1, to an ulp wherever ab ≈ 1.

    It is the same whether a library fuses products and sums or not, as each product is exact.
    """
    (a_high, a_low), (b_high, b_low) = a, b
    middle = a_high * b_low + a_low * b_high
    return ((start - a_high * b_high) - middle) - a_low * b_low


def transmission(y: Array, beta: Array, xp: Namespace) -> Array:
    """Return 1 − βy, to a few ulp also where βy is close to 1, with the derivatives −β and −y.

    In [0, 1] nothing cancels in (1 − y) + y(1 − β). Elsewhere 1 − y and y(1 − β) may be huge, and
    βy is subtracted exactly.
    """
    own, strength = stop_gradient(y, xp), stop_gradient(beta, xp)
    value = (1.0 - own) + own * (1.0 - strength)
    if not known_inside(xp, own, strength):
        inside = (own >= 0.0) & (own <= 1.0) & (strength >= 0.0) & (strength <= 1.0)
        if cheap_to_look_at(xp, own, strength):  # few numbers are outside, as a rule
            # Of NumPy or torch, and nobody else's: written in place.
            chosen: Any = xp.asarray(value)
            own, strength = (xp.broadcast_to(a, chosen.shape)[~inside] for a in (own, strength))
            chosen[~inside] = _outer_transmission(own, strength, xp)
            value = chosen
        else:
            value = xp.where(inside, value, _outer_transmission(own, strength, xp))
    return attach(value, lambda: _finite_transmission(y, beta, xp), xp)


def _outer_transmission(y: Array, beta: Array, xp: Namespace) -> Array:
    plain = 1.0 - y * beta
    # A power of two from one to the other, where the parts of the larger one would overflow or
    # those of the smaller one underflow.
    shift = 2.0 ** (math.floor(math.log2(float(xp.finfo(plain.dtype).max))) // 2 + 1)
    one, up, down = (constant(v, plain, xp) for v in (1.0, shift, 1.0 / shift))
    a = xp.where(xp.abs(y) > shift, down, xp.where(xp.abs(beta) > shift, up, one))
    b = xp.where(xp.abs(y) > shift, up, xp.where(xp.abs(beta) > shift, down, one))
    split = minus_product(xp.ones_like(plain), halves(y * a, xp), halves(beta * b, xp))
    # Infinities, and what overflows, follow the formula.
    return xp.where(xp.isfinite(split), split, plain)


def _finite_transmission(y: Array, beta: Array, xp: Namespace) -> Array:
    q = y * beta
    return 1.0 - xp.where(xp.isfinite(q), q, 0.0)

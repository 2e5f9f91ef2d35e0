"""What Numba does not offer: fused multiply-add, and a logarithm made of operations that vectorise.

Each emits LLVM instructions for the type it is given. Nothing here is "fast math": every operation
is rounded as IEEE 754 says, so that a result does not depend on the width of the vectors, on the
loop's remainder, or on the processor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


class _Format(NamedTuple):
    """A binary floating-point format, and what a logarithm in it needs."""

    mantissa: int  # bits after the leading one
    sqrt_half: int  # bits of √½
    terms: int  # of the series of artanh, for arguments below (√2 − 1)/(√2 + 1)
    ln2_high: float  # few enough bits that its product with an exponent is exact
    ln2_low: float


_FORMATS = {
    types.float32: _Format(23, 0x3F3504F3, 5, 0.693359375, -2.12194440e-4),
    types.float64: _Format(
        52, 0x3FE6A09E667F3BCD, 10, 0.693147180369123816490, 1.90821492927058770002e-10
    ),
}


@intrinsic  # type: ignore[untyped-decorator]
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c with one rounding, for floats of one type."""
    if not (isinstance(a, types.Float) and a == b == c):
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, b, c), codegen


@intrinsic  # type: ignore[untyped-decorator]
def split_exponent(typingctx: Any, p: Any) -> Any:
    """(m, k) with p = m·2^k and m in [√½, √2), for normal p > 0; both floats of p's type."""
    if p not in _FORMATS:
        return None
    form = _FORMATS[p]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real, integer = context.get_value_type(p), ir.IntType(p.bitwidth)
        bits = builder.bitcast(args[0], integer)
        offset = builder.sub(bits, ir.Constant(integer, form.sqrt_half))
        k = builder.ashr(offset, ir.Constant(integer, form.mantissa))
        m = builder.sub(bits, builder.shl(k, ir.Constant(integer, form.mantissa)))
        parts = builder.bitcast(m, real), builder.sitofp(k, real)
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(p, 2)(p), codegen


@intrinsic  # type: ignore[untyped-decorator]
def log_from(typingctx: Any, s: Any, k: Any) -> Any:
    """k·log 2 + 2·artanh(s) for |s| ≤ (√2 − 1)/(√2 + 1)."""
    if s not in _FORMATS or s != k:
        return None
    form = _FORMATS[s]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        s, k = args
        z = builder.fmul(s, s)
        series = ir.Constant(s.type, 1 / (2 * form.terms + 1))
        for term in range(form.terms - 1, 0, -1):
            series = builder.fma(series, z, ir.Constant(s.type, 1 / (2 * term + 1)))
        twice = builder.fadd(s, s)
        value = builder.fma(builder.fmul(twice, z), series, twice)
        value = builder.fma(k, ir.Constant(s.type, form.ln2_low), value)
        return builder.fma(k, ir.Constant(s.type, form.ln2_high), value)

    return s(s, k), codegen

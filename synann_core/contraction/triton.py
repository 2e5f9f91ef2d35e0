"""The contraction of CUDA arrays (torch, CuPy) by Triton kernels: shapes, memory and launches.

Tiles depend on m, n and the dtype alone, so that every batch runs through the same compiled code.
With TRITON_INTERPRET=1 the kernels run on a CPU, slowly: a way to test their arithmetic.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from array_api_compat import device, is_cupy_array, is_torch_array

from synann_core._lib.typing import Array, Namespace
from synann_core.contraction import array_api
from synann_core.contraction.factors import Factors

if TYPE_CHECKING:
    from torch import Tensor

# Factors per logarithm, and terms of a gradient per exactly added sum.
_BLOCK = 32
# Programs that fill a large GPU.
_PROGRAMS = 512


def serves(*arrays: Array | None) -> bool:
    """Whether the kernels can work on these arrays.

    Parameters
    ----------
    *arrays : array
        Of any library; None stands for none.

    Returns
    -------
    bool
        True for torch and CuPy arrays of float32 or float64 on one CUDA device of compute
        capability 8.0 or more, where Triton (and for CuPy, torch) can be imported. With
        TRITON_INTERPRET=1 also for torch's CPU tensors.
    """
    given = [a for a in arrays if a is not None]
    return all(map(_fits, given)) and len({str(device(a)) for a in given}) < 2 and _importable()


def forward(factors: Factors, *, xp: Namespace) -> tuple[Array, Array]:
    """Sum of log f over j.

    Parameters
    ----------
    factors : Factors
        In probability space (``group == 4``) ȳ and β̄ are not looked at.

    Returns
    -------
    exact : array, shape (rows, m)
        −inf where a factor is 0, NaN where one is negative or NaN.
    guarded : array, shape (rows, m)
        With every factor kept from 0: at least `factors.floor` in probability space, the smallest
        normal number in surprisal space. Equal to `exact` where no factor is 0, negative or NaN.
    """
    return _on_torch(functools.partial(_log_product, floor=factors.floor), *_arrays(factors))


def vjp(factors: Factors, grad: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """Gradients −Σ_i t β/max(f, floor) and −Σ_b t y/max(f, floor).

    Parameters
    ----------
    factors : Factors
        In probability space (``group == 4``) ȳ and β̄ are not looked at.
    grad : array, shape (rows, m)
        The upstream gradient t.

    Returns
    -------
    gy : array, shape (rows, n)
        A row's bits do not depend on the rest of the batch.
    gbeta : array, shape (m, n)
        The same bits in every run.
    """
    run = functools.partial(_log_product_vjp, floor=factors.floor)
    return _on_torch(run, *_arrays(factors), grad)


def jvp(factors: Factors, dy: Array, dbeta: Array, *, xp: Namespace) -> Array:
    """Tangent −Σ_j (β dy + y dβ)/f, (rows, m); no kernel of its own."""
    return array_api.jvp(factors, dy, dbeta, xp=xp)


def _importable() -> bool:
    try:
        _kernels()
    except ImportError:
        return False
    return True


@functools.cache
def _kernels() -> Any:
    from synann_core.contraction import triton_kernels

    return triton_kernels


def _fits(a: Tensor) -> bool:
    if is_torch_array(a):
        import torch

        if a.dtype not in (torch.float32, torch.float64):
            return False
        if not a.is_cuda:
            return a.device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"
        return torch.version.cuda is not None and _capable(a.device.index)
    if not is_cupy_array(a) or a.dtype.name not in ("float32", "float64"):
        return False
    try:
        import torch
    except ImportError:
        return False
    return torch.version.cuda is not None and _capable(a.device.id)


@functools.cache
def _capable(device: int) -> bool:
    import torch

    return bool(torch.cuda.get_device_capability(device) >= (8, 0))


def _arrays(factors: Factors) -> tuple[Tensor, ...]:
    if factors.group > 1:  # the complements would only take memory
        return factors.y, None, factors.beta, None
    return factors.y, factors.y_bar, factors.beta, factors.beta_bar


def _on_torch(
    function: Callable[..., tuple[Tensor, Tensor]], *arrays: Tensor
) -> tuple[Tensor, Tensor]:
    """Call on torch tensors, on the arrays' device and their library's current stream."""
    import torch

    if is_torch_array(arrays[0]):
        with torch.cuda.device_of(arrays[0]):  # memory is read as it lies, without a lazy minus
            return function(*(a if a is None else a.resolve_neg() for a in arrays))
    import cupy

    def to_torch(a: Tensor) -> Tensor:
        # torch has no negative strides.
        return a if a is None else torch.from_dlpack(cupy.ascontiguousarray(a))

    with _stream_of(arrays[0]):
        first, second = function(*map(to_torch, arrays))
        return cupy.from_dlpack(first), cupy.from_dlpack(second)


@contextmanager
def _stream_of(a: Tensor) -> Iterator[None]:
    """CuPy's current stream as torch's: neither library reuses memory the other still reads."""
    import cupy
    import torch

    with a.device, torch.cuda.device(a.device.id):
        pointer = cupy.cuda.get_current_stream().ptr
        default = torch.cuda.default_stream()
        with torch.cuda.stream(torch.cuda.ExternalStream(pointer) if pointer else default):
            yield


def _log_product(
    y: Tensor, y_bar: Tensor, beta: Tensor, beta_bar: Tensor, *, floor: float
) -> tuple[Tensor, Tensor]:
    import torch

    (rows, n), m = y.shape, beta.shape[0]
    exact, guarded = y.new_empty((rows, m)), y.new_empty((rows, m))
    if 0 in (rows, m, n):
        return exact.zero_(), guarded.zero_()
    surprisal = y_bar is not None
    smallest = torch.finfo(y.dtype).smallest_normal
    # In probability space four factors of at least `floor` are met between looks at the product,
    # in surprisal space one that may be as small as the smallest normal number.
    step = 1 if surprisal else 4
    scale = 1 / smallest if surprisal else floor**-step
    height, width = _tile(m, y.dtype.itemsize, 1024)
    row_tiles, output_tiles = -(-rows // height), -(-m // width)
    terms = -(-n // step) * step
    y, y_bar = (_laid_out(a, terms, row_tiles * height) for a in _transposed(y, y_bar))
    beta, beta_bar = (
        _laid_out(a, terms, output_tiles * width) for a in _transposed(beta, beta_bar)
    )
    kernels = _kernels()
    kernels.log_product_kernel[(row_tiles, output_tiles)](
        y,
        y_bar if surprisal else y,
        beta,
        beta_bar if surprisal else beta,
        exact,
        guarded,
        rows,
        m,
        terms,
        row_tiles,
        output_tiles,
        SURPRISAL=surprisal,
        FLOOR=smallest if surprisal else floor,
        LOW=1.0 if surprisal else smallest / floor**step,
        SCALE=scale,
        LOG_SCALE=math.log(scale),
        STEP=step,
        BLOCK=_BLOCK,
        BITS=kernels.integer(8 * y.dtype.itemsize),
        ROWS=height,
        OUTPUTS=width,
    )
    return exact, guarded


def _log_product_vjp(
    y: Tensor, y_bar: Tensor, beta: Tensor, beta_bar: Tensor, grad: Tensor, *, floor: float
) -> tuple[Tensor, Tensor]:
    gy = _gradient(y, y_bar, beta, beta_bar, grad.T, floor=floor, parts=1)
    # The strengths are often few enough to leave most of a GPU idle: the batch is split then. The
    # partial sums take no more memory than _PROGRAMS tiles.
    height, width = _gradient_tile(beta.shape[1], y.dtype.itemsize)
    tiles = -(-beta.shape[0] // height) * -(-beta.shape[1] // width)
    parts = _PROGRAMS // max(tiles, 1)
    gbeta = _gradient(beta, beta_bar, y, y_bar, grad, floor=floor, parts=parts)
    return gy, gbeta


def _gradient(
    own: Tensor,
    own_bar: Tensor,
    other: Tensor,
    other_bar: Tensor,
    grad: Tensor,
    *,
    floor: float,
    parts: int,
) -> Tensor:
    """−Σ_k grad_kr other_kj / max(f, floor), shaped like `own`: in `parts` sums, then added."""
    (rows, n), terms = own.shape, other.shape[0]
    if 0 in (rows, n, terms):
        return own.new_zeros((rows, n))
    surprisal = own_bar is not None
    height, width = _gradient_tile(n, own.dtype.itemsize)
    row_tiles, column_tiles = -(-rows // height), -(-n // width)
    blocks = -(-terms // _BLOCK)
    chunk = -(-blocks // max(parts, 1)) * _BLOCK
    parts = -(-terms // chunk)
    terms += terms % 2
    own, own_bar = (a if a is None else _aligned(a.contiguous()) for a in (own, own_bar))
    other, other_bar = (_laid_out(a, terms, column_tiles * width) for a in (other, other_bar))
    result = own.new_empty((parts, rows, n))
    _kernels().gradient_kernel[(row_tiles, column_tiles, parts)](
        own,
        own_bar if surprisal else own,
        other,
        other_bar if surprisal else other,
        _laid_out(grad, terms, row_tiles * height),
        result,
        rows,
        n,
        terms,
        row_tiles,
        column_tiles,
        chunk,
        SURPRISAL=surprisal,
        FLOOR=floor,
        BLOCK=_BLOCK,
        ROWS=height,
        COLUMNS=width,
    )
    return result[0] if parts == 1 else result.sum(0)


def _tile(columns: int, itemsize: int, size: int) -> tuple[int, int]:
    """Rows and columns of a program's tile: `size` float32 numbers, or half as many float64."""
    width = min(max(1 << (columns - 1).bit_length(), 16), 64)
    return size * 4 // itemsize // width, width


def _gradient_tile(columns: int, itemsize: int) -> tuple[int, int]:
    # Large tiles load less, small ones make more programs where the result is narrow.
    return _tile(columns, itemsize, 2048 if columns > 512 else 1024)


def _transposed(*arrays: Tensor) -> tuple[Tensor, ...]:
    return tuple(a if a is None else a.T for a in arrays)


def _laid_out(a: Tensor, rows: int, columns: int) -> Tensor:
    """Contiguous and aligned, with zeros up to the given shape."""
    if a is None or tuple(a.shape) == (rows, columns):
        return a if a is None else _aligned(a.contiguous())
    padded = a.new_zeros((rows, columns))
    padded[: a.shape[0], : a.shape[1]] = a
    return padded


def _aligned(a: Tensor) -> Tensor:
    """At an address that Triton takes as aligned: otherwise it would compile another kernel."""
    return a.clone() if a.data_ptr() % 16 else a

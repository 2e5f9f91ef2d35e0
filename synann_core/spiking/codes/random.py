"""Random numbers that are the same on every array library, by counting instead of by state.

The generator is Threefry-2x32 with 20 rounds: a block cipher that turns a key and a counter into 64
random bits. Number i of a call is the block of counter i, so that nothing depends on the order in
which numbers are drawn, and the first numbers of a larger array are those of a smaller one.

Functions raise TypeError or ValueError for a number, a key, a shape or a dtype of another kind or
out of its range.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import device, is_jax_namespace

from synann_core._lib.arguments import check_plain, check_shape, silence
from synann_core._lib.checks import check_int
from synann_core._lib.loops import runner
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.typing import AnyArray, Array, ArrayT, Namespace, Shape

_PARITY = 0x1BD11BDA
_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
# Eager libraries make 140 temporaries of this many numbers: they stay in the second-level cache.
_CHUNK = 1 << 15


def random_key(seed: int, *, xp: Namespace = np, device: Any = None) -> Any:
    """Return a key as an array, to pass into a jitted function; elsewhere the seed will do.

    Parameters
    ----------
    seed : int
        In [0, 2⁶⁴).
    xp : namespace
        The array library.
    device : device, optional
        Of that library.

    Returns
    -------
    array, shape (2,), int32
        The seed's upper and lower 32 bits (as ``jax.random.PRNGKey`` has them, there unsigned).

    Examples
    --------
    >>> from synann_core.spiking import random_key
    >>> random_key(7)
    array([0, 7], dtype=int32)
    """
    return _words("seed", seed, xp, device)


def fold_in(key: int | ArrayT, data: int) -> int | ArrayT:
    """Return the key of another, independent stream, for one layer, one step or one sample, say.

    Parameters
    ----------
    key : int in [0, 2⁶⁴), or integer array of shape (2,)
        See `random_uniform`.
    data : int
        Number of the stream, in [0, 2⁶⁴).

    Returns
    -------
    int, or array of shape (2,) and dtype int32
        As `key` is. The bits of ``jax.random.fold_in`` (which takes 32 bits of data).

    Examples
    --------
    >>> from synann_core.spiking import fold_in
    >>> fold_in(0, 0) == 0x6B20015999BA4EFE
    True
    """
    xp, key_words = _key_words(key, None, None)
    counter = _words("data", data, xp, device(key_words[0]))
    with silence(xp):
        words: Any = xp.concat(_threefry(*key_words, counter[0:1], counter[1:2]))
    if isinstance(key, int | np.integer):
        upper, lower = (int(w) % 2**32 for w in words)
        return upper << 32 | lower
    folded: ArrayT = words
    return folded


def random_uniform(
    key: int | AnyArray,
    shape: Shape,
    *,
    dtype: Any = None,
    xp: Namespace | None = None,
    device: Any = None,
) -> Any:
    """Draw uniform random numbers in [0, 1), bit-identical on every library, eager or compiled.

    Parameters
    ----------
    key : int in [0, 2⁶⁴), or integer array of shape (2,)
        Same key, same numbers. An array (`random_key`, or a raw key of JAX) may be traced.
    shape : tuple of int
        Fewer than 2³¹ numbers.
    dtype : float32 or float64 of the library, optional
        Its default floating-point type if not given.
    xp : namespace, optional
        The array library; the key's if that is an array, else NumPy.
    device : device, optional
        Of that library.

    Returns
    -------
    array
        Multiples of 2⁻²⁴ (float32) or 2⁻⁵³ (float64): the leading bits of the same 64, so that
        float32 numbers are the float64 ones, truncated. Number i, in C order, depends on the key
        and on i alone.

    Notes
    -----
    Threefry-2x32-20 of J. Salmon, M. Moraes, R. Dror and D. Shaw, "Parallel random numbers: as easy
    as 1, 2, 3", SC 2011. The 64 bits are those of ``jax.random.bits`` with the default threefry
    implementation. Not for cryptography.

    Examples
    --------
    >>> from synann_core.spiking import random_uniform
    >>> random_uniform(0, (2, 2)).round(4)
    array([[0.4185, 0.2163],
           [0.9653, 0.5745]])
    """
    xp, words = _key_words(key, xp, device)
    if not isinstance(shape, tuple):
        raise TypeError(f"`shape` must be a tuple of int. Received: {shape!r}")
    shape = tuple(check_int("shape", size, 0) for size in shape)
    if (count := math.prod(shape)) >= 2**31:
        raise ValueError(f"`shape` must hold fewer than 2**31 numbers. Received: {shape}")
    dtype = xp.empty(0).dtype if dtype is None else dtype
    if dtype not in (xp.float32, xp.float64):
        raise TypeError(f"`dtype` must be float32 or float64. Received: {dtype}")
    chunk = count if is_jax_namespace(xp) else _CHUNK
    draw = runner(_uniform, xp)
    with silence(xp):
        parts = [
            draw(*words, start=start, stop=min(start + chunk, count), dtype=dtype, xp=xp)
            for start in range(0, max(count, 1), max(chunk, 1))
        ]
        return xp.reshape(parts[0] if len(parts) == 1 else xp.concat(parts), shape)


def _uniform(k0: Array, k1: Array, *, start: int, stop: int, dtype: Any, xp: Namespace) -> Array:
    low = xp.arange(start, stop, dtype=xp.int32, device=device(k0))
    upper, lower = _threefry(k0, k1, xp.zeros_like(low), low)
    # Every sum is exact: the parts do not overlap, and together fit the significand.
    number = xp.astype(_shift_right(upper, 8), dtype) * 2.0**-24
    if dtype == xp.float64:
        number = number + xp.astype(upper & 0xFF, dtype) * 2.0**-32
        number = number + xp.astype(_shift_right(lower, 11), dtype) * 2.0**-53
    return number


def _threefry(k0: Array, k1: Array, x0: Array, x1: Array) -> tuple[Array, Array]:
    """64 random bits for each counter (x0, x1), in two int32 words.

    int32 that wraps around stands for uint32, for which torch has hardly any arithmetic.
    """
    keys = k0, k1, k0 ^ k1 ^ _PARITY
    x0, x1 = x0 + k0, x1 + k1
    for group in range(5):
        for r in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = ((x1 << r) | _shift_right(x1, 32 - r)) ^ x0
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + (keys[(group + 2) % 3] + (group + 1))
    return x0, x1


def _shift_right(x: Array, bits: int) -> Array:
    """Shift to the right as of an unsigned number: zeros, not copies of the sign, come in."""
    return (x >> bits) & ((1 << (32 - bits)) - 1)


def _key_words(
    key: Any, xp: Namespace | None, device: Any
) -> tuple[Namespace, tuple[Array, Array]]:
    """Namespace, and the two words of the key, each of shape (1,): NumPy's scalars would warn."""
    if isinstance(key, int | np.integer):
        # Users pass numpy or torch, which lack names that their wrappers have.
        xp = array_namespace((np if xp is None else xp).empty(0))
        words = _words("key", key, xp, device)
        return xp, (words[0:1], words[1:2])
    check_plain("key", key)
    try:
        xp = array_namespace(key)
    except TypeError:
        raise TypeError(
            f"`key` must be an int or an integer array. Received: {type(key).__qualname__}"
        ) from None
    if key.dtype not in (xp.int32, xp.uint32):
        raise TypeError(f"`key` must be an int or of int32 or uint32. Received: {key.dtype}")
    check_shape("key", key, 2)
    words = xp.astype(key, xp.int32)
    return xp, (words[0:1], words[1:2])


def _words(name: str, value: Any, xp: Namespace, device: Any) -> Array:
    """Upper and lower 32 bits of a number, as an int32 array."""
    value = check_int(name, value, 0)
    signed = [w - 2**32 if w >= 2**31 else w for w in (value >> 32, value % 2**32)]
    return xp.asarray(signed, dtype=xp.int32, device=device)

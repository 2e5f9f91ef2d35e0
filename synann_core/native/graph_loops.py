"""Loops over a graph in topological order, compiled.

Beside a product p of factors runs its complement c = 1 − p, which is the more accurate one while p
is close to 1; of more than 32 factors, blocks are multiplied. Values stand flat, the rows of the
batch side by side for each node, so that they share what is read of the graph. All indices are
unsigned: Numba would look for negative ones, which doubled the time.

Where nothing underflows, derivatives divide the value by the factor. Where a factor is 0, or the
product too small to tell, they are products of the other factors, by a pass from either end. Which
way is taken depends on the row and the neuron alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synann_core._lib.typing import NumpyArray as Array
from synann_core.native.compile import njit
from synann_core.native.intrinsics import fma

BLOCK = np.uint64(32)
ONE = np.uint64(1)


@njit
def forward(s: Array, rows: Any, alpha: Array, beta: Array, graph: Any) -> None:
    """Write the neurons' values.

    Parameters
    ----------
    s : array, shape (nodes · rows,), the inputs filled in
    rows : unsigned integer
    alpha : array, one entry a neuron
    beta : array, one entry an inhibitory edge
    graph : (excitatory indptr, indices, inhibitory indptr, indices), unsigned, in topological order
    """
    strong, sources, weak, readings = graph
    half, one, zero = s.dtype.type(0.5), s.dtype.type(1), s.dtype.type(0)
    nan = s.dtype.type(np.nan)
    first = np.uint64(s.size) - np.uint64(alpha.size) * rows
    for j in range(alpha.size):
        i = np.uint64(j)
        e0, e1, k0, k1 = strong[i], strong[i + ONE], weak[i], weak[i + ONE]
        few = e1 - e0 + k1 - k0 <= BLOCK
        for r in range(rows):
            if few:
                p, c = one, zero
                for e in range(e0, e1):
                    f = s[sources[e] * rows + r]
                    c = fma(_complement(one - f, nan), p, c)
                    p *= f
                for k in range(k0, k1):
                    y, b = s[readings[k] * rows + r], beta[k]
                    c = fma(_complement(b * y, nan), p, c)
                    p *= fma(-b, y, one)
            else:
                p, c = _by_blocks(s, rows, r, beta, graph, i)
            s[first + i * rows + r] = alpha[i] * (one - c if c < half else p)


@njit
def _complement(q: Any, nan: Any) -> Any:
    """Of a factor f = 1 − q, or NaN, which rules it out, where gains made f leave [0, 1].

    The complement of a product of such factors would cancel.
    """
    return q if (q >= type(q)(0)) & (q <= type(q)(1)) else nan


@njit
def _by_blocks(s: Array, rows: Any, r: Any, beta: Array, graph: Any, i: Any) -> Any:
    """Product of a neuron's factors and its complement."""
    strong, sources, weak, readings = graph
    half, one, zero = s.dtype.type(0.5), s.dtype.type(1), s.dtype.type(0)
    nan = s.dtype.type(np.nan)
    product, rest = one, zero
    for start in range(strong[i], strong[i + ONE], BLOCK):
        p, c = one, zero
        for e in range(start, min(start + BLOCK, strong[i + ONE])):
            f = s[sources[e] * rows + r]
            c = fma(_complement(one - f, nan), p, c)
            p *= f
        rest = fma(c, product, rest)
        product *= one - c if c < half else p
    for start in range(weak[i], weak[i + ONE], BLOCK):
        p, c = one, zero
        for k in range(start, min(start + BLOCK, weak[i + ONE])):
            y, b = s[readings[k] * rows + r], beta[k]
            c = fma(_complement(b * y, nan), p, c)
            p *= fma(-b, y, one)
        rest = fma(c, product, rest)
        product *= one - c if c < half else p
    return product, rest


@njit
def backward(
    s: Array,
    g: Array,
    rows: Any,
    alpha: Array,
    beta: Array,
    graph: Any,
    galpha: Array,
    gbeta: Array,
) -> None:
    """Turn the gradients g of all nodes' values, by outputs alone, into those of the inputs.

    Parameters
    ----------
    s : array, shape (nodes · rows,), as `forward` leaves it
    g : array, shape (nodes · rows,); holds the gradients of all nodes in the end
    rows, alpha, beta, graph
        As for `forward`.
    galpha, gbeta : arrays, one entry a neuron and an inhibitory edge, to which is added
    """
    strong, sources, weak, readings = graph
    one = s.dtype.type(1)
    first = np.uint64(s.size) - np.uint64(alpha.size) * rows
    info = np.finfo(s.dtype)
    # Where a value is at least this, no factor is 0 and no product of them has lost digits.
    least = s.dtype.type(info.tiny / info.eps)
    most = one / least
    factors, before = np.empty(0, s.dtype), np.empty(0, s.dtype)
    for j in range(alpha.size):
        i = np.uint64(alpha.size - 1 - j)
        e0, e1, k0, k1 = strong[i], strong[i + ONE], weak[i], weak[i + ONE]
        a = alpha[i]
        plain = least < a < most
        for r in range(rows):
            at = first + i * rows + r
            up, value = g[at], s[at]
            if plain and abs(value) > least:
                galpha[i] += up * (value / a)
                for e in range(e0, e1):
                    node = sources[e] * rows + r
                    g[node] += up * (value / s[node])
                for k in range(k0, k1):
                    node, b = readings[k] * rows + r, beta[k]
                    y = s[node]
                    ratio = up * (value / fma(-b, y, one))
                    g[node] -= ratio * b
                    gbeta[k] -= ratio * y
            else:
                if e1 - e0 + k1 - k0 > factors.size:
                    factors = np.empty(e1 - e0 + k1 - k0, s.dtype)
                    before = np.empty(e1 - e0 + k1 - k0, s.dtype)
                galpha[i] += up * _products(s, rows, r, beta, graph, i, factors, before)
                _pass_on(s, g, rows, r, beta, graph, i, up * a, factors, before, gbeta)


@njit
def _products(
    s: Array,
    rows: Any,
    r: Any,
    beta: Array,
    graph: Any,
    i: Any,
    factors: Array,
    before: Array,
) -> Any:
    """Write factors and, for each, the product of those before it; return that of all."""
    strong, sources, weak, readings = graph
    one = s.dtype.type(1)
    product, n = one, np.uint64(0)
    for e in range(strong[i], strong[i + ONE]):
        before[n], factors[n] = product, s[sources[e] * rows + r]
        product *= factors[n]
        n += ONE
    for k in range(weak[i], weak[i + ONE]):
        before[n], factors[n] = product, fma(-beta[k], s[readings[k] * rows + r], one)
        product *= factors[n]
        n += ONE
    return product


@njit
def _pass_on(
    s: Array,
    g: Array,
    rows: Any,
    r: Any,
    beta: Array,
    graph: Any,
    i: Any,
    after: Any,
    factors: Array,
    before: Array,
    gbeta: Array,
) -> None:
    """Add to the gradients of a neuron's inputs; `after` begins as its own times α."""
    strong, sources, weak, readings = graph
    e0, e1, k0, k1 = strong[i], strong[i + ONE], weak[i], weak[i + ONE]
    n = e1 - e0 + k1 - k0
    for step in range(k1 - k0):
        k = k1 - ONE - step
        n -= ONE
        node, b = readings[k] * rows + r, beta[k]
        others = after * before[n]
        y = s[node]
        g[node] -= others * b
        gbeta[k] -= others * y
        after *= factors[n]
    for step in range(e1 - e0):
        n -= ONE
        g[sources[e1 - ONE - step] * rows + r] += after * before[n]
        after *= factors[n]


@njit
def tangents(
    s: Array,
    ds: Array,
    rows: Any,
    alpha: Array,
    dalpha: Array,
    beta: Array,
    dbeta: Array,
    graph: Any,
) -> None:
    """Write the neurons' tangents into ds, in which those of the inputs stand.

    By the product rule for one factor after the other; s as `forward` leaves it.
    """
    strong, sources, weak, readings = graph
    half, one, zero = s.dtype.type(0.5), s.dtype.type(1), s.dtype.type(0)
    nan = s.dtype.type(np.nan)
    first = np.uint64(s.size) - np.uint64(alpha.size) * rows
    for j in range(alpha.size):
        i = np.uint64(j)
        for r in range(rows):
            product, slope = one, zero
            for start in range(strong[i], strong[i + ONE], BLOCK):
                p, c, d = one, zero, zero
                for e in range(start, min(start + BLOCK, strong[i + ONE])):
                    node = sources[e] * rows + r
                    f = s[node]
                    d = fma(d, f, p * ds[node])
                    c = fma(_complement(one - f, nan), p, c)
                    p *= f
                p = one - c if c < half else p
                slope = fma(slope, p, product * d)
                product *= p
            for start in range(weak[i], weak[i + ONE], BLOCK):
                p, c, d = one, zero, zero
                for k in range(start, min(start + BLOCK, weak[i + ONE])):
                    node, b = readings[k] * rows + r, beta[k]
                    y = s[node]
                    f = fma(-b, y, one)
                    d = fma(d, f, -p * (b * ds[node] + dbeta[k] * y))
                    c = fma(_complement(b * y, nan), p, c)
                    p *= f
                p = one - c if c < half else p
                slope = fma(slope, p, product * d)
                product *= p
            ds[first + i * rows + r] = alpha[i] * slope + dalpha[i] * product


@njit
def move(values: Array, places: Array, out: Array, start: Any, stop: Any) -> None:
    """Write ``values[k]`` to ``out[places[k]]`` for start ≤ k < stop; no place twice."""
    for k in range(start, stop):
        out[places[k]] = values[k]

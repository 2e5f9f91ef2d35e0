"""Fused multiply-add, exponents and logarithms, as LLVM emits them."""

import math
from fractions import Fraction

import numpy as np
import pytest

from synann_core.native.compile import njit
from synann_core.native.intrinsics import fma, log_from, split_exponent


@njit
def fused(a, b, c):
    return fma(a, b, c)


@njit
def parts(p):
    return split_exponent(p)


@njit
def logarithm(p):
    m, k = split_exponent(p)
    one = type(p)(1)
    return log_from((m - one) / (m + one), k)


def test_fma_rounds_once():
    rng = np.random.default_rng(0)
    for a, b in rng.random((50, 2)):
        c = -(a * b)  # the product's own rounding error is what is left
        exact = Fraction(a) * Fraction(b) + Fraction(c)
        assert Fraction(fused(a, b, c)) == exact


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_number_is_its_mantissa_times_a_power_of_two(kind):
    smallest = np.finfo(kind).smallest_normal
    for p in [smallest, kind(0.5), kind(1), kind(math.sqrt(2)), kind(3e30)]:
        m, k = parts(p)
        assert kind(math.sqrt(0.5)) <= m <= kind(math.sqrt(2))
        assert kind(math.ldexp(float(m), int(k))) == p


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_logarithm_is_within_two_ulp(kind):
    p = np.geomspace(1e-30, 1e30, 1001).astype(kind)
    got = np.array([logarithm(x) for x in p])
    want = np.log(p.astype(np.float64))
    assert np.all(np.abs(got - want) <= 2 * np.finfo(kind).eps * np.maximum(np.abs(want), 1e-3))

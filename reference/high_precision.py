"""The formulas in high precision, and the distance of a float from such a value.

Functions take Python floats, exactly as given, and return an mpf. Outside the domain it is NaN, and
at a pole it is inf.
"""

import functools

import mpmath
import numpy as np
from mpmath import mp, mpf

# The sum or product of two doubles of like size needs 106 bits; 60 digits are 200. Where one is
# negligible beside the other (1 − 1e-300), log1p and expm1 still see the small one.
DIGITS = 60
# Leading zeros that a row may have: doubles have at most 1,074, and their products twice as many.
LONGEST = 2200


def _precise(function):
    """Convert the arguments, compute with DIGITS digits, and map poles and complex values."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with mp.workdps(DIGITS):
            exact = [_exact(argument) for argument in args]
            named = {name: _exact(argument) for name, argument in kwargs.items()}
            try:
                value = function(*exact, **named)
            except ZeroDivisionError:
                return mpf("inf")
            return mp.nan if isinstance(value, mpmath.mpc) else value

    return wrapper


def _exact(argument):
    return argument if isinstance(argument, mpf) else mpf(float(argument))


@_precise
def surprisal(p):
    """−log p."""
    return -mpmath.log(p)


@_precise
def probability(u):
    """e^(−u)."""
    return mpmath.exp(-u)


@_precise
def complement(w):
    """−log(1 − e^(−w)), in the form that keeps the digits at either end."""
    if w < mpmath.log(2):
        return -mpmath.log(-mpmath.expm1(-w))
    return -mpmath.log1p(-mpmath.exp(-w))


@_precise
def bose_einstein(energy, chemical_potential=0):
    """1/(e^w − 1) at w = energy − chemical potential."""
    return 1 / mpmath.expm1(energy - chemical_potential)


@_precise
def odds(p):
    """p/(1 − p)."""
    return p / (1 - p)


@_precise
def logit(p):
    """log p − log(1 − p)."""
    return mpmath.log(p) - mpmath.log1p(-p)


@_precise
def expit(z):
    """1/(1 + e^(−z))."""
    return 1 / (1 + mpmath.exp(-z))


@_precise
def odds_ratio(p, q):
    """odds(p)/odds(q)."""
    return p * (1 - q) / (q * (1 - p))


@_precise
def swap_ratio(x, y, beta=1):
    """S(x, y)/S(y, x)."""
    return x * (1 - beta * y) / (y * (1 - beta * x))


@_precise
def synapse(x, y, alpha=1, beta=1):
    """α x (1 − β y)."""
    return alpha * x * (1 - beta * y)


@_precise
def surprisal_synapse(u, v, theta=0, gamma=0):
    """(θ + u) + G(γ + v)."""
    return theta + u + complement(gamma + v)


def log_transmission_row(y, beta_row):
    """T = Σ_j log(1 − β_j y_j) for one sample and one output."""
    pairs = list(zip(*_rows_of_mpf(y, beta_row), strict=True))
    with mp.workdps(DIGITS):
        products = [b * a for a, b in pairs]
        bits = mp.prec + _leading_zeros(max(products, default=mpf(1)))
    with mp.workprec(bits):
        return _log_of_product([1 - b * a for a, b in pairs])


def surprisal_transmission_row(v, gamma_row):
    """T = Σ_j log(1 − e^(−(γ_j + v_j))) for one sample and one output: z is θ + u − T."""
    pairs = list(zip(*_rows_of_mpf(v, gamma_row), strict=True))
    with mp.workdps(DIGITS):
        energies = [b + a for a, b in pairs]
        bits = mp.prec + _leading_zeros(mpmath.exp(-min(energies, default=mpf(0))))
    with mp.workprec(bits):
        return _log_of_product([-mpmath.expm1(-(b + a)) for a, b in pairs])


log_transmission = log_transmission_row


def surprisal_sum(v_row, gamma_row):
    """Σ_j G(γ_j + v_j), what the inhibition adds to z."""
    # A minus sign alone would round to the precision outside.
    return mpmath.fneg(surprisal_transmission_row(v_row, gamma_row), exact=True)


def _rows_of_mpf(first, second):
    return ([mpf(float(a)) for a in row] for row in (first, second))


def _leading_zeros(largest):
    """Bits that 1 − q spends on its ones before the largest q begins, and some for rounding."""
    # |T| is at least the largest q, so that digits lost in 1 − q for a smaller q do not matter.
    # 20 bits are for 10,000 roundings of the product, in which T is one logarithm, and so fast.
    zeros = -int(mpmath.mag(largest)) if 0 < largest < 1 else 0
    return 20 + min(zeros, LONGEST)


def _log_of_product(factors):
    # Two negative factors would make a positive product.
    if any(not factor >= 0 for factor in factors):
        return mp.nan
    product = mpf(1)
    for factor in factors:
        product *= factor
    return mpmath.log(product)


def ulp_error(got, exact, dtype=np.float64):
    """|got − exact| in units in the last place of the exact value rounded to dtype.

    The unit is never below the spacing at the smallest normal number. NaN and infinities agree with
    themselves (0), also where the exact value overflows in dtype, and with nothing else (inf).
    """
    dtype = np.dtype(dtype)
    got = float(got)
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.asarray(float(exact)).astype(dtype)[()]
    if np.isnan(rounded) or np.isnan(got):
        return 0.0 if np.isnan(rounded) and np.isnan(got) else float("inf")
    if np.isinf(rounded) or np.isinf(got):
        return 0.0 if float(rounded) == got else float("inf")
    smallest = np.finfo(dtype).smallest_normal
    unit = float(np.spacing(max(abs(rounded), smallest)))
    with mp.workdps(DIGITS):
        return float(abs(mpf(got) - exact) / mpf(unit))

"""Where the element-wise functions are measured, and how far from mpmath they may be.

4 units in the last place, 8 on JAX. Measured with these points: at most 2.9 on NumPy (float32
complement of a sum: NumPy's float32 exp alone is 1.7 off), 2.6 on torch, 4.2 on JAX (float32
Bose-Einstein: XLA's expm1 alone is 3.5 off).
"""

import functools

import mpmath
import numpy as np

from tests.helpers import EPS, TINY, spread

# e^(−700) has 1,010 leading zero bits, and G of it needs its own 64 on top; a bit to spare.
PRECISION = 1400
# One size for all sets of points: XLA compiles anew for every shape.
SIZE = 512
LOG_2 = float(np.log(2))
# The largest surprisals whose probability is still a normal number.
TOP = {"float64": 700.0, "float32": 80.0}


@functools.cache
def probabilities(dtype, seed=0, size=125):
    """From the smallest normal number to 1 − eps: every magnitude of p, of 1 − p and of p − ½."""
    rng = np.random.default_rng(seed)
    tiny, eps = TINY[dtype], EPS[dtype]
    half = 0.5 + rng.choice([-1, 1], size) * spread(rng, eps / 4, 0.3, size)
    ends = [tiny, 2 * tiny, eps, 0.25, 0.5, 0.75, 1 - eps, 1 - 2 * eps, 0.5 + eps, 0.5 - eps / 4]
    p = np.concatenate(
        [spread(rng, tiny, 1, size), 1 - spread(rng, eps, 1, size), half, rng.random(size), ends]
    ).astype(dtype)
    return np.resize(p[(p >= tiny) & (p <= 1 - eps)], SIZE)


@functools.cache
def surprisals(dtype, seed=0, size=125):
    """From the smallest normal number to 700 (80): every magnitude of w and of w − log 2."""
    rng = np.random.default_rng(seed)
    tiny, eps, top = TINY[dtype], EPS[dtype], TOP[dtype]
    middle = LOG_2 + rng.choice([-1, 1], size) * spread(rng, eps / 2, 0.3, size)
    # log 2 and 40 are where formulas change.
    ends = [tiny, LOG_2, np.nextafter(LOG_2, 0), np.nextafter(LOG_2, 1), 40, 40 * (1 + eps), top]
    w = np.concatenate(
        [spread(rng, tiny, top, size), rng.uniform(0, top, size), middle, ends]
    ).astype(dtype)
    return np.resize(w[(w >= tiny) & (w <= top)], SIZE)


def shuffled(points, dtype, count, seed=1):
    """`count` columns of the same points, each in another order: all magnitudes meet."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(points(dtype, seed=k)) for k in range(count)]


def near_one(dtype, count, seed=2, size=SIZE):
    """Columns of numbers just below 1, where 1 − βy cancels."""
    rng = np.random.default_rng(seed)
    return [(1 - spread(rng, EPS[dtype], 0.1, size)).astype(dtype) for _ in range(count)]


_EXACT = {}


def exact(name, formula, columns):
    """The formula in high precision, as (head + tail)·2^exponent with head in [1, 2).

    Kept, because many libraries ask for the same points.
    """
    key = (name, columns[0].dtype, *(hash(c.tobytes()) for c in columns))
    if key not in _EXACT:
        with mpmath.workprec(PRECISION):
            values = [
                formula(*map(mpmath.mpf, row))
                for row in zip(*(c.tolist() for c in columns), strict=True)
            ]
            exponents = [int(mpmath.frexp(v)[1]) - 1 for v in values]
            values = [mpmath.ldexp(v, -e) for v, e in zip(values, exponents, strict=True)]
            heads = [float(v) for v in values]
            tails = [float(v - head) for v, head in zip(values, heads, strict=True)]
        _EXACT[key] = np.array(heads), np.array(tails), np.array(exponents)
    return _EXACT[key]


def ulp_errors(got, head, tail, exponent):
    """Distance in units in the last place of the exact value; 0 is compared absolutely."""
    bits = np.finfo(got.dtype).nmant
    # Scaled by a power of two, so that nothing rounds; two steps, as 2^−exponent may overflow.
    got = np.ldexp(np.ldexp(got.astype(np.float64), -exponent // 2), -exponent - (-exponent // 2))
    with np.errstate(invalid="ignore"):
        errors = np.abs((got - head) - tail) * 2.0**bits
    return np.where(np.isfinite(got), errors, np.inf)


def check_ulp(xp, name, function, formula, columns, *, limit=None):
    """`function` on a library against `formula` in high precision.

    Where the exact value leaves the normal numbers no promise is made (XLA flushes them to 0).
    """
    dtype = columns[0].dtype.name
    got = xp.call(function, *(xp.asarray(c, dtype) for c in columns))
    xp.check(got, dtype, columns[0].shape)
    head, tail, exponent = exact(name, formula, columns)
    info = np.finfo(dtype)
    normal = (exponent >= info.minexp) & (exponent < info.maxexp) | (head == 0)
    assert normal.mean() > 1 / 3  # not all of it out of range
    errors = np.where(normal, ulp_errors(xp.to_numpy(got), head, tail, exponent), 0)
    worst = errors.argmax()
    assert errors[worst] <= (limit or (8 if xp.is_jax else 4)), (
        f"{name}{tuple(c[worst] for c in columns)} = {xp.to_numpy(got)[worst]!r} is "
        f"{errors[worst]:.3g} ulp from the exact value"
    )
    return errors[worst]

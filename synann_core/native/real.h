/* Functions and numbers of REAL, float or double. */

#ifndef SYNANN_REAL_H
#define SYNANN_REAL_H

#include <float.h>
#include <math.h>
#include <stdint.h>

#define OF_REAL(single, both) _Generic((REAL)0, float: single, double: both)
#define FMA(a, b, c) OF_REAL(fmaf, fma)(a, b, c)
#define ABS(a) OF_REAL(fabsf, fabs)(a)
/* In double precision for float as well: the bits of logf and its like depend on the processor. */
#define EXP(a) ((REAL)exp(a))
#define LOG(a) ((REAL)log(a))
#define EXPM1(a) ((REAL)expm1(a))
#define LOG1P(a) ((REAL)log1p(a))
#define HALF ((REAL)0.5)
#define TINY OF_REAL(FLT_MIN, DBL_MIN) /* the least normal number */
/* ln 2; few enough bits in the first part that its product with an exponent is exact */
#define LN2_HIGH OF_REAL(0.693359375f, 0.693147180369123816490)
#define LN2_LOW OF_REAL(-2.12194440e-4f, 1.90821492927058770002e-10)
#define LARGEST OF_REAL(FLT_MAX, DBL_MAX)
#define EPSILON OF_REAL(FLT_EPSILON, DBL_EPSILON)

typedef __typeof__(OF_REAL((uint32_t)0, (uint64_t)0)) Whole; /* as wide as REAL */

#define INLINE static inline __attribute__((always_inline))


/* 2^(n − 1000), for n near 1000. */
INLINE REAL power_of_two(Whole n) {
    const union {
        Whole bits;
        REAL real;
    } power = {(n + OF_REAL(127u, 1023u) - 1000u) << OF_REAL(23, 52)};
    return power.real;
}

/* e^x within 1.1 ulp: e^r 2^k with |r| <= log(2)/2 and a Taylor series. The library's does not become
vectors, and its bits depend on the system. */
INLINE REAL exponential(REAL x) {
    static const double terms[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                   1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120,
                                   1.0 / 24, 1.0 / 6, 1.0 / 2};
    const REAL least = OF_REAL(-105.0f, -746.0), most = OF_REAL(89.0f, 710.0);
    const REAL magic = OF_REAL(0x1.8p23f, 0x1.8p52); /* whose ulp is 1 */
    x = x < least ? least : x > most ? most : x;
    const union {
        REAL real;
        Whole bits;
    } shifted = {FMA(x, (REAL)1.4426950408889634, magic)}, zero = {magic - 1000};
    const REAL k = shifted.real - magic;
    REAL r = FMA(-k, LN2_HIGH, x);
    r = FMA(-k, LN2_LOW, r);
    REAL series = (REAL)terms[OF_REAL(6, 0)];
#pragma GCC unroll 12
    for (int term = OF_REAL(7, 1); term < 12; term++) {
        series = FMA(series, r, (REAL)terms[term]);
    }
    const REAL value = 1 + FMA(r * r, series, r);
    /* In two steps, since 2^k itself may be too large or too small. */
    const Whole n = shifted.bits - zero.bits + 1000, first = n / 2;
    return value * power_of_two(first) * power_of_two(n - first);
}

#endif

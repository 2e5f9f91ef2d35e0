/* Logarithms of vectors, and of products that are given with their complements. */

#ifndef SYNANN_LOGARITHM_H
#define SYNANN_LOGARITHM_H

#include "vectors.h"

#define TERMS (IS_FLOAT ? 5 : 10) /* of the series of artanh, for |s| up to (√2 − 1)/(√2 + 1) */
#define SQRT_HALF ((Whole)(IS_FLOAT ? 0x3F3504F3u : 0x3FE6A09E667F3BCDu))

/* p = m·2^k with m in [√½, √2), for normal p > 0; returns k. */
INLINE Vector split(Vector p, Vector *m) {
    /* The exponent of a number whose last bits are k is k more than that number. */
    const Whole magic = (Whole)(IS_FLOAT ? 0x4B000000u : 0x4330000000000000u);
    const REAL number = (REAL)(IS_FLOAT ? 0x1p23 : 0x1p52);
    Words bits = (Words)p, k = (bits + ((BIAS << MANTISSA) - SQRT_HALF)) >> MANTISSA;
    *m = (Vector)(bits - ((k - BIAS) << MANTISSA));
    return (Vector)(k + magic) - (number + (REAL)BIAS);
}

/* log((1 + x)·2^k) for 1 + x in [√½, √2) */
INLINE Vector log_from(Vector x, Vector k) {
    Vector s = x / (x + 2), z = s * s, series = all((REAL)(1.0 / (2 * TERMS + 1)));
    _Pragma("GCC unroll 16") for (int term = TERMS - 1; term > 0; term--) {
        series = fused(series, z, all((REAL)(1.0 / (2 * term + 1))));
    }
    Vector twice = s + s, value = fused(twice * z, series, twice);
    value = fused(k, all(LN2_LOW), value);
    return fused(k, all(LN2_HIGH), value);
}

/* log(p·2^-e) for normal p > 0 */
INLINE Vector log_product_of(Vector p, Vector e) {
    Vector m, k = split(p, &m) - e;
    return log_from(m - 1, k);
}

/* log p from c = 1 − p, for p in [√½/2, √2): there c is the more accurate of the two. */
INLINE Vector log_complement(Vector p, Vector c) {
    Vector half = all((REAL)(IS_FLOAT ? 0x1.6a09e6p-1 : 0x1.6a09e667f3bcdp-1));
    Vector x = where_less(p, half, fused(all(-2), c, all(1)), -c);
    return log_from(x, where_less(p, half, all(-1), all(0)));
}

#endif

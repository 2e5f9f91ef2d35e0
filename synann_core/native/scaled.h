/* Products whose exponent is kept apart, so that no part of them under- or overflows. */

#ifndef SYNANN_SCALED_H
#define SYNANN_SCALED_H

#include <math.h>
#include <stdint.h>

#include "real.h"

typedef struct {
    double mantissa;
    int64_t exponent;
} Scaled;

/* A number, its exponent apart or not. */
INLINE Scaled scaled(double a, int apart) {
    int exponent = 0;
    const double mantissa = apart ? frexp(a, &exponent) : a;
    return (Scaled){mantissa, exponent};
}

INLINE Scaled times(Scaled a, Scaled b, int apart) {
    Scaled product = scaled(a.mantissa * b.mantissa, apart);
    product.exponent += a.exponent + b.exponent;
    return product;
}

INLINE REAL unscaled(Scaled a) {
    const int64_t most = 5000; /* beyond all numbers */
    const int64_t exponent = a.exponent > most ? most : a.exponent < -most ? -most : a.exponent;
    return (REAL)(exponent ? ldexp(a.mantissa, (int)exponent) : a.mantissa);
}

#endif

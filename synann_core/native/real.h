/* The numbers and functions of REAL. */

#ifndef SYNANN_REAL_H
#define SYNANN_REAL_H

#include <float.h>
#include <math.h>

#define OF_REAL(single, both) _Generic((REAL)0, float: single, double: both)
#define FMA(a, b, c) OF_REAL(fmaf, fma)(a, b, c)
#define ABS(a) OF_REAL(fabsf, fabs)(a)
#define EXP(a) OF_REAL(expf, exp)(a)
#define LOG(a) OF_REAL(logf, log)(a)
#define EXPM1(a) OF_REAL(expm1f, expm1)(a)
#define LOG1P(a) OF_REAL(log1pf, log1p)(a)
#define HALF ((REAL)0.5)
#define TINY OF_REAL(FLT_MIN, DBL_MIN) /* the least normal number */
#define EPSILON OF_REAL(FLT_EPSILON, DBL_EPSILON)

#define INLINE static inline __attribute__((always_inline))

#endif

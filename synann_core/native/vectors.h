/* Vectors of real numbers, of the width that the level has, and operations on their lanes.

Every operation is rounded as IEEE 754 says, so that a lane's bits do not depend on the width. Fused
multiply-add and selection are loops over the lanes, which compilers turn into one instruction as
long as they are not unrolled first. */

#ifndef SYNANN_VECTORS_H
#define SYNANN_VECTORS_H

#include <stddef.h>

#include "kernels.h"
#include "real.h"

#if defined(WIDTH) /* for tests: another width than the level's */
#elif defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif

#define LANES ((int)(WIDTH / sizeof(REAL)))
#define EACH_LANE(k) _Pragma("GCC unroll 1") for (int k = 0; k < LANES; k++)
#define IS_FLOAT (sizeof(REAL) == 4)

typedef REAL Vector __attribute__((vector_size(WIDTH)));
typedef Whole Words __attribute__((vector_size(WIDTH)));
typedef REAL Loose __attribute__((vector_size(WIDTH), aligned(sizeof(REAL)), may_alias));

/* What IEEE 754 says about REAL. */
#define MANTISSA (IS_FLOAT ? 23 : 52)
#define BIAS ((Whole)(IS_FLOAT ? 127 : 1023))
#define SMALLEST_NORMAL TINY

INLINE Vector load(const REAL *p) {
    return *(const Loose *)p;
}

INLINE void store(REAL *p, Vector v) {
    *(Loose *)p = v;
}

INLINE Vector all(REAL x) {
    return x - (Vector){0};
}

INLINE REAL fma_real(REAL a, REAL b, REAL c) {
    return FMA(a, b, c);
}

/* a·b + c with one rounding. */
INLINE Vector fused(Vector a, Vector b, Vector c) {
    Vector r;
    EACH_LANE(k) r[k] = fma_real(a[k], b[k], c[k]);
    return r;
}

INLINE Vector larger(Vector a, Vector b) {
    Vector r;
    EACH_LANE(k) r[k] = a[k] < b[k] ? b[k] : a[k];
    return r;
}

/* a < b ? x : y, lane by lane */
INLINE Vector where_less(Vector a, Vector b, Vector x, Vector y) {
    Vector r;
    EACH_LANE(k) r[k] = a[k] < b[k] ? x[k] : y[k];
    return r;
}

/* Lanes of which a is below b. */
INLINE Words less(Vector a, Vector b) {
    return (Words)(a < b);
}

INLINE int any(Words mask) {
    Whole r = 0;
    for (int k = 0; k < LANES; k++) {
        r |= mask[k];
    }
    return r != 0;
}

/* The least and the greatest of some numbers; NaN if one of them is not finite. */
typedef struct {
    REAL least, most;
} Range;

static inline Range range_of(const REAL *a, ptrdiff_t size) {
    enum { SIDE_BY_SIDE = 4 };
    Vector least[SIDE_BY_SIDE], most[SIDE_BY_SIDE], odd[SIDE_BY_SIDE];
    for (int q = 0; q < SIDE_BY_SIDE; q++) {
        least[q] = most[q] = all(size ? a[0] : 0);
        odd[q] = all(0);
    }
    ptrdiff_t k = 0;
    for (; k + SIDE_BY_SIDE * LANES <= size; k += SIDE_BY_SIDE * LANES) {
        for (int q = 0; q < SIDE_BY_SIDE; q++) {
            Vector now = load(a + k + q * LANES);
            least[q] = where_less(now, least[q], now, least[q]);
            most[q] = larger(most[q], now);
            odd[q] += now - now; /* NaN, or 0 */
        }
    }
    Range range = {least[0][0], most[0][0]};
    REAL spoiled = 0;
    for (int q = 0; q < SIDE_BY_SIDE; q++) {
        for (int lane = 0; lane < LANES; lane++) {
            range.least = least[q][lane] < range.least ? least[q][lane] : range.least;
            range.most = most[q][lane] > range.most ? most[q][lane] : range.most;
            spoiled += odd[q][lane];
        }
    }
    for (; k < size; k++) {
        range.least = a[k] < range.least ? a[k] : range.least;
        range.most = a[k] > range.most ? a[k] : range.most;
        spoiled += a[k] - a[k];
    }
    if (spoiled != 0) {
        range.least = range.most = __builtin_nanf("");
    }
    return range;
}

/* The greatest of `size` numbers of each of some rows, n apart; −1 if one is not in [0, 1]. */
static inline REAL most_inside(const REAL *a, ptrdiff_t n, ptrdiff_t rows, ptrdiff_t size) {
    REAL most = 0;
    if (size == n) {
        size *= rows;
        rows = 1;
    }
    for (ptrdiff_t k = 0; k < rows && most >= 0; k++) {
        const Range now = range_of(a + k * n, size);
        most = !(now.least >= 0 && now.most <= 1) ? -1 : now.most > most ? now.most : most;
    }
    return most;
}

#endif

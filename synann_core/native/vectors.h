/* Vectors of real numbers, of the width that the level has, and operations on their lanes.

Every operation is rounded as IEEE 754 says, so that a lane's bits do not depend on the width. Fused
multiply-add and selection are loops over the lanes, which compilers turn into one instruction as
long as they are not unrolled first. */

#ifndef SYNANN_VECTORS_H
#define SYNANN_VECTORS_H

#include <stddef.h>

#include "kernels.h"
#include "real.h"

#if defined(__AVX512F__)
#include <immintrin.h> /* of loops GCC makes halves of vectors, which are read before they are written */
#endif

#if defined(WIDTH) /* for tests: another width than the level's */
#elif defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif

#define LANES ((int)(WIDTH / sizeof(REAL)))
#define FIRST(count) ((1u << ((count) < 0 ? 0 : (count))) - 1) /* bits, of fewer than LANES */
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

/* The first `count` lanes from memory, all or none if there are not as many, and `rest` in the others;
nothing else is read or written. */
INLINE Vector load_some(const REAL *p, ptrdiff_t count, REAL rest) {
    if (count >= LANES) {
        return load(p);
    }
    Vector r = rest - (Vector){0};
#if WIDTH == 64 && defined(__AVX512F__) && defined(REAL_IS_FLOAT)
    r = (Vector)_mm512_mask_loadu_ps(r, (__mmask16)FIRST(count), p);
#elif WIDTH == 64 && defined(__AVX512F__)
    r = (Vector)_mm512_mask_loadu_pd(r, (__mmask8)FIRST(count), p);
#else
    EACH_LANE(k) r[k] = k < count ? p[k] : rest;
#endif
    return r;
}

INLINE void store_some(REAL *p, Vector v, ptrdiff_t count) {
    if (count >= LANES) {
        store(p, v);
        return;
    }
#if WIDTH == 64 && defined(__AVX512F__) && defined(REAL_IS_FLOAT)
    _mm512_mask_storeu_ps(p, (__mmask16)FIRST(count), v);
#elif WIDTH == 64 && defined(__AVX512F__)
    _mm512_mask_storeu_pd(p, (__mmask8)FIRST(count), v);
#else
    EACH_LANE(k) if (k < count) p[k] = v[k];
#endif
}

#if WIDTH == 64 && defined(__AVX512F__)
#define STREAMS(p) ((uintptr_t)(p) % 16 == 0)

/* Store past the caches: memory is then not read before it is written. `p` is one that STREAMS; what
is stored is seen by others after `streamed`. */
INLINE void stream(REAL *p, Vector v) {
    for (int k = 0; k < LANES; k += (int)(16 / sizeof(REAL))) {
        __m128i part;
        __builtin_memcpy(&part, (const char *)&v + (size_t)k * sizeof(REAL), 16);
        _mm_stream_si128((__m128i *)(p + k), part);
    }
}

INLINE void streamed(void) {
    _mm_sfence();
}
#else
#define STREAMS(p) ((void)(p), 0)
INLINE void stream(REAL *p, Vector v) {
    store(p, v);
}
INLINE void streamed(void) {}
#endif

/* Store the first `count` lanes, all of them past the caches if `far`. */
INLINE void put(REAL *p, Vector v, ptrdiff_t count, int far) {
    if (far && count >= LANES) {
        stream(p, v);
    } else {
        store_some(p, v, count);
    }
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

INLINE Words larger_of(Words a, Words b) {
    EACH_LANE(k) a[k] = a[k] < b[k] ? b[k] : a[k];
    return a;
}

INLINE int any(Words mask) {
#if WIDTH == 64 && defined(__AVX512F__)
    return _mm512_test_epi64_mask((__m512i)mask, (__m512i)mask) != 0;
#else
    Whole r = 0;
    for (int k = 0; k < LANES; k++) {
        r |= mask[k];
    }
    return r != 0;
#endif
}

/* The least and the greatest of some numbers; NaN if one of them is not finite. */
typedef struct {
    REAL least, most;
} Range;

/* Of `size` numbers of each of some rows, n apart. */
static inline Range range_of_rows(const REAL *a, ptrdiff_t n, ptrdiff_t rows, ptrdiff_t size) {
    enum { SIDE_BY_SIDE = 4 };
    if (rows <= 0 || size <= 0) {
        return (Range){0, 0};
    }
    if (size == n) {
        size *= rows;
        rows = 1;
    }
    Vector least[SIDE_BY_SIDE], most[SIDE_BY_SIDE], odd[SIDE_BY_SIDE];
    for (int q = 0; q < SIDE_BY_SIDE; q++) {
        least[q] = most[q] = all(a[0]);
        odd[q] = all(0); /* to be NaN, or 0 */
    }
    for (ptrdiff_t row = 0; row < rows; row++) {
        const REAL *now = a + row * n, *stop = now + size;
        for (; stop - now >= SIDE_BY_SIDE * LANES; now += SIDE_BY_SIDE * LANES) {
            for (int q = 0; q < SIDE_BY_SIDE; q++) {
                const Vector v = load(now + q * LANES);
                least[q] = where_less(v, least[q], v, least[q]);
                most[q] = larger(most[q], v);
                odd[q] += v - v;
            }
        }
        while (now < stop) {
            /* The last ones again with those before them, or alone where there are none. */
            const REAL *from = stop - now < LANES ? stop - LANES : now;
            const Vector v = size < LANES ? all(*now) : load(from);
            least[0] = where_less(v, least[0], v, least[0]);
            most[0] = larger(most[0], v);
            odd[0] += v - v;
            now += size < LANES ? 1 : LANES;
        }
    }
    for (int q = 1; q < SIDE_BY_SIDE; q++) {
        least[0] = where_less(least[q], least[0], least[q], least[0]);
        most[0] = larger(most[0], most[q]);
        odd[0] += odd[q];
    }
    Range range = {least[0][0], most[0][0]};
    REAL spoiled = 0;
    for (int lane = 0; lane < LANES; lane++) {
        range.least = least[0][lane] < range.least ? least[0][lane] : range.least;
        range.most = most[0][lane] > range.most ? most[0][lane] : range.most;
        spoiled += odd[0][lane];
    }
    if (spoiled != 0) {
        range.least = range.most = __builtin_nanf("");
    }
    return range;
}

static inline Range range_of(const REAL *a, ptrdiff_t size) {
    return range_of_rows(a, size, 1, size);
}

/* The greatest of `size` numbers of each of some rows, n apart; −1 if one is not in [0, 1]. */
static inline REAL most_inside(const REAL *a, ptrdiff_t n, ptrdiff_t rows, ptrdiff_t size) {
    const Range range = range_of_rows(a, n, rows, size);
    return range.least >= 0 && range.most <= 1 ? range.most : -1;
}

/* Whether all numbers whose largest bits these are are in [0, 1] and not −0: the bits of −0, of negative
numbers and of NaN are larger than those of 1. */
INLINE int surely_inside(Words seen) {
    return !any((Words)(seen > (Words)all(1)));
}

#endif

/* The quotients t/f that both gradients of the contraction are made of.

Four of them come from one division, over four inputs of one row: never over four rows, where one
row's bits would depend on its neighbours'. Which four depends on the type of the numbers, not on the
width of vectors. */

#ifndef SYNANN_QUOTIENTS_H
#define SYNANN_QUOTIENTS_H

#include "vectors.h"

enum {
    APART = (int)(64 / sizeof(REAL)), /* from one to the next of the four that share a division */
    STRIP = 4 * APART,                /* inputs */
};

/* What the factors are: 1 − βy; the same, kept from the floor; ȳ + y β̄; and the latter where it may
be as small as the smallest normal number, so that four of them have no common denominator. */
enum { OPEN, GUARDED, BARS, CAREFUL };

/* Hide from the compiler where a pointer points. */
#if WIDTH == 64 || defined(__aarch64__)
#define FORGET(pointer) ((void)0)
#else
#define FORGET(pointer) __asm__("" : "+r"(pointer))
#endif

/* Above this, t divided by four factors of eps/2 may overflow. */
#define LARGE ((REAL)(IS_FLOAT ? 0x1p30 : 0x1p810))

/* Whether one of the numbers is large, or NaN. */
INLINE int any_large(const REAL *t, int count) {
    int result = 0;
    for (int i = 0; i < count; i++) {
        result |= !(t[i] <= LARGE && t[i] >= -LARGE);
    }
    return result;
}

/* t/f for four vectors f. */
INLINE void quotients(int form, const Vector *f, REAL t, int large, Vector *r) {
    if (form == CAREFUL) {
        for (int q = 0; q < 4; q++) {
            r[q] = t / f[q];
        }
        return;
    }
    Vector ab = f[0] * f[1], cd = f[2] * f[3];
    if (__builtin_expect(!large, 1)) {
        Vector all_four = t / (ab * cd), over_ab = all_four * cd, over_cd = all_four * ab;
        r[0] = over_ab * f[1];
        r[1] = over_ab * f[0];
        r[2] = over_cd * f[3];
        r[3] = over_cd * f[2];
    } else {
        Vector all_four = 1 / (ab * cd), over_ab = all_four * cd, over_cd = all_four * ab;
        r[0] = t * (over_ab * f[1]);
        r[1] = t * (over_ab * f[0]);
        r[2] = t * (over_cd * f[3]);
        r[3] = t * (over_cd * f[2]);
    }
}

/* The four factors of inputs from `half` on, whose y and ȳ are in registers. */
INLINE void factors_of(int form, const REAL *w, const REAL *w_bar, const Vector *y, const Vector *bar,
                       Vector least, Vector *f) {
    for (int q = 0; q < 4; q++) {
        f[q] = form < BARS ? fused(-load(w + q * APART), y[q], all(1))
                           : fused(load(w_bar + q * APART), y[q], bar[q]);
        if (form == GUARDED || form == CAREFUL) {
            f[q] = larger(f[q], least);
        }
    }
}

#endif

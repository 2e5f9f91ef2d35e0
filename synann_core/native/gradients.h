/* What the gradients of the contraction are made of: rows meet outputs, some inputs at a time.

Both gradients need t/f, and four of them come from one division, over four inputs of one row: never
over four rows, where one row's bits would depend on its neighbours'. Which four depends on the type of
the numbers, not on the width of vectors. */

#ifndef SYNANN_GRADIENTS_H
#define SYNANN_GRADIENTS_H

#include <string.h>

#include "vectors.h"

enum {
    APART = (int)(64 / sizeof(REAL)), /* from one to the next of the four that share a division */
    STRIP = 4 * APART,                /* inputs */
    OUTPUTS = 32,                     /* whose β and its gradient stay in the first-level cache */
    ROWS = 128,                       /* whose y and its gradient stay in the second-level cache */
    PAIR = WIDTH == 32 ? 1 : 2,       /* rows at a time */
};

/* What the factors are: 1 − βy; the same, kept from the floor; ȳ + y β̄; and the latter where it may
be as small as the smallest normal number, so that four of them have no common denominator. */
enum { OPEN, GUARDED, BARS, CAREFUL };

/* The form of factors for numbers up to these. Where none is 0, both have the same bits. */
INLINE int form_of(REAL most_y, REAL most_beta) {
    return most_y * most_beta < 1 ? OPEN : GUARDED;
}

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
        result |= !(ABS(t[i]) <= LARGE);
    }
    return result;
}

/* t/f for four vectors f, of which all from `live` on are 1 and not asked for. */
INLINE void quotients(int form, int live, const Vector *f, REAL t, int large, Vector *r) {
    if (form == CAREFUL) {
        for (int q = 0; q < live; q++) {
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

INLINE Vector factor_of(int form, Vector w, Vector w_bar, Vector y, Vector bar, Vector least) {
    const Vector f = form < BARS ? fused(-w, y, all(1)) : fused(w_bar, y, bar);
    return form == GUARDED || form == CAREFUL ? larger(f, least) : f;
}

/* Strips of some rows: what is held in registers, and the gradient that is made of it. */
typedef struct {
    const REAL *y, *bar;
    REAL *gradient;
    const REAL *t; /* [row * t_step + output] */
    ptrdiff_t step, gradient_step, t_step;
} Held;

/* Strips of some outputs, and sums over the rows. */
typedef struct {
    const REAL *w, *bar;
    REAL *sums;
    ptrdiff_t step, sums_step;
} Weights;

/* Ask for the next row before it is needed: rows are far apart, which processors do not foresee. */
INLINE void fetch(const REAL *p, int count) {
    for (int k = 0; k < count; k += APART) {
        __builtin_prefetch(p + k);
    }
}

/* `rows` rows against `count` outputs: sums += t y/f, and the rows' gradient −= t β/f, or is that
if it is the `first`. `apart`: whether the rows that come next are far away. `live`: how many of the
four that share a division are there, and `rest`, how many numbers of the last of these, APART or more if
all. `far`: whether gradients are stored past the caches, as `put` has it. */
INLINE void meet(int form, int rows, int apart, int live, int rest, Held held, Weights weights,
                 int count, REAL floor, int first, int far) {
    const Vector zero = all(0), one = all(1), least = all(floor);
    int large[PAIR];
    for (int r = 0; r < rows; r++) {
        large[r] = form != CAREFUL && any_large(held.t + r * held.t_step, count);
    }
    for (int r = 0; apart && r < rows; r++) {
        fetch(held.y + (rows + r) * held.step, STRIP);
        fetch(held.gradient + (rows + r) * held.gradient_step, STRIP);
        fetch(held.t + (rows + r) * held.t_step, count);
    }
    for (int half = 0; half < APART; half += LANES) {
        Vector y[PAIR][4], bar[PAIR][4], total[PAIR][4];
        for (int r = 0; r < rows; r++) {
            for (int q = 0; q < live; q++) {
                const ptrdiff_t at = r * held.step + q * APART + half;
                const int there = q < live - 1 ? LANES : rest - half;
                y[r][q] = load_some(held.y + at, there, 0);
                bar[r][q] = form < BARS ? one : load_some(held.bar + at, there, 1);
                total[r][q] = zero;
            }
        }
        for (int i = 0; i < count; i++) {
            const REAL *w = weights.w + i * weights.step + half;
            const REAL *w_bar = form < BARS ? w : weights.bar + i * weights.step + half;
            REAL *sums = weights.sums + i * weights.sums_step + half;
            Vector sum[4];
            for (int r = 0; r < rows; r++) {
                Vector f[4], ratio[4];
                for (int q = 0; q < 4; q++) {
                    f[q] = q < live ? factor_of(form, load(w + q * APART), load(w_bar + q * APART), y[r][q],
                                                bar[r][q], least)
                                    : one;
                }
                quotients(form, live, f, held.t[r * held.t_step + i], large[r], ratio);
                FORGET(w); /* few registers: β is better loaded again than kept and others moved */
                FORGET(sums);
                for (int q = 0; q < live; q++) {
                    total[r][q] = fused(load(w + q * APART), ratio[q], total[r][q]);
                    Vector before = r > 0 ? sum[q] : load(sums + q * APART);
                    sum[q] = fused(y[r][q], ratio[q], before);
                }
            }
            for (int q = 0; q < live; q++) {
                store(sums + q * APART, sum[q]);
            }
        }
        for (int r = 0; r < rows; r++) {
            for (int q = 0; q < live; q++) {
                REAL *g = held.gradient + r * held.gradient_step + q * APART + half;
                const int there = q < live - 1 ? LANES : rest - half;
                const Vector before = first ? zero : load_some(g, there, 0);
                put(g, before - total[r][q], there, far); /* from 0, so never -0 */
            }
        }
    }
}

#define WITH_FORM(form, call) \
    switch (form) {           \
    case OPEN: call(OPEN); break; \
    case GUARDED: call(GUARDED); break; \
    case BARS: call(BARS); break; \
    default: call(CAREFUL); break; \
    }

typedef struct {
    REAL y[ROWS][STRIP], bar[ROWS][STRIP], gradient[ROWS][STRIP]; /* of a strip that is not whole */
    REAL w[OUTPUTS][STRIP], w_bar[OUTPUTS][STRIP], sums[OUTPUTS][STRIP];
} Copies;

/* The first `size` numbers of rows that are n apart, and `padding`: factors of padding are 1. */
INLINE void copy(REAL (*to)[STRIP], const REAL *from, ptrdiff_t n, ptrdiff_t rows, int size,
                 REAL padding) {
    for (ptrdiff_t k = 0; k < rows; k++, from += n) {
        if (size == STRIP) {
            memcpy(to[k], from, sizeof to[k]);
            continue;
        }
        for (int j = 0; j < STRIP; j += LANES) {
            store(to[k] + j, load_some(from + j, size - j, padding));
        }
    }
}

/* The first `size` numbers of a strip. */
INLINE void paste(REAL *to, const REAL *from, int size) {
    for (int j = 0; j < size; j += LANES) {
        store_some(to + j, load(from + j), size - j);
    }
}

/* What one call works on: the arrays, and how. */
typedef struct {
    const REAL *y, *y_bar, *beta, *beta_bar, *grad;
    REAL *gy, *gbeta, floor;
    ptrdiff_t rows, n, m;
    int form, look; /* whether the form is to be found, and [0, 1] to be left to others */
    Copies *copies;
} Work;

/* Columns j0 to j1 where there is one row or there are few outputs; 0, as soon as that is known, if it
was to look and a number is not in [0, 1]. */
int JOIN(narrow_gradients, LEVEL, REAL)(const Work *work, ptrdiff_t j0, ptrdiff_t j1);

INLINE int is_narrow(ptrdiff_t rows, ptrdiff_t outputs) {
    return rows == 1 || outputs < 8;
}

#endif

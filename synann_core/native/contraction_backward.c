/* Gradients of the sum of log f: −Σ_i t β/f and −Σ_b t y/f for the upstream gradient t.

Vectors over the inputs j. Both gradients need t/f, and four of them come from one division, over
four inputs of one row: never over four rows, where one row's bits would depend on its neighbours'.
Which four depends on the type of the numbers, not on the width of vectors. A strip of inputs is
worked through by one thread, which alone writes those columns of both gradients: the bits do not
depend on the number of threads. */

#include <stdlib.h>
#include <string.h>

#include "vectors.h"

enum {
    APART = (int)(64 / sizeof(REAL)), /* from one to the next of the four that share a division */
    STRIP = 4 * APART,                /* inputs */
    OUTPUTS = 32,                     /* whose β and its gradient stay in the first-level cache */
    ROWS = 128,                       /* whose y and its gradient stay in the second-level cache */
    PAIR = WIDTH == 32 ? 1 : 2,       /* rows at a time */
    FEW = 8,                          /* outputs, for which memory is what takes time, */
    ROWS_FOR_FEW = 8,                 /* and is best read in its own order */
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
if it is the `first`. Alone, a row has no sums to add to, and writes its own with a minus. */
INLINE void meet(int form, int rows, int alone, Held held, Weights weights, int count, REAL floor,
                 int first) {
    const Vector zero = all(0), one = all(1), least = all(floor);
    int large[PAIR];
    for (int r = 0; r < rows; r++) {
        large[r] = form != CAREFUL && any_large(held.t + r * held.t_step, count);
    }
    for (int r = 0; r < rows; r++) {
        fetch(held.y + (rows + r) * held.step, STRIP);
        fetch(held.gradient + (rows + r) * held.gradient_step, STRIP);
        fetch(held.t + (rows + r) * held.t_step, count);
    }
    for (int half = 0; half < APART; half += LANES) {
        Vector y[PAIR][4], bar[PAIR][4], total[PAIR][4];
        for (int r = 0; r < rows; r++) {
            for (int q = 0; q < 4; q++) {
                y[r][q] = load(held.y + r * held.step + q * APART + half);
                bar[r][q] = form < BARS ? one : load(held.bar + r * held.step + q * APART + half);
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
                    f[q] = form < BARS ? fused(-load(w + q * APART), y[r][q], one)
                                       : fused(load(w_bar + q * APART), y[r][q], bar[r][q]);
                    if (form == GUARDED || form == CAREFUL) {
                        f[q] = larger(f[q], least);
                    }
                }
                quotients(form, f, held.t[r * held.t_step + i], large[r], ratio);
                FORGET(w); /* few registers: β is better loaded again than kept and others moved */
                FORGET(sums);
                for (int q = 0; q < 4; q++) {
                    total[r][q] = fused(load(w + q * APART), ratio[q], total[r][q]);
                    Vector before = r > 0 ? sum[q] : alone ? zero : load(sums + q * APART);
                    sum[q] = fused(y[r][q], ratio[q], before);
                }
            }
            for (int q = 0; q < 4; q++) {
                store(sums + q * APART, alone ? zero - sum[q] : sum[q]);
            }
        }
        for (int r = 0; r < rows; r++) {
            for (int q = 0; q < 4; q++) {
                REAL *g = held.gradient + r * held.gradient_step + q * APART + half;
                store(g, (first ? zero : load(g)) - total[r][q]); /* from 0, so never -0 */
            }
        }
    }
}

INLINE void meet_all(int form, Held held, ptrdiff_t rows, Weights weights, int count, REAL floor,
                     int first) {
    for (ptrdiff_t b = 0; b < rows;) {
        int now = rows - b < PAIR ? 1 : PAIR;
        if (now == 1) {
            meet(form, 1, 0, held, weights, count, floor, first);
        } else {
            meet(form, PAIR, 0, held, weights, count, floor, first);
        }
        held.y += now * held.step;
        held.bar = form < BARS ? NULL : held.bar + now * held.step;
        held.gradient += now * held.gradient_step;
        held.t += now * held.t_step;
        b += now;
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
static void copy(REAL (*to)[STRIP], const REAL *from, ptrdiff_t n, ptrdiff_t rows, int size,
                 REAL padding) {
    for (ptrdiff_t k = 0; k < rows; k++) {
        memcpy(to[k], from + k * n, (size_t)size * sizeof(REAL));
        for (int j = size; j < STRIP; j++) {
            to[k][j] = padding;
        }
    }
}

/* What one call works on: the arrays, and how. */
typedef struct {
    const REAL *y, *y_bar, *beta, *beta_bar, *grad;
    REAL *gy, *gbeta, floor;
    ptrdiff_t rows, n, m;
    int form;
    Copies *copies;
} Work;

/* A strip of one row, which is not worth copies, against outputs from i0 on. */
static void alone(const Work *work, ptrdiff_t i0, ptrdiff_t j0) {
    ptrdiff_t n = work->n, from = i0 * n + j0;
    int width = (int)(work->m - i0 < OUTPUTS ? work->m - i0 : OUTPUTS);
    const REAL *bar = work->y_bar, *w_bar = work->beta_bar;
    Held held = {work->y + j0, bar ? bar + j0 : NULL, work->gy + j0, work->grad + i0, n, n, work->m};
    Weights own = {work->beta + from, w_bar ? w_bar + from : NULL, work->gbeta + from, n, n};
#define ALONE(form) meet(form, 1, 1, held, own, width, work->floor, i0 == 0)
    WITH_FORM(work->form, ALONE)
}

/* A strip of `count` rows from b0 on, against all outputs. */
static void strip(const Work *work, ptrdiff_t b0, ptrdiff_t count, ptrdiff_t j0) {
    Copies *copies = work->copies;
    ptrdiff_t n = work->n, m = work->m, at = b0 * n + j0;
    int size = (int)(n - j0 < STRIP ? n - j0 : STRIP), whole = size == STRIP;
    const REAL *y_bar = work->y_bar, *beta_bar = work->beta_bar;
    Held held = {work->y + at, y_bar ? y_bar + at : NULL, work->gy + at, NULL, n, n, m};
    if (!whole) {
        copy(copies->y, work->y + at, n, count, size, 0);
        if (y_bar) {
            copy(copies->bar, y_bar + at, n, count, size, 1);
        }
        held.y = copies->y[0];
        held.bar = copies->bar[0];
        held.gradient = copies->gradient[0];
        held.step = held.gradient_step = STRIP;
    }
    for (ptrdiff_t i0 = 0; i0 < m; i0 += OUTPUTS) {
        int width = (int)(m - i0 < OUTPUTS ? m - i0 : OUTPUTS);
        ptrdiff_t from = i0 * n + j0;
        held.t = work->grad + b0 * m + i0;
        copy(copies->w, work->beta + from, n, width, size, 0);
        if (beta_bar) {
            copy(copies->w_bar, beta_bar + from, n, width, size, 1);
        }
        memset(copies->sums, 0, (size_t)width * sizeof copies->sums[0]);
        Weights own = {copies->w[0], copies->w_bar[0], copies->sums[0], STRIP, STRIP};
#define ALL(form) meet_all(form, held, count, own, width, work->floor, i0 == 0)
        WITH_FORM(work->form, ALL)
        for (int i = 0; i < width; i++) {
            REAL *to = work->gbeta + from + i * n;
            for (int j = 0; j < size; j++) {
                to[j] = (b0 == 0 ? 0 : to[j]) - copies->sums[i][j];
            }
        }
    }
    for (ptrdiff_t b = 0; !whole && b < count; b++) {
        memcpy(work->gy + at + b * n, copies->gradient[b], (size_t)size * sizeof(REAL));
    }
}

/* Strips side by side follow one another, as memory does: of a row that is alone for some outputs at
a time, and of some rows for all outputs. */
static int gradients(const Array *arrays, int form, REAL floor, ptrdiff_t j0, ptrdiff_t j1) {
    ptrdiff_t rows = arrays[0].shape[0], m = arrays[2].shape[0];
    if (rows == 0 || m == 0) {
        memset(arrays[5].data, 0, (size_t)arrays[5].size * sizeof(REAL));
        memset(arrays[6].data, 0, (size_t)arrays[6].size * sizeof(REAL));
        return 0;
    }
    Copies *copies = malloc(sizeof *copies);
    if (!copies) {
        return NO_MEMORY;
    }
    const Work work = {arrays[0].data, arrays[1].data, arrays[2].data, arrays[3].data,
                       arrays[4].data, arrays[5].data, arrays[6].data, floor,
                       rows, arrays[0].shape[1], m, form, copies};
    ptrdiff_t whole = rows == 1 ? j0 + (j1 - j0) / STRIP * STRIP : j0;
    for (ptrdiff_t i0 = 0; i0 < m && j0 < whole; i0 += OUTPUTS) {
        for (ptrdiff_t j = j0; j < whole; j += STRIP) {
            alone(&work, i0, j);
        }
    }
    const ptrdiff_t most = m < FEW ? ROWS_FOR_FEW : ROWS;
    for (ptrdiff_t b0 = 0; b0 < rows; b0 += most) {
        for (ptrdiff_t j = whole; j < j1; j += STRIP) {
            strip(&work, b0, rows - b0 < most ? rows - b0 : most, j);
        }
    }
    free(copies);
    return 1;
}

/* Write gy[:, j0:j1] and gbeta[:, j0:j1].

arrays: y, ȳ (rows, n), β, β̄ (m, n), grad (rows, m), gy, gbeta; ȳ and β̄ both or neither
numbers: j0, a multiple of 64; j1, likewise or n; careful, 1 if a factor may be 0 or, with ȳ and β̄,
less than eps/2; floor: divides by max(f, floor) */
KERNEL(gradients)(const Array *arrays, const Number *numbers) {
    ptrdiff_t j0 = numbers[0].integer, j1 = numbers[1].integer;
    ptrdiff_t n = arrays[0].shape[1];
    int careful = numbers[2].integer != 0, bars = arrays[1].data != NULL;
    if (bars != (arrays[3].data != NULL) || j0 < 0 || j0 % 64 || j1 < j0 || j1 > n ||
        (j1 % 64 && j1 != n)) {
        return BAD_VALUE;
    }
    int form = bars ? (careful ? CAREFUL : BARS) : (careful ? GUARDED : OPEN);
    return gradients(arrays, form, (REAL)numbers[3].real, j0, j1);
}

/* Write the whole of gy and gbeta and return 1, or return 0 if y or β is not in [0, 1].

arrays: y (rows, n), β (m, n), grad (rows, m), gy, gbeta */
KERNEL(gradients_open)(const Array *arrays, const Number *numbers) {
    (void)numbers;
    Range y = range_of(arrays[0].data, arrays[0].size);
    Range beta = range_of(arrays[1].data, arrays[1].size);
    if (!(y.least >= 0 && y.most <= 1 && beta.least >= 0 && beta.most <= 1)) {
        return 0;
    }
    Array given[7] = {arrays[0], {0}, arrays[1], {0}, arrays[2], arrays[3], arrays[4]};
    int form = y.most * beta.most < 1 ? OPEN : GUARDED;
    return gradients(given, form, (REAL)(IS_FLOAT ? 0x1p-24 : 0x1p-53), 0, arrays[0].shape[1]);
}

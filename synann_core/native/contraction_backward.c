/* Gradients of the sum of log f: −Σ_i t β/f and −Σ_b t y/f for the upstream gradient t.

Vectors over the inputs j. A strip of inputs is worked through by one thread, which alone writes those
columns of both gradients: the bits do not depend on the number of threads. */

#include <stdlib.h>
#include <string.h>

#include "quotients.h"

enum {
    OUTPUTS = 32,               /* whose β and its gradient stay in the first-level cache */
    ROWS = 128,                 /* whose y and its gradient stay in the second-level cache */
    PAIR = WIDTH == 32 ? 1 : 2, /* rows at a time */
    FEW = 8,                    /* outputs, for which memory is what takes time */
    LONG = 1024,                /* inputs times outputs that are gone through together then */
    SEEN = 16,                  /* rows that are looked at before they are worked through */
};

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
if it is the `first`. `apart`: whether the rows that come next are far away. */
INLINE void meet(int form, int rows, int apart, Held held, Weights weights, int count, REAL floor,
                 int first) {
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
                factors_of(form, w, w_bar, y[r], bar[r], least, f);
                quotients(form, f, held.t[r * held.t_step + i], large[r], ratio);
                FORGET(w); /* few registers: β is better loaded again than kept and others moved */
                FORGET(sums);
                for (int q = 0; q < 4; q++) {
                    total[r][q] = fused(load(w + q * APART), ratio[q], total[r][q]);
                    Vector before = r > 0 ? sum[q] : load(sums + q * APART);
                    sum[q] = fused(y[r][q], ratio[q], before);
                }
            }
            for (int q = 0; q < 4; q++) {
                store(sums + q * APART, sum[q]);
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
            meet(form, 1, 1, held, weights, count, floor, first);
        } else {
            meet(form, PAIR, 1, held, weights, count, floor, first);
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
        if (size) {
            memcpy(to[k], from + k * n, (size_t)size * sizeof(REAL));
        }
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
    int form, look; /* whether the form is to be found, and [0, 1] to be left to others */
    Copies *copies;
} Work;

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

/* One row against one output, a strip: total += t β/f, and the gradient of β. */
INLINE void alone(int form, const REAL *y, const REAL *bar, const REAL *w, const REAL *w_bar, REAL t,
                  int large, REAL floor, REAL *total, REAL *gbeta) {
    const Vector zero = all(0), one = all(1), least = all(floor);
    for (int half = 0; half < APART; half += LANES) {
        Vector own[4], own_bar[4], f[4], ratio[4];
        for (int q = 0; q < 4; q++) {
            own[q] = load(y + q * APART + half);
            own_bar[q] = form < BARS ? one : load(bar + q * APART + half);
        }
        factors_of(form, w + half, form < BARS ? w : w_bar + half, own, own_bar, least, f);
        quotients(form, f, t, large, ratio);
        for (int q = 0; q < 4; q++) {
            const int at = q * APART + half;
            store(total + at, fused(load(w + at), ratio[q], load(total + at)));
            store(gbeta + at, zero - fused(own[q], ratio[q], zero)); /* from 0, so never -0 */
        }
    }
}

/* The form of factors for numbers up to these. Where none is 0, both have the same bits. */
INLINE int form_of(REAL most_y, REAL most_beta) {
    return most_y * most_beta < 1 ? OPEN : GUARDED;
}

/* Columns j0 to j1 of one row against all outputs. What is read and written once, β and its gradient,
goes by in the order of memory, and is never copied but for the end of a row. Each returns 0, as soon
as it knows, if it was to look and a number is not in [0, 1]. */
static int one_row(const Work *work, ptrdiff_t j0, ptrdiff_t j1) {
    Copies *copies = work->copies;
    const ptrdiff_t n = work->n, whole = j0 + (j1 - j0) / STRIP * STRIP, rest = j1 - whole;
    const REAL *bar = work->y_bar, *w_bar = work->beta_bar;
    const REAL most = work->look ? most_inside(work->y + j0, j1 - j0, 1, j1 - j0) : 0;
    REAL total[LONG];
    copy(copies->y, work->y + whole, n, 1, (int)rest, 0);
    if (bar) {
        copy(copies->bar, bar + whole, n, 1, (int)rest, 1);
    }
    for (ptrdiff_t i0 = 0; i0 < work->m; i0 += OUTPUTS) {
        const int width = (int)(work->m - i0 < OUTPUTS ? work->m - i0 : OUTPUTS);
        const int large = work->form != CAREFUL && any_large(work->grad + i0, width);
        const REAL most_beta =
            work->look ? most_inside(work->beta + i0 * n + j0, n, width, j1 - j0) : 0;
        const int form = work->look ? form_of(most, most_beta) : work->form;
        if (most < 0 || most_beta < 0) {
            return 0;
        }
        memset(total, 0, sizeof total);
        for (ptrdiff_t i = i0; i < i0 + width; i++) {
            const REAL *w = work->beta + i * n, t = work->grad[i];
            for (ptrdiff_t j = j0; j < whole; j += STRIP) {
#define ALONE(form) alone(form, work->y + j, (form) < BARS ? NULL : bar + j, w + j, \
                          (form) < BARS ? NULL : w_bar + i * n + j, t, large, \
                          work->floor, total + (j - j0), work->gbeta + i * n + j)
                WITH_FORM(form, ALONE)
            }
            if (rest) {
                copy(copies->w, w + whole, n, 1, (int)rest, 0);
                if (w_bar) {
                    copy(copies->w_bar, w_bar + i * n + whole, n, 1, (int)rest, 1);
                }
#define LAST(form) alone(form, copies->y[0], copies->bar[0], copies->w[0], copies->w_bar[0], t, large, \
                         work->floor, total + (whole - j0), copies->sums[0])
                WITH_FORM(form, LAST)
                memcpy(work->gbeta + i * n + whole, copies->sums[0], (size_t)rest * sizeof(REAL));
            }
        }
        for (ptrdiff_t j = j0; j < j1; j++) {
            work->gy[j] = (i0 ? work->gy[j] : 0) - total[j - j0];
        }
    }
    return 1;
}

/* Columns j0 to j1 of all rows against few outputs, whose β and its gradient stay in the first-level
cache: y and its gradient go by in the order of memory. */
static int few_outputs(const Work *work, ptrdiff_t j0, ptrdiff_t j1) {
    Copies *copies = work->copies;
    const ptrdiff_t n = work->n, m = work->m, size = j1 - j0, whole = size / STRIP * STRIP;
    const ptrdiff_t width = (size + STRIP - 1) / STRIP * STRIP;
    const REAL *y_bar = work->y_bar;
    const REAL most_beta = work->look ? most_inside(work->beta + j0, n, m, size) : 0;
    int form = work->form;
    REAL w[LONG], w_bar[LONG], sums[LONG];
    for (ptrdiff_t i = 0; i < m; i++) {
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t from = i * n + j0 + j;
            w[i * width + j] = j < size ? work->beta[from] : 0;
            w_bar[i * width + j] = y_bar && j < size ? work->beta_bar[from] : 1;
        }
    }
    const size_t rest = (size_t)(size - whole) * sizeof(REAL);
    copy(copies->y, NULL, 0, 1, 0, 0); /* the padding of all rows */
    copy(copies->bar, NULL, 0, 1, 0, 1);
    for (ptrdiff_t b0 = 0; b0 < work->rows; b0 += ROWS) {
        const ptrdiff_t stop = work->rows - b0 < ROWS ? work->rows : b0 + ROWS;
        memset(sums, 0, sizeof sums);
        for (ptrdiff_t b = b0; b < stop; b++) {
            const ptrdiff_t row = b * n + j0;
            if (work->look && (b - b0) % SEEN == 0) {
                const ptrdiff_t seen = stop - b < SEEN ? stop - b : SEEN;
                const REAL most = most_inside(work->y + row, n, seen, size);
                if (most < 0 || most_beta < 0) {
                    return 0;
                }
                form = form_of(most, most_beta);
            }
            for (ptrdiff_t j = 0; j < width; j += STRIP) {
                Held held = {work->y + row + j, y_bar ? y_bar + row + j : NULL, work->gy + row + j,
                             work->grad + b * m, n, n, m};
                Weights own = {w + j, w_bar + j, sums + j, width, width};
                if (j == whole) {
                    memcpy(copies->y[0], held.y, rest);
                    if (y_bar) {
                        memcpy(copies->bar[0], held.bar, rest);
                    }
                    held.y = copies->y[0];
                    held.bar = copies->bar[0];
                    held.gradient = copies->gradient[0];
                }
#define FEW_OUTPUTS(form) meet(form, 1, 0, held, own, (int)m, work->floor, 1)
                WITH_FORM(form, FEW_OUTPUTS)
                if (j == whole) {
                    memcpy(work->gy + row + j, held.gradient, rest);
                }
            }
        }
        for (ptrdiff_t i = 0; i < m; i++) {
            for (ptrdiff_t j = 0; j < size; j++) {
                REAL *to = work->gbeta + i * n + j0 + j;
                *to = (b0 ? *to : 0) - sums[i * width + j];
            }
        }
    }
    return 1;
}

static int gradients(const Array *arrays, int form, int look, REAL floor, ptrdiff_t j0, ptrdiff_t j1) {
    ptrdiff_t rows = arrays[0].shape[0], m = arrays[2].shape[0];
    const int narrow = rows == 1 || m < FEW;
    int result = 1;
    if (look && !narrow) {
        return BAD_VALUE;
    }
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
                       rows, arrays[0].shape[1], m, form, look, copies};
    const ptrdiff_t step = !narrow ? STRIP : rows == 1 ? LONG : LONG / m / STRIP * STRIP;
    for (ptrdiff_t b0 = 0; b0 < (narrow ? 1 : rows); b0 += ROWS) {
        for (ptrdiff_t j = j0; j < j1 && result; j += step) {
            const ptrdiff_t stop = j1 - j < step ? j1 : j + step;
            if (rows == 1) {
                result = one_row(&work, j, stop);
            } else if (narrow) {
                result = few_outputs(&work, j, stop);
            } else {
                strip(&work, b0, rows - b0 < ROWS ? rows - b0 : ROWS, j);
            }
        }
    }
    free(copies);
    return result;
}

/* Write gy[:, j0:j1] and gbeta[:, j0:j1] and return 1, or return 0 if a number is not in [0, 1].

arrays: y, ȳ (rows, n), β, β̄ (m, n), grad (rows, m), gy, gbeta; ȳ and β̄ both or neither
numbers: j0, a multiple of 64; j1, likewise or n; careful, 1 if a factor may be 0 or, with ȳ and β̄,
less than eps/2, or 2 to look at y and β first, of one row or few outputs, without ȳ and β̄; floor:
divides by max(f, floor) */
KERNEL(gradients)(const Array *arrays, const Number *numbers) {
    ptrdiff_t j0 = numbers[0].integer, j1 = numbers[1].integer;
    ptrdiff_t n = arrays[0].shape[1];
    int careful = numbers[2].integer != 0, bars = arrays[1].data != NULL;
    const int look = numbers[2].integer == 2;
    if ((look && bars) || bars != (arrays[3].data != NULL) || j0 < 0 || j0 % 64 || j1 < j0 || j1 > n ||
        (j1 % 64 && j1 != n)) {
        return BAD_VALUE;
    }
    int form = bars ? (careful ? CAREFUL : BARS) : (careful ? GUARDED : OPEN);
    return gradients(arrays, form, look, (REAL)numbers[3].real, j0, j1);
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
    return gradients(given, form, 0, (REAL)(IS_FLOAT ? 0x1p-24 : 0x1p-53), 0, arrays[0].shape[1]);
}

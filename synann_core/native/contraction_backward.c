/* Gradients of the sum of log f: −Σ_i t β/f and −Σ_b t y/f for the upstream gradient t.

Vectors over the inputs j. A strip of inputs is worked through by one thread, which alone writes those
columns of both gradients: the bits do not depend on the number of threads. */

#include <stdlib.h>

#include "gradients.h"

INLINE void meet_all(int form, Held held, ptrdiff_t rows, Weights weights, int count, REAL floor,
                     int first) {
    for (ptrdiff_t b = 0; b < rows;) {
        int now = rows - b < PAIR ? 1 : PAIR;
        if (now == 1) {
            meet(form, 1, 1, 4, STRIP, held, weights, count, floor, first, 0);
        } else {
            meet(form, PAIR, 1, 4, STRIP, held, weights, count, floor, first, 0);
        }
        held.y += now * held.step;
        held.bar = form < BARS ? NULL : held.bar + now * held.step;
        held.gradient += now * held.gradient_step;
        held.t += now * held.t_step;
        b += now;
    }
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
        paste(work->gy + at + b * n, copies->gradient[b], size);
    }
}

static int gradients(const Array *arrays, int form, int look, REAL floor, ptrdiff_t j0, ptrdiff_t j1) {
    ptrdiff_t rows = arrays[0].shape[0], m = arrays[2].shape[0];
    const int narrow = is_narrow(rows, m);
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
    if (narrow) {
        result = JOIN(narrow_gradients, LEVEL, REAL)(&work, j0, j1);
    }
    for (ptrdiff_t b0 = 0; b0 < rows && !narrow; b0 += ROWS) {
        for (ptrdiff_t j = j0; j < j1; j += STRIP) {
            strip(&work, b0, rows - b0 < ROWS ? rows - b0 : ROWS, j);
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
    const ptrdiff_t n = arrays[0].shape[1];
    const REAL most_y = most_inside(arrays[0].data, n, arrays[0].shape[0], n);
    const REAL most_beta = most_inside(arrays[1].data, n, arrays[1].shape[0], n);
    if (most_y < 0 || most_beta < 0) {
        return 0;
    }
    Array given[7] = {arrays[0], {0}, arrays[1], {0}, arrays[2], arrays[3], arrays[4]};
    const REAL floor = (REAL)(IS_FLOAT ? 0x1p-24 : 0x1p-53);
    return gradients(given, form_of(most_y, most_beta), 0, floor, 0, n);
}

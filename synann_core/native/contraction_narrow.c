/* Gradients of one row, or of few outputs.

Each number is used once or a few times, so memory takes what time there is: it is read and written in
its own order, and what is to be looked at is looked at on the way. */

#include "gradients.h"

enum {
    LONG = 1024, /* inputs times outputs that are gone through together */
    SEEN = 16,   /* rows that are looked at before they are worked through */
};

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

/* Columns j0 to j1 of one row against all outputs. What is read and written once, β and its gradient,
goes by in the order of memory, and is never copied but for the end of a row. */
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

int JOIN(narrow_gradients, LEVEL, REAL)(const Work *work, ptrdiff_t j0, ptrdiff_t j1) {
    const ptrdiff_t step = work->rows == 1 ? LONG : LONG / work->m / STRIP * STRIP;
    int result = 1;
    for (ptrdiff_t j = j0; j < j1 && result; j += step) {
        const ptrdiff_t stop = j1 - j < step ? j1 : j + step;
        result = work->rows == 1 ? one_row(work, j, stop) : few_outputs(work, j, stop);
    }
    return result;
}

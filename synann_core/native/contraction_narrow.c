/* Gradients of one row, or of few outputs.

Each number is used once or a few times, so memory takes what time there is: it is read and written in
its own order, and what is to be looked at is looked at on the way. */

#include "gradients.h"

enum {
    LONG = 1024, /* inputs times outputs that are gone through together */
    SEEN = 8192, /* numbers that are looked at before they are worked through */
    STREAMED = 20 << 20, /* bytes of a gradient that caches do not keep, beside what it is made of */
    AHEAD = 1024 /* gradients to come, for which memory is asked: it is read before it is written */
};

/* Whether a gradient's rows are to be stored past the caches. */
INLINE int is_far(const REAL *gradient, ptrdiff_t rows, ptrdiff_t n) {
    const ptrdiff_t row = n * (ptrdiff_t)sizeof(REAL);
    return rows > STREAMED / row && STREAMS(gradient) && STREAMS(row);
}

/* Run call(form, live): `live` as `meet` has it. */
#define WITH_LIVE(form, live, call)           \
    switch (live) {                           \
    case 0: break;                            \
    case 1: WITH_FORM(form, call##_1); break; \
    case 2: WITH_FORM(form, call##_2); break; \
    case 3: WITH_FORM(form, call##_3); break; \
    default: WITH_FORM(form, call##_4);       \
    }

/* One row against one output, a strip: total += t β/f, and the gradient of β; `far` as `put` has it. */
INLINE void alone(int form, int live, int rest, const REAL *y, const REAL *bar, const REAL *w,
                  const REAL *w_bar, REAL t, int large, REAL floor, REAL *total, REAL *gbeta, int far) {
    const Vector zero = all(0), one = all(1), least = all(floor);
    for (int half = 0; half < APART; half += LANES) {
        Vector own[4], other[4], f[4], ratio[4];
        for (int q = 0; q < 4; q++) {
            const int at = q * APART + half, there = q < live - 1 ? LANES : q < live ? rest - half : 0;
            own[q] = load_some(y + at, there, 0);
            other[q] = load_some(w + at, there, 0);
            const Vector own_bar = form < BARS ? one : load_some(bar + at, there, 1);
            const Vector other_bar = form < BARS ? one : load_some(w_bar + at, there, 1);
            f[q] = q < live ? factor_of(form, other[q], other_bar, own[q], own_bar, least) : one;
        }
        quotients(form, live, f, t, large, ratio);
        for (int q = 0; q < live; q++) {
            const int at = q * APART + half, there = q < live - 1 ? LANES : rest - half;
            store(total + at, fused(other[q], ratio[q], load(total + at)));
            /* from 0, so never -0 */
            put(gbeta + at, zero - fused(own[q], ratio[q], zero), there, far);
        }
    }
}

/* Columns j0 to j1 of one row against all outputs. What is read and written once, β and its gradient,
goes by in the order of memory, and is never copied. */
static int one_row(const Work *work, ptrdiff_t j0, ptrdiff_t j1) {
    const ptrdiff_t n = work->n, whole = j0 + (j1 - j0) / STRIP * STRIP;
    const int live = (int)(j1 - whole + APART - 1) / APART;
    const int rest = (int)(j1 - whole) - (live - 1) * APART;
    const REAL *bar = work->y_bar, *w_bar = work->beta_bar;
    const REAL most = work->look ? most_inside(work->y + j0, j1 - j0, 1, j1 - j0) : 0;
    const int far = is_far(work->gbeta, work->m, n);
    REAL total[LONG];
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
            ptrdiff_t j = j0;
#define ALONE(form, live, rest) alone(form, live, rest, work->y + j, (form) < BARS ? NULL : bar + j, w + j, \
                                      (form) < BARS ? NULL : w_bar + i * n + j, t, large, work->floor, \
                                      total + (j - j0), work->gbeta + i * n + j, far)
#define ALONE_WHOLE(form) ALONE(form, 4, STRIP)
#define ALONE_1(form) ALONE(form, 1, rest)
#define ALONE_2(form) ALONE(form, 2, rest)
#define ALONE_3(form) ALONE(form, 3, rest)
#define ALONE_4(form) ALONE(form, 4, rest)
            for (; j < whole; j += STRIP) {
                if (work->look) { /* the next outputs, which are looked at before anything else */
                    fetch(w + OUTPUTS * n + j, STRIP);
                }
                if (!far) {
                    fetch(work->gbeta + i * n + j + AHEAD, STRIP);
                }
                WITH_FORM(form, ALONE_WHOLE)
            }
            WITH_LIVE(form, live, ALONE)
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
    const ptrdiff_t n = work->n, m = work->m, size = j1 - j0, whole = size / STRIP * STRIP;
    const ptrdiff_t width = (size + STRIP - 1) / STRIP * STRIP;
    const int live = (int)(size - whole + APART - 1) / APART;
    const int rest = (int)(size - whole) - (live - 1) * APART;
    const REAL *y_bar = work->y_bar;
    const REAL most_beta = work->look ? most_inside(work->beta + j0, n, m, size) : 0;
    const int far = is_far(work->gy, work->rows, n);
    const ptrdiff_t at_once = SEEN / size + 1;
    int form = work->form;
    REAL w[LONG], w_bar[LONG], sums[LONG];
    for (ptrdiff_t i = 0; i < m; i++) {
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t from = i * n + j0 + j;
            w[i * width + j] = j < size ? work->beta[from] : 0;
            w_bar[i * width + j] = y_bar && j < size ? work->beta_bar[from] : 1;
        }
    }
    for (ptrdiff_t b0 = 0; b0 < work->rows; b0 += ROWS) {
        const ptrdiff_t stop = work->rows - b0 < ROWS ? work->rows : b0 + ROWS;
        memset(sums, 0, sizeof sums);
        for (ptrdiff_t b = b0; b < stop; b++) {
            const ptrdiff_t row = b * n + j0;
            if (work->look && (b - b0) % at_once == 0) {
                const ptrdiff_t seen = stop - b < at_once ? stop - b : at_once;
                const REAL most = most_inside(work->y + row, n, seen, size);
                if (most < 0 || most_beta < 0) {
                    return 0;
                }
                form = form_of(most, most_beta);
            }
            Held held = {work->y + row, y_bar ? y_bar + row : NULL, work->gy + row, work->grad + b * m,
                         n, n, m};
            Weights own = {w, w_bar, sums, width, width};
#define MEET(form, live, rest) meet(form, 1, 0, live, rest, held, own, (int)m, work->floor, 1, far)
#define MEET_WHOLE(form) MEET(form, 4, STRIP)
#define MEET_1(form) MEET(form, 1, rest)
#define MEET_2(form) MEET(form, 2, rest)
#define MEET_3(form) MEET(form, 3, rest)
#define MEET_4(form) MEET(form, 4, rest)
            for (ptrdiff_t j = 0; j < whole; j += STRIP) {
                if (work->look) { /* the next rows, which are looked at before anything else */
                    fetch(held.y + at_once * n, STRIP);
                }
                if (!far) {
                    fetch(held.gradient + AHEAD, STRIP);
                }
                WITH_FORM(form, MEET_WHOLE)
                held.y += STRIP;
                held.bar = y_bar ? held.bar + STRIP : NULL;
                held.gradient += STRIP;
                own.w += STRIP;
                own.bar += STRIP;
                own.sums += STRIP;
            }
            WITH_LIVE(form, live, MEET)
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
    streamed();
    return result;
}

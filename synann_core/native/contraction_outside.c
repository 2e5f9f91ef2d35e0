/* Rows outside the domain of the other kernels, which is 0 ≤ y, 0 ≤ β, βy ≤ 1: which they are, and
the contraction for them, one factor after the other.

They give NaN where a factor is negative or NaN, and their gradients are guarded by the floor. A row
is outside because of β or of itself, never of the other rows. */

#include <string.h>

#include "logarithm.h"

#define CLOSE ((REAL)(IS_FLOAT ? 0x1.6a09e6p-2 : 0x1.6a09e667f3bcdp-2)) /* √½/2 */
#define ROOT_2 ((REAL)(IS_FLOAT ? 0x1.6a09e6p0 : 0x1.6a09e667f3bcdp0))

enum {
    BLOCK = 64, /* factors whose logarithms are taken together: the sizes of all vectors divide it */
    OUTPUTS = 32, /* whose gradients are added up before they join the sum */
};

/* Write 1 for each row inside the domain, else 0; return the sum of the flags of kernels.h.

Either both y and β are at most 1, or their product is well below it: the smallest factor is then 0
or at least eps/2. Comparisons with NaN are false.
arrays: y, ȳ (rows, n), β, β̄ (m, n), inside (rows); ȳ and β̄ both or neither */
KERNEL(domain)(const Array *arrays, const Number *numbers) {
    (void)numbers;
    const REAL *y = arrays[0].data, *y_bar = arrays[1].data, *beta_bar = arrays[3].data;
    unsigned char *inside = arrays[4].data;
    ptrdiff_t rows = arrays[0].shape[0], n = arrays[0].shape[1];
    if (!y_bar != !beta_bar) {
        return BAD_VALUE;
    }
    Range beta = range_of(arrays[2].data, arrays[2].size);
    Range bar = beta_bar ? range_of(beta_bar, arrays[3].size) : (Range){0, 0};
    int fit = beta.least >= 0 && bar.least >= 0, all_inside = 1;
    int unit = 0; /* whether y is in [0, 1]: as nearly always, and found out faster than by rows */
    REAL most = 0;
    if (!y_bar && fit && beta.most <= 1) {
        Range all_of_y = range_of(y, arrays[0].size);
        unit = all_of_y.least >= 0 && all_of_y.most <= 1;
        most = unit ? all_of_y.most : 0;
    }
    memset(inside, 1, (size_t)rows);
    for (ptrdiff_t b = 0; b < rows && !unit; b++) {
        Range row = range_of(y + b * n, n);
        int good = fit && row.least >= 0 &&
                   ((row.most <= 1 && beta.most <= 1) || row.most * beta.most <= (REAL)0.99);
        inside[b] = (unsigned char)(good && !(y_bar && !(range_of(y_bar + b * n, n).least >= 0)));
        all_inside &= inside[b];
        most = row.most > most ? row.most : most;
    }
    int may_be_0 = !y_bar && !(all_inside && most * beta.most < 1);
    int tiny = y_bar && bar.least < (REAL)(IS_FLOAT ? 0x1p-23 : 0x1p-52);
    return (all_inside ? 0 : SOME_OUTSIDE) + (may_be_0 || tiny ? CAREFUL_GRADIENTS : 0) +
           (tiny ? CAREFUL_PRODUCTS : 0);
}

/* A row of y, or of β; `bar` is NULL where factors are 1 − βy. */
typedef struct {
    const REAL *a, *bar;
} Side;

INLINE Side side(const Array *arrays, int first, ptrdiff_t row) {
    ptrdiff_t at = row * arrays[first].shape[1];
    const REAL *bar = arrays[first + 1].data;
    return (Side){(const REAL *)arrays[first].data + at, bar ? bar + at : NULL};
}

/* A factor; NaN where y or β is not finite. ȳ and y β̄ are huge where y is above 1, or β. */
INLINE REAL factor(int bars, Side y, Side beta, ptrdiff_t j) {
    return bars && y.a[j] <= 1 && beta.a[j] <= 1
               ? fma_real(y.a[j], beta.bar[j], y.bar[j])
               : fma_real(-beta.a[j], y.a[j], 1) + ((y.a[j] - y.a[j]) + (beta.a[j] - beta.a[j]));
}

/* log f for normal f, of which q = 1 − f; NaN where f is not finite. */
INLINE Vector log_factor(Vector f, Vector q) {
    Vector far = log_product_of(f, all(0)), near = log_complement(f, q);
    near = where_less(f, all(CLOSE), far, near);
    return where_less(f, all(ROOT_2), near, far) + (f - f);
}

/* Sum of log f, the factors kept from `floor`, and the least of them as it is. */
INLINE REAL sum_of_logarithms(int bars, Side y, Side beta, ptrdiff_t n, REAL floor, REAL *least) {
    REAL total = 0, error = 0;
    for (ptrdiff_t j0 = 0; j0 < n; j0 += BLOCK) {
        REAL f[BLOCK], q[BLOCK];
        int size = (int)(n - j0 < BLOCK ? n - j0 : BLOCK);
        for (int j = 0; j < size; j++) {
            REAL now = factor(bars, y, beta, j0 + j);
            *least = now < *least ? now : *least;
            f[j] = now < floor ? floor : now;
            q[j] = y.a[j0 + j] * beta.a[j0 + j];
        }
        for (int j = size; j < BLOCK; j++) {
            f[j] = 1;
            q[j] = 0;
        }
        for (int j = 0; j < size; j += LANES) {
            store(f + j, log_factor(load(f + j), load(q + j)));
        }
        for (int j = 0; j < size; j++) {
            REAL next = total + f[j], part = next - total;
            error += (total - (next - part)) + (f[j] - part);
            total = next;
        }
    }
    return total + error;
}

/* Write the rows of exact and guarded that are outside, of rows b0 to b1.

arrays: y, ȳ (rows, n), β, β̄ (m, n), inside (rows), exact, guarded (rows, m)
numbers: b0, b1; floor, which the factors of `guarded` are kept from */
KERNEL(log_product_outside)(const Array *arrays, const Number *numbers) {
    const unsigned char *inside = arrays[4].data;
    ptrdiff_t b0 = numbers[0].integer, b1 = numbers[1].integer;
    ptrdiff_t n = arrays[0].shape[1], m = arrays[2].shape[0];
    int bars = arrays[1].data != NULL;
    if (bars != (arrays[3].data != NULL) || b0 < 0 || b1 < b0 || arrays[0].shape[0] < b1) {
        return BAD_VALUE;
    }
    for (ptrdiff_t b = b0; b < b1; b++) {
        for (ptrdiff_t i = 0; i < m && !inside[b]; i++) {
            Side y = side(arrays, 0, b), beta = side(arrays, 2, i);
            REAL floor = (REAL)numbers[2].real, least = 1;
            REAL total = bars ? sum_of_logarithms(1, y, beta, n, floor, &least)
                              : sum_of_logarithms(0, y, beta, n, floor, &least);
            /* The total is NaN where a factor is. */
            REAL closed = least < 0 ? __builtin_nanf("") : total - (REAL)__builtin_inff();
            ((REAL *)arrays[5].data)[b * m + i] = least > 0 ? total : closed;
            ((REAL *)arrays[6].data)[b * m + i] = total;
        }
    }
    return 0;
}

/* gy −= Σ_i t β/f over some outputs, and gbeta −= t y/f, for a row's inputs j0 to j0 + size. */
INLINE void add_gradients(int bars, const Array *arrays, ptrdiff_t b, ptrdiff_t i0, ptrdiff_t j0,
                          int size, REAL floor) {
    ptrdiff_t n = arrays[0].shape[1], m = arrays[2].shape[0];
    REAL *gy = (REAL *)arrays[6].data + b * n + j0, sum[BLOCK] = {0};
    Side y = side(arrays, 0, b);
    for (ptrdiff_t i = i0; i < m && i < i0 + OUTPUTS; i++) {
        Side beta = side(arrays, 2, i);
        REAL *gbeta = (REAL *)arrays[7].data + i * n + j0;
        REAL t = ((const REAL *)arrays[5].data)[b * m + i];
        for (int j = 0; j < size; j++) {
            REAL f = factor(bars, y, beta, j0 + j), ratio = t / (f < floor ? floor : f);
            sum[j] += ratio * beta.a[j0 + j];
            gbeta[j] -= ratio * y.a[j0 + j];
        }
    }
    for (int j = 0; j < size; j++) {
        gy[j] -= sum[j];
    }
}

/* Write gy[:, j0:j1] for the rows outside, and add to gbeta[:, j0:j1].

arrays: y, ȳ (rows, n), β, β̄ (m, n), inside (rows), grad (rows, m), gy, gbeta
numbers: j0, j1; floor: divides by max(f, floor) */
KERNEL(gradients_outside)(const Array *arrays, const Number *numbers) {
    const unsigned char *inside = arrays[4].data;
    ptrdiff_t j0 = numbers[0].integer, j1 = numbers[1].integer;
    ptrdiff_t n = arrays[0].shape[1], m = arrays[2].shape[0];
    int bars = arrays[1].data != NULL;
    if (bars != (arrays[3].data != NULL) || j0 < 0 || j1 < j0 || n < j1) {
        return BAD_VALUE;
    }
    for (ptrdiff_t b = 0; b < arrays[0].shape[0]; b++) {
        for (ptrdiff_t j = j0; j < j1 && !inside[b]; j += BLOCK) {
            int size = (int)(j1 - j < BLOCK ? j1 - j : BLOCK);
            memset((REAL *)arrays[6].data + b * n + j, 0, (size_t)size * sizeof(REAL));
            for (ptrdiff_t i = 0; i < m; i += OUTPUTS) {
                if (bars) {
                    add_gradients(1, arrays, b, i, j, size, (REAL)numbers[2].real);
                } else {
                    add_gradients(0, arrays, b, i, j, size, (REAL)numbers[2].real);
                }
            }
        }
    }
    return 0;
}

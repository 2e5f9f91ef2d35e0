/* Kernels of the contraction's values: passes over tiles, a group of inputs at a time.

Which of the two sides lies in vectors, and how the work is divided, changes no bit of a result. */

#include <stdlib.h>
#include <string.h>

#include "contraction_groups.h"

/* One pass: a vector side of `across` rows of w, a side of scalars of `count` rows, at most OTHER. */
typedef struct {
    int form, careful, look; /* whether w is looked at: that all of it is in [0, 1] */
    REAL floor;
    const REAL *w, *w_bar;
    ptrdiff_t n, across, count;
    Scalars scalars;
    REAL *out;
    ptrdiff_t across_step, count_step; /* between results */
} Pass;

enum { BESIDE = 4 }; /* results of a row, at most, that are shuffled into vectors */

INLINE void add_groups(const Pass *pass, int form, const REAL *tile, const REAL *tile_bar,
                       ptrdiff_t j0, int size, REAL *sums, char *spoiled) {
    const int first = j0 == 0;
    ptrdiff_t k = 0, step = pass->scalars.step;
    while (k < pass->count) {
        const REAL *bar = form == PLAIN ? NULL : pass->scalars.bar + k * step + j0;
        Scalars now = {pass->scalars.a + k * step + j0, bar, step};
        const ptrdiff_t left = pass->count - k;
        int held = left >= HELD ? HELD : form == PLAIN ? (int)left : 1, done = 0;
        REAL *own = sums + k * 2 * SIDE;
        if (!spoiled[k] && !(pass->floor > 0)) {
#define PRODUCTS(held) add_products(form, held, tile, tile_bar, now, size, first, own)
            if (held == HELD) {
                done = PRODUCTS(HELD);
            } else if (form != PLAIN || held == 1) {
                done = PRODUCTS(1);
            } else {
                done = held == 2 ? PRODUCTS(2) : PRODUCTS(3);
            }
            spoiled[k] = !done;
        }
        for (int r = 0; r < held && !done;) {
            Scalars one = {now.a + r * step, form == PLAIN ? NULL : now.bar + r * step, step};
            REAL *at = own + r * 2 * SIDE;
            if (pass->careful) {
                add_group(form, 1, 1, pass->floor, tile, tile_bar, one, size, first, at);
                r++;
            } else if (held - r < PAIR) {
                add_group(form, 1, 0, 0, tile, tile_bar, one, size, first, at);
                r++;
            } else {
                add_group(form, PAIR, 0, 0, tile, tile_bar, one, size, first, at);
                r += PAIR;
            }
        }
        k += held;
    }
}

/* Write the first `count` sums of a vector, `step` apart. Note in `odd` those that are not finite and,
where it looks, those that are faint. */
INLINE void write_sums(const REAL *sums, ptrdiff_t count, int look, ptrdiff_t step, REAL *out,
                       Words *odd) {
    const Vector most = all(-MOST), sum = load(sums);
    /* The rounding error of a sum that is −∞ is NaN. */
    const Vector total = where_less(sum, most, sum, sum + load(sums + SIDE));
    *odd |= less(total, most) | (Words)(total != total);
    if (look) {
        *odd |= less(total, all(0)) & less(all(-FAINT), total);
    }
    if (step == 1) {
        store_some(out, total, count);
        return;
    }
    REAL each[LANES];
    store(each, total);
    if (count >= LANES) {
        _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) out[k * step] = each[k];
        return;
    }
    for (ptrdiff_t k = 0; k < count; k++) {
        out[k * step] = each[k];
    }
}

/* Write `width` results of each of `count` scalars, known when this is compiled, beside each other. */
INLINE void interleave(int count, const REAL *restrict each, ptrdiff_t width, REAL *restrict out) {
    for (ptrdiff_t i = 0; i < width; i++) {
        for (int k = 0; k < count; k++) {
            out[i * count + k] = each[k * SIDE + i];
        }
    }
}

/* Write the results of a pass; 1 if all are finite and, where it looks, w is in [0, 1] and no sum
is faint. */
static int run_pass(const Pass *pass, REAL *tile, REAL *tile_bar, REAL *sums, char *spoiled) {
    const ptrdiff_t n = pass->n;
    /* Of four lanes: to turn them in registers is cheap. */
    const int four = WIDTH == 32 && !IS_FLOAT && pass->count == 1;
    const int few = pass->form == PLAIN && !pass->careful && pass->count < FEW &&
                    (four || (size_t)(pass->across * n) * sizeof(REAL) > FAR);
    int quick = few;
    const int beside = pass->across_step == pass->count && pass->count > 1 && pass->count <= BESIDE;
    REAL each[BESIDE * SIDE];
    Straight w = {.n = n, .seen = {0}};
    Words odd = {0};
    for (ptrdiff_t i0 = 0; i0 < pass->across; i0 += SIDE) {
        const ptrdiff_t width = pass->across - i0 < SIDE ? pass->across - i0 : SIDE;
        for (ptrdiff_t k = 0; few && k < SIDE; k++) { /* as in tiles, the last row again */
            w.rows[k] = pass->w + (i0 + (k < width ? k : width - 1)) * n;
        }
        if (n == 0) {
            memset(sums, 0, (size_t)pass->count * 2 * SIDE * sizeof(REAL));
        }
        if (i0 % (4 * SIDE) == 0) { /* from time to time the quick way is tried again */
            memset(spoiled, 0, (size_t)pass->count);
            quick = few;
        }
        for (ptrdiff_t j0 = 0; j0 < n; j0 += GROUP) {
            int size = (int)(n - j0 < GROUP ? n - j0 : GROUP);
            quick = quick && add_products_straight((int)pass->count, &w, j0, pass->scalars, size,
                                                   j0 == 0, sums);
            if (quick) {
                continue;
            }
            fill_tile(pass->w + i0 * n + j0, n, width, size, tile, SIDE, &w.seen);
            if (pass->w_bar) {
                fill_tile(pass->w_bar + i0 * n + j0, n, width, size, tile_bar, SIDE, NULL);
            }
            if (pass->form == PLAIN) {
                add_groups(pass, PLAIN, tile, tile_bar, j0, size, sums, spoiled);
            } else if (pass->form == BAR_IN_VECTORS) {
                add_groups(pass, BAR_IN_VECTORS, tile, tile_bar, j0, size, sums, spoiled);
            } else {
                add_groups(pass, BAR_IN_SCALARS, tile, tile_bar, j0, size, sums, spoiled);
            }
        }
        for (ptrdiff_t k = 0; k < pass->count; k++) {
            const REAL *own = sums + k * 2 * SIDE;
            const ptrdiff_t step = beside ? 1 : pass->across_step;
            REAL *out = pass->out + k * pass->count_step + i0 * pass->across_step;
            REAL *to = beside ? each + k * SIDE : out;
            for (ptrdiff_t q = 0; q < width; q += LANES) {
                write_sums(own + q, width - q, pass->look, step, to + q * step, &odd);
            }
        }
        if (beside) {
            REAL *out = pass->out + i0 * pass->across_step;
#define INTERLEAVE(count)                                                                      \
    width == SIDE ? interleave(count, each, SIDE, out) : interleave(count, each, width, out)
            if (pass->count == 2) {
                INTERLEAVE(2);
            } else if (pass->count == 3) {
                INTERLEAVE(3);
            } else {
                INTERLEAVE(BESIDE);
            }
        }
    }
    /* Negative zeros, too, are larger than 1 by their bits. */
    return !any(odd) && (!pass->look || surely_inside(w.seen) ||
                         most_inside(pass->w, n, pass->across, n) >= 0);
}

/* out[b0:b1, i0:i1] in passes. No bit depends on how the work is divided. */
static int log_products(const Array *arrays, ptrdiff_t b0, ptrdiff_t b1, ptrdiff_t i0, ptrdiff_t i1,
                        REAL floor, int careful, int look) {
    const REAL *y = arrays[0].data, *y_bar = arrays[1].data;
    const REAL *beta = arrays[2].data, *beta_bar = arrays[3].data;
    ptrdiff_t n = arrays[0].shape[1], m = arrays[2].shape[0], rows = b1 - b0, width = i1 - i0;
    /* Places of vectors are filled up; and a tile costs about as much as four rows of the others. */
    ptrdiff_t by_outputs = (width + SIDE - 1) / SIDE * SIDE * (rows + 4);
    ptrdiff_t by_rows = (rows + SIDE - 1) / SIDE * SIDE * (width + 4);
    int turned = by_rows < by_outputs;
    ptrdiff_t others = turned ? width : rows, most = others < OTHER ? others : OTHER;
    if (look && most_inside(turned ? beta + i0 * n : y + b0 * n, n, others, n) < 0) {
        return 0;
    }
    size_t tile_size = (size_t)GROUP * SIDE, sums_size = (size_t)most * 2 * SIDE;
    char *memory = malloc(((y_bar ? 2 : 1) * tile_size + sums_size) * sizeof(REAL) + OTHER + 64);
    if (!memory) {
        return NO_MEMORY;
    }
    REAL *tile = (REAL *)(((uintptr_t)memory + 63) / 64 * 64), *tile_bar = tile + tile_size;
    REAL *sums = y_bar ? tile_bar + tile_size : tile_bar;
    char *spoiled = (char *)(sums + sums_size);
    const REAL *w = turned ? y + b0 * n : beta + i0 * n;
    const REAL *w_bar = turned ? y_bar : beta_bar, *bar = turned ? beta_bar : y_bar;
    int open = 1;
    for (ptrdiff_t k = 0; k < others; k += OTHER) {
        ptrdiff_t start = (turned ? i0 : b0) + k;
        Pass pass = {
            .form = !y_bar ? PLAIN : turned ? BAR_IN_SCALARS : BAR_IN_VECTORS,
            .careful = careful || floor > 0,
            .look = look,
            .floor = floor,
            .w = w,
            .w_bar = w_bar ? w_bar + (turned ? b0 : i0) * n : NULL,
            .n = n,
            .across = turned ? rows : width,
            .count = others - k < OTHER ? others - k : OTHER,
            .scalars = {(turned ? beta : y) + start * n, bar ? bar + start * n : NULL, n},
            .out = (REAL *)arrays[4].data + (turned ? b0 * m + start : start * m + i0),
            .across_step = turned ? m : 1,
            .count_step = turned ? 1 : m,
        };
        open &= run_pass(&pass, tile, tile_bar, sums, spoiled);
    }
    free(memory);
    return open;
}

/* Write out[b0:b1, i0:i1] and return 1 if all of it is finite.

arrays: y, ȳ (rows, n), β, β̄ (m, n), out (rows, m); ȳ and β̄ both or neither
numbers: b0, b1, i0, i1; careful, 1 if a factor may be as small as the smallest normal number, and 0
if every factor is 0 or at least eps/2, or 2 to look, without ȳ and β̄, whether y and β are in [0, 1]
and no sum is faint, and to return 0 if one is not; floor, which factors are kept from, or 0 */
KERNEL(log_product)(const Array *arrays, const Number *numbers) {
    ptrdiff_t b0 = numbers[0].integer, b1 = numbers[1].integer;
    ptrdiff_t i0 = numbers[2].integer, i1 = numbers[3].integer;
    if (!arrays[1].data != !arrays[3].data || b0 < 0 || b1 < b0 || arrays[0].shape[0] < b1 ||
        i0 < 0 || i1 < i0 || arrays[2].shape[0] < i1) {
        return BAD_VALUE;
    }
    const int look = numbers[4].integer == 2, careful = !look && numbers[4].integer != 0;
    if (look && arrays[1].data) {
        return BAD_VALUE;
    }
    return log_products(arrays, b0, b1, i0, i1, (REAL)numbers[5].real, careful, look);
}

/* Write the whole of out and return 1, or return 0 if y or β is not in [0, 1], a factor is 0, or a
sum is faint.

For few values this takes a fraction of the time of checking and dividing the work in Python.
arrays: y (rows, n), β (m, n), out (rows, m) */
KERNEL(log_product_open)(const Array *arrays, const Number *numbers) {
    (void)numbers;
    Array given[5] = {arrays[0], {0}, arrays[1], {0}, arrays[2]};
    return log_products(given, 0, arrays[0].shape[0], 0, arrays[1].shape[0], 0, 0, 1);
}

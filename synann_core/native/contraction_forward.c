/* Sum of log f over j, with the factors f = ȳ + y β̄ (1 − βy where ȳ and β̄ are not given).

One side of the contraction, the outputs or the rows, lies in vectors; the other one gives scalars.
Whichever it is, each (row, output) sees the same operations in the same order:

- Blocks of 32 inputs j. p is the product of their factors, and c = 1 − p its complement, which stays
  accurate where p is close to 1. With more inputs to a block the rounding errors of repeated inputs
  would add up to more than is promised.
- A block with p ≥ √½/2 adds its own logarithm, taken from c. Where p is smaller it needs no c, and
  its error is small beside its logarithm: the p of up to four such blocks are multiplied, and their
  product adds one logarithm.
- Sums are a number and its rounding error.

Powers of two are moved out of products where these become small, exactly; when that is done does not
change a bit. So the products alone are tried first (2 operations a factor, against 4), and all of it
is done where a lane turns out to need it. */

#include <stdlib.h>
#include <string.h>

#include "logarithm.h"
#include "tiles.h"

enum {
    BLOCK = 32,
    GROUP = 4 * BLOCK, /* inputs to a tile, and to a product of blocks */
    VECTORS = 2,
    SIDE = VECTORS * LANES, /* rows or outputs in vectors to a tile */
    HELD = WIDTH == 16 ? 2 : 4, /* of the other side at a time */
    PAIR = 2, /* of them where the complement is kept as well */
    OTHER = 256, /* of the other side to a pass over a tile: they pay for its transposition */
};

/* Products below this may underflow with four more factors of eps/2, or with one more factor of the
smallest normal number; the latter where `careful`. */
#define SHIFT(careful) ((careful) ? (IS_FLOAT ? 63 : 511) : (IS_FLOAT ? 96 : 212))
#define SCALE(careful) \
    ((REAL)((careful) ? (IS_FLOAT ? 0x1p63 : 0x1p511) : (IS_FLOAT ? 0x1p96 : 0x1p212)))
#define SMALL(careful) \
    ((REAL)((careful) ? (IS_FLOAT ? 0x1p-63 : 0x1p-511) : (IS_FLOAT ? 0x1p-30 : 0x1p-810)))
#define MOST ((REAL)(IS_FLOAT ? 0x1.fffffep127 : 0x1.fffffffffffffp1023)) /* finite */
#define CLOSE ((REAL)(IS_FLOAT ? 0x1.6a09e6p-2 : 0x1.6a09e667f3bcdp-2)) /* √½/2 */
#define FAINT (SMALLEST_NORMAL / EPSILON) /* of sums below it products βy may have lost digits */

/* The side of scalars: `step` from one row to the next. */
typedef struct {
    const REAL *a, *bar;
    ptrdiff_t step;
} Scalars;

/* Which factors: 1 − w a; ȳ + y β̄ with β̄ in the vectors (w_bar), or with β̄ among the scalars. */
enum { PLAIN, BAR_IN_VECTORS, BAR_IN_SCALARS };

INLINE Vector factor(int form, Vector w, Vector w_bar, Vector a, Vector a_bar) {
    if (form == PLAIN) {
        return fused(-w, a, all(1));
    }
    return form == BAR_IN_VECTORS ? fused(w_bar, a, a_bar) : fused(a_bar, w, w_bar);
}

/* Add `value` to sums, of SIDE numbers and SIDE rounding errors. */
INLINE void add(REAL *sums, Vector value) {
    Vector total = load(sums), next = total + value, part = next - total;
    store(sums + SIDE, load(sums + SIDE) + ((total - (next - part)) + (value - part)));
    store(sums, next);
}

/* Products of `size` factors, for `held` scalars and a tile's vectors, to p[held][SIDE]. */
INLINE void multiply(int form, int held, const REAL *tile, const REAL *tile_bar, Scalars scalars,
                     int size, REAL *out) {
    const Vector one = all(1);
    Vector p[HELD][VECTORS];
    for (int r = 0; r < held; r++) {
        /* The next rows are far away, which processors do not foresee. */
        __builtin_prefetch(scalars.a + (held + r) * scalars.step);
        __builtin_prefetch(scalars.a + (held + r) * scalars.step + BLOCK / 2);
        for (int q = 0; q < VECTORS; q++) {
            p[r][q] = one;
        }
    }
    for (int j = 0; j < size; j++) {
        Vector w[VECTORS], w_bar[VECTORS];
        for (int q = 0; q < VECTORS; q++) {
            w[q] = load(tile + (ptrdiff_t)j * SIDE + q * LANES);
            w_bar[q] = form == PLAIN ? w[q] : load(tile_bar + (ptrdiff_t)j * SIDE + q * LANES);
        }
        for (int r = 0; r < held; r++) {
            Vector a = all(scalars.a[r * scalars.step + j]);
            Vector a_bar = form == PLAIN ? a : all(scalars.bar[r * scalars.step + j]);
            for (int q = 0; q < VECTORS; q++) {
                p[r][q] *= factor(form, w[q], w_bar[q], a, a_bar);
            }
        }
    }
    for (int r = 0; r < held; r++) {
        for (int q = 0; q < VECTORS; q++) {
            store(out + r * SIDE + q * LANES, p[r][q]);
        }
    }
}

/* Functions of their own, so that all registers are theirs. */
#define MULTIPLY(name, form, held)                                                             \
    static __attribute__((noinline)) void name(const REAL *tile, const REAL *tile_bar,         \
                                               Scalars scalars, int size, REAL *out) {         \
        multiply(form, held, tile, tile_bar, scalars, size, out);                              \
    }
MULTIPLY(multiply_plain, PLAIN, HELD)
MULTIPLY(multiply_bar_in_vectors, BAR_IN_VECTORS, HELD)
MULTIPLY(multiply_bar_in_scalars, BAR_IN_SCALARS, HELD)

/* Add a group's logarithms from its products alone. 0, and nothing added, if that does not do. */
INLINE int add_products(int form, int held, const REAL *tile, const REAL *tile_bar, Scalars scalars,
                        int size, REAL *sums) {
    REAL p[HELD * SIDE];
    Vector product[HELD * VECTORS], exponent[HELD * VECTORS];
    int count = held * VECTORS;
    const REAL limit = SMALL(1), lift = 1 / limit;
    for (int start = 0; start < size; start += BLOCK) {
        int now = size - start < BLOCK ? size - start : BLOCK;
        if (held == 1) {
            multiply(form, 1, tile, tile_bar, scalars, now, p);
        } else if (form == PLAIN) {
            multiply_plain(tile, tile_bar, scalars, now, p);
        } else if (form == BAR_IN_VECTORS) {
            multiply_bar_in_vectors(tile, tile_bar, scalars, now, p);
        } else {
            multiply_bar_in_scalars(tile, tile_bar, scalars, now, p);
        }
        Vector most = all(0), least = all(1);
        for (int k = 0; k < count; k++) {
            Vector block = load(p + k * LANES);
            product[k] = start == 0 ? block : product[k] * block;
            exponent[k] = start == 0 ? all(0) : exponent[k];
            most = larger(most, block);
            least = where_less(product[k], least, product[k], least);
        }
        if (any(~less(most, all(CLOSE)) | less(least, all(limit)))) {
            if (any(~less(most, all(CLOSE)) | less(least, all(SMALLEST_NORMAL)))) {
                return 0;
            }
            for (int k = 0; k < count; k++) {
                Vector before = product[k];
                product[k] = where_less(before, all(limit), before * lift, before);
                exponent[k] += where_less(before, all(limit), all((REAL)SHIFT(1)), all(0));
            }
        }
        tile += BLOCK * SIDE;
        tile_bar += BLOCK * SIDE;
        scalars.a += BLOCK;
        scalars.bar = form == PLAIN ? NULL : scalars.bar + BLOCK;
    }
    Words odd = {0}; /* NaN, which is neither large nor small */
    for (int k = 0; k < count; k++) {
        odd |= ~less(all(0), product[k]);
    }
    if (any(odd)) {
        return 0;
    }
    for (int k = 0; k < count; k++) {
        int r = k / VECTORS, q = k % VECTORS;
        add(sums + (2 * r) * SIDE + q * LANES, log_product_of(product[k], exponent[k]));
    }
    return 1;
}

/* Powers of two out of the small lanes of p. */
INLINE void rescale(Vector *p, Vector *e, int careful) {
    Vector small = all(SMALL(careful)), now = *p;
    *p = where_less(now, small, now * SCALE(careful), now);
    *e = where_less(now, small, *e + (REAL)SHIFT(careful), *e);
}

/* Add a group's logarithms for `held` scalars, whatever the factors are; they are kept from `floor`. */
INLINE void add_group(int form, int held, int careful, REAL floor, const REAL *tile,
                      const REAL *tile_bar, Scalars scalars, int size, REAL *sums) {
    const Vector one = all(1), zero = all(0);
    const int count = held * VECTORS; /* vectors, VECTORS to each of the held scalars */
    Vector product[PAIR * VECTORS], exponent[PAIR * VECTORS];
    for (int k = 0; k < count; k++) {
        product[k] = one;
        exponent[k] = zero;
    }
    for (int start = 0; start < size; start += BLOCK) {
        int end = start + BLOCK < size ? start + BLOCK : size;
        Vector p[PAIR * VECTORS], c[PAIR * VECTORS], e[PAIR * VECTORS];
        for (int k = 0; k < count; k++) {
            p[k] = one;
            c[k] = e[k] = zero;
        }
        for (int j = start; j < end;) {
            int stop = j + 4 < end ? j + 4 : end;
            for (; j < stop; j++) {
                for (int k = 0; k < count; k++) {
                    ptrdiff_t own = (k / VECTORS) * scalars.step + j;
                    ptrdiff_t at = (ptrdiff_t)j * SIDE + (k % VECTORS) * LANES;
                    Vector a = all(scalars.a[own]), a_bar = form == PLAIN ? a : all(scalars.bar[own]);
                    Vector w = load(tile + at), w_bar = form == PLAIN ? w : load(tile_bar + at);
                    Vector f = factor(form, w, w_bar, a, a_bar);
                    c[k] = fused(w * a, p[k], c[k]);
                    if (careful) {
                        f = larger(f, all(floor));
                        rescale(&f, &e[k], careful);
                    }
                    p[k] *= f;
                    if (careful) {
                        rescale(&p[k], &e[k], careful);
                    }
                }
            }
            for (int k = 0; !careful && k < count; k++) {
                rescale(&p[k], &e[k], careful);
            }
        }
        for (int k = 0; k < count; k++) {
            /* 0 where the block has its own logarithm, 1 where its p joins the product. */
            Vector joins = where_less(p[k], all(CLOSE), one, where_less(zero, e[k], one, zero));
            Vector value = where_less(zero, joins, zero, log_complement(p[k], c[k])), m;
            if (any(~less(zero, p[k]))) {
                /* log 0 is −∞, and of a negative number or NaN it is NaN. */
                Vector nan = all(__builtin_nanf("")), closed = all(-__builtin_inff());
                closed = where_less(p[k], zero, nan, closed + p[k]);
                value = where_less(zero, p[k], value, closed);
                joins = where_less(zero, p[k], joins, zero);
            }
            add(sums + (k / VECTORS) * 2 * SIDE + (k % VECTORS) * LANES, value);
            Vector power = split(p[k], &m);
            product[k] = where_less(zero, joins, product[k] * m, product[k]);
            exponent[k] += where_less(zero, joins, e[k] - power, zero);
        }
    }
    for (int k = 0; k < count; k++) {
        add(sums + (k / VECTORS) * 2 * SIDE + (k % VECTORS) * LANES,
            log_product_of(product[k], exponent[k]));
    }
}

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

INLINE void add_groups(const Pass *pass, int form, const REAL *tile, const REAL *tile_bar,
                       ptrdiff_t j0, int size, REAL *sums, char *spoiled) {
    ptrdiff_t k = 0, step = pass->scalars.step;
    while (k < pass->count) {
        const REAL *bar = form == PLAIN ? NULL : pass->scalars.bar + k * step + j0;
        Scalars now = {pass->scalars.a + k * step + j0, bar, step};
        int held = pass->count - k < HELD ? 1 : HELD, done = 0;
        REAL *own = sums + k * 2 * SIDE;
        if (!spoiled[k] && !(pass->floor > 0)) {
            done = held == 1 ? add_products(form, 1, tile, tile_bar, now, size, own)
                             : add_products(form, HELD, tile, tile_bar, now, size, own);
            spoiled[k] = !done;
        }
        for (int r = 0; r < held && !done;) {
            Scalars one = {now.a + r * step, form == PLAIN ? NULL : now.bar + r * step, step};
            REAL *at = own + r * 2 * SIDE;
            if (pass->careful) {
                add_group(form, 1, 1, pass->floor, tile, tile_bar, one, size, at);
                r++;
            } else if (held - r < PAIR) {
                add_group(form, 1, 0, 0, tile, tile_bar, one, size, at);
                r++;
            } else {
                add_group(form, PAIR, 0, 0, tile, tile_bar, one, size, at);
                r += PAIR;
            }
        }
        k += held;
    }
}

/* Write the results of a pass; 1 if all are finite and, where it looks, w is in [0, 1] and no sum
is faint. */
static int run_pass(const Pass *pass, REAL *tile, REAL *tile_bar, REAL *sums, char *spoiled) {
    int open = 1;
    for (ptrdiff_t i0 = 0; i0 < pass->across; i0 += SIDE) {
        ptrdiff_t n = pass->n, width = pass->across - i0 < SIDE ? pass->across - i0 : SIDE;
        if (pass->look && most_inside(pass->w + i0 * n, n, width, n) < 0) {
            return 0;
        }
        memset(sums, 0, (size_t)pass->count * 2 * SIDE * sizeof(REAL));
        if (i0 % (4 * SIDE) == 0) { /* from time to time the quick way is tried again */
            memset(spoiled, 0, (size_t)pass->count);
        }
        for (ptrdiff_t j0 = 0; j0 < n; j0 += GROUP) {
            int size = (int)(n - j0 < GROUP ? n - j0 : GROUP);
            fill_tile(pass->w + i0 * n + j0, n, width, size, tile, SIDE);
            if (pass->w_bar) {
                fill_tile(pass->w_bar + i0 * n + j0, n, width, size, tile_bar, SIDE);
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
            REAL *out = pass->out + k * pass->count_step + i0 * pass->across_step;
            for (ptrdiff_t q = 0; q < width; q++) {
                REAL total = own[q];
                /* The rounding error of a sum that is −∞ is NaN. */
                total = total < -MOST ? total : total + own[SIDE + q];
                open &= total >= -MOST && !(pass->look && total < 0 && total > -FAINT);
                out[q * pass->across_step] = total;
            }
        }
    }
    return open;
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

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

#ifndef SYNANN_CONTRACTION_GROUPS_H
#define SYNANN_CONTRACTION_GROUPS_H

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
    BLOCKS = GROUP / BLOCK,
    FEW = 8, /* scalars; with fewer, and more than FAR bytes of rows, no tile is made */
    FAR = 1 << 23, /* bytes, which a second-level cache does not hold */
};
_Static_assert(HELD <= BLOCKS, "products of all held scalars have the room of those of all blocks");
_Static_assert((int)GROUP <= (int)MOST_COLUMNS, "a group of inputs is a tile");

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

/* Add `value` to sums, of SIDE numbers and SIDE rounding errors; or it is the `first`. */
INLINE void add(REAL *sums, int first, Vector value) {
    if (first) {
        store(sums, value);
        store(sums + SIDE, all(0));
        return;
    }
    Vector total = load(sums), next = total + value, part = next - total;
    store(sums + SIDE, load(sums + SIDE) + ((total - (next - part)) + (value - part)));
    store(sums, next);
}

/* Products of `size` factors, for `held` scalars and a tile's vectors, to p[held][SIDE]. The tiles of
scalars are `apart`, or the same one. */
INLINE void multiply(int form, int held, ptrdiff_t apart, const REAL *tile, const REAL *tile_bar,
                     Scalars scalars, int size, REAL *out) {
    const Vector one = all(1);
    Vector p[BLOCKS][VECTORS];
    for (int r = 0; r < held; r++) {
        if (!apart) { /* The next rows are far away, which processors do not foresee. */
            __builtin_prefetch(scalars.a + (held + r) * scalars.step);
            __builtin_prefetch(scalars.a + (held + r) * scalars.step + BLOCK / 2);
        }
        for (int q = 0; q < VECTORS; q++) {
            p[r][q] = one;
        }
    }
    for (int j = 0; j < size; j++) {
        Vector w[VECTORS], w_bar[VECTORS];
        for (int r = 0; r < held; r++) {
            for (int q = 0; q < VECTORS && (apart || r == 0); q++) {
                const ptrdiff_t at = r * apart + (ptrdiff_t)j * SIDE + q * LANES;
                w[q] = load(tile + at);
                w_bar[q] = form == PLAIN ? w[q] : load(tile_bar + at);
            }
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
        multiply(form, held, 0, tile, tile_bar, scalars, size, out);                           \
    }
MULTIPLY(multiply_plain, PLAIN, HELD)
MULTIPLY(multiply_bar_in_vectors, BAR_IN_VECTORS, HELD)
MULTIPLY(multiply_bar_in_scalars, BAR_IN_SCALARS, HELD)

/* All blocks of a group at once, for one scalar: each of its products waits for the one before. */
static __attribute__((noinline)) void multiply_blocks(const REAL *tile, const REAL *a, REAL *out) {
    const Scalars blocks = {a, NULL, BLOCK};
    multiply(PLAIN, BLOCKS, BLOCK * SIDE, tile, NULL, blocks, BLOCK, out);
}

/* Rows of the side in vectors as they lie in memory, and the largest bits that were seen there. */
typedef struct {
    const REAL *rows[SIDE];
    ptrdiff_t n; /* from one row to the next */
    Words seen;
} Straight;

/* p[held][SIDE] *= factors of the LANES inputs from j on, of which `size` are asked for, in the vectors
q. Columns of the rows stay in registers. */
INLINE void multiply_columns(int whole, int held, Straight *w, int q, ptrdiff_t j, int size,
                             Scalars scalars, REAL *p) {
    Vector column[LANES];
    _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) {
        const REAL *from = w->rows[q * LANES + k] + j;
        __builtin_prefetch(from + SIDE * w->n); /* far away, which processors do not foresee */
        column[k] = whole ? load(from) : load_some(from, size, 0);
    }
    _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) {
        w->seen = larger_of(w->seen, (Words)column[k]);
    }
    turn(column);
    for (int r = 0; r < held; r++) {
        const REAL *a = scalars.a + r * scalars.step + j;
        Vector now = load(p + (r * VECTORS + q) * LANES);
        _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) {
            if (whole || k < size) {
                now *= factor(PLAIN, column[k], all(0), all(a[k]), all(0));
            }
        }
        store(p + (r * VECTORS + q) * LANES, now);
    }
}

/* Products of `count` vectors, each of up to GROUP factors with powers of two moved out. */
typedef struct {
    Vector product[FEW * VECTORS], exponent[FEW * VECTORS];
} Products;

/* Multiply products by those of a block. 0 if that does not do. */
INLINE int take_block(int count, int first, const REAL *p, Products *all_of) {
    const REAL limit = SMALL(1), lift = 1 / limit;
    Vector most = all(0), least = all(1), *product = all_of->product, *exponent = all_of->exponent;
    for (int k = 0; k < count; k++) {
        Vector block = load(p + k * LANES);
        product[k] = first ? block : product[k] * block;
        exponent[k] = first ? all(0) : exponent[k];
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
    return 1;
}

/* Add the logarithms of products. 0, and nothing added, if one of them is NaN. */
INLINE int add_logs(int count, const Products *all_of, int first, REAL *sums) {
    Words odd = {0}; /* NaN, which is neither large nor small */
    for (int k = 0; k < count; k++) {
        odd |= ~less(all(0), all_of->product[k]);
    }
    if (any(odd)) {
        return 0;
    }
    for (int k = 0; k < count; k++) {
        int r = k / VECTORS, q = k % VECTORS;
        add(sums + (2 * r) * SIDE + q * LANES, first,
            log_product_of(all_of->product[k], all_of->exponent[k]));
    }
    return 1;
}

/* Add a group's logarithms from its products alone. 0, and nothing added, if that does not do. */
INLINE int add_products(int form, int held, const REAL *tile, const REAL *tile_bar, Scalars scalars,
                        int size, int first, REAL *sums) {
    REAL p[BLOCKS * SIDE]; /* of all held ones, or of all blocks */
    const int together = form == PLAIN && held == 1 && size == GROUP;
    Products products;
    const REAL *block = p;
    if (together) {
        multiply_blocks(tile, scalars.a, p);
    }
    for (int start = 0; start < size; start += BLOCK) {
        int now = size - start < BLOCK ? size - start : BLOCK;
        if (together) {
            block = p + start / BLOCK * SIDE;
        } else if (held < HELD) {
            multiply(form, held, 0, tile, tile_bar, scalars, now, p);
        } else if (form == PLAIN) {
            multiply_plain(tile, tile_bar, scalars, now, p);
        } else if (form == BAR_IN_VECTORS) {
            multiply_bar_in_vectors(tile, tile_bar, scalars, now, p);
        } else {
            multiply_bar_in_scalars(tile, tile_bar, scalars, now, p);
        }
        if (!take_block(held * VECTORS, start == 0, block, &products)) {
            return 0;
        }
        tile += BLOCK * SIDE;
        tile_bar += BLOCK * SIDE;
        scalars.a += BLOCK;
        scalars.bar = form == PLAIN ? NULL : scalars.bar + BLOCK;
    }
    return add_logs(held * VECTORS, &products, first, sums);
}

/* The same without a tile, of at most FEW scalars, for the group of inputs from j0 on. */
static int add_products_straight(int held, Straight *w, ptrdiff_t j0, Scalars scalars, int size,
                                 int first, REAL *sums) {
    REAL p[FEW * SIDE];
    Products products;
    for (int start = 0; start < size; start += BLOCK) {
        const int end = start + BLOCK < size ? start + BLOCK : size;
        for (int k = 0; k < held * VECTORS; k++) {
            store(p + k * LANES, all(1));
        }
        for (int q = 0; q < VECTORS; q++) {
            int j = start;
            for (; j + LANES <= end; j += LANES) {
                multiply_columns(1, held, w, q, j0 + j, LANES, scalars, p);
            }
            if (j < end) {
                multiply_columns(0, held, w, q, j0 + j, end - j, scalars, p);
            }
        }
        if (!take_block(held * VECTORS, start == 0, p, &products)) {
            return 0;
        }
    }
    return add_logs(held * VECTORS, &products, first, sums);
}

/* Powers of two out of the small lanes of p. */
INLINE void rescale(Vector *p, Vector *e, int careful) {
    Vector small = all(SMALL(careful)), now = *p;
    *p = where_less(now, small, now * SCALE(careful), now);
    *e = where_less(now, small, *e + (REAL)SHIFT(careful), *e);
}

/* Add a group's logarithms for `held` scalars, whatever the factors are; they are kept from `floor`. */
INLINE void add_group(int form, int held, int careful, REAL floor, const REAL *tile,
                      const REAL *tile_bar, Scalars scalars, int size, int first, REAL *sums) {
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
            add(sums + (k / VECTORS) * 2 * SIDE + (k % VECTORS) * LANES, first && start == 0, value);
            Vector power = split(p[k], &m);
            product[k] = where_less(zero, joins, product[k] * m, product[k]);
            exponent[k] += where_less(zero, joins, e[k] - power, zero);
        }
    }
    for (int k = 0; k < count; k++) {
        add(sums + (k / VECTORS) * 2 * SIDE + (k % VECTORS) * LANES, 0,
            log_product_of(product[k], exponent[k]));
    }
}

#endif

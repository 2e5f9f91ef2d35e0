/* Tiles: some rows of a matrix, transposed, so that a vector holds a column's numbers. */

#ifndef SYNANN_TILES_H
#define SYNANN_TILES_H

#include <string.h>

#include "vectors.h"

#if WIDTH == 64 && defined(REAL_IS_FLOAT)
#define LOW 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define EVENS 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define ODDS 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
#define FIRST_HALVES 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define LAST_HALVES 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#elif WIDTH == 64
#define LOW 0, 8, 2, 10, 4, 12, 6, 14
#define HIGH 1, 9, 3, 11, 5, 13, 7, 15
#define EVENS 0, 1, 4, 5, 8, 9, 12, 13
#define ODDS 2, 3, 6, 7, 10, 11, 14, 15
#define FIRST_HALVES 0, 1, 2, 3, 8, 9, 10, 11
#define LAST_HALVES 4, 5, 6, 7, 12, 13, 14, 15
#elif WIDTH == 32 && defined(REAL_IS_FLOAT)
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif WIDTH == 32 || defined(REAL_IS_FLOAT)
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#else
#define LOW 0, 2
#define HIGH 1, 3
#endif

/* Vectors k and k + LANES/2 to 2k and 2k + 1, by two shuffles. */
#define SHUFFLE(LOW, HIGH)                                                                     \
    _Pragma("GCC unroll 16") for (int k = 0; k < LANES / 2; k++) {                             \
        next[2 * k] = __builtin_shufflevector(now[k], now[k + LANES / 2], LOW);                \
        next[2 * k + 1] = __builtin_shufflevector(now[k], now[k + LANES / 2], HIGH);           \
    }                                                                                          \
    _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) now[k] = next[k];

/* LANES numbers of each of LANES rows to LANES columns, in registers: perfect shuffles or, of 64 bytes,
such as take one quick instruction, for which two quarters of the rows change places. */
INLINE void turn(Vector *now) {
    Vector next[LANES];
    int done = 1;
#if WIDTH == 64
    _Pragma("GCC unroll 16") for (int k = LANES / 4; k < LANES / 2; k++) {
        const Vector other = now[k];
        now[k] = now[k + LANES / 4];
        now[k + LANES / 4] = other;
    }
    SHUFFLE(FIRST_HALVES, LAST_HALVES)
    SHUFFLE(EVENS, ODDS)
    done = 4;
#endif
    _Pragma("GCC unroll 4") for (; done < LANES; done *= 2) {
        SHUFFLE(LOW, HIGH)
    }
}

/* Keep a vector in its register, rather than load it for each use. */
#if WIDTH == 64 && defined(__AVX512F__)
#define LOADED(vector) __asm__("" : "+v"(vector))
#else
#define LOADED(vector) ((void)0)
#endif

/* The first `size` columns of LANES rows, n apart, as columns `width` apart. `needed` columns, a constant
of at least `size`, are written; those beyond `size` hold 0. */
INLINE Words turn_rows(int needed, const REAL *from, ptrdiff_t n, int size, REAL *to, int width,
                       Words seen) {
    Vector now[LANES];
    enum { CHAINS = LANES > 4 ? LANES / 4 : 1 }; /* of which each waits for itself alone */
    Words own[CHAINS];
    for (int k = 0; k < CHAINS; k++) {
        own[k] = seen;
    }
    _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) {
        now[k] = needed == LANES ? load(from + k * n) : load_some(from + k * n, size, 0);
        LOADED(now[k]);
    }
    _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) {
        own[k % CHAINS] = larger_of(own[k % CHAINS], (Words)now[k]);
    }
    turn(now);
    _Pragma("GCC unroll 16") for (int k = 0; k < needed; k++) store(to + k * width, now[k]);
    for (int k = CHAINS / 2; k > 0; k /= 2) {
        for (int other = 0; other < k; other++) {
            own[other] = larger_of(own[other], own[k + other]);
        }
    }
    return own[0];
}

enum { MOST_COLUMNS = 128 }; /* of a tile */

/* Columns [0, size) of `count` rows, n apart, as tile[column][row], `width` to a column. Places beyond
the last row hold it again: what is computed from them is in the same range, and not used. If not NULL,
`most` becomes the largest bits, lane by lane, of these numbers and of itself. */
static void fill_tile(const REAL *a, ptrdiff_t n, ptrdiff_t count, int size, REAL *tile, int width,
                      Words *most) {
    Words seen = most ? *most : (Words){0};
    REAL last[LANES * MOST_COLUMNS];
    for (int q = 0; q < width; q += LANES) {
        const REAL *from = last;
        ptrdiff_t step = MOST_COLUMNS;
        if (count - q >= LANES) {
            from = a + q * n;
            step = n;
        } else {
            for (ptrdiff_t k = 0; k < LANES; k++) {
                const ptrdiff_t row = q + k < count ? q + k : count - 1;
                memcpy(last + k * MOST_COLUMNS, a + row * n, (size_t)size * sizeof(REAL));
            }
        }
        REAL *to = tile + q;
        int rest = size;
        for (; rest >= LANES; rest -= LANES, from += LANES, to += LANES * width) {
            seen = turn_rows(LANES, from, step, LANES, to, width, seen);
        }
#if WIDTH == 64 && defined(__AVX512F__) /* else no one instruction loads a part of a row */
        if (rest > LANES / 4) {
            seen = turn_rows(LANES - 1, from, step, rest, to, width, seen);
            rest = 0;
        } else if (rest > 1) {
            seen = turn_rows(LANES / 4, from, step, rest, to, width, seen);
            rest = 0;
        }
#endif
        for (; rest > 0; rest--, from++, to += width) {
            for (int k = 0; k < LANES; k++) {
                to[k] = from[k * step];
            }
            seen = larger_of(seen, (Words)load(to));
        }
    }
    if (most) {
        *most = seen;
    }
}

#endif

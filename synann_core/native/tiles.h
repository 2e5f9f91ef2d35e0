/* Tiles: some rows of a matrix, transposed, so that a vector holds a column's numbers. */

#ifndef SYNANN_TILES_H
#define SYNANN_TILES_H

#include "vectors.h"

#if WIDTH == 64 && defined(REAL_IS_FLOAT)
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif WIDTH == 64 || (WIDTH == 32 && defined(REAL_IS_FLOAT))
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif WIDTH == 32 || defined(REAL_IS_FLOAT)
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#else
#define LOW 0, 2
#define HIGH 1, 3
#endif

/* LANES numbers of each of LANES rows to LANES vectors, `stride` apart: perfect shuffles. */
INLINE void transpose(const REAL *const *rows, ptrdiff_t at, REAL *out, ptrdiff_t stride) {
    Vector now[LANES], next[LANES];
    _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) now[k] = load(rows[k] + at);
    _Pragma("GCC unroll 4") for (int done = 1; done < LANES; done *= 2) {
        _Pragma("GCC unroll 16") for (int k = 0; k < LANES / 2; k++) {
            next[2 * k] = __builtin_shufflevector(now[k], now[k + LANES / 2], LOW);
            next[2 * k + 1] = __builtin_shufflevector(now[k], now[k + LANES / 2], HIGH);
        }
        _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) now[k] = next[k];
    }
    _Pragma("GCC unroll 16") for (int k = 0; k < LANES; k++) store(out + k * stride, now[k]);
}

/* Columns [0, size) of `count` rows, n apart, as tile[column][row], `width` to a column. Places
beyond the last row hold it again: what is computed from them is in the same range, and not used. */
static void fill_tile(const REAL *a, ptrdiff_t n, ptrdiff_t count, int size, REAL *tile, int width) {
    for (int q = 0; q < width; q += LANES) {
        const REAL *rows[LANES];
        for (int k = 0; k < LANES; k++) {
            rows[k] = a + (q + k < count ? q + k : count - 1) * n;
        }
        int j = 0;
        for (; j + LANES <= size; j += LANES) {
            transpose(rows, j, tile + (ptrdiff_t)j * width + q, width);
        }
        for (; j < size; j++) {
            for (int k = 0; k < LANES; k++) {
                tile[(ptrdiff_t)j * width + q + k] = rows[k][j];
            }
        }
    }
}

#endif

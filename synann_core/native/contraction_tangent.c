/* Tangent of the sum of log f: −Σ_j (β dy + y dβ)/f, vectors over the outputs i. */

#include <stdlib.h>
#include <string.h>

#include "tiles.h"

enum {
    BLOCK = 32, /* inputs to a partial sum: keeps the rounding errors of many inputs small */
    VECTORS = 2,
    SIDE = VECTORS * LANES,
};

typedef struct {
    REAL w[BLOCK * SIDE], bar[BLOCK * SIDE], dw[BLOCK * SIDE];
} Tiles;

/* A row's tangents for the outputs of the tiles, −= the sum over `size` inputs. */
INLINE void add_tangents(int bars, const Tiles *tiles, const REAL *y, const REAL *y_bar,
                         const REAL *dy, int size, REAL floor, REAL *out, int width) {
    Vector sum[VECTORS];
    for (int q = 0; q < VECTORS; q++) {
        sum[q] = all(0);
    }
    for (int j = 0; j < size; j++) {
        Vector a = all(y[j]), a_bar = bars ? all(y_bar[j]) : a, da = all(dy[j]);
        const int plain = !bars || y[j] > 1; /* ȳ and y β̄ would be huge there */
        for (int q = 0; q < VECTORS; q++) {
            int at = j * SIDE + q * LANES;
            Vector w = load(tiles->w + at), dw = load(tiles->dw + at);
            Vector f = plain ? fused(-w, a, all(1)) : fused(load(tiles->bar + at), a, a_bar);
            sum[q] += fused(w, da, a * dw) / larger(f, all(floor));
        }
    }
    REAL now[SIDE];
    for (int q = 0; q < VECTORS; q++) {
        store(now + q * LANES, sum[q]);
    }
    for (int q = 0; q < width; q++) {
        out[q] -= now[q];
    }
}

/* Write out[b0:b1, i0:i1]. No bit depends on how the work is divided.

arrays: y, ȳ, dy (rows, n), β, β̄, dβ (m, n), out (rows, m); ȳ and β̄ both or neither
numbers: b0, b1, i0, i1; floor: divides by max(f, floor) */
KERNEL(tangent)(const Array *arrays, const Number *numbers) {
    ptrdiff_t b0 = numbers[0].integer, b1 = numbers[1].integer;
    ptrdiff_t i0 = numbers[2].integer, i1 = numbers[3].integer;
    const REAL *y = arrays[0].data, *y_bar = arrays[1].data, *dy = arrays[2].data;
    const REAL *beta = arrays[3].data, *beta_bar = arrays[4].data, *dbeta = arrays[5].data;
    ptrdiff_t n = arrays[0].shape[1], m = arrays[3].shape[0];
    REAL floor = (REAL)numbers[4].real, *out = arrays[6].data;
    if (!y_bar != !beta_bar || b0 < 0 || b1 < b0 || arrays[0].shape[0] < b1 || i0 < 0 || i1 < i0 ||
        m < i1) {
        return BAD_VALUE;
    }
    Tiles *tiles = malloc(sizeof *tiles);
    if (!tiles) {
        return NO_MEMORY;
    }
    for (ptrdiff_t b = b0; b < b1; b++) {
        memset(out + b * m + i0, 0, (size_t)(i1 - i0) * sizeof(REAL));
    }
    for (ptrdiff_t i = i0; i < i1; i += SIDE) {
        int width = (int)(i1 - i < SIDE ? i1 - i : SIDE);
        for (ptrdiff_t j = 0; j < n; j += BLOCK) {
            int size = (int)(n - j < BLOCK ? n - j : BLOCK);
            fill_tile(beta + i * n + j, n, width, size, tiles->w, SIDE, NULL);
            fill_tile(dbeta + i * n + j, n, width, size, tiles->dw, SIDE, NULL);
            if (beta_bar) {
                fill_tile(beta_bar + i * n + j, n, width, size, tiles->bar, SIDE, NULL);
            }
            for (ptrdiff_t b = b0; b < b1; b++) {
                ptrdiff_t at = b * n + j;
                REAL *to = out + b * m + i;
                if (beta_bar) {
                    add_tangents(1, tiles, y + at, y_bar + at, dy + at, size, floor, to, width);
                } else {
                    add_tangents(0, tiles, y + at, NULL, dy + at, size, floor, to, width);
                }
            }
        }
    }
    free(tiles);
    return 0;
}

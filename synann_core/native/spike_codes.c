/* Kernels of the sequential spike codes: time is the first axis, signals lie side by side. */

#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "real.h"

/* x[steps, n], threshold[n], spikes[steps, n]: a spike up or down where x has left a base by more
than the threshold. The base is a multiple of the threshold: its error does not add up. At a NaN
nothing happens; the first number is the first base. */
KERNEL(step_forward)(const Array *arrays, const Number *numbers) {
    (void)numbers;
    const ptrdiff_t steps = arrays[0].shape[0], n = arrays[0].shape[1];
    const REAL *restrict threshold = arrays[1].data;
    REAL *kept = calloc(2 * (size_t)n + 1, sizeof(REAL));
    if (!kept) {
        return NO_MEMORY;
    }
    REAL *restrict level = kept, *restrict start = kept + n; /* the only names from here on */
    memcpy(start, arrays[0].data, (size_t)(steps ? n : 0) * sizeof(REAL));
    for (ptrdiff_t t = 0; t < steps; t++) {
        const REAL *x = (const REAL *)arrays[0].data + t * n;
        REAL *restrict spikes = (REAL *)arrays[2].data + t * n;
        for (ptrdiff_t i = 0; i < n; i++) {
            start[i] = start[i] == start[i] ? start[i] : x[i];
            const REAL base = start[i] + threshold[i] * level[i];
            const REAL up = x[i] > base + threshold[i] ? (REAL)1 : (REAL)0;
            spikes[i] = up - (x[i] < base - threshold[i] ? (REAL)1 : (REAL)0);
            level[i] += spikes[i];
        }
    }
    free(kept);
    return 0;
}

/* left[steps, n], kernel[taps], spikes[steps, n]; threshold, ratio, partial: Ben's spiker algorithm
on signals of which `left` is a copy: the kernel is taken away from it where that brings it nearer to
0. At the end, where the kernel reaches beyond the signal, nothing spikes unless `partial`. */
KERNEL(bsa)(const Array *arrays, const Number *numbers) {
    const ptrdiff_t steps = arrays[0].shape[0], n = arrays[0].shape[1], taps = arrays[1].size;
    const REAL *restrict kernel = arrays[1].data;
    const REAL threshold = (REAL)numbers[0].real;
    const int ratio = numbers[1].integer != 0, partial = numbers[2].integer != 0;
    REAL *sums = calloc(2 * (size_t)n + 1, sizeof(REAL));
    if (!sums) {
        return NO_MEMORY;
    }
    memset(arrays[2].data, 0, (size_t)(steps * n) * sizeof(REAL));
    for (ptrdiff_t t = 0; t < steps; t++) {
        const ptrdiff_t inside = steps - t < taps ? steps - t : taps;
        if (inside < taps && !partial) {
            break;
        }
        REAL *left = (REAL *)arrays[0].data + t * n, *spikes = (REAL *)arrays[2].data + t * n;
        memset(sums, 0, 2 * (size_t)n * sizeof(REAL));
        REAL *restrict with = sums, *restrict without = sums + n; /* the only names from here on */
        for (ptrdiff_t k = 0; k < inside; k++) {
            const REAL h = kernel[k];
            for (ptrdiff_t i = 0; i < n; i++) {
                with[i] += ABS(left[k * n + i] - h);
                without[i] += ABS(left[k * n + i]);
            }
        }
        for (ptrdiff_t i = 0; i < n; i++) {
            const REAL most = ratio ? threshold * without[i] : without[i] - threshold;
            if (with[i] <= most) {
                spikes[i] = 1;
                for (ptrdiff_t k = 0; k < inside; k++) {
                    left[k * n + i] -= kernel[k];
                }
            }
        }
    }
    free(sums);
    return 0;
}

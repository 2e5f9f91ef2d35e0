/* LIF neurons as their kernels take them, and what a step and the way back share. */

#ifndef SYNANN_LIF_H
#define SYNANN_LIF_H

#include <string.h>

#include "kernels.h"
#include "real.h"

/* When a neuron fires: above its threshold, at it as well, or never. */
enum { ABOVE, AT_LEAST, NEVER };

typedef struct {
    /* y0 and synaptic, a0, and recurrent may be NULL */
    const REAL *currents, *m0, *y0, *s0, *a0, *decay, *threshold, *synaptic, *recurrent;
    ptrdiff_t given; /* steps of `currents`: all, or one for a constant current */
    ptrdiff_t rows, n;
    REAL gain, rest, reset_to, subtract, to_value, subtract_now, to_value_now;
    REAL raise, forget; /* what a spike adds to the threshold, and what is left of it */
    ptrdiff_t fires;
    int delayed;
} Neurons;

enum { INPUTS = 9, OPTIONS = 11 }; /* arrays and numbers that every call begins with */

INLINE Neurons neurons_of(const Array *arrays, const Number *numbers) {
    return (Neurons){
        arrays[0].data, arrays[1].data, arrays[2].data, arrays[3].data, arrays[4].data,
        arrays[5].data, arrays[6].data, arrays[7].data, arrays[8].data, arrays[0].shape[0],
        arrays[1].shape[0], arrays[1].shape[1], (REAL)numbers[0].real, (REAL)numbers[1].real,
        (REAL)numbers[2].real, (REAL)numbers[3].real, (REAL)numbers[4].real,
        (REAL)numbers[5].real, (REAL)numbers[6].real, (REAL)numbers[7].real,
        (REAL)numbers[8].real, numbers[9].integer, numbers[10].integer != 0,
    };
}

/* Whether currents are there for each of the steps, and what a synapse needs. */
INLINE int fit(const Neurons *of, ptrdiff_t steps, ptrdiff_t first, ptrdiff_t last) {
    return steps >= 1 && (of->given == steps || of->given == 1) && first >= 0 &&
           last <= of->rows && !of->y0 == !of->synaptic && of->fires >= ABOVE && of->fires <= NEVER;
}

/* The input current at a step. */
INLINE const REAL *current_at(const Neurons *of, ptrdiff_t t, ptrdiff_t row) {
    return of->currents + ((of->given == 1 ? 0 : t) * of->rows + row) * of->n;
}

/* What the threshold is compared as, where `a` raises it. */
INLINE REAL raised(const Neurons *of, const REAL *restrict a, ptrdiff_t i) {
    return a ? of->threshold[i] + of->raise * a[i] : of->threshold[i];
}

INLINE REAL spike(REAL potential, REAL threshold, ptrdiff_t fires) {
    const int above = potential > threshold, at = (fires == AT_LEAST) & (potential == threshold);
    return ((above | at) & (fires != NEVER)) ? (REAL)1 : (REAL)0;
}

/* A value where an option is on; 0 where it is off, though the value be infinite. */
INLINE REAL where_on(REAL option, REAL value) {
    return option != 0 ? value : (REAL)0;
}

/* out[k] += Σ_i by[i] matrix[i, k], in the order of i; most of `by` may be 0. */
INLINE void add_rows(ptrdiff_t n, const REAL *restrict matrix, const REAL *restrict by,
                     REAL *restrict out) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL weight = by[i];
        const REAL *restrict row = matrix + i * n;
        for (ptrdiff_t k = 0; weight != 0 && k < n; k++) {
            out[k] += weight * row[k];
        }
    }
}

INLINE void add(ptrdiff_t n, REAL *restrict total, const REAL *restrict a) {
    for (ptrdiff_t i = 0; i < n; i++) {
        total[i] += a[i];
    }
}

/* An input and what comes back from the neurons that fired. */
INLINE const REAL *join(const Neurons *of, const REAL *current, const REAL *s, REAL *joined) {
    memset(joined, 0, (size_t)of->n * sizeof(REAL));
    add_rows(of->n, of->recurrent, s, joined);
    add(of->n, joined, current);
    return joined;
}

#endif

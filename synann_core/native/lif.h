/* LIF neurons as their kernels take them, and what a step and the way back share. */

#ifndef SYNANN_LIF_H
#define SYNANN_LIF_H

#include <string.h>

#include "kernels.h"
#include "real.h"

#define MOST OF_REAL(FLT_MAX, DBL_MAX)

/* When a neuron fires: above its threshold, at it as well, or never. */
enum { ABOVE, AT_LEAST, NEVER };

typedef struct {
    /* y0 and synaptic, a0, and recurrent may be NULL */
    const REAL *currents, *m0, *y0, *s0, *a0, *decay, *threshold, *synaptic, *recurrent;
    ptrdiff_t given; /* steps of `currents`: all, or one for a constant current */
    ptrdiff_t rows, wide; /* of the arrays */
    ptrdiff_t n; /* neurons of this call, which the pointers begin at */
    REAL gain, rest, reset_to, subtract, to_value, subtract_now, to_value_now;
    REAL raise, forget; /* what a spike adds to the threshold, and what is left of it */
    ptrdiff_t fires;
    int delayed;
} Neurons;

enum { INPUTS = 9, OPTIONS = 11 }; /* arrays and numbers that every call begins with */

/* What a call works on: these rows and neurons. */
typedef struct {
    ptrdiff_t first, last, from, to;
} Part;

INLINE Part part_of(const Number *numbers) {
    return (Part){numbers[0].integer, numbers[1].integer, numbers[2].integer, numbers[3].integer};
}

/* The data of an array, or NULL, from a neuron on. */
INLINE REAL *at_neuron(const Array *array, ptrdiff_t from) {
    return array->data ? (REAL *)array->data + from : NULL;
}

INLINE Neurons neurons_of(const Array *arrays, const Number *numbers, const Part *part) {
    const ptrdiff_t from = part->from;
    return (Neurons){
        at_neuron(arrays, from), at_neuron(arrays + 1, from), at_neuron(arrays + 2, from),
        at_neuron(arrays + 3, from), at_neuron(arrays + 4, from), at_neuron(arrays + 5, from),
        at_neuron(arrays + 6, from), at_neuron(arrays + 7, from), arrays[8].data,
        arrays[0].shape[0], arrays[1].shape[0], arrays[1].shape[1], part->to - from,
        (REAL)numbers[0].real, (REAL)numbers[1].real, (REAL)numbers[2].real,
        (REAL)numbers[3].real, (REAL)numbers[4].real, (REAL)numbers[5].real,
        (REAL)numbers[6].real, (REAL)numbers[7].real, (REAL)numbers[8].real,
        numbers[9].integer, numbers[10].integer != 0,
    };
}

/* Whether currents are there for each of the steps, what a synapse needs, and all neurons of a row
where they are connected. */
INLINE int fit(const Array *arrays, const Number *numbers, ptrdiff_t steps, const Part *part) {
    const ptrdiff_t given = arrays[0].shape[0], rows = arrays[1].shape[0], n = arrays[1].shape[1];
    const ptrdiff_t fires = numbers[9].integer;
    const int whole = part->from == 0 && part->to == n;
    return steps >= 1 && (given == steps || given == 1) && part->first >= 0 &&
           part->last <= rows && part->from >= 0 && part->from <= part->to && part->to <= n &&
           (whole || !arrays[8].data) && !arrays[2].data == !arrays[7].data && fires >= ABOVE &&
           fires <= NEVER;
}

/* The input current at a step. */
INLINE const REAL *current_at(const Neurons *of, ptrdiff_t t, ptrdiff_t row) {
    return of->currents + ((of->given == 1 ? 0 : t) * of->rows + row) * of->wide;
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

/* What a spike takes from the membrane where the option is on. A threshold that is out of reach
takes nothing, for ∞ times no spike would be NaN. */
INLINE REAL taken_where_on(REAL option, REAL threshold) {
    return where_on(option, threshold > MOST ? (REAL)0 : threshold);
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

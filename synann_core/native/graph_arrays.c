/* Kernels for the arrays that graphs are made of. */

#include "graph.h"

/* values, places, out; start, stop: write values[k] to out[places[k]] for start <= k < stop. */
KERNEL(graph_move)(const Array *arrays, const Number *numbers) {
    const REAL *values = arrays[0].data;
    const uint32_t *places = arrays[1].data;
    REAL *out = arrays[2].data;
    const ptrdiff_t start = numbers[0].integer, stop = numbers[1].integer, size = arrays[2].size;
    if (start < 0 || stop > arrays[0].size) {
        return BAD_VALUE;
    }
    for (ptrdiff_t k = start; k < stop; k++) {
        if (places[k] >= size) {
            return BAD_VALUE;
        }
        out[places[k]] = values[k];
    }
    return 0;
}

/* Whether rows of edges are in order and each reads nodes before its neuron. */
static int in_order(const int64_t *indptr, const uint32_t *indices, ptrdiff_t inputs,
                    ptrdiff_t neurons, ptrdiff_t edges) {
    if (indptr[0] != 0 || indptr[neurons] != edges) {
        return 0;
    }
    for (ptrdiff_t i = 0; i < neurons; i++) {
        if (indptr[i + 1] < indptr[i] || indptr[i + 1] > edges) {
            return 0;
        }
        for (int64_t e = indptr[i]; e < indptr[i + 1]; e++) {
            if ((ptrdiff_t)indices[e] >= inputs + i) {
                return 0;
            }
        }
    }
    return 1;
}

/* graph; inputs: refuse a graph whose arrays do not belong together. */
KERNEL(graph_check)(const Array *arrays, const Number *numbers) {
    const ptrdiff_t inputs = numbers[0].integer, neurons = arrays[0].size - 1;
    if (inputs < 0 || neurons < 0 ||
        !in_order(arrays[0].data, arrays[1].data, inputs, neurons, arrays[1].size) ||
        !in_order(arrays[2].data, arrays[3].data, inputs, neurons, arrays[3].size)) {
        return BAD_VALUE;
    }
    return 0;
}

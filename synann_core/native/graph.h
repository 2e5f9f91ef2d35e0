/* A graph in topological order, as all its kernels take it.

Neuron i is node inputs + i. It is excited by the nodes sources[strong[i]] ... and inhibited by
readings[weak[i]] ..., all of which stand before it. Values stand flat, the rows of the batch side by
side for each node, so that they share what is read of the graph. */

#ifndef SYNANN_GRAPH_H
#define SYNANN_GRAPH_H

#include <stdint.h>

#include "kernels.h"
#include "real.h"


typedef struct {
    ptrdiff_t inputs, neurons;
    const int64_t *strong, *weak; /* neurons + 1 */
    const uint32_t *sources, *readings;
} Graph;

/* The inputs of one neuron. */
typedef struct {
    int64_t e0, e1, k0, k1; /* places of excitatory and inhibitory ones */
} Reads;

enum {
    BLOCK = 32, /* factors or terms that are taken together */
    LANES = 8,  /* rows that go through a neuron together */
    NEAR = 1 << 18, /* bytes of values that are never far away */
    /* How far ahead memory is asked for: */
    AHEAD = 96,              /* nodes that are read by inhibitory inputs */
    STRONG_AHEAD = 12,       /* and by excitatory ones */
    NEURONS_IN_ORDER = 64,   /* what lies in order for each neuron */
    NUMBERS_IN_ORDER = 256,  /* and for each inhibitory input: its numbers */
    READINGS_IN_ORDER = 512  /* and the nodes that are read */
};

INLINE Graph graph_of(const Array *arrays, ptrdiff_t inputs) {
    return (Graph){inputs, arrays[0].size - 1, arrays[0].data, arrays[2].data, arrays[1].data,
                   arrays[3].data};
}

/* Whether values of this size are those of `rows` rows. The indices are `graph_check`'s business. */
INLINE int graph_fits(const Array *arrays, ptrdiff_t inputs, ptrdiff_t rows, ptrdiff_t values,
                      ptrdiff_t neurons) {
    const Array *strong = &arrays[0], *sources = &arrays[1], *weak = &arrays[2];
    return inputs >= 0 && rows >= 1 && strong->size == neurons + 1 && values % rows == 0 &&
           values / rows == inputs + neurons &&
           ((const int64_t *)strong->data)[neurons] == sources->size &&
           ((const int64_t *)weak->data)[neurons] == arrays[3].size;
}

/* The same, of two values a row for each node: all first ones of a node, and then the second ones. */
INLINE int graph_fits_pairs(const Array *arrays, ptrdiff_t inputs, ptrdiff_t rows, ptrdiff_t values,
                            ptrdiff_t neurons) {
    return values % 2 == 0 && graph_fits(arrays, inputs, rows, values / 2, neurons);
}

INLINE Reads reads(const Graph *graph, ptrdiff_t i) {
    return (Reads){graph->strong[i], graph->strong[i + 1], graph->weak[i], graph->weak[i + 1]};
}

/* The node of an input to come, in topological order or against it. Nodes are far apart, which
processors do not foresee. */
INLINE ptrdiff_t node_after(const Graph *graph, int64_t k) {
    const int64_t next = k + AHEAD, last = graph->weak[graph->neurons] - 1;
    return graph->readings[next < last ? next : last];
}

INLINE ptrdiff_t node_before(const Graph *graph, int64_t k) {
    return graph->readings[k < AHEAD ? 0 : k - AHEAD];
}

INLINE ptrdiff_t source_after(const Graph *graph, int64_t e) {
    const int64_t next = e + STRONG_AHEAD, last = graph->strong[graph->neurons] - 1;
    return graph->sources[next < last ? next : last];
}

INLINE ptrdiff_t source_before(const Graph *graph, int64_t e) {
    return graph->sources[e < STRONG_AHEAD ? 0 : e - STRONG_AHEAD];
}

/* Ask for what lies in order as well: processors foresee the next lines of a few arrays, but not of as
many as a graph has. `way` is 1 in topological order and −1 against it. What lies beyond an array is
asked for in vain, but not read. */
INLINE void foresee_graph(const Graph *graph, ptrdiff_t i, ptrdiff_t way) {
    if (i % 8 == 0) { /* a line of 64 bytes */
        __builtin_prefetch(graph->strong + i + way * NEURONS_IN_ORDER);
        __builtin_prefetch(graph->weak + i + way * NEURONS_IN_ORDER);
        __builtin_prefetch(graph->sources + graph->strong[i] + way * NEURONS_IN_ORDER);
    }
    __builtin_prefetch(graph->readings + graph->weak[i] + way * READINGS_IN_ORDER);
}

/* The same of numbers, one for each neuron or one for each inhibitory input. */
INLINE void foresee_neurons(const REAL *numbers, ptrdiff_t i, ptrdiff_t way) {
    if (i % 8 == 0) {
        __builtin_prefetch(numbers + i + way * NEURONS_IN_ORDER);
    }
}

INLINE void foresee_weak(const REAL *numbers, const Graph *graph, ptrdiff_t i, ptrdiff_t way) {
    const REAL *next = numbers + graph->weak[i] + way * NUMBERS_IN_ORDER;
    __builtin_prefetch(next);
    __builtin_prefetch(next + 8);
}

INLINE int64_t block_end(int64_t start, int64_t stop) {
    return stop - start > BLOCK ? start + BLOCK : stop;
}

/* For each of the rows that go through a neuron together. Unrolled, it would not become vectors. */
#define EACH_ROW _Pragma("GCC unroll 1") for (ptrdiff_t r = 0; r < count; r++)

/* Run `body` with `count` rows at a time from row `r` on: the compiler makes vectors of LANES. */
#define FOR_ROWS(rows, body)                       \
    for (ptrdiff_t r = 0; r < (rows);) {           \
        if ((rows)-r >= LANES) {                   \
            const ptrdiff_t count = LANES;         \
            body;                                  \
            r += count;                            \
        } else {                                   \
            const ptrdiff_t count = 1;             \
            body;                                  \
            r += count;                            \
        }                                          \
    }

#endif

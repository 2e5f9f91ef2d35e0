/* Products of the factors of a neuron, in probability space, beside their complements. */

#ifndef SYNANN_GRAPH_PRODUCT_H
#define SYNANN_GRAPH_PRODUCT_H

#include "graph.h"

/* A factor's complement, or NaN, which rules it out, where gains made the factor leave [0, 1]: the
complement of a product of such factors would cancel. */
INLINE REAL known(REAL q, int inside) {
    return (inside || ((q >= 0) & (q <= 1))) ? q : (REAL)NAN;
}

INLINE void reset(ptrdiff_t count, REAL *p, REAL *c) {
    EACH_ROW {
        p[r] = 1;
        c[r] = 0;
    }
}

/* Whether digits of a product may be lost that the value has: c is its complement, or NaN if a factor is
outside [0, 1]. */
INLINE int lost(REAL alpha, REAL product, REAL c) {
    const REAL size = ABS(product), least = TINY / EPSILON;
    const int kept = (size >= least) & (size <= LARGEST);
    return (kept == 0) & ((alpha > 1) | (c != c));
}

#endif

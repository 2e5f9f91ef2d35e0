/* Values of graphs in probability space.

Beside a product p of factors runs its complement c = 1 − p, which is the more accurate one while p
is close to 1; of more than 32 factors, blocks are multiplied.

A gain above 1, or factors above 1, may make an ordinary number of a product that has underflowed (or
overflowed) on the way. Then it is formed anew, with its exponent apart. */

#include "graph_product.h"
#include "scaled.h"

/* What is the same for all neurons of a call: nothing of it changes a bit. */
typedef struct {
    int inside; /* whether all values and parameters are in [0, 1]: no factor need be looked at */
    int far;    /* whether values are too many for a cache: memory is asked for in advance */
} Case;

/* Multiply by excitatory inputs; all arrays begin at the first of `count` rows. */
INLINE void excite(const REAL *s, ptrdiff_t rows, const Graph *graph, int64_t start, int64_t stop,
                   ptrdiff_t count, Case now, REAL *p, REAL *c) {
    for (int64_t e = start; e < stop; e++) {
        const REAL *f = s + (ptrdiff_t)graph->sources[e] * rows;
        if (now.far) {
            __builtin_prefetch(s + source_after(graph, e) * rows);
        }
        EACH_ROW {
            c[r] = FMA(known(1 - f[r], now.inside), p[r], c[r]);
            p[r] *= f[r];
        }
    }
}

INLINE void inhibit(const REAL *s, ptrdiff_t rows, const REAL *beta, const Graph *graph,
                    int64_t start, int64_t stop, ptrdiff_t count, Case now, REAL *p, REAL *c) {
    for (int64_t k = start; k < stop; k++) {
        const REAL *y = s + (ptrdiff_t)graph->readings[k] * rows, b = beta[k];
        if (now.far) {
            __builtin_prefetch(s + node_after(graph, k) * rows);
        }
        EACH_ROW {
            c[r] = FMA(known(b * y[r], now.inside), p[r], c[r]);
            p[r] *= FMA(-b, y[r], 1);
        }
    }
}

/* Take a block's product into that of the blocks before it. */
INLINE void join(ptrdiff_t count, const REAL *p, const REAL *c, REAL *product, REAL *rest) {
    EACH_ROW {
        rest[r] = FMA(c[r], product[r], rest[r]);
        product[r] *= c[r] < HALF ? 1 - c[r] : p[r];
    }
}

/* The value of one row, its exponent apart. */
static REAL value_apart(const REAL *s, ptrdiff_t rows, REAL alpha, const REAL *beta,
                        const Graph *graph, const Reads *in) {
    Scaled value = scaled(alpha, 1);
    for (int64_t e = in->e0; e < in->e1; e++) {
        value = times(value, scaled(s[(ptrdiff_t)graph->sources[e] * rows], 1), 1);
    }
    for (int64_t k = in->k0; k < in->k1; k++) {
        const REAL y = s[(ptrdiff_t)graph->readings[k] * rows];
        value = times(value, scaled(FMA(-beta[k], y, 1), 1), 1);
    }
    return unscaled(value);
}

/* Write the values of `count` rows, from the products of their factors and the complements. */
INLINE void finish(const REAL *s, ptrdiff_t rows, REAL alpha, const REAL *beta, const Graph *graph,
                   const Reads *in, ptrdiff_t count, Case now, const REAL *p, const REAL *c,
                   REAL *out) {
    Whole again = 0;
    EACH_ROW {
        const REAL product = c[r] < HALF ? 1 - c[r] : p[r];
        out[r] = alpha * product;
        again |= (Whole)lost(alpha, product, c[r]);
    }
    if (now.inside || !again) {
        return;
    }
    for (ptrdiff_t r = 0; r < count; r++) {
        if (lost(alpha, c[r] < HALF ? 1 - c[r] : p[r], c[r])) {
            out[r] = value_apart(s + r, rows, alpha, beta, graph, in);
        }
    }
}

INLINE void neuron(const REAL *s, ptrdiff_t rows, REAL alpha, const REAL *beta, const Graph *graph,
                   ptrdiff_t i, ptrdiff_t count, Case now, REAL *out) {
    const Reads in = reads(graph, i);
    REAL p[LANES], c[LANES], product[LANES], rest[LANES];
    reset(count, p, c);
    if (in.e1 - in.e0 + in.k1 - in.k0 <= BLOCK) {
        excite(s, rows, graph, in.e0, in.e1, count, now, p, c);
        inhibit(s, rows, beta, graph, in.k0, in.k1, count, now, p, c);
        finish(s, rows, alpha, beta, graph, &in, count, now, p, c, out);
        return;
    }
    reset(count, product, rest);
    for (int64_t e = in.e0, stop; e < in.e1; e = stop) {
        stop = block_end(e, in.e1);
        reset(count, p, c);
        excite(s, rows, graph, e, stop, count, now, p, c);
        join(count, p, c, product, rest);
    }
    for (int64_t k = in.k0, stop; k < in.k1; k = stop) {
        stop = block_end(k, in.k1);
        reset(count, p, c);
        inhibit(s, rows, beta, graph, k, stop, count, now, p, c);
        join(count, p, c, product, rest);
    }
    finish(s, rows, alpha, beta, graph, &in, count, now, product, rest, out);
}

INLINE void neurons(REAL *s, ptrdiff_t rows, const REAL *alpha, const REAL *beta,
                    const Graph *graph, Case now) {
    for (ptrdiff_t i = 0; i < graph->neurons; i++) {
        REAL *out = s + (graph->inputs + i) * rows;
        if (now.far) {
            foresee_graph(graph, i, 1);
            foresee_neurons(alpha, i, 1);
            foresee_weak(beta, graph, i, 1);
        }
        FOR_ROWS(rows, neuron(s + r, rows, alpha[i], beta, graph, i, count, now, out + r))
    }
}

static int all_inside(const REAL *s, ptrdiff_t count) {
    int inside = 1;
    for (ptrdiff_t i = 0; i < count; i++) {
        inside &= (s[i] >= 0) & (s[i] <= 1);
    }
    return inside;
}

/* s[nodes · rows], α[neurons], β[inhibitory], graph; rows, inputs, whether α and β are in [0, 1]:
write the neurons' values into s, in which those of the inputs stand. */
KERNEL(graph_forward)(const Array *arrays, const Number *numbers) {
    REAL *s = arrays[0].data;
    const REAL *alpha = arrays[1].data, *beta = arrays[2].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    if (!graph_fits(arrays + 3, inputs, rows, arrays[0].size, arrays[1].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 3, inputs);
    const int far = arrays[0].size * (ptrdiff_t)sizeof(REAL) > NEAR;
    const int inside = numbers[2].integer && all_inside(s, inputs * rows);
    if (inside && far) {
        neurons(s, rows, alpha, beta, &graph, (Case){1, 1});
    } else if (inside) {
        neurons(s, rows, alpha, beta, &graph, (Case){1, 0});
    } else if (far) {
        neurons(s, rows, alpha, beta, &graph, (Case){0, 1});
    } else {
        neurons(s, rows, alpha, beta, &graph, (Case){0, 0});
    }
    return 0;
}

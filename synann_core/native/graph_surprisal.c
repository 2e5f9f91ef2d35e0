/* Kernels of graphs in surprisal space.

A factor f = ȳ + y β̄ of an inhibitory input is a sum of positive terms and keeps its digits where
γ + u comes close to 0. Where y or β is above 1 it is no such sum, and 1 − yβ is rounded once. Its
logarithm is taken of the product of up to 32 of them. */

#include "graph.h"

/* The factor of an inhibitory input. */
INLINE REAL factor(REAL y, REAL y_bar, REAL beta, REAL beta_bar) {
    return ((y > 1) | (beta > 1)) ? FMA(-beta, y, 1) : FMA(y, beta_bar, y_bar);
}

/* A sum of `count` rows over excitatory inputs, by blocks. */
INLINE void sum_of(const REAL *z, ptrdiff_t rows, const Graph *graph, const Reads *in,
                   ptrdiff_t count, REAL *total) {
    EACH_ROW {
        total[r] = 0;
    }
    for (int64_t start = in->e0, stop; start < in->e1; start = stop) {
        REAL part[LANES];
        stop = block_end(start, in->e1);
        EACH_ROW {
            part[r] = 0;
        }
        for (int64_t e = start; e < stop; e++) {
            const REAL *term = z + (ptrdiff_t)graph->sources[e] * rows;
            __builtin_prefetch(z + source_after(graph, e) * rows);
            EACH_ROW {
                part[r] += term[r];
            }
        }
        EACH_ROW {
            total[r] += part[r];
        }
    }
}

/* Take from `total` the logarithms of a block of factors, for `count` rows. */
INLINE void subtract_logs(const REAL *pairs, ptrdiff_t rows, const REAL *beta,
                          const REAL *beta_bar, const Graph *graph, int64_t start, int64_t stop,
                          ptrdiff_t count, REAL small, REAL *total) {
    REAL p[LANES], c[LANES], logs[LANES];
    EACH_ROW {
        p[r] = 1;
        c[r] = logs[r] = 0;
    }
    for (int64_t k = start; k < stop; k++) {
        const REAL *y = pairs + (ptrdiff_t)graph->readings[k] * 2 * rows, *y_bar = y + rows;
        __builtin_prefetch(pairs + node_after(graph, k) * 2 * rows);
        REAL f[LANES], next_c[LANES], next_p[LANES];
        Whole special = 0;
        EACH_ROW {
            f[r] = factor(y[r], y_bar[r], beta[k], beta_bar[k]);
            next_c[r] = FMA(y[r] * beta[k], p[r], c[r]);
            next_p[r] = p[r] * f[r];
            special |= (Whole)((!(f[r] > small)) | (next_p[r] < small));
        }
        if (!special) {
            EACH_ROW {
                p[r] = next_p[r];
                c[r] = next_c[r];
            }
            continue;
        }
        EACH_ROW {
            if (!(f[r] > small)) { /* also 0 and NaN */
                logs[r] += LOG(f[r]);
            } else if (next_p[r] < small) {
                logs[r] += LOG(next_p[r]);
                p[r] = 1;
                c[r] = 0;
            } else {
                p[r] = next_p[r];
                c[r] = next_c[r];
            }
        }
    }
    EACH_ROW {
        total[r] -= logs[r] + (c[r] < HALF ? LOG1P(-c[r]) : LOG(p[r]));
    }
}

INLINE void neuron(REAL *z, REAL *pairs, ptrdiff_t rows, ptrdiff_t at, REAL theta,
                   const REAL *beta, const REAL *beta_bar, const Graph *graph, ptrdiff_t i,
                   ptrdiff_t count, REAL small) {
    const Reads in = reads(graph, i);
    REAL total[LANES];
    sum_of(z, rows, graph, &in, count, total);
    for (int64_t start = in.k0, stop; start < in.k1; start = stop) {
        stop = block_end(start, in.k1);
        subtract_logs(pairs, rows, beta, beta_bar, graph, start, stop, count, small, total);
    }
    REAL *y = pairs + 2 * at, *y_bar = y + rows;
    for (ptrdiff_t r = 0; r < count; r++) {
        const REAL value = theta + total[r];
        z[at + r] = value;
        if (value < HALF) {
            y_bar[r] = -EXPM1(-value);
            y[r] = 1 - y_bar[r];
        } else {
            y[r] = EXP(-value);
            y_bar[r] = 1 - y[r];
        }
    }
}

/* z[nodes · rows], pairs[nodes · 2 · rows], θ[neurons], e^(−γ) and 1 − e^(−γ)[inhibitory], graph; rows,
inputs: write the neurons' surprisals z, and as pairs y = e^(−z) and ȳ = 1 − y; those of the inputs
stand there. */
KERNEL(graph_surprisal_forward)(const Array *arrays, const Number *numbers) {
    REAL *z = arrays[0].data, *pairs = arrays[1].data;
    const REAL *theta = arrays[2].data, *beta = arrays[3].data, *beta_bar = arrays[4].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    if (!graph_fits(arrays + 5, inputs, rows, arrays[0].size, arrays[2].size) ||
        !graph_fits_pairs(arrays + 5, inputs, rows, arrays[1].size, arrays[2].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 5, inputs);
    const REAL small = OF_REAL(sqrtf, sqrt)(TINY); /* the product of two such is still normal */
    for (ptrdiff_t i = 0; i < graph.neurons; i++) {
        const ptrdiff_t at = (inputs + i) * rows;
        foresee_graph(&graph, i, 1);
        foresee_neurons(theta, i, 1);
        foresee_weak(beta, &graph, i, 1);
        foresee_weak(beta_bar, &graph, i, 1);
        FOR_ROWS(rows, neuron(z + r, pairs + r, rows, at, theta[i], beta, beta_bar, &graph, i,
                              count, small))
    }
    return 0;
}

INLINE void spread(const REAL *pairs, REAL *restrict h, ptrdiff_t rows, ptrdiff_t at, const REAL *beta, const REAL *beta_bar, const Graph *graph,
                   ptrdiff_t i, ptrdiff_t count, int first, REAL floor, REAL *gtheta,
                   REAL *ggamma) {
    const Reads in = reads(graph, i);
    REAL up[LANES], through[LANES], total = first ? 0 : *gtheta;
    EACH_ROW {
        up[r] = h[at + r];
        total += up[r];
    }
    *gtheta = total;
    for (int64_t e = in.e0; e < in.e1; e++) {
        REAL *to = h + (ptrdiff_t)graph->sources[e] * rows;
        __builtin_prefetch(h + source_before(graph, e) * rows, 1);
        EACH_ROW {
            to[r] += up[r];
        }
    }
    for (int64_t k = in.k0; k < in.k1; k++) {
        const ptrdiff_t node = (ptrdiff_t)graph->readings[k] * rows;
        const ptrdiff_t before = node_before(graph, k) * rows;
        const REAL *y = pairs + 2 * node, *y_bar = y + rows;
        __builtin_prefetch(pairs + 2 * before);
        __builtin_prefetch(h + before, 1);
        EACH_ROW {
            REAL f = factor(y[r], y_bar[r], beta[k], beta_bar[k]);
            f = f < floor ? floor : f;
            through[r] = up[r] * (y[r] * beta[k] / f);
            h[node + r] -= through[r];
        }
        REAL sum = first ? 0 : ggamma[k];
        EACH_ROW {
            sum -= through[r];
        }
        ggamma[k] = sum;
    }
}

/* pairs of y and ȳ[nodes · 2 · rows], h[nodes · rows], β, β̄, graph, gθ, gγ; rows, inputs, first, floor: turn the gradients h of all
nodes' surprisals into those of the inputs; gθ and gγ are added to, or written if these rows are the
first. Occupations are those of factors of at
least `floor`. */
KERNEL(graph_surprisal_backward)(const Array *arrays, const Number *numbers) {
    const REAL *pairs = arrays[0].data, *beta = arrays[2].data, *beta_bar = arrays[3].data;
    REAL *h = arrays[1].data, *gtheta = arrays[8].data, *ggamma = arrays[9].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    const REAL floor = (REAL)numbers[3].real;
    if (!graph_fits(arrays + 4, inputs, rows, arrays[1].size, arrays[8].size) ||
        !graph_fits_pairs(arrays + 4, inputs, rows, arrays[0].size, arrays[8].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 4, inputs);
    for (ptrdiff_t i = graph.neurons - 1; i >= 0; i--) {
        const ptrdiff_t at = (inputs + i) * rows;
        foresee_graph(&graph, i, -1);
        foresee_neurons(gtheta, i, -1);
        foresee_weak(beta, &graph, i, -1);
        foresee_weak(beta_bar, &graph, i, -1);
        foresee_weak(ggamma, &graph, i, -1);
        FOR_ROWS(rows, spread(pairs + r, h + r, rows, at, beta, beta_bar, &graph, i, count,
                              numbers[2].integer && r == 0, floor, &gtheta[i], ggamma))
    }
    return 0;
}

INLINE void tangent(const REAL *pairs, REAL *dz, ptrdiff_t rows, ptrdiff_t at,
                    REAL dtheta, const REAL *beta, const REAL *beta_bar, const REAL *dgamma,
                    const Graph *graph, ptrdiff_t i, ptrdiff_t count, REAL floor) {
    const Reads in = reads(graph, i);
    REAL total[LANES];
    sum_of(dz, rows, graph, &in, count, total);
    for (int64_t start = in.k0, stop; start < in.k1; start = stop) {
        REAL part[LANES];
        stop = block_end(start, in.k1);
        EACH_ROW {
            part[r] = 0;
        }
        for (int64_t k = start; k < stop; k++) {
            const ptrdiff_t node = (ptrdiff_t)graph->readings[k] * rows;
            const ptrdiff_t after = node_after(graph, k) * rows;
            const REAL *y = pairs + 2 * node, *y_bar = y + rows;
            __builtin_prefetch(pairs + 2 * after);
            __builtin_prefetch(dz + after);
            EACH_ROW {
                REAL f = factor(y[r], y_bar[r], beta[k], beta_bar[k]);
                f = f < floor ? floor : f;
                part[r] += y[r] * beta[k] / f * (dgamma[k] + dz[node + r]);
            }
        }
        EACH_ROW {
            total[r] -= part[r];
        }
    }
    EACH_ROW {
        dz[at + r] = dtheta + total[r];
    }
}

/* pairs of y and ȳ[nodes · 2 · rows], dz[nodes · rows], dθ[neurons], β, β̄, dγ[inhibitory], graph; rows, inputs, floor: write the
neurons' tangents into dz, in which those of the inputs stand. */
KERNEL(graph_surprisal_tangents)(const Array *arrays, const Number *numbers) {
    const REAL *pairs = arrays[0].data, *dtheta = arrays[2].data, *dgamma = arrays[5].data;
    const REAL *beta = arrays[3].data, *beta_bar = arrays[4].data;
    REAL *dz = arrays[1].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    const REAL floor = (REAL)numbers[2].real;
    if (!graph_fits(arrays + 6, inputs, rows, arrays[1].size, arrays[2].size) ||
        !graph_fits_pairs(arrays + 6, inputs, rows, arrays[0].size, arrays[2].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 6, inputs);
    for (ptrdiff_t i = 0; i < graph.neurons; i++) {
        const ptrdiff_t at = (inputs + i) * rows;
        foresee_graph(&graph, i, 1);
        foresee_neurons(dtheta, i, 1);
        foresee_weak(beta, &graph, i, 1);
        foresee_weak(beta_bar, &graph, i, 1);
        foresee_weak(dgamma, &graph, i, 1);
        FOR_ROWS(rows, tangent(pairs + r, dz + r, rows, at, dtheta[i], beta, beta_bar, dgamma,
                               &graph, i, count, floor))
    }
    return 0;
}

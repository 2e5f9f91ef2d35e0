/* Kernels of graphs in probability space.

Beside a product p of factors runs its complement c = 1 − p, which is the more accurate one while p
is close to 1; of more than 32 factors, blocks are multiplied.

Where nothing underflows, derivatives divide the value by the factor. Where a factor is 0, or the
product too small to tell, they are products of the other factors, by a pass from either end. Which
way is taken depends on the row and the neuron alone. */

#include "graph.h"

#include <stdlib.h>

/* A factor's complement, or NaN, which rules it out, where gains made the factor leave [0, 1]: the
complement of a product of such factors would cancel. */
INLINE REAL known(REAL q) {
    return (q >= 0) & (q <= 1) ? q : (REAL)NAN;
}

/* Multiply by excitatory inputs; all arrays begin at the first of `count` rows. */
INLINE void excite(const REAL *s, ptrdiff_t rows, const Graph *graph, int64_t start, int64_t stop,
                   ptrdiff_t count, REAL *p, REAL *c) {
    for (int64_t e = start; e < stop; e++) {
        const REAL *f = s + (ptrdiff_t)graph->sources[e] * rows;
        EACH_ROW {
            c[r] = FMA(known(1 - f[r]), p[r], c[r]);
            p[r] *= f[r];
        }
    }
}

INLINE void inhibit(const REAL *s, ptrdiff_t rows, const REAL *beta, const Graph *graph,
                    int64_t start, int64_t stop, ptrdiff_t count, REAL *p, REAL *c) {
    for (int64_t k = start; k < stop; k++) {
        const REAL *y = s + (ptrdiff_t)graph->readings[k] * rows, b = beta[k];
        EACH_ROW {
            c[r] = FMA(known(b * y[r]), p[r], c[r]);
            p[r] *= FMA(-b, y[r], 1);
        }
    }
}

INLINE void reset(ptrdiff_t count, REAL *p, REAL *c) {
    EACH_ROW {
        p[r] = 1;
        c[r] = 0;
    }
}

/* Take a block's product into that of the blocks before it. */
INLINE void join(ptrdiff_t count, const REAL *p, const REAL *c, REAL *product, REAL *rest) {
    EACH_ROW {
        rest[r] = FMA(c[r], product[r], rest[r]);
        product[r] *= c[r] < HALF ? 1 - c[r] : p[r];
    }
}

INLINE void neuron(const REAL *s, ptrdiff_t rows, REAL alpha, const REAL *beta, const Graph *graph,
                   ptrdiff_t i, ptrdiff_t count, REAL *out) {
    const Reads in = reads(graph, i);
    REAL p[LANES], c[LANES], product[LANES], rest[LANES];
    reset(count, p, c);
    if (in.e1 - in.e0 + in.k1 - in.k0 <= BLOCK) {
        excite(s, rows, graph, in.e0, in.e1, count, p, c);
        inhibit(s, rows, beta, graph, in.k0, in.k1, count, p, c);
        EACH_ROW {
            out[r] = alpha * (c[r] < HALF ? 1 - c[r] : p[r]);
        }
        return;
    }
    reset(count, product, rest);
    for (int64_t e = in.e0, stop; e < in.e1; e = stop) {
        stop = block_end(e, in.e1);
        reset(count, p, c);
        excite(s, rows, graph, e, stop, count, p, c);
        join(count, p, c, product, rest);
    }
    for (int64_t k = in.k0, stop; k < in.k1; k = stop) {
        stop = block_end(k, in.k1);
        reset(count, p, c);
        inhibit(s, rows, beta, graph, k, stop, count, p, c);
        join(count, p, c, product, rest);
    }
    EACH_ROW {
        out[r] = alpha * (rest[r] < HALF ? 1 - rest[r] : product[r]);
    }
}

/* s[nodes · rows], α[neurons], β[inhibitory], graph; rows, inputs: write the neurons' values into s,
in which those of the inputs stand. */
KERNEL(graph_forward)(const Array *arrays, const Number *numbers) {
    REAL *s = arrays[0].data;
    const REAL *alpha = arrays[1].data, *beta = arrays[2].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    if (!graph_fits(arrays + 3, inputs, rows, arrays[0].size, arrays[1].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 3, inputs);
    for (ptrdiff_t i = 0; i < graph.neurons; i++) {
        REAL *out = s + (inputs + i) * rows;
        FOR_ROWS(rows, neuron(s + r, rows, alpha[i], beta, &graph, i, count, out + r))
    }
    return 0;
}

/* Room for the factors of a neuron and the product of those before each; grows when asked for. */
typedef struct {
    REAL *factors, *before;
    size_t size;
} Room;

static int room_for(Room *room, size_t size) {
    if (size > room->size) {
        free(room->factors);
        room->factors = malloc(2 * size * sizeof(REAL));
        room->size = room->factors ? size : 0;
        room->before = room->factors ? room->factors + size : NULL;
    }
    return size == 0 || room->factors;
}

/* Gradients of one row by products of the other factors; `up` is the neuron's own. */
static void by_products(const REAL *s, REAL *g, ptrdiff_t rows, REAL up, REAL alpha,
                        const REAL *beta, const Graph *graph, ptrdiff_t i, const Room *room,
                        REAL *galpha, REAL *gbeta) {
    const Reads in = reads(graph, i);
    REAL product = 1, after = up * alpha;
    ptrdiff_t n = 0;
    for (int64_t e = in.e0; e < in.e1; e++, n++) {
        room->before[n] = product;
        room->factors[n] = s[(ptrdiff_t)graph->sources[e] * rows];
        product *= room->factors[n];
    }
    for (int64_t k = in.k0; k < in.k1; k++, n++) {
        room->before[n] = product;
        room->factors[n] = FMA(-beta[k], s[(ptrdiff_t)graph->readings[k] * rows], 1);
        product *= room->factors[n];
    }
    *galpha += up * product;
    for (int64_t k = in.k1 - 1; k >= in.k0; k--) {
        const ptrdiff_t node = (ptrdiff_t)graph->readings[k] * rows;
        const REAL others = after * room->before[--n];
        g[node] -= others * beta[k];
        gbeta[k] -= others * s[node];
        after *= room->factors[n];
    }
    for (int64_t e = in.e1 - 1; e >= in.e0; e--) {
        n--;
        g[(ptrdiff_t)graph->sources[e] * rows] += after * room->before[n];
        after *= room->factors[n];
    }
}

/* Gradients of `count` rows by division; values and gradients of the neuron are at `at`. */
INLINE void by_division(const REAL *restrict s, REAL *restrict g, ptrdiff_t rows, ptrdiff_t at,
                        REAL alpha, const REAL *beta, const Graph *graph, ptrdiff_t i,
                        ptrdiff_t count, REAL *galpha, REAL *gbeta) {
    const Reads in = reads(graph, i);
    REAL up[LANES], value[LANES], part[LANES];
    EACH_ROW {
        up[r] = g[at + r];
        value[r] = s[at + r];
        part[r] = up[r] * (value[r] / alpha);
    }
    EACH_ROW {
        *galpha += part[r];
    }
    for (int64_t e = in.e0; e < in.e1; e++) {
        const ptrdiff_t node = (ptrdiff_t)graph->sources[e] * rows;
        EACH_ROW {
            g[node + r] += up[r] * (value[r] / s[node + r]);
        }
    }
    for (int64_t k = in.k0; k < in.k1; k++) {
        const ptrdiff_t node = (ptrdiff_t)graph->readings[k] * rows;
        const REAL b = beta[k];
        EACH_ROW {
            const REAL y = s[node + r], ratio = up[r] * (value[r] / FMA(-b, y, 1));
            g[node + r] -= ratio * b;
            part[r] = ratio * y;
        }
        REAL sum = gbeta[k];
        EACH_ROW {
            sum -= part[r];
        }
        gbeta[k] = sum;
    }
}

/* Whether no factor of `count` rows is 0 and no product of them has lost digits. */
INLINE int divisible(const REAL *value, REAL alpha, ptrdiff_t count) {
    const REAL least = TINY / EPSILON, most = 1 / least;
    Whole small = (Whole) !((least < alpha) & (alpha < most));
    EACH_ROW {
        small |= (Whole) !(ABS(value[r]) > least);
    }
    return !small;
}

/* s, g[nodes · rows], α, β, graph, gα[neurons], gβ[inhibitory]; rows, inputs: turn the gradients g of
all nodes' values, by outputs alone, into those of the inputs; gα and gβ are added to. */
KERNEL(graph_backward)(const Array *arrays, const Number *numbers) {
    const REAL *s = arrays[0].data, *alpha = arrays[2].data, *beta = arrays[3].data;
    REAL *g = arrays[1].data, *galpha = arrays[8].data, *gbeta = arrays[9].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    if (!graph_fits(arrays + 4, inputs, rows, arrays[0].size, arrays[2].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 4, inputs);
    Room room = {NULL, NULL, 0};
    int result = 0;
    for (ptrdiff_t i = graph.neurons - 1; i >= 0; i--) {
        const Reads in = reads(&graph, i);
        const ptrdiff_t at = (inputs + i) * rows;
        for (ptrdiff_t r = 0; r < rows;) {
            if (rows - r >= LANES && divisible(s + at + r, alpha[i], LANES)) {
                by_division(s + r, g + r, rows, at, alpha[i], beta, &graph, i, LANES, &galpha[i],
                            gbeta);
                r += LANES;
            } else if (divisible(s + at + r, alpha[i], 1)) {
                by_division(s + r, g + r, rows, at, alpha[i], beta, &graph, i, 1, &galpha[i],
                            gbeta);
                r++;
            } else if (room_for(&room, (size_t)(in.e1 - in.e0 + in.k1 - in.k0))) {
                by_products(s + r, g + r, rows, g[at + r], alpha[i], beta, &graph, i, &room,
                            &galpha[i], gbeta);
                r++;
            } else {
                result = NO_MEMORY;
                goto end;
            }
        }
    }
end:
    free(room.factors);
    return result;
}

/* The product of one neuron's factors by blocks, and its tangent. */
typedef struct {
    REAL product[LANES], slope[LANES]; /* of the blocks before */
    REAL p[LANES], c[LANES], d[LANES]; /* of this block */
} Moving;

INLINE void start_block(ptrdiff_t count, Moving *now) {
    reset(count, now->p, now->c);
    EACH_ROW {
        now->d[r] = 0;
    }
}

INLINE void end_block(ptrdiff_t count, Moving *now) {
    EACH_ROW {
        const REAL p = now->c[r] < HALF ? 1 - now->c[r] : now->p[r];
        now->slope[r] = FMA(now->slope[r], p, now->product[r] * now->d[r]);
        now->product[r] *= p;
    }
}

INLINE void moving_neuron(const REAL *s, const REAL *ds, ptrdiff_t rows, const REAL *beta,
                          const REAL *dbeta, const Graph *graph, ptrdiff_t i, ptrdiff_t count,
                          Moving *now) {
    const Reads in = reads(graph, i);
    EACH_ROW {
        now->product[r] = 1;
        now->slope[r] = 0;
    }
    for (int64_t start = in.e0, stop; start < in.e1; start = stop) {
        stop = block_end(start, in.e1);
        start_block(count, now);
        for (int64_t e = start; e < stop; e++) {
            const ptrdiff_t node = (ptrdiff_t)graph->sources[e] * rows;
            EACH_ROW {
                const REAL f = s[node + r], p = now->p[r];
                now->d[r] = FMA(now->d[r], f, p * ds[node + r]);
                now->c[r] = FMA(known(1 - f), p, now->c[r]);
                now->p[r] = p * f;
            }
        }
        end_block(count, now);
    }
    for (int64_t start = in.k0, stop; start < in.k1; start = stop) {
        stop = block_end(start, in.k1);
        start_block(count, now);
        for (int64_t k = start; k < stop; k++) {
            const ptrdiff_t node = (ptrdiff_t)graph->readings[k] * rows;
            const REAL b = beta[k], db = dbeta[k];
            EACH_ROW {
                const REAL y = s[node + r], p = now->p[r], f = FMA(-b, y, 1);
                now->d[r] = FMA(now->d[r], f, -p * (b * ds[node + r] + db * y));
                now->c[r] = FMA(known(b * y), p, now->c[r]);
                now->p[r] = p * f;
            }
        }
        end_block(count, now);
    }
}

/* s, ds[nodes · rows], α, dα[neurons], β, dβ[inhibitory], graph; rows, inputs: write the neurons'
tangents into ds, in which those of the inputs stand, by the product rule. */
KERNEL(graph_tangents)(const Array *arrays, const Number *numbers) {
    const REAL *s = arrays[0].data, *alpha = arrays[2].data, *dalpha = arrays[3].data;
    const REAL *beta = arrays[4].data, *dbeta = arrays[5].data;
    REAL *ds = arrays[1].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    if (!graph_fits(arrays + 6, inputs, rows, arrays[0].size, arrays[2].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 6, inputs);
    for (ptrdiff_t i = 0; i < graph.neurons; i++) {
        REAL *out = ds + (inputs + i) * rows;
        FOR_ROWS(rows, {
            Moving now;
            moving_neuron(s + r, ds + r, rows, beta, dbeta, &graph, i, count, &now);
            _Pragma("GCC unroll 1") for (ptrdiff_t j = 0; j < count; j++) {
                out[r + j] = alpha[i] * now.slope[j] + dalpha[i] * now.product[j];
            }
        })
    }
    return 0;
}

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

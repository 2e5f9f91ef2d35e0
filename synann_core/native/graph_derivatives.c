/* Gradients and tangents of graphs in probability space.

Where nothing underflows, derivatives divide the value by the factor. Where a factor is 0, or the
product too small to tell, they are products of the other factors, by a pass from either end. Which
way is taken depends on the row and the neuron alone. */

#include "graph_product.h"
#include "scaled.h"

#include <stdlib.h>

/* A factor of a neuron, and the product of those before it. */
typedef struct {
    REAL factor;
    Scaled before;
} Place;

/* Room for the factors of a neuron; grows when asked for. */
typedef struct {
    Place *places;
    size_t size;
} Room;

static int room_for(Room *room, size_t size) {
    if (size > room->size) {
        free(room->places);
        room->places = malloc(size * sizeof(Place));
        room->size = room->places ? size : 0;
    }
    return size == 0 || room->places;
}

/* Gradients of one row by products of the other factors. */
static void by_products(REAL *pairs, ptrdiff_t rows, ptrdiff_t at, REAL alpha, const REAL *beta,
                        const Graph *graph, ptrdiff_t i, const Room *room, int first,
                        REAL *galpha, REAL *gbeta) {
    const Reads in = reads(graph, i);
    const ptrdiff_t step = 2 * rows;
    const REAL up = pairs[at + rows];
    Place *place = room->places;
    int apart = alpha > 1;
    for (int64_t e = in.e0; e < in.e1; e++, place++) {
        place->factor = pairs[(ptrdiff_t)graph->sources[e] * step];
        apart |= place->factor > 1;
    }
    for (int64_t k = in.k0; k < in.k1; k++, place++) {
        place->factor = FMA(-beta[k], pairs[(ptrdiff_t)graph->readings[k] * step], 1);
        apart |= ABS(place->factor) > 1;
    }
    Scaled product = scaled(1, apart), after = times(scaled(up, apart), scaled(alpha, apart), apart);
    for (Place *end = place, *now = room->places; now < end; now++) {
        now->before = product;
        product = times(product, scaled(now->factor, apart), apart);
    }
    *galpha = (first ? 0 : *galpha) + unscaled(times(product, scaled(up, apart), apart));
    for (int64_t k = in.k1 - 1; k >= in.k0; k--) {
        REAL *node = pairs + (ptrdiff_t)graph->readings[k] * step;
        place--;
        const REAL others = unscaled(times(after, place->before, apart));
        node[rows] -= others * beta[k];
        gbeta[k] = (first ? 0 : gbeta[k]) - others * *node;
        after = times(after, scaled(place->factor, apart), apart);
    }
    for (int64_t e = in.e1 - 1; e >= in.e0; e--) {
        place--;
        REAL *node = pairs + (ptrdiff_t)graph->sources[e] * step;
        node[rows] += unscaled(times(after, place->before, apart));
        after = times(after, scaled(place->factor, apart), apart);
    }
}

/* Gradients of `count` rows by division; the neuron's own pairs are at `at`. */
INLINE void by_division(REAL *pairs, ptrdiff_t rows, ptrdiff_t at, REAL alpha, const REAL *beta,
                        const Graph *graph, ptrdiff_t i, ptrdiff_t count, int far, int first,
                        REAL *galpha, REAL *gbeta) {
    const Reads in = reads(graph, i);
    const ptrdiff_t step = 2 * rows;
    REAL up[LANES], value[LANES], part[LANES];
    EACH_ROW {
        value[r] = pairs[at + r];
        up[r] = pairs[at + rows + r];
        part[r] = up[r] * (value[r] / alpha);
    }
    REAL total = first ? 0 : *galpha;
    EACH_ROW {
        total += part[r];
    }
    *galpha = total;
    for (int64_t e = in.e0; e < in.e1; e++) {
        REAL *node = pairs + (ptrdiff_t)graph->sources[e] * step;
        if (far) {
            __builtin_prefetch(pairs + source_before(graph, e) * step, 1);
        }
        EACH_ROW {
            node[rows + r] += up[r] * (value[r] / node[r]);
        }
    }
    for (int64_t k = in.k0; k < in.k1; k++) {
        REAL *node = pairs + (ptrdiff_t)graph->readings[k] * step;
        const REAL b = beta[k];
        if (far) {
            __builtin_prefetch(pairs + node_before(graph, k) * step, 1);
        }
        EACH_ROW {
            const REAL y = node[r], ratio = up[r] * (value[r] / FMA(-b, y, 1));
            node[rows + r] -= ratio * b;
            part[r] = ratio * y;
        }
        REAL sum = first ? 0 : gbeta[k];
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

/* What one call of `graph_backward` is given. */
typedef struct {
    REAL *pairs;
    const REAL *alpha, *beta;
    REAL *galpha, *gbeta;
    int first;
} Backward;

INLINE int backward(const Backward *call, const Graph *graph, ptrdiff_t rows, int far) {
    const REAL *alpha = call->alpha, *beta = call->beta;
    REAL *gbeta = call->gbeta;
    Room room = {NULL, 0};
    int result = 0;
    for (ptrdiff_t i = graph->neurons - 1; i >= 0 && !result; i--) {
        const Reads in = reads(graph, i);
        const ptrdiff_t at = 2 * (graph->inputs + i) * rows;
        REAL *ga = &call->galpha[i];
        if (far) {
            foresee_graph(graph, i, -1);
            foresee_neurons(alpha, i, -1);
            foresee_neurons(call->galpha, i, -1);
            foresee_weak(beta, graph, i, -1);
            foresee_weak(gbeta, graph, i, -1);
        }
        for (ptrdiff_t r = 0; r < rows && !result;) {
            const int first = call->first && r == 0;
            REAL *own = call->pairs + r;
            ptrdiff_t count = rows - r >= LANES && divisible(own + at, alpha[i], LANES) ? LANES : 1;
            if (count == LANES) {
                by_division(own, rows, at, alpha[i], beta, graph, i, LANES, far, first, ga, gbeta);
            } else if (divisible(own + at, alpha[i], 1)) {
                by_division(own, rows, at, alpha[i], beta, graph, i, 1, far, first, ga, gbeta);
            } else if (room_for(&room, (size_t)(in.e1 - in.e0 + in.k1 - in.k0))) {
                by_products(own, rows, at, alpha[i], beta, graph, i, &room, first, ga, gbeta);
            } else {
                result = NO_MEMORY;
            }
            r += count;
        }
    }
    free(room.places);
    return result;
}

/* pairs[nodes · 2 · rows], α, β, graph, gα[neurons], gβ[inhibitory]; rows, inputs, first: turn the
gradients of all nodes' values, by outputs alone, into those of the inputs; gα and gβ are added to, or
written if these rows are the first. A node's values, and then their gradients, lie side by side: what
is far away is read once. */
KERNEL(graph_backward)(const Array *arrays, const Number *numbers) {
    REAL *pairs = arrays[0].data, *galpha = arrays[7].data, *gbeta = arrays[8].data;
    const REAL *alpha = arrays[1].data, *beta = arrays[2].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    if (!graph_fits_pairs(arrays + 3, inputs, rows, arrays[0].size, arrays[1].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 3, inputs);
    const int far = arrays[0].size * (ptrdiff_t)sizeof(REAL) > NEAR, first = numbers[2].integer != 0;
    const Backward call = {pairs, alpha, beta, galpha, gbeta, first};
    if (far && rows == 1) {
        return backward(&call, &graph, 1, 1);
    }
    return far ? backward(&call, &graph, rows, 1) : backward(&call, &graph, rows, 0);
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

INLINE void moving_neuron(const REAL *pairs, ptrdiff_t rows, const REAL *beta, const REAL *dbeta,
                          const Graph *graph, ptrdiff_t i, ptrdiff_t count, Moving *now) {
    const Reads in = reads(graph, i);
    const ptrdiff_t step = 2 * rows;
    EACH_ROW {
        now->product[r] = 1;
        now->slope[r] = 0;
    }
    for (int64_t start = in.e0, stop; start < in.e1; start = stop) {
        stop = block_end(start, in.e1);
        start_block(count, now);
        for (int64_t e = start; e < stop; e++) {
            const REAL *node = pairs + (ptrdiff_t)graph->sources[e] * step;
            __builtin_prefetch(pairs + source_after(graph, e) * step);
            EACH_ROW {
                const REAL f = node[r], p = now->p[r];
                now->d[r] = FMA(now->d[r], f, p * node[rows + r]);
                now->c[r] = FMA(known(1 - f, 0), p, now->c[r]);
                now->p[r] = p * f;
            }
        }
        end_block(count, now);
    }
    for (int64_t start = in.k0, stop; start < in.k1; start = stop) {
        stop = block_end(start, in.k1);
        start_block(count, now);
        for (int64_t k = start; k < stop; k++) {
            const REAL *node = pairs + (ptrdiff_t)graph->readings[k] * step;
            const REAL b = beta[k], db = dbeta[k];
            __builtin_prefetch(pairs + node_after(graph, k) * step);
            EACH_ROW {
                const REAL y = node[r], p = now->p[r], f = FMA(-b, y, 1);
                now->d[r] = FMA(now->d[r], f, -p * (b * node[rows + r] + db * y));
                now->c[r] = FMA(known(b * y, 0), p, now->c[r]);
                now->p[r] = p * f;
            }
        }
        end_block(count, now);
    }
}

/* The tangent of one row whose value is an ordinary number, though its product alone is not. */
static REAL tangent_apart(const REAL *pairs, ptrdiff_t rows, REAL value, REAL alpha, REAL dalpha,
                          const REAL *beta, const REAL *dbeta, const Graph *graph, ptrdiff_t i) {
    const Reads in = reads(graph, i);
    const ptrdiff_t step = 2 * rows;
    REAL total = value / alpha * dalpha;
    for (int64_t e = in.e0; e < in.e1; e++) {
        const REAL *node = pairs + (ptrdiff_t)graph->sources[e] * step;
        total += value / node[0] * node[rows];
    }
    for (int64_t k = in.k0; k < in.k1; k++) {
        const REAL *node = pairs + (ptrdiff_t)graph->readings[k] * step;
        const REAL ratio = value / FMA(-beta[k], node[0], 1);
        total -= ratio * (beta[k] * node[rows] + dbeta[k] * node[0]);
    }
    return total;
}

/* pairs[nodes · 2 · rows], α, dα[neurons], β, dβ[inhibitory], graph; rows, inputs: write the neurons'
tangents behind their values, as those of the inputs stand, by the product rule. */
KERNEL(graph_tangents)(const Array *arrays, const Number *numbers) {
    const REAL *alpha = arrays[1].data, *dalpha = arrays[2].data;
    const REAL *beta = arrays[3].data, *dbeta = arrays[4].data;
    REAL *pairs = arrays[0].data;
    const ptrdiff_t rows = numbers[0].integer, inputs = numbers[1].integer;
    if (!graph_fits_pairs(arrays + 5, inputs, rows, arrays[0].size, arrays[1].size)) {
        return BAD_VALUE;
    }
    const Graph graph = graph_of(arrays + 5, inputs);
    for (ptrdiff_t i = 0; i < graph.neurons; i++) {
        REAL *out = pairs + (2 * (inputs + i) + 1) * rows;
        foresee_graph(&graph, i, 1);
        foresee_neurons(alpha, i, 1);
        foresee_neurons(dalpha, i, 1);
        foresee_weak(beta, &graph, i, 1);
        foresee_weak(dbeta, &graph, i, 1);
        FOR_ROWS(rows, {
            Moving now;
            moving_neuron(pairs + r, rows, beta, dbeta, &graph, i, count, &now);
            _Pragma("GCC unroll 1") for (ptrdiff_t j = 0; j < count; j++) {
                out[r + j] = alpha[i] * now.slope[j] + dalpha[i] * now.product[j];
            }
            for (ptrdiff_t j = 0; j < count; j++) {
                const REAL value = out[r + j - rows];
                if (lost(alpha[i], now.product[j], (REAL)NAN) && ABS(value) >= TINY) {
                    out[r + j] = tangent_apart(pairs + r + j, rows, value, alpha[i], dalpha[i],
                                               beta, dbeta, &graph, i);
                }
            }
        })
    }
    return 0;
}

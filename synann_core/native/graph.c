/* Kernels of graphs in probability space.

Beside a product p of factors runs its complement c = 1 − p, which is the more accurate one while p
is close to 1; of more than 32 factors, blocks are multiplied.

Where nothing underflows, derivatives divide the value by the factor. Where a factor is 0, or the
product too small to tell, they are products of the other factors, by a pass from either end. Which
way is taken depends on the row and the neuron alone.

A gain above 1, or factors above 1, may make an ordinary number of a product that has underflowed (or
overflowed) on the way. Then it is formed anew, with its exponent apart. */

#include "graph.h"
#include "scaled.h"

#include <stdlib.h>

/* A factor's complement, or NaN, which rules it out, where gains made the factor leave [0, 1]: the
complement of a product of such factors would cancel. */
INLINE REAL known(REAL q, int inside) {
    return (inside || ((q >= 0) & (q <= 1))) ? q : (REAL)NAN;
}

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

/* Whether digits of a product may be lost that the value has: c is its complement, or NaN if a factor is
outside [0, 1]. */
INLINE int lost(REAL alpha, REAL product, REAL c) {
    const REAL size = ABS(product), least = TINY / EPSILON;
    const int kept = (size >= least) & (size <= LARGEST);
    return (kept == 0) & ((alpha > 1) | (c != c));
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
                        const Graph *graph, ptrdiff_t i, ptrdiff_t count, int first,
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
        EACH_ROW {
            node[rows + r] += up[r] * (value[r] / node[r]);
        }
    }
    for (int64_t k = in.k0; k < in.k1; k++) {
        REAL *node = pairs + (ptrdiff_t)graph->readings[k] * step;
        const REAL b = beta[k];
        __builtin_prefetch(pairs + node_before(graph, k) * step, 1);
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
    Room room = {NULL, 0};
    int result = 0;
    for (ptrdiff_t i = graph.neurons - 1; i >= 0 && !result; i--) {
        const Reads in = reads(&graph, i);
        const ptrdiff_t at = 2 * (inputs + i) * rows;
        REAL *ga = &galpha[i];
        for (ptrdiff_t r = 0; r < rows && !result;) {
            const int first = numbers[2].integer && r == 0;
            REAL *own = pairs + r;
            ptrdiff_t count = rows - r >= LANES && divisible(own + at, alpha[i], LANES) ? LANES : 1;
            if (count == LANES) {
                by_division(own, rows, at, alpha[i], beta, &graph, i, LANES, first, ga, gbeta);
            } else if (divisible(own + at, alpha[i], 1)) {
                by_division(own, rows, at, alpha[i], beta, &graph, i, 1, first, ga, gbeta);
            } else if (room_for(&room, (size_t)(in.e1 - in.e0 + in.k1 - in.k0))) {
                by_products(own, rows, at, alpha[i], beta, &graph, i, &room, first, ga, gbeta);
            } else {
                result = NO_MEMORY;
            }
            r += count;
        }
    }
    free(room.places);
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

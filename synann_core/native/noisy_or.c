/* Kernels of exact inference in noisy-OR networks, in float64 only; see noisy_or.h.

Where a program and a transposed one meet, the inner product of their states is the evidence.
`unwind` goes back through a program with the other one's state, which meets at every operation the
state that the program had there: that gives what every cause contributes. States are kept before
every group of causes; those within a group are computed again. */

#include <stdlib.h>

#include "kernels.h"

#ifdef REAL_IS_FLOAT /* evidence as small as 1e-38 is common */

KERNEL(noisy_or_size)(const Array *arrays, const Number *numbers) {
    (void)arrays, (void)numbers;
    return BAD_VALUE;
}

KERNEL(noisy_or_build)(const Array *arrays, const Number *numbers) {
    (void)arrays, (void)numbers;
    return BAD_VALUE;
}

KERNEL(noisy_or_unwind)(const Array *arrays, const Number *numbers) {
    (void)arrays, (void)numbers;
    return BAD_VALUE;
}

KERNEL(noisy_or_move)(const Array *arrays, const Number *numbers) {
    (void)arrays, (void)numbers;
    return BAD_VALUE;
}

#else

#include "noisy_or.h"

static int program_of(const Array *arrays, int transposed, Program *p) {
    *p = (Program){.ops = arrays[0].data,
                   .count = arrays[0].shape[0],
                   .places = arrays[1].data,
                   .stay = arrays[2].data,
                   .move = arrays[3].data,
                   .weights = arrays[4].data,
                   .transposed = transposed != 0};
    return arrays[0].shape[1] == SHARES + 1 && arrays[4].shape[1] == 2;
}

/* ops, places, stay, move, weights, stack; transposed, keep: run a program. The state lies in the end
where `noisy_or_size` says. */
KERNEL(noisy_or_build)(const Array *arrays, const Number *numbers) {
    Program p;
    Size size;
    const int keep = numbers[1].integer != 0;
    const ptrdiff_t links = arrays[1].size;
    if (!program_of(arrays, numbers[0].integer != 0, &p) || !walk(&p, links, keep, NULL, &size) ||
        arrays[5].size < size.stack) {
        return BAD_VALUE;
    }
    Step *steps = malloc(((size_t)p.count + 1) * sizeof *steps);
    double *tile = malloc(((size_t)size.scratch + 1) * sizeof *tile), *stack = arrays[5].data;
    if (!steps || !tile) {
        free(steps);
        free(tile);
        return NO_MEMORY;
    }
    walk(&p, links, keep, steps, &size);
    stack[0] = 1;
    for (ptrdiff_t t = 0; t < p.count; t++) {
        const Step s = steps[t];
        const double *from = stack + s.before;
        double *to = stack + s.after;
        if (p.ops[t][KIND] == CAUSE) {
            take_cause(&p, t, p.transposed, s.bits, from, to, NULL, tile);
        } else if (p.ops[t][KIND] == ENTER) {
            expand(from, to, s.bits, s.bits, p.weights[t]);
        } else {
            contract(from, to, s.bits, (int)p.ops[t][PLACE], p.weights[t]);
        }
    }
    free(steps);
    free(tile);
    return 0;
}

/* What is needed to go back through causes [a, b): `f` is the state before the first of them. */
typedef struct {
    const Program *program;
    double *other, *tile;
    double (*shares)[2];
    int bits;
} Way;

static void unwind_group(const Way *way, const double *f, ptrdiff_t a, ptrdiff_t b, double *local) {
    const Program *p = way->program;
    const ptrdiff_t size = power(way->bits), middle = a + (b - a) / 2;
    if (b - a > PLAIN) {
        for (ptrdiff_t t = a; t < middle; t++) {
            take_cause(p, t, p->transposed, way->bits, t == a ? f : local, local, NULL, way->tile);
        }
        unwind_group(way, local, middle, b, local + size);
        unwind_group(way, f, a, middle, local);
        return;
    }
    for (ptrdiff_t t = a; t < b - 1; t++) {
        double *to = local + (t - a) * size;
        take_cause(p, t, p->transposed, way->bits, t == a ? f : to - size, to, NULL, way->tile);
    }
    for (ptrdiff_t t = b - 1; t >= a; t--) {
        const double *state = t == a ? f : local + (t - a - 1) * size;
        way->shares[t][0] = p->weights[t][1] * take_cause(p, t, !p->transposed, way->bits, way->other,
                                                          way->other, state, way->tile);
        way->shares[t][1] = 0;
    }
}

/* ops, places, stay, move, weights, stack, other, shares; transposed: go back through a program that
was run with `keep`, with the state `other` that it met. A cause's share is the evidence with it
present; those of a finding that entered (or left, transposed) are the evidence with it off and on. */
KERNEL(noisy_or_unwind)(const Array *arrays, const Number *numbers) {
    Program p;
    Size size;
    const ptrdiff_t links = arrays[1].size;
    if (!program_of(arrays, numbers[0].integer != 0, &p) || !walk(&p, links, 1, NULL, &size) ||
        arrays[5].size < size.stack || arrays[6].size < power(size.peak) || arrays[7].shape[1] != 2) {
        return BAD_VALUE;
    }
    Step *steps = malloc(((size_t)p.count + 1) * sizeof *steps);
    double *tile = malloc(((size_t)size.scratch + 1) * sizeof *tile);
    double *local = malloc(((size_t)size.local + 1) * sizeof *local);
    if (!steps || !tile || !local) {
        free(steps);
        free(tile);
        free(local);
        return NO_MEMORY;
    }
    walk(&p, links, 1, steps, &size);
    const double *stack = arrays[5].data;
    Way way = {&p, arrays[6].data, tile, arrays[7].data, 0};
    memset(way.shares, 0, (size_t)p.count * sizeof *way.shares);
    for (ptrdiff_t t = p.count - 1; t >= 0; t--) {
        const Step s = steps[t];
        const double *w = p.weights[t];
        if (p.ops[t][KIND] == CAUSE) {
            ptrdiff_t first = t;
            while (first && p.ops[first - 1][KIND] == CAUSE) {
                first--;
            }
            way.bits = s.bits;
            unwind_group(&way, stack + steps[first].before, first, t + 1, local);
            t = first;
        } else if (p.ops[t][KIND] == ENTER) {
            if (p.ops[t][SHARES]) {
                for (int on = 0; on < 2; on++) {
                    const ptrdiff_t half = on ? power(s.bits) : 0;
                    way.shares[t][on] =
                        product(stack + s.after + half, way.other + half, power(s.bits));
                }
            }
            contract(way.other, way.other, s.bits_after, s.bits, w);
        } else {
            const int place = (int)p.ops[t][PLACE];
            expand(way.other, way.other, s.bits_after, place, w);
            if (p.ops[t][SHARES]) {
                Sum sums[2] = {{0, 0}, {0, 0}};
                for (ptrdiff_t o = 0; o < power(s.bits); o += power(place)) {
                    add(&sums[o >> place & 1],
                        product(stack + s.before + o, way.other + o, power(place)));
                }
                way.shares[t][0] = sums[0].sum + sums[0].error;
                way.shares[t][1] = sums[1].sum + sums[1].error;
            }
        }
    }
    free(steps);
    free(tile);
    free(local);
    return 0;
}

/* ops, places, out; keep: the numbers of a stack, where the last state begins in it, the state's
bits, the most bits on the way, and the numbers that a kernel takes beside the stack. */
KERNEL(noisy_or_size)(const Array *arrays, const Number *numbers) {
    const Program p = {.ops = arrays[0].data, .count = arrays[0].shape[0], .places = arrays[1].data};
    Size size;
    if (arrays[0].shape[1] != SHARES + 1 || arrays[2].size != 5 ||
        !walk(&p, arrays[1].size, numbers[0].integer != 0, NULL, &size)) {
        return BAD_VALUE;
    }
    double *out = arrays[2].data;
    out[0] = (double)size.stack;
    out[1] = (double)size.final;
    out[2] = size.bits;
    out[3] = size.peak;
    out[4] = (double)(size.scratch + size.local);
    return 0;
}

/* from, to, order, with, total: a state with its bits in another order (bit q goes to order[q]), and
its inner product with a state, if there is one. */
KERNEL(noisy_or_move)(const Array *arrays, const Number *numbers) {
    (void)numbers;
    enum { LOW = 5 };
    const double *from = arrays[0].data, *with = arrays[3].data;
    double *to = arrays[1].data;
    const int64_t *order = arrays[2].data;
    const ptrdiff_t size = arrays[0].size, bits = arrays[2].size;
    int64_t seen = 0;
    for (ptrdiff_t q = 0; q < bits && bits <= MOST_BITS; q++) {
        seen |= order[q] >= 0 && order[q] < bits ? (int64_t)1 << order[q] : 0;
    }
    if (bits > MOST_BITS || size != power((int)bits) || seen != size - 1 || arrays[4].size != 1) {
        return BAD_VALUE;
    }
    /* Tiles that hold whole runs on either side. */
    ptrdiff_t inner[2 * LOW], outer[MOST_BITS], inside = 0, outside = 0;
    ptrdiff_t in[1 << 2 * LOW], out[1 << 2 * LOW];
    for (ptrdiff_t q = 0; q < bits; q++) {
        if (q < LOW || order[q] < LOW) {
            inner[inside++] = q;
        } else {
            outer[outside++] = q;
        }
    }
    for (ptrdiff_t c = 0; c < power((int)inside); c++) {
        in[c] = out[c] = 0;
        for (ptrdiff_t q = 0; q < inside; q++) {
            in[c] |= (c >> q & 1) << inner[q];
            out[c] |= (c >> q & 1) << order[inner[q]];
        }
    }
    for (ptrdiff_t u = 0; u < power((int)outside); u++) {
        ptrdiff_t source = 0, target = 0;
        for (ptrdiff_t q = 0; q < outside; q++) {
            source |= (u >> q & 1) << outer[q];
            target |= (u >> q & 1) << order[outer[q]];
        }
        for (ptrdiff_t c = 0; c < power((int)inside); c++) {
            to[target + out[c]] = from[source + in[c]];
        }
    }
    if (with) {
        *(double *)arrays[4].data = product(to, with, size);
    }
    return 0;
}

#endif

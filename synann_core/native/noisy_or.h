/* States of exact inference in noisy-OR networks, and the operations of a program on them.

A state has a number for every set of those findings that are under way: bit q of its index says
whether the finding of bit q is on. A program takes a state through time. Findings enter, as a new
highest bit; causes switch findings on, f <- c0·f + c1·N f, where N multiplies the numbers with a bit
off by `stay` and adds `move` times them to those with it on; findings leave, by a weighted sum over
their bit. A transposed program does the same with N transposed: it goes against time. All terms are
positive.

The order of every sum is fixed: no bit of a result depends on the width of the processor's vectors. */

#ifndef SYNANN_NOISY_OR_H
#define SYNANN_NOISY_OR_H

#include <stdint.h>
#include <string.h>

#include "kernels.h"
#include "real.h"

enum { ENTER, LEAVE, CAUSE };                 /* kinds of operations */
enum { KIND, PLACE, FIRST, COUNT, SHARES };   /* columns of `ops` */
enum { MOST_BITS = 40, RUN = 9, TILE = 15, EIGHT = 8, FOUR = 4, PLAIN = 4 };

typedef double Eight __attribute__((vector_size(64), aligned(8), may_alias));
typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));

typedef struct {
    const int64_t (*ops)[5];
    ptrdiff_t count;
    const int64_t *places; /* of links: a bit */
    const double *stay, *move;
    const double (*weights)[2]; /* of operations */
    int transposed;
} Program;

/* Where the state is before and after an operation, and how many bits it has. */
typedef struct {
    ptrdiff_t before, after;
    int bits, bits_after;
} Step;

/* What a program takes, in numbers. */
typedef struct {
    ptrdiff_t stack, final, scratch, local;
    int bits, peak;
} Size;

INLINE ptrdiff_t power(int bits) {
    return (ptrdiff_t)1 << bits;
}

/* States that are computed again for a group of causes; see `unwind_group`. */
static int kept(ptrdiff_t count) {
    if (count <= PLAIN) {
        return count > 1 ? (int)count - 1 : 0;
    }
    const ptrdiff_t left = count / 2;
    const int first = kept(left), second = 1 + kept(count - left);
    return first > second ? first : second;
}

/* How many bits a tile has that is taken out of a state for a cause: its runs are `*run` bits long. */
static int tile_bits(const int64_t *places, int count, int bits, int *run) {
    int above = 0;
    for (*run = bits < RUN ? bits : RUN;; --*run) {
        above = 0;
        for (int t = 0; t < count; t++) {
            above += places[t] >= *run;
        }
        if (above + *run <= TILE || *run <= 3) {
            return above + *run;
        }
    }
}

/* Whether the state before an operation is needed on the way back. */
static int survives(const Program *p, ptrdiff_t t) {
    const int cause = p->ops[t][KIND] == CAUSE;
    const int64_t *last = t ? p->ops[t - 1] : NULL;
    if (cause) {
        return !last || last[KIND] != CAUSE;
    }
    return (p->ops[t][KIND] == LEAVE && p->ops[t][SHARES]) ||
           (last && last[KIND] == ENTER && last[SHARES]);
}

/* Go through a program without its numbers; 0 if an operation is not one. `steps` may be NULL. */
static int walk(const Program *p, ptrdiff_t links, int keep, Step *steps, Size *size) {
    *size = (Size){.stack = 1};
    ptrdiff_t at = 0, group = 0;
    int bits = 0;
    for (ptrdiff_t t = 0; t < p->count; t++) {
        const int64_t *op = p->ops[t], kind = op[KIND], first = op[FIRST], count = op[COUNT];
        Step step = {.before = at, .bits = bits};
        at += keep && survives(p, t) ? power(bits) : 0;
        if (kind == ENTER && bits < MOST_BITS) {
            bits++;
        } else if (kind == LEAVE && op[PLACE] >= 0 && op[PLACE] < bits) {
            bits--;
        } else if (kind == CAUSE && first >= 0 && count >= 0 && count <= bits && first <= links - count) {
            int run;
            int64_t seen = 0;
            for (int64_t k = first; k < first + count; k++) {
                const int64_t place = p->places[k];
                if (place < 0 || place >= bits || (seen >> place & 1)) {
                    return 0;
                }
                seen |= (int64_t)1 << place;
            }
            const ptrdiff_t tile = power(tile_bits(p->places + first, (int)count, bits, &run));
            size->scratch = tile > size->scratch ? tile : size->scratch;
        } else {
            return 0;
        }
        group = kind == CAUSE ? group + 1 : 0;
        const ptrdiff_t local = keep ? kept(group) * power(bits) : 0;
        size->local = local > size->local ? local : size->local;
        step.after = at;
        step.bits_after = bits;
        const ptrdiff_t end = at + power(bits);
        size->stack = end > size->stack ? end : size->stack;
        size->peak = bits > size->peak ? bits : size->peak;
        if (steps) {
            steps[t] = step;
        }
    }
    size->final = at;
    size->bits = bits;
    return 1;
}

/* One switch on a tile of n numbers, for a bit that is s = 2, 4, … numbers high. */
INLINE void switch_far(double *tile, ptrdiff_t n, ptrdiff_t s, double stay, double move,
                       int transposed) {
    for (ptrdiff_t o = 0; o < n; o += 2 * s) {
        double *restrict x = tile + o, *restrict y = tile + o + s; /* the bit is off, on */
        if (transposed) {
            for (ptrdiff_t t = 0; t < s; t++) {
                x[t] = stay * x[t] + move * y[t];
            }
        } else {
            for (ptrdiff_t t = 0; t < s; t++) {
                y[t] = y[t] + move * x[t];
                x[t] = stay * x[t];
            }
        }
    }
}

static void switch_on(double *tile, ptrdiff_t n, int bit, double stay, double move, int transposed) {
    if (bit > 2 || n < FOUR) {
        switch_far(tile, n, power(bit), stay, move, transposed);
    } else if (bit == 2) {
        switch_far(tile, n, 4, stay, move, transposed);
    } else {
        Four own, other;
        for (int k = 0; k < FOUR; k++) {
            const int on = k >> bit & 1;
            own[k] = on ? 1 : stay;
            other[k] = on == transposed ? 0 : move;
        }
        for (ptrdiff_t o = 0; o < n; o += FOUR) {
            Four *at = (Four *)(tile + o), now = *at;
            *at = own * now + other * (bit ? __builtin_shufflevector(now, now, 2, 3, 0, 1)
                                           : __builtin_shufflevector(now, now, 1, 0, 3, 2));
        }
    }
}

/* A sum of many parts, with its error (Neumaier). */
typedef struct {
    double sum, error;
} Sum;

INLINE void add(Sum *to, double x) {
    const double sum = to->sum + x;
    const double lost = ABS(to->sum) >= ABS(x) ? (to->sum - sum) + x : (x - sum) + to->sum;
    to->sum = sum;
    to->error += lost;
}

/* Add the inner product of some numbers, at most 512. */
INLINE void add_product(Sum *to, const double *a, const double *b, ptrdiff_t n) {
    if (n < EIGHT) {
        for (ptrdiff_t k = 0; k < n; k++) {
            add(to, a[k] * b[k]);
        }
        return;
    }
    Eight eight = {0};
    for (ptrdiff_t k = 0; k < n; k += EIGHT) {
        eight += *(const Eight *)(a + k) * *(const Eight *)(b + k);
    }
    add(to, ((eight[0] + eight[1]) + (eight[2] + eight[3])) +
                ((eight[4] + eight[5]) + (eight[6] + eight[7])));
}

static double product(const double *a, const double *b, ptrdiff_t n) {
    Sum sum = {0, 0};
    for (ptrdiff_t k = 0; k < n; k += power(RUN)) {
        add_product(&sum, a + k, b + k, n - k < power(RUN) ? n - k : power(RUN));
    }
    return sum.sum + sum.error;
}

/* to <- p·a + q·b, n numbers each; `to` may be `a`, which would keep the compiler from vectors. */
INLINE void combine(const double *a, double p, const double *b, double q, double *to, ptrdiff_t n) {
    if (a == to) {
        double *restrict own = to;
        const double *restrict other = b;
        for (ptrdiff_t k = 0; k < n; k++) {
            own[k] = p * own[k] + q * other[k];
        }
    } else {
        for (ptrdiff_t k = 0; k < n; k++) {
            to[k] = p * a[k] + q * b[k];
        }
    }
}

/* to <- p·a */
INLINE void scale(const double *a, double p, double *to, ptrdiff_t n) {
    if (a == to) {
        for (ptrdiff_t k = 0; k < n; k++) {
            to[k] = p * to[k];
        }
    } else {
        for (ptrdiff_t k = 0; k < n; k++) {
            to[k] = p * a[k];
        }
    }
}

/* One cause: to <- c0·from + c1·N from, N transposed if it says so; `to` may be `from`. Returns the
inner product of N from and `with`, if there is one. */
static double take_cause(const Program *p, ptrdiff_t op, int transposed, int bits, const double *from,
                         double *to, const double *with, double *tile) {
    const int count = (int)p->ops[op][COUNT];
    const ptrdiff_t first = (ptrdiff_t)p->ops[op][FIRST];
    const int64_t *places = p->places + first;
    const double c0 = p->weights[op][0], c1 = p->weights[op][1];
    int run_bits, above = 0, outside = 0, high[MOST_BITS], outer[MOST_BITS];
    const ptrdiff_t size = power(tile_bits(places, count, bits, &run_bits)), run = power(run_bits);
    for (int q = run_bits; q < bits; q++) {
        int linked = 0;
        for (int t = 0; t < count; t++) {
            linked |= places[t] == q;
        }
        if (linked) {
            high[above++] = q;
        } else {
            outer[outside++] = q;
        }
    }
    Sum sum = {0, 0};
    for (ptrdiff_t u = 0; u < power(outside); u++) {
        ptrdiff_t base = 0;
        for (int q = 0; q < outside; q++) {
            base |= (u >> q & 1) << outer[q];
        }
        ptrdiff_t at = base; /* of the run: its bits in `high` count up */
        for (ptrdiff_t c = 0; c < size; c += run) {
            memcpy(tile + c, from + at, (size_t)run * sizeof *tile);
            for (int q = 0; q < above && ((at ^= power(high[q])) >> high[q] & 1) == 0; q++) {}
        }
        for (int t = 0; t < count; t++) {
            int bit = (int)places[t];
            for (int q = 0; q < above; q++) {
                bit = places[t] == high[q] ? run_bits + q : bit;
            }
            switch_on(tile, size, bit, p->stay[first + t], p->move[first + t], transposed);
        }
        at = base;
        for (ptrdiff_t c = 0; c < size; c += run) {
            if (with) {
                add_product(&sum, tile + c, with + at, run);
            }
            combine(from + at, c0, tile + c, c1, to + at, run);
            for (int q = 0; q < above && ((at ^= power(high[q])) >> high[q] & 1) == 0; q++) {}
        }
    }
    return sum.sum + sum.error;
}

/* A new bit: from the top, as `to` may be `from`. */
static void expand(const double *from, double *to, int bits, int place, const double *w) {
    const ptrdiff_t s = power(place);
    for (ptrdiff_t o = power(bits) - s; o >= 0; o -= s) {
        const double *x = from + o;
        double *off = to + 2 * o, *on = off + s;
        scale(x, w[1], on, s);
        scale(x, w[0], off, s);
    }
}

/* The weighted sum over a bit; `to` may be `from`. */
static void contract(const double *from, double *to, int bits, int place, const double *w) {
    const ptrdiff_t s = power(place);
    for (ptrdiff_t o = 0; o < power(bits); o += 2 * s) {
        combine(from + o, w[0], from + o + s, w[1], to + o / 2, s);
    }
}

#endif

/* The order in which findings enter, for exact inference in noisy-OR networks; see noisy_or.h.

A finding leaves as soon as no later one shares a cause with it. A cause is taken between the entry of
its last finding and the leave of its first one: at one of these two ends. It costs its weight times
2^bits, of the bits that are under way then. */

#include <stdint.h>
#include <stdlib.h>

#include "kernels.h"
#include "real.h"

typedef struct {
    ptrdiff_t causes, bits;
    const int64_t *starts, *links; /* a cause's findings are links[starts[j]], … */
    const REAL *weights;           /* of causes: numbers written for every set, 2 + links or so */
    int64_t *place;                /* of a finding among those that enter */
    /* by place: the last place that the finding must wait for, and its number among those that leave */
    int64_t *until, *rank;
    int64_t *gone, *next; /* how many leave before the finding at a place enters; a running count */
    int64_t *last; /* of a cause's findings */
} Search;

/* 2^bits, or 2^900 where that would be more. */
INLINE double numbers_of(int64_t bits) {
    const union {
        uint64_t bits;
        double real;
    } power = {(uint64_t)(1023 + (bits < 900 ? bits : 900)) << 52};
    return power.real;
}

/* The cost of the order `place`, or something above `most`. */
static double cost(const Search *s, double most) {
    for (ptrdiff_t t = 0; t < s->bits; t++) {
        s->until[t] = t;
        s->gone[t] = 0;
    }
    s->gone[s->bits] = 0;
    for (ptrdiff_t j = 0; j < s->causes; j++) {
        int64_t last = 0;
        for (int64_t k = s->starts[j]; k < s->starts[j + 1]; k++) {
            const int64_t at = s->place[s->links[k]];
            last = at > last ? at : last;
        }
        s->last[j] = last;
        for (int64_t k = s->starts[j]; k < s->starts[j + 1]; k++) {
            const int64_t at = s->place[s->links[k]];
            s->until[at] = last > s->until[at] ? last : s->until[at];
        }
    }
    for (ptrdiff_t t = 0; t < s->bits; t++) {
        s->gone[s->until[t] + 1]++;
    }
    double sum = 0;
    for (ptrdiff_t t = 0; t < s->bits; t++) {
        s->next[t] = s->gone[t];
        sum += numbers_of(t + 1 - s->gone[t]);
        s->gone[t + 1] += s->gone[t];
    }
    for (ptrdiff_t t = 0; t < s->bits; t++) {
        s->rank[t] = s->next[s->until[t]]++;
    }
    for (ptrdiff_t j = 0; j < s->causes && sum <= most; j++) {
        int64_t first = s->bits, step = 0;
        for (int64_t k = s->starts[j]; k < s->starts[j + 1]; k++) {
            const int64_t at = s->place[s->links[k]];
            if (s->rank[at] < first) {
                first = s->rank[at];
                step = s->until[at];
            }
        }
        const int64_t early = s->last[j] + 1 - (step == s->last[j] ? first : s->gone[s->last[j] + 1]);
        const int64_t late = step + 1 - first;
        sum += (double)s->weights[j] * numbers_of(early < late ? early : late);
    }
    return sum;
}

/* Exchange two findings, or let the first enter at a place; those between make room. */
static void change(const Search *s, int move, ptrdiff_t a, ptrdiff_t b, int64_t to) {
    const int64_t from = s->place[a];
    if (!move) {
        s->place[a] = s->place[b];
        s->place[b] = from;
        return;
    }
    for (ptrdiff_t i = 0; i < s->bits; i++) {
        const int64_t at = s->place[i];
        s->place[i] += from < at && at <= to ? -1 : to <= at && at < from ? 1 : 0;
    }
    s->place[a] = to;
}

/* starts, links, weights, place, out; trials: improve an order by exchanging two findings or moving one,
as long as that helps, in so many trials. out: its cost. */
KERNEL(noisy_or_plan)(const Array *arrays, const Number *numbers) {
    Search s = {.causes = arrays[2].size,
                .bits = arrays[3].size,
                .starts = arrays[0].data,
                .links = arrays[1].data,
                .weights = arrays[2].data,
                .place = arrays[3].data};
    int fits = arrays[0].size == s.causes + 1 && arrays[4].size == 1;
    for (ptrdiff_t j = 0; fits && j < s.causes; j++) {
        fits = s.starts[j] >= 0 && s.starts[j] <= s.starts[j + 1] && s.starts[j + 1] <= arrays[1].size;
    }
    for (ptrdiff_t k = 0; fits && k < arrays[1].size; k++) {
        fits = s.links[k] >= 0 && s.links[k] < s.bits;
    }
    for (ptrdiff_t i = 0; fits && i < s.bits; i++) {
        fits = s.place[i] >= 0 && s.place[i] < s.bits;
    }
    if (!fits) {
        return BAD_VALUE;
    }
    int64_t *kept = malloc(((size_t)s.bits * 4 + (size_t)s.causes + 1) * sizeof *kept);
    if (!kept) {
        return NO_MEMORY;
    }
    s.until = kept;
    s.rank = kept + s.bits;
    s.gone = kept + 2 * s.bits;
    s.next = kept + 3 * s.bits + 1;
    s.last = kept + 4 * s.bits + 1;
    double best = cost(&s, __builtin_inf());
    ptrdiff_t left = numbers[0].integer;
    for (int better = 1; better && left > 0;) {
        better = 0;
        for (ptrdiff_t a = 0; a < s.bits; a++) {
            for (ptrdiff_t b = 0; b < s.bits; b++) {
                const int64_t from = s.place[a], to = s.place[b];
                for (int move = a < b ? 0 : 1; move < 2 && a != b && left-- > 0; move++) {
                    change(&s, move, a, b, to);
                    const double now = cost(&s, best);
                    if (now < best * (1 - 1e-9)) {
                        best = now;
                        better = 1;
                        break;
                    }
                    change(&s, move, a, b, from);
                }
            }
        }
    }
    *(REAL *)arrays[4].data = (REAL)best;
    free(kept);
    return 0;
}

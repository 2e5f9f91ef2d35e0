/* Gradients of LIF neurons: some rows of the batch and neurons, each back through all their steps.

What the forward pass did not keep is computed again. As in lif.c, without fused multiply-adds. */

#include <stdlib.h>
#include <string.h>

#include "lif.h"

/* Copy a row, or zeros for no row. */
INLINE void copy(ptrdiff_t n, REAL *to, const REAL *from) {
    if (from) {
        memcpy(to, from, (size_t)n * sizeof(REAL));
    } else {
        memset(to, 0, (size_t)n * sizeof(REAL));
    }
}

INLINE void fired(const Neurons *of, const REAL *restrict h, const REAL *restrict a,
                  REAL *restrict out) {
    for (ptrdiff_t i = 0; i < of->n; i++) {
        out[i] = spike(h[i], raised(of, a, i), of->fires);
    }
}

/* Spikes r and membranes m before a step, from potential and adaptation of the step before. */
INLINE void replay(const Neurons *of, const REAL *restrict past, const REAL *restrict a,
                   REAL *restrict r, REAL *restrict m) {
    fired(of, past, a, r);
    for (ptrdiff_t i = 0; i < of->n; i++) {
        const REAL now = of->to_value_now * r[i];
        m[i] = (1 - now) * past[i] -
               r[i] * taken_where_on(of->subtract_now, of->threshold[i]);
        m[i] += of->reset_to * now;
    }
}

typedef struct {
    ptrdiff_t kind; /* as in `spiking.surrogates` */
    REAL narrow, height; /* narrow is 1/width, but finite */
} Surrogate;

/* The surrogate derivative of the spikes. */
INLINE void slope(const Neurons *neurons, const Surrogate *of, const REAL *restrict h,
                  const REAL *restrict a, REAL *restrict out) {
    const REAL height = of->height, narrow = of->narrow;
#define FOR_EACH(...)                                            \
    for (ptrdiff_t i = 0; i < neurons->n; i++) {                 \
        const REAL z = (h[i] - raised(neurons, a, i)) * narrow;  \
        __VA_ARGS__                                              \
    }                                                            \
    break;
    if (neurons->fires == NEVER) {
        copy(neurons->n, out, NULL);
        return;
    }
    switch (of->kind) {
    case 0: FOR_EACH(const REAL root = 1 + ABS(z); out[i] = height / (root * root);)
    case 1: FOR_EACH(out[i] = height / (1 + z * z);)
    case 2:
        FOR_EACH(const REAL e = exponential(-ABS(z)); const REAL root = 1 + e;
                 out[i] = (4 * height) * e / (root * root);)
    case 3:
        FOR_EACH(const REAL left = 1 - ABS(z); out[i] = height * (left < 0 ? (REAL)0 : left);)
    case 4: FOR_EACH(out[i] = ABS(z) <= 1 ? height : (REAL)0;)
    case 5:
        FOR_EACH(out[i] = height * exponential(-(z * z) / 2);)
    default: FOR_EACH((void)z; out[i] = height;)
    }
#undef FOR_EACH
}

/* Gradients of spikes or membranes: at each step, the same at all of them, or NULL for 0. */
typedef struct {
    const REAL *data;
    ptrdiff_t given; /* steps */
} Upstream;

INLINE Upstream upstream_of(const Array *array, ptrdiff_t from) {
    return (Upstream){at_neuron(array, from), array->shape[0]};
}

/* Those of a step, for a row of neurons that begins at `at` in a step of this size. */
INLINE const REAL *upstream_at(const Upstream *of, ptrdiff_t t, ptrdiff_t size, ptrdiff_t at) {
    return of->data + (of->given == 1 ? 0 : t) * size + at;
}

/* Gradients that come in, NULL for 0, and those that go out; see `lif_backward`. */
typedef struct {
    Upstream gspikes, gmembrane;
    const REAL *potential, *gm_last, *gy_last, *gs_last, *ga_last, *weights;
    REAL *gcurrents, *gm_out, *gy_out, *gs_out, *ga_out, *before;
    REAL *gdecay, *gthreshold, *gsynaptic;
    ptrdiff_t steps;
    int attached, learned;
} Gradients;

/* Where one row is on its way back. */
typedef struct {
    REAL *gu, *gh, *m, *r, *s, *gm, *gs, *ga;
    REAL *flow;   /* currents before each step, where their decay is learned */
    REAL *rising; /* adaptation before each step */
} Row;

/* Gradients through one step: of its current into row->gh, of the state before it into gm and gs. */
static void step_back(const Neurons *of, const Gradients *through, const Row *row,
                      const REAL *restrict h) {
    const ptrdiff_t n = of->n;
    const REAL *restrict decay = of->decay, *restrict threshold = of->threshold;
    const REAL *restrict m = row->m, *restrict r = row->r, *restrict s = row->s;
    REAL *restrict gu = row->gu, *restrict gh = row->gh;
    REAL *restrict gm = row->gm, *restrict gs = row->gs;
    REAL *restrict gdecay = through->gdecay, *restrict gthreshold = through->gthreshold;
    const REAL gain = of->gain, rest = of->rest, reset_to = of->reset_to;
    const REAL subtract = of->subtract, to_value = of->to_value;
    const REAL subtract_now = of->subtract_now, to_value_now = of->to_value_now;
    if (subtract_now > 0 || to_value_now > 0) {
        for (ptrdiff_t i = 0; through->attached && i < n; i++) {
            gs[i] += gm[i] * (where_on(to_value_now, reset_to - h[i]) -
                              taken_where_on(subtract_now, threshold[i]));
        }
        for (ptrdiff_t i = 0; through->learned && i < n; i++) {
            gthreshold[i] -= where_on(subtract_now, gm[i] * s[i]);
        }
        for (ptrdiff_t i = 0; i < n; i++) {
            gm[i] *= 1 - to_value_now * s[i];
        }
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        gu[i] *= gs[i];
    }
    for (ptrdiff_t i = 0; row->ga && i < n; i++) {
        row->ga[i] = of->forget * row->ga[i] - of->raise * gu[i];
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        gh[i] = gm[i] + gu[i];
        gm[i] = decay[i] * gh[i];
    }
    for (ptrdiff_t i = 0; through->learned && i < n; i++) {
        gthreshold[i] -= gu[i] + where_on(subtract, gh[i] * r[i]);
        gdecay[i] += gh[i] * ((1 - to_value * r[i]) * m[i] + reset_to * (to_value * r[i]) - rest);
    }
    if (through->attached && to_value == 0) {
        for (ptrdiff_t i = 0; i < n; i++) {
            gs[i] = 0 - gh[i] * taken_where_on(subtract, threshold[i]);
        }
    } else if (through->attached) {
        for (ptrdiff_t i = 0; i < n; i++) {
            gs[i] = gm[i] * (to_value * (reset_to - m[i])) -
                    gh[i] * taken_where_on(subtract, threshold[i]);
        }
    } else {
        copy(n, gs, NULL);
    }
    for (ptrdiff_t i = 0; to_value != 0 && i < n; i++) {
        gm[i] *= 1 - to_value * r[i];
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        gh[i] *= gain;
    }
}

/* Currents and adaptation before each step of row b, from its potentials. */
static void run_again(const Neurons *of, const Gradients *through, const Row *row, ptrdiff_t b) {
    const ptrdiff_t n = of->n, stride = of->rows * of->wide, at = b * of->wide;
    const REAL *y = row->flow, *a = row->rising, *r = of->s0 + at;
    if (row->flow) {
        copy(n, row->flow, of->y0 + at);
    }
    if (row->rising) {
        copy(n, row->rising, of->a0 + at);
    }
    for (ptrdiff_t t = 1; t < through->steps; t++) {
        if (row->flow) {
            const REAL *current = current_at(of, t - 1, b);
            REAL *next = row->flow + t * n;
            if (of->recurrent) {
                current = join(of, current, r, row->gh);
            }
            for (ptrdiff_t i = 0; i < n; i++) {
                next[i] = of->synaptic[i] * y[i] + current[i];
            }
            y = next;
        }
        fired(of, through->potential + (t - 1) * stride + at, a, row->r);
        r = row->r;
        if (row->rising) {
            REAL *next = row->rising + t * n;
            for (ptrdiff_t i = 0; i < n; i++) {
                next[i] = of->forget * a[i] + r[i];
            }
            a = next;
        }
    }
}

/* Gradients of row b through all its steps. */
static void row_back(const Neurons *of, const Gradients *through, const Surrogate *surrogate,
                     const Row *row, ptrdiff_t b) {
    const ptrdiff_t n = of->n, steps = through->steps, stride = of->rows * of->wide;
    const ptrdiff_t at = b * of->wide;
    const int constant = of->given == 1;
    /* Whether spikes and membrane before a step count. */
    const int before = through->learned || of->subtract_now > 0 || of->to_value_now > 0 ||
                       of->to_value != 0 || through->before;
    REAL *gy = of->y0 ? through->gy_out + at : NULL, *swap;
    Row now = *row;
    now.gm = through->gm_out + at;
    now.gs = through->gs_out + at;
    copy(n, now.gm, through->gm_last ? through->gm_last + at : NULL);
    copy(n, now.gs, through->gs_last ? through->gs_last + at : NULL);
    if (gy) {
        copy(n, gy, through->gy_last ? through->gy_last + at : NULL);
    }
    if (of->a0) {
        now.ga = through->ga_out + at;
        copy(n, now.ga, through->ga_last ? through->ga_last + at : NULL);
    }
    if (now.flow || now.rising) {
        run_again(of, through, &now, b);
    }
    if (constant) {
        copy(n, through->gcurrents + at, NULL);
    }
    if (before) {
        const REAL *a = now.rising ? now.rising + (steps - 1) * n : NULL;
        fired(of, through->potential + (steps - 1) * stride + at, a, now.s);
    }
    for (ptrdiff_t t = steps - 1; t >= 0; t--) {
        const REAL *h = through->potential + t * stride + at;
        const REAL *a = now.rising ? now.rising + t * n : NULL;
        const ptrdiff_t shown = t + of->delayed; /* the step at which its spikes are put out */
        if (before && t > 0) {
            replay(of, h - stride, a ? a - n : NULL, now.r, now.m);
        } else if (before) {
            copy(n, now.r, of->s0 + at);
            copy(n, now.m, of->m0 + at);
        }
        if (through->before) {
            copy(n, through->before + t * stride + at, now.r);
        }
        slope(of, surrogate, h, a, now.gu);
        if (through->gmembrane.data) {
            add(n, now.gm, upstream_at(&through->gmembrane, t, stride, at));
        }
        if (through->gspikes.data && shown < steps) {
            add(n, now.gs, upstream_at(&through->gspikes, shown, stride, at));
        }
        if (now.ga) {
            add(n, now.gs, now.ga);
        }
        step_back(of, through, &now, h);
        if (gy) {
            add(n, now.gh, gy);
            for (ptrdiff_t i = 0; now.flow && i < n; i++) {
                through->gsynaptic[i] += now.gh[i] * now.flow[t * n + i];
            }
            for (ptrdiff_t i = 0; i < n; i++) {
                gy[i] = of->synaptic[i] * now.gh[i];
            }
        }
        if (through->weights) {
            add_rows(n, through->weights, now.gh, now.gs);
        }
        if (constant) {
            add(n, through->gcurrents + at, now.gh);
        } else {
            copy(n, through->gcurrents + t * stride + at, now.gh);
        }
        swap = now.s;
        now.s = now.r;
        now.r = swap;
    }
    if (through->gspikes.data && of->delayed) {
        add(n, now.gs, through->gspikes.data + at);
    }
}

/* As `lif_forward` up to the recurrent weights; potential[steps, rows, n], gspikes, gmembrane or
None[1 or steps, rows, n], gradients of the last m, y, s, a or None[rows, n], recurrent weights
[to, from] or None; gradients of currents, m, y or None, s, a or None; the spikes before each step,
for those of the weights, or None; sums[parts, 3, n]; options; kind, width, height of the surrogate,
attached, learned; first and last row, first and last neuron, part of the rows: write the gradients,
and add those of decay, threshold and synaptic decay to sums[part] if they are `learned`. Gradients
pass by the reset unless it is `attached`. */
KERNEL(lif_backward)(const Array *arrays, const Number *numbers) {
    const Array *given = arrays + INPUTS, *made = given + 8;
    const Number *more = numbers + OPTIONS;
    const REAL narrow = 1 / (REAL)more[1].real;
    const Surrogate surrogate = {more[0].integer, narrow < MOST ? narrow : MOST, (REAL)more[2].real};
    const Part part = part_of(more + 5);
    const ptrdiff_t place = more[9].integer, steps = given[0].shape[0], parts = made[6].shape[0];
    for (int k = 1; k <= 2; k++) {
        if (given[k].data && given[k].shape[0] != 1 && given[k].shape[0] != steps) {
            return BAD_VALUE;
        }
    }
    if (!fit(arrays, numbers, steps, &part) || !arrays[2].data != !made[2].data ||
        !arrays[4].data != !made[4].data || !arrays[8].data != !given[7].data || place < 0 ||
        place >= parts || made[6].shape[1] != 3) {
        return BAD_VALUE;
    }
    const Neurons of = neurons_of(arrays, numbers, &part);
    const ptrdiff_t n = of.n, from = part.from;
    REAL *sums = (REAL *)made[6].data + place * 3 * of.wide + from;
    const Gradients through = {
        upstream_of(given + 1, from), upstream_of(given + 2, from), at_neuron(given, from),
        at_neuron(given + 3, from), at_neuron(given + 4, from), at_neuron(given + 5, from),
        at_neuron(given + 6, from), given[7].data, at_neuron(made, from), at_neuron(made + 1, from),
        at_neuron(made + 2, from), at_neuron(made + 3, from), at_neuron(made + 4, from),
        at_neuron(made + 5, from), sums, sums + of.wide, sums + 2 * of.wide, steps,
        more[3].integer != 0, more[4].integer != 0,
    };
    const int flows = of.y0 && through.learned, rises = of.a0 != NULL;
    const size_t room = (size_t)(5 + (flows + rises) * steps) * (size_t)n;
    REAL *w = calloc(room ? room : 1, sizeof(REAL));
    if (!w) {
        return NO_MEMORY;
    }
    REAL *kept = w + 5 * n;
    const Row row = {w, w + n, w + 2 * n, w + 3 * n, w + 4 * n, NULL, NULL, NULL,
                     flows ? kept : NULL, rises ? kept + (flows ? steps * n : 0) : NULL};
    for (ptrdiff_t b = part.first; b < part.last; b++) {
        row_back(&of, &through, &surrogate, &row, b);
    }
    free(w);
    return 0;
}

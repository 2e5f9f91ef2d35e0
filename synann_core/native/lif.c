/* Kernel of LIF neurons: some rows of the batch and neurons, each through all their steps.

Their state stays in the first-level cache. Options are numbers, so that inner loops have no
branches: `subtract` and `to_value` say how a reset acts in the next step, `subtract_now` and
`to_value_now` in the same one. Many short loops over the neurons, which the compiler makes vectors
of. Without fused multiply-adds: as array operations compute it, bit for bit, but for the sums over
recurrent weights, which are taken in the order of the neurons. */

#include <stdlib.h>
#include <string.h>

#include "lif.h"

/* One step of one row: `y` holds the synaptic current or, without one, the input; a or NULL. */
INLINE void step(const Neurons *of, const REAL *restrict y, REAL *restrict m, REAL *restrict s,
                 REAL *restrict a, REAL *restrict h, REAL *restrict out, int delayed, int fires) {
    const REAL *restrict decay = of->decay, *restrict threshold = of->threshold;
    const REAL gain = of->gain, rest = of->rest, reset_to = of->reset_to;
    const REAL subtract = of->subtract, to_value = of->to_value;
    const REAL subtract_now = of->subtract_now, to_value_now = of->to_value_now;
    for (ptrdiff_t i = 0; i < of->n; i++) {
        const REAL r = s[i], th = threshold[i];
        const REAL v = (1 - to_value * r) * m[i] + reset_to * (to_value * r);
        const REAL u = decay[i] * v + gain * y[i] + (1 - decay[i]) * rest -
                       r * taken_where_on(subtract, th);
        const REAL new = spike(u, raised(of, a, i), fires);
        const REAL now = to_value_now * new;
        h[i] = u;
        m[i] = (1 - now) * u - new * taken_where_on(subtract_now, th) + reset_to * now;
        s[i] = new;
        if (a) {
            a[i] = of->forget * a[i] + new;
        }
        out[i] = delayed ? r : new;
    }
}

/* One step, with a loop for each of the ways to fire. */
INLINE void step_firing(const Neurons *of, const REAL *y, REAL *m, REAL *s, REAL *a, REAL *h,
                        REAL *out) {
    switch (of->fires) {
    case ABOVE: step(of, y, m, s, a, h, out, of->delayed, ABOVE); break;
    case AT_LEAST: step(of, y, m, s, a, h, out, of->delayed, AT_LEAST); break;
    default: step(of, y, m, s, a, h, out, of->delayed, NEVER); break;
    }
}

/* currents[1 or steps, rows, n], m0, y0 or None, s0, a0 or None[rows, n], decay, threshold[n],
synaptic decay or None, recurrent weights [from, to] or None; potential, spikes[steps, rows, n],
m, y or None, s, a or None[rows, n]; options; first and last row, first and last neuron: write
potentials, spikes and the last state. */
KERNEL(lif_forward)(const Array *arrays, const Number *numbers) {
    const Part part = part_of(numbers + OPTIONS);
    const Array *made = arrays + INPUTS;
    const ptrdiff_t steps = made[0].shape[0];
    if (!fit(arrays, numbers, steps, &part) || !arrays[2].data != !made[3].data ||
        !arrays[4].data != !made[5].data) {
        return BAD_VALUE;
    }
    const Neurons of = neurons_of(arrays, numbers, &part);
    REAL *potential = at_neuron(made, part.from), *spikes = at_neuron(made + 1, part.from);
    REAL *m_out = at_neuron(made + 2, part.from), *y_out = at_neuron(made + 3, part.from);
    REAL *s_out = at_neuron(made + 4, part.from), *a_out = at_neuron(made + 5, part.from);
    const ptrdiff_t rows = of.rows, wide = of.wide, n = of.n;
    const size_t bytes = (size_t)n * sizeof(REAL);
    REAL *joined = NULL; /* the input and what comes back from other neurons */
    if (of.recurrent && n && !(joined = malloc(bytes))) {
        return NO_MEMORY;
    }
    for (ptrdiff_t b = part.first; b < part.last; b++) {
        const ptrdiff_t at = b * wide;
        REAL *m = m_out + at, *s = s_out + at, *y = of.y0 ? y_out + at : NULL;
        REAL *a = of.a0 ? a_out + at : NULL;
        memcpy(m, of.m0 + at, bytes);
        memcpy(s, of.s0 + at, bytes);
        if (y) {
            memcpy(y, of.y0 + at, bytes);
        }
        if (a) {
            memcpy(a, of.a0 + at, bytes);
        }
        for (ptrdiff_t t = 0; t < steps; t++) {
            const REAL *current = current_at(&of, t, b);
            const ptrdiff_t now = (t * rows + b) * wide;
            REAL *h = potential + now, *out = spikes + now;
            if (joined) {
                current = join(&of, current, s, joined);
            }
            for (ptrdiff_t i = 0; y && i < n; i++) {
                y[i] = of.synaptic[i] * y[i] + current[i];
            }
            const REAL *flow = y ? y : current;
            if (a) {
                step_firing(&of, flow, m, s, a, h, out);
            } else {
                step_firing(&of, flow, m, s, NULL, h, out);
            }
        }
    }
    free(joined);
    return 0;
}

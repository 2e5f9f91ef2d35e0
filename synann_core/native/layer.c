/* What a layer adds to the contraction: strengths from logits, and transmissions from their logarithms.

And the whole of a small layer in one call, forward and backward: the kernels of all sizes in a row, where
handing arrays to each of them would take longer than they take. */

#include "kernels.h"
#include "real.h"

#define STRONGEST (1 - EPSILON)
/* Up to here e^T and e^-T are normal numbers; as in tensor.py. */
#define ORDINARY OF_REAL(87.0f, 706.0)

/* Write β = min(σ(logit), 1 − eps), and 0 where there is no synapse.

arrays: logit, mask (or None: synapses everywhere), β (m, n) */
KERNEL(strengths)(const Array *arrays, const Number *numbers) {
    (void)numbers;
    const REAL *restrict logit = arrays[0].data;
    const unsigned char *restrict mask = arrays[1].data;
    REAL *restrict beta = arrays[2].data;
    for (ptrdiff_t k = 0; k < arrays[0].size; k++) {
        const REAL e = exponential(-ABS(logit[k])), sigmoid = (logit[k] < 0 ? e : 1) / (1 + e);
        beta[k] = sigmoid > STRONGEST ? STRONGEST : sigmoid; /* NaN stays */
    }
    for (ptrdiff_t k = 0; mask && k < arrays[0].size; k++) {
        beta[k] = mask[k] ? beta[k] : 0;
    }
    return 0;
}

/* Write e^(T − θ); return 1 if all of them, and their inverses, are normal numbers.

arrays: T (rows, m), θ (m; None stands for 0), e^(T − θ) (rows, m) */
KERNEL(transmissions)(const Array *arrays, const Number *numbers) {
    (void)numbers;
    const REAL *restrict theta = arrays[1].data;
    const ptrdiff_t rows = arrays[0].shape[0], m = arrays[0].shape[1];
    ptrdiff_t others = 0;
    for (ptrdiff_t b = 0; b < rows; b++) {
        const REAL *restrict logarithm = (const REAL *)arrays[0].data + b * m;
        REAL *restrict out = (REAL *)arrays[2].data + b * m;
        for (ptrdiff_t i = 0; i < m; i++) {
            const REAL t = theta ? logarithm[i] - theta[i] : logarithm[i];
            others += !(ABS(t) <= ORDINARY);
            out[i] = exponential(t);
        }
    }
    return others == 0;
}

#define CALL(name) JOIN(name, LEVEL, REAL)

/* Write everything and return 1, or return 0 where `log_product_open` does or an e^(T − θ) is not
ordinary.

arrays: logit, mask (or None) (m, n), θ (m; or None), y (rows, n), x (rows, m; None stands for 1),
β (m, n), e^(T − θ), s = x e^(T − θ) (rows, m) */
KERNEL(layer_open)(const Array *arrays, const Number *numbers) {
    const Array logit = arrays[0], mask = arrays[1], theta = arrays[2], y = arrays[3];
    const Array beta = arrays[5], near = arrays[6], s = arrays[7];
    CALL(strengths)((Array[]){logit, mask, beta}, numbers);
    const int open = CALL(log_product_open)((Array[]){y, beta, s}, numbers);
    if (open <= 0 || !CALL(transmissions)((Array[]){s, theta, near}, numbers)) {
        return open < 0 ? open : 0;
    }
    const REAL *x = arrays[4].data, *p = near.data;
    REAL *restrict to = s.data;
    for (ptrdiff_t k = 0; k < s.size; k++) {
        to[k] = x ? p[k] * x[k] : p[k];
    }
    return 1;
}

/* Write the gradients of `layer_open` and return 1, or return 0 where `gradients_open` does.

arrays: β (m, n), y (rows, n), x (rows, m; or None), e^(T − θ), grad (rows, m); gradients of x (rows, m),
y (rows, n), logit (m, n) and θ (m) */
KERNEL(layer_gradients_open)(const Array *arrays, const Number *numbers) {
    const Array beta = arrays[0], y = arrays[1], near = arrays[3];
    const Array gx = arrays[5], gy = arrays[6], glogit = arrays[7];
    const REAL *x = arrays[2].data, *p = near.data, *grad = arrays[4].data;
    const ptrdiff_t rows = gx.shape[0], m = gx.shape[1];
    REAL *t = gx.data; /* the gradient of T, at first, which `gradients_open` reads */
    for (ptrdiff_t k = 0; k < gx.size; k++) {
        t[k] = (x ? p[k] * x[k] : p[k]) * grad[k];
    }
    const int open = CALL(gradients_open)((Array[]){y, beta, gx, gy, glogit}, numbers);
    if (open <= 0) {
        return open;
    }
    REAL *restrict of_logit = glogit.data, *restrict of_theta = arrays[8].data;
    const REAL *restrict strength = beta.data;
    for (ptrdiff_t k = 0; k < glogit.size; k++) {
        of_logit[k] = of_logit[k] * strength[k] * (1 - strength[k]);
    }
    for (ptrdiff_t i = 0; i < m; i++) {
        double total = 0;
        for (ptrdiff_t b = 0; b < rows; b++) {
            total -= (double)t[b * m + i];
        }
        of_theta[i] = (REAL)total;
    }
    for (ptrdiff_t k = 0; k < gx.size; k++) {
        t[k] = p[k] * grad[k];
    }
    return 1;
}

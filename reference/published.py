"""What the published SynaNN layer computes, written afresh: a control for tests and benchmarks.

It is not the synapse tensor: the sum runs over the whole batch, b', so that every sample depends on
all others,

    log s_bi = log x_bi + Σ_b' Σ_j log(1 − w_ij x_b'j).

x (batch, n) and w (n, n) in float32 or float64, as given. There is no α, and w is unconstrained.
As published, x = 0 has the logarithm −inf, and x < 0 and w x > 1 have none (NaN). All the faults:
docs/theory.md, section 8.
"""

import numpy as np

from reference.elementwise import quiet


@quiet
def published_log_layer(x, w):
    """log s by the literal construction, with O(B²n² + Bn³) operations."""
    samples, n = x.shape
    diagonals = np.concatenate([np.diag(sample) for sample in x])  # (B·n, n)
    log_factors = np.log1p(-(diagonals @ w.T))  # row (b, j), column i
    # The fault: a row of ones for every sample, over the rows of all samples.
    ones = np.ones((samples, samples * n), dtype=x.dtype)
    return np.log(x) + ones @ log_factors


def published_layer(x, w):
    """s by the literal construction."""
    return np.exp(published_log_layer(x, w))


@quiet
def published_log_layer_closed_form(x, w):
    """log s with one vector for all samples, with O(Bn²) operations."""
    log_factors = np.log1p(-x[:, None, :] * w[None, :, :])  # (B, i, j)
    return np.log(x) + log_factors.sum(axis=(0, 2))


def published_layer_closed_form(x, w):
    """s with one vector for all samples."""
    return np.exp(published_log_layer_closed_form(x, w))

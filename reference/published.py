"""What the published SynaNN layer computes, for tests that pin its faults and as a rival in timing.

It sums the logarithms over the whole batch: ``log s_bi = log x_bi + Σ_b' Σ_j log1p(−w_ij x_b'j)``.
"""

import numpy as np


def published_layer(x, w):
    """The published construction: diag(x_b) of every sample in B·n rows, and a matrix of ones.

    Parameters
    ----------
    x : ndarray, shape (B, n)
    w : ndarray, shape (n, n)
        Unconstrained weights in β's place.

    Returns
    -------
    ndarray, shape (B, n)
    """
    batch, n = x.shape
    diagonals = (x[:, :, None] * np.eye(n, dtype=x.dtype)).reshape(batch * n, n)
    logs = np.log1p(-(diagonals @ w.T))
    return np.exp(np.log(x) + np.ones((batch, batch * n), dtype=x.dtype) @ logs)


def published_layer_closed_form(x, w):
    """The same in one line: every sample is multiplied by one and the same vector."""
    return x * np.exp(np.sum(np.log1p(-w * x[:, None, :]), axis=(0, 2)))

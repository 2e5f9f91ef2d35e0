"""The loss and the surprisal learning rule of docs/theory.md, section 6."""

import numpy as np

from reference.elementwise import bose_einstein
from reference.tensor import as_rows, surprisal_synapse_tensor


def log_softmax(logits):
    """log(e^z_i / Σ_k e^z_k) over the last axis."""
    logits = np.asarray(logits)
    # Any real constant cancels; the largest logit keeps exp from overflowing.
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def cross_entropy(logits, target):
    """L = −Σ_i ô_i log softmax(logits)_i, one number per sample."""
    return -(np.asarray(target) * log_softmax(logits)).sum(axis=-1)


def cross_entropy_vjp(logits, target, grad):
    """Gradients of sum(grad · L): (τ p − ô)·grad with τ = Σ ô, and −log p·grad."""
    target = np.asarray(target)
    grad = np.broadcast_to(grad, target.shape[:-1])[..., None]
    log_p = log_softmax(logits)
    tau = target.sum(axis=-1, keepdims=True)
    return grad * (tau * np.exp(log_p) - target), -grad * log_p


def surprisal_loss(u, v, theta, gamma, target):
    """Cross-entropy of p = softmax(−z) and the target, one number per sample."""
    return cross_entropy(-surprisal_synapse_tensor(u, v, theta, gamma), target)


def surprisal_rule(u, v, theta, gamma, target):
    """∂L/∂θ_i = ô_i − τ p_i and ∂L/∂γ_ij = (τ p_i − ô_i) n_ij, summed over the batch.

    Returns (gtheta, ggamma).
    """
    theta_shape = np.shape(theta)
    z = surprisal_synapse_tensor(u, v, theta, gamma)
    _, v_rows, theta, gamma, _, dtype = as_rows(u, v, theta, gamma, target)
    m, n = gamma.shape
    target = np.broadcast_to(target, z.shape).reshape(-1, m)
    p = np.exp(log_softmax(-z)).reshape(-1, m)
    gtheta, ggamma = np.zeros(m, dtype), np.zeros((m, n), dtype)
    for b in range(len(v_rows)):
        tau = target[b].sum()
        for i in range(m):
            error = tau * p[b, i] - target[b, i]
            gtheta[i] -= error
            for j in range(n):
                ggamma[i, j] += error * bose_einstein(gamma[i, j] + v_rows[b, j])
    # One θ for all outputs collects from all of them.
    return (gtheta if theta_shape else gtheta.sum()), ggamma

"""The loss and the surprisal learning rule, sample by sample."""

import numpy as np

from reference.tensor import surprisal_synapse_tensor


def softmax(logits):
    weights = np.exp(logits)
    return weights / np.sum(weights)


def cross_entropy(logits, target):
    logits, target = np.asarray(logits), np.asarray(target)
    result = np.zeros(logits.shape[:-1], dtype=np.result_type(logits, target))
    for b in np.ndindex(*logits.shape[:-1]):
        result[b] = -np.sum(target[b] * np.log(softmax(logits[b])))
    return result


def cross_entropy_vjp(logits, target, grad):
    logits, target, grad = np.asarray(logits), np.asarray(target), np.asarray(grad)
    glogits, gtarget = np.zeros(logits.shape), np.zeros(target.shape)
    for b in np.ndindex(*logits.shape[:-1]):
        p = softmax(logits[b])
        glogits[b] = grad[b] * (np.sum(target[b]) * p - target[b])
        gtarget[b] = -grad[b] * np.log(p)
    return glogits, gtarget


def surprisal_loss(u, v, theta, gamma, target):
    """What the rule descends: the batch's cross-entropy of softmax(−z) and the target."""
    return np.sum(cross_entropy(-surprisal_synapse_tensor(u, v, theta, gamma), target))


def surprisal_rule(u, v, theta, gamma, target):
    v, gamma, target = np.asarray(v), np.asarray(gamma), np.asarray(target)
    z = surprisal_synapse_tensor(u, v, theta, gamma)
    gtheta, ggamma = np.zeros(len(theta)), np.zeros(gamma.shape)
    for b in np.ndindex(*z.shape[:-1]):
        p, tau = softmax(-z[b]), np.sum(target[b])
        for i in range(gamma.shape[0]):
            gtheta[i] += target[b][i] - tau * p[i]
            for j in range(gamma.shape[1]):
                occupation = 1.0 / np.expm1(gamma[i, j] + v[b][j])
                ggamma[i, j] += (tau * p[i] - target[b][i]) * occupation
    return gtheta, ggamma

"""The synapse tensor and its gradients as loops over samples b, outputs i and inputs j.

x (..., m), y (..., n), alpha (m,), beta (m, n); leading axes are batch axes, the same for x and y.
"""

import numpy as np


def _rows(a):
    """(..., k) as (batch, k)."""
    a = np.asarray(a)
    batch = int(np.prod(a.shape[:-1], dtype=int))
    return a.reshape(batch, a.shape[-1])


def _kind(*arrays):
    return np.result_type(*(np.asarray(a) for a in arrays))


def log_transmission(y, beta):
    y, beta = np.asarray(y), np.asarray(beta)
    rows = _rows(y)
    result = np.zeros((rows.shape[0], beta.shape[0]), dtype=_kind(y, beta))
    for b in range(rows.shape[0]):
        for i in range(beta.shape[0]):
            for j in range(beta.shape[1]):
                result[b, i] += np.log(1.0 - beta[i, j] * rows[b, j])
    return result.reshape(*y.shape[:-1], beta.shape[0])


def log_transmission_vjp(y, beta, grad):
    """Reciprocals of max(1 − βy, eps/2); real arguments only."""
    y, beta = np.asarray(y), np.asarray(beta)
    rows, t = _rows(y), _rows(grad)
    delta = np.finfo(np.float64).eps / 2
    gy, gbeta = np.zeros(rows.shape), np.zeros(beta.shape)
    for b in range(rows.shape[0]):
        for i in range(beta.shape[0]):
            for j in range(beta.shape[1]):
                factor = max(1.0 - beta[i, j] * rows[b, j], delta)
                gy[b, j] -= t[b, i] * beta[i, j] / factor
                gbeta[i, j] -= t[b, i] * rows[b, j] / factor
    return gy.reshape(y.shape), gbeta


def log_transmission_jvp(y, beta, dy, dbeta):
    y, beta = np.asarray(y), np.asarray(beta)
    rows, tangents = _rows(y), _rows(dy)
    delta = np.finfo(np.float64).eps / 2
    result = np.zeros((rows.shape[0], beta.shape[0]))
    for b in range(rows.shape[0]):
        for i in range(beta.shape[0]):
            for j in range(beta.shape[1]):
                factor = max(1.0 - beta[i, j] * rows[b, j], delta)
                result[b, i] -= (beta[i, j] * tangents[b, j] + rows[b, j] * dbeta[i, j]) / factor
    return result.reshape(*y.shape[:-1], beta.shape[0])


def contributions(y, beta):
    y, beta = np.asarray(y), np.asarray(beta)
    rows = _rows(y)
    result = np.zeros((rows.shape[0], *beta.shape), dtype=_kind(y, beta))
    for b in range(rows.shape[0]):
        for i in range(beta.shape[0]):
            for j in range(beta.shape[1]):
                result[b, i, j] = -np.log(1.0 - beta[i, j] * rows[b, j])
    return result.reshape(*y.shape[:-1], *beta.shape)


def synapse_tensor(x, y, alpha, beta):
    """The product itself, no logarithm: exact where factors are 0."""
    x, y, beta = np.asarray(x), np.asarray(y), np.asarray(beta)
    xs, ys = _rows(x), _rows(y)
    result = np.zeros(xs.shape, dtype=_kind(x, y, alpha, beta))
    for b in range(xs.shape[0]):
        for i in range(beta.shape[0]):
            product = 1.0
            for j in range(beta.shape[1]):
                product = product * (1.0 - beta[i, j] * ys[b, j])
            result[b, i] = alpha[i] * xs[b, i] * product
    return result.reshape(x.shape)


def synapse_tensor_vjp(x, y, alpha, beta, grad):
    """The product rule, with the product of the other factors formed by a loop."""
    x, y, beta = np.asarray(x), np.asarray(y), np.asarray(beta)
    xs, ys, g = _rows(x), _rows(y), _rows(grad)
    gx, gy = np.zeros(xs.shape), np.zeros(ys.shape)
    galpha, gbeta = np.zeros(len(alpha)), np.zeros(beta.shape)
    for b in range(xs.shape[0]):
        for i in range(beta.shape[0]):
            factors = [1.0 - beta[i, j] * ys[b, j] for j in range(beta.shape[1])]
            product = np.prod(factors)
            gx[b, i] += g[b, i] * alpha[i] * product
            galpha[i] += g[b, i] * xs[b, i] * product
            for j in range(beta.shape[1]):
                others = np.prod([factors[k] for k in range(beta.shape[1]) if k != j])
                gy[b, j] -= g[b, i] * alpha[i] * xs[b, i] * beta[i, j] * others
                gbeta[i, j] -= g[b, i] * alpha[i] * xs[b, i] * ys[b, j] * others
    return gx.reshape(x.shape), gy.reshape(y.shape), galpha, gbeta


def surprisal_synapse_tensor(u, v, theta, gamma):
    u, v, gamma = np.asarray(u), np.asarray(v), np.asarray(gamma)
    us, vs = _rows(u), _rows(v)
    result = np.zeros(us.shape, dtype=_kind(u, v, theta, gamma))
    for b in range(us.shape[0]):
        for i in range(gamma.shape[0]):
            total = theta[i] + us[b, i]
            for j in range(gamma.shape[1]):
                total = total - np.log(-np.expm1(-(gamma[i, j] + vs[b, j])))
            result[b, i] = total
    return result.reshape(u.shape)


def surprisal_synapse_tensor_vjp(u, v, theta, gamma, grad):
    u, v, gamma = np.asarray(u), np.asarray(v), np.asarray(gamma)
    vs, h = _rows(v), _rows(grad)
    gv, gtheta, ggamma = np.zeros(vs.shape), np.zeros(len(theta)), np.zeros(gamma.shape)
    for b in range(vs.shape[0]):
        for i in range(gamma.shape[0]):
            gtheta[i] += h[b, i]
            for j in range(gamma.shape[1]):
                occupation = 1.0 / np.expm1(gamma[i, j] + vs[b, j])
                gv[b, j] -= h[b, i] * occupation
                ggamma[i, j] -= h[b, i] * occupation
    return np.array(grad, dtype=np.float64), gv.reshape(v.shape), gtheta, ggamma

"""The synapse tensor by explicit loops over samples b, outputs i and inputs j.

Source: docs/theory.md, section 5.

x (..., m), y (..., n), alpha (m,), beta (m, n); x and alpha may be numbers. The batch axes of x and
y broadcast, and are flattened to rows before anything is computed.
"""

import math

import numpy as np

from reference.elementwise import bose_einstein, complement, quiet, sum_to_shape

# Half the spacing at 1: the smallest distance of a rounded βy from 1, where it is not 1.
DELTA = np.finfo(np.float64).eps / 2


@quiet
def log_transmission(y, beta):
    """T_bi = Σ_j log(1 − β_ij y_bj)."""
    y_rows, beta, batch, dtype = _rows(y, beta)
    total = np.zeros((len(y_rows), len(beta)), dtype)
    for b, i, j in _indices(y_rows, beta):
        total[b, i] += np.log1p(-beta[i, j] * y_rows[b, j])
    return total.reshape(*batch, len(beta))


@quiet
def contributions(y, beta):
    """c_bij = −log(1 − β_ij y_bj)."""
    y_rows, beta, batch, dtype = _rows(y, beta)
    parts = np.zeros((len(y_rows), *beta.shape), dtype)
    for b, i, j in _indices(y_rows, beta):
        parts[b, i, j] = -np.log1p(-beta[i, j] * y_rows[b, j])
    return parts.reshape(*batch, *beta.shape)


def log_transmission_vjp(y, beta, grad):
    """Gradients of sum(grad · T), through max(1 − βy, δ); real inputs only."""
    y_rows, beta, batch, dtype = _rows(y, beta, grad)
    t = np.broadcast_to(grad, (*batch, len(beta))).reshape(len(y_rows), len(beta))
    gy = np.zeros(y_rows.shape, dtype)
    gbeta = np.zeros(beta.shape, dtype)
    for b, i, j in _indices(y_rows, beta):
        factor = max(1.0 - beta[i, j] * y_rows[b, j], DELTA)
        gy[b, j] -= t[b, i] * beta[i, j] / factor
        gbeta[i, j] -= t[b, i] * y_rows[b, j] / factor
    return gy.reshape(np.shape(y)), gbeta


def log_transmission_jvp(y, beta, dy, dbeta):
    """Tangent dT_bi = −Σ_j (β_ij dy_bj + y_bj dβ_ij)/max(1 − β_ij y_bj, δ); real inputs only."""
    y_rows, beta, batch, dtype = _rows(y, beta, dy, dbeta)
    dy = np.broadcast_to(dy, np.shape(y)).reshape(y_rows.shape)
    dbeta = np.broadcast_to(dbeta, beta.shape)
    tangent = np.zeros((len(y_rows), len(beta)), dtype)
    for b, i, j in _indices(y_rows, beta):
        factor = max(1.0 - beta[i, j] * y_rows[b, j], DELTA)
        tangent[b, i] -= (beta[i, j] * dy[b, j] + y_rows[b, j] * dbeta[i, j]) / factor
    return tangent.reshape(*batch, len(beta))


def synapse_tensor(x, y, alpha, beta):
    """s_bi = α_i x_bi ∏_j (1 − β_ij y_bj), as a product: exact at closed factors."""
    x_rows, y_rows, alpha, beta, batch, dtype = as_rows(x, y, alpha, beta)
    s = np.zeros((len(y_rows), len(beta)), dtype)
    for b in range(len(y_rows)):
        for i in range(len(beta)):
            s[b, i] = alpha[i] * x_rows[b, i] * _product(y_rows[b], beta[i])
    return s.reshape(*batch, len(beta))


def synapse_tensor_vjp(x, y, alpha, beta, grad):
    """Gradients of sum(grad · s) by the product rule: no division, so no guard is needed."""
    shapes = [np.shape(a) for a in (x, y, alpha, beta)]
    x_rows, y_rows, alpha, beta, batch, dtype = as_rows(x, y, alpha, beta, grad)
    g = np.broadcast_to(grad, (*batch, len(beta))).reshape(x_rows.shape)
    gx, gy = np.zeros(x_rows.shape, dtype), np.zeros(y_rows.shape, dtype)
    galpha, gbeta = np.zeros(alpha.shape, dtype), np.zeros(beta.shape, dtype)
    for b in range(len(y_rows)):
        for i in range(len(beta)):
            open_probability = _product(y_rows[b], beta[i])
            gx[b, i] = g[b, i] * alpha[i] * open_probability
            galpha[i] += g[b, i] * x_rows[b, i] * open_probability
            for j in range(beta.shape[1]):
                others = _product(y_rows[b], beta[i], leave_out=j)
                through = g[b, i] * alpha[i] * x_rows[b, i] * others
                gy[b, j] -= through * beta[i, j]
                gbeta[i, j] -= through * y_rows[b, j]
    return _gradients((gx, gy, galpha, gbeta), shapes, batch)


def surprisal_synapse_tensor(u, v, theta, gamma):
    """z_bi = θ_i + u_bi + Σ_j G(γ_ij + v_bj)."""
    u_rows, v_rows, theta, gamma, batch, dtype = as_rows(u, v, theta, gamma)
    z = np.zeros((len(v_rows), len(gamma)), dtype)
    for b in range(len(v_rows)):
        for i in range(len(gamma)):
            total = 0.0
            for j in range(gamma.shape[1]):
                total = total + complement(gamma[i, j] + v_rows[b, j])
            z[b, i] = theta[i] + u_rows[b, i] + total
    return z.reshape(*batch, len(gamma))


def surprisal_synapse_tensor_vjp(u, v, theta, gamma, grad):
    """Gradients of sum(grad · z), with n_bij = BE(γ_ij + v_bj): infinite where γ + v = 0."""
    shapes = [np.shape(a) for a in (u, v, theta, gamma)]
    u_rows, v_rows, theta, gamma, batch, dtype = as_rows(u, v, theta, gamma, grad)
    h = np.broadcast_to(grad, (*batch, len(gamma))).reshape(u_rows.shape)
    gu, gv = np.zeros(u_rows.shape, dtype), np.zeros(v_rows.shape, dtype)
    gtheta, ggamma = np.zeros(theta.shape, dtype), np.zeros(gamma.shape, dtype)
    for b in range(len(v_rows)):
        for i in range(len(gamma)):
            gu[b, i] = h[b, i]
            gtheta[i] += h[b, i]
            for j in range(gamma.shape[1]):
                occupation = bose_einstein(gamma[i, j] + v_rows[b, j])
                gv[b, j] -= h[b, i] * occupation
                ggamma[i, j] -= h[b, i] * occupation
    return _gradients((gu, gv, gtheta, ggamma), shapes, batch)


def _product(y_row, beta_row, leave_out=None):
    """∏_j (1 − β_j y_j) over all j but one."""
    product = 1.0
    for j in range(len(y_row)):
        if j != leave_out:
            product = product * (1.0 - beta_row[j] * y_row[j])
    return product


def _rows(y, beta, *others):
    """y as (rows, n), beta, the batch axes and the dtype of the result."""
    y, beta = np.asarray(y), np.asarray(beta)
    batch = y.shape[:-1]
    dtype = np.result_type(np.float64, y, beta, *(np.asarray(other) for other in others))
    return y.reshape(math.prod(batch), y.shape[-1]), beta, batch, dtype


def as_rows(x, y, alpha, beta, *others):
    """x as (rows, m), y as (rows, n), alpha as (m,), beta, the batch axes and the dtype."""
    x, y, alpha, beta = (np.asarray(a) for a in (x, y, alpha, beta))
    m, n = beta.shape
    batch = np.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    rows = math.prod(batch)
    x_rows = np.broadcast_to(x, (*batch, m)).reshape(rows, m)
    y_rows = np.broadcast_to(y, (*batch, n)).reshape(rows, n)
    others = (np.asarray(other) for other in others)
    dtype = np.result_type(np.float64, x, y, alpha, beta, *others)
    return x_rows, y_rows, np.broadcast_to(alpha, (m,)), beta, batch, dtype


def _gradients(gradients, shapes, batch):
    """The four gradients in the shapes of the arguments."""
    first, second, third, fourth = gradients
    first = first.reshape(*batch, first.shape[-1])
    second = second.reshape(*batch, second.shape[-1])
    return tuple(
        sum_to_shape(gradient, shape)
        for gradient, shape in zip((first, second, third, fourth), shapes, strict=True)
    )


def _indices(y_rows, beta):
    """All (b, i, j), the last fastest."""
    return np.ndindex(len(y_rows), *beta.shape)

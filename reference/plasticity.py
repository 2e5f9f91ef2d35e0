"""Learning with spikes (docs/plasticity.md): pairs of spikes, firing times, e-prop."""

import math

import numpy as np


def stdp_window(d, a_plus, a_minus, tau_plus, tau_minus, coincident):
    """W(d) of one delay d = t_post − t_pre."""
    total = 0.0
    if d > 0 or (d == 0 and coincident in ("both", "potentiation")):
        total += a_plus * math.exp(-d / tau_plus)
    if d < 0 or (d == 0 and coincident in ("both", "depression")):
        total -= a_minus * math.exp(d / tau_minus)
    return total


def stdp_pairs(pre, post, a_plus, a_minus, tau_plus, tau_minus, coincident, pairing="all"):
    """Σ W(t_post − t_pre) over pairs of spikes of (T, B, n) and (T, B, m); shape (m, n).

    With pairing "nearest", a postsynaptic spike meets the latest presynaptic spike that is not
    after it, and a presynaptic one the latest postsynaptic spike that is not after it; a spike of
    the same step is one only where the convention `coincident` counts it.
    """
    _, batch, n = pre.shape
    m = post.shape[2]
    change = np.zeros((m, n))

    def meets(part):
        return coincident in ("both", part)

    def latest(times, now, inclusive):
        earlier = [t for t in times if t < now or (inclusive and t == now)]
        return earlier[-1:] if pairing == "nearest" else earlier

    for b in range(batch):
        for i in range(m):
            for j in range(n):
                ours, theirs = np.flatnonzero(post[:, b, i]), np.flatnonzero(pre[:, b, j])
                for t in ours:
                    for s in latest(theirs, t, meets("potentiation")):
                        change[i, j] += a_plus * math.exp(-(t - s) / tau_plus)
                for s in theirs:
                    for t in latest(ours, s, meets("depression")):
                        change[i, j] -= a_minus * math.exp(-(s - t) / tau_minus)
    return change


def stdp_factors(w, dependence, mu_plus=1.0, mu_minus=1.0, low=0.0, high=1.0):
    """F₊ and F₋ of one weight."""
    if dependence == "additive":
        return 1.0, 1.0
    if dependence == "hard":
        return float(w < high), float(w > low)
    if dependence == "linear":
        mu_plus = mu_minus = 1.0
    up, down = max(high - w, 0.0) / (high - low), max(w - low, 0.0) / (high - low)
    return up**mu_plus, down**mu_minus


def stdp_online(weights, pre, post, window, bounds):
    """All pairs, each step's changes made with the weights before it and clipped after it.

    `window` holds the arguments of `stdp_window`, `bounds` those of `stdp_factors`.
    """
    a_plus, a_minus, tau_plus, tau_minus, coincident = window
    weights = np.array(weights, dtype=np.float64)
    steps, batch, n = pre.shape
    m = post.shape[2]
    for now in range(steps):
        before = weights.copy()
        for i in range(m):
            for j in range(n):
                up, down = stdp_factors(before[i, j], **bounds)
                for b in range(batch):
                    for s in range(now + 1):
                        fading = s < now or coincident in ("both", "potentiation")
                        if fading and post[now, b, i] and pre[s, b, j]:
                            gain = a_plus * math.exp(-(now - s) / tau_plus)
                            weights[i, j] += up * gain
                        fading = s < now or coincident in ("both", "depression")
                        if fading and pre[now, b, j] and post[s, b, i]:
                            loss = a_minus * math.exp(-(now - s) / tau_minus)
                            weights[i, j] -= down * loss
                if bounds["dependence"] != "additive":
                    low, high = bounds.get("low", 0.0), bounds.get("high", 1.0)
                    weights[i, j] = min(max(weights[i, j], low), high)
    return weights


def spike_response(s, tau):
    """ε(s) = (s/τ) e^(1 − s/τ) for s > 0, else 0."""
    s = np.asarray(s)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(s.real > 0, s / tau * np.exp(1.0 - s / tau), 0.0)


def potential(t, times, weights, delays, tau):
    """x(t) = Σ_i Σ_k w_ik ε(t − t_i − d_k) of one neuron; t one number."""
    total = 0.0
    for i, ti in enumerate(times):
        for k, d in enumerate(delays):
            if np.isfinite(ti):
                total = total + weights[i, k] * spike_response(t - ti - d, tau)
    return total


def firing_times(times, weights, delays, tau, theta, horizon, points=20001):
    """First upward crossing of θ by a fine grid and bisection: (B, n), (m, n, K) → (B, m)."""
    result = np.full((len(times), len(weights)), np.inf)
    grid = np.linspace(0.0, horizon, points)
    for b, row in enumerate(times):
        for j, w in enumerate(weights):
            level = sum(
                w[i, k] * spike_response(grid - row[i] - d, tau)
                for i in range(len(row))
                if np.isfinite(row[i])
                for k, d in enumerate(delays)
            )
            above = np.flatnonzero(np.broadcast_to(level, grid.shape) >= theta)
            if len(above) == 0:
                continue
            low, high = grid[max(above[0] - 1, 0)], grid[above[0]]
            for _ in range(60):
                middle = 0.5 * (low + high)
                if potential(middle, row, w, delays, tau) >= theta:
                    high = middle
                else:
                    low = middle
            result[b, j] = high
    return result


def eprop(x, slope, signal, beta, kappa, alpha=0.0, adaptation=0.0, rho=0.0):
    """Σ_t Σ_b L_i[t] ē_ij[t] with y = α y + x, ε = β ε + y, e = σ' (ε − adaptation a),
    a ← ρ a + e, ē = κ ē + e; shape (m, n)."""
    steps, batch, n = x.shape
    m = slope.shape[2]
    gradient = np.zeros((m, n))
    for b in range(batch):
        for i in range(m):
            for j in range(n):
                current = trace = raised = eligibility = 0.0
                for t in range(steps):
                    current = alpha * current + x[t, b, j]
                    trace = beta * trace + current
                    own = slope[t, b, i] * (trace - adaptation * raised)
                    raised = rho * raised + own
                    eligibility = kappa * eligibility + own
                    gradient[i, j] += signal[t, b, i] * eligibility
    return gradient


def alpha_filter(signal, rise, fall):
    """α ∗ signal along the first axis, by the sum of its definition."""
    kernel = [
        (1 - rise) * (1 - fall) * sum(rise ** (k - j) * fall**j for j in range(k + 1))
        for k in range(len(signal))
    ]
    result = np.zeros_like(signal)
    for t in range(len(signal)):
        for k in range(t + 1):
            result[t] += kernel[k] * signal[t - k]
    return result


def superspike(x, slope, error, beta, alpha, rise, fall):
    """Σ_t Σ_b (α ∗ error_i)[t] (α ∗ σ'_i ε_j)[t]; shape (m, n)."""
    trace, current = np.zeros_like(x), 0.0 * x[0]
    for t in range(len(x)):
        current = alpha * current + x[t]
        trace[t] = (beta * trace[t - 1] if t else 0.0) + current
    eligible = alpha_filter(slope[:, :, :, None] * trace[:, :, None, :], rise, fall)
    return (alpha_filter(error, rise, fall)[:, :, :, None] * eligible).sum(axis=(0, 1))


def winner_take_all(weights, spikes, layer, rule=None):
    """Weights, spikes and raised thresholds after a window (T, B, n), neuron by neuron.

    `layer` holds the numbers of `WinnerTakeAll`; `rule(weights, pre, post)` returns the weights
    after all that has been seen, or nothing is learned.
    """
    start, (steps, batch, _) = np.array(weights, dtype=np.float64), spikes.shape
    weights, m = start.copy(), len(start)
    membrane, raised = np.zeros((batch, m)), np.zeros(m)
    fired = np.zeros((steps, batch, m))
    for t in range(steps):
        for b in range(batch):
            for i in range(m):
                membrane[b, i] *= layer["decay"]
                membrane[b, i] += weights[i] @ spikes[t, b]
            above = [membrane[b, i] - layer["threshold"] - raised[i] for i in range(m)]
            best = max(range(m), key=lambda i: above[i])
            if above[best] > 0:
                fired[t, b, best] = 1.0
                for i in range(m):
                    membrane[b, i] -= layer["inhibition"]
                membrane[b, best] = layer["reset_to"]
        for i in range(m):
            raised[i] = layer["adaptation_decay"] * raised[i]
            raised[i] += layer["adaptation"] * fired[t, :, i].sum()
        if rule is not None:
            weights = rule(start, spikes[: t + 1], fired[: t + 1])
    return weights, fired, raised

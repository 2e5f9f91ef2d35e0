"""Bayes' rule over every set of causes, in long doubles and in mpmath; and random networks."""

import mpmath
import numpy as np

from synann_core.noisy_or import NoisyOr

Long = np.longdouble


def brute_force(network, x):
    """Evidence and posteriors of one sample, as long doubles."""
    n = network.prior.size
    y = np.arange(2**n)[:, None] >> np.arange(n) & 1 == 1
    prior = network.prior.astype(Long)
    joint = np.prod(np.where(y, prior, 1 - prior), axis=1)
    for i in np.flatnonzero(~np.isnan(x)):
        spared = np.ones(len(y), Long)
        silent = np.full(len(y), 1 - Long(network.leak[i]))
        loud = np.full(len(y), Long(network.leak[i]))  # 1 − silent, from positive terms
        blocked = np.zeros(len(y), Long)
        for j in range(n):
            b = np.where(y[:, j], Long(network.beta[i, j]), 0)
            loud, silent = loud + silent * b, silent * (1 - b)
            if network.protection is not None:
                d = np.where(y[:, j], Long(network.protection[i, j]), 0)
                blocked, spared = blocked + spared * d, spared * (1 - d)
        r = Long(x[i])
        joint = joint * (r * spared * loud + (1 - r) * (blocked + spared * silent))
    evidence = joint.sum()
    present = np.array([joint[y[:, j]].sum() for j in range(n)])
    return evidence, present / evidence if evidence else None


def in_mpmath(network, x):
    """The same with 60 digits, by the formulas of NoisyOr's docstring."""
    with mpmath.workdps(60):
        n, total = network.prior.size, mpmath.mpf(0)
        present = [mpmath.mpf(0)] * n
        for number in range(2**n):
            y = [number >> j & 1 for j in range(n)]
            joint = mpmath.mpf(1)
            for p, one in zip(network.prior.tolist(), y, strict=True):
                joint *= mpmath.mpf(p) if one else 1 - mpmath.mpf(p)
            for i, r in enumerate(x.tolist()):
                if r != r:
                    continue
                silent, spared = 1 - mpmath.mpf(float(network.leak[i])), mpmath.mpf(1)
                for j in range(n):
                    silent *= 1 - mpmath.mpf(float(network.beta[i, j])) * y[j]
                    if network.protection is not None:
                        spared *= 1 - mpmath.mpf(float(network.protection[i, j])) * y[j]
                p = (1 - silent) * spared
                joint *= r * p + (1 - mpmath.mpf(r)) * (1 - p)
            total += joint
            present = [a + joint * one for a, one in zip(present, y, strict=True)]
        return total, [a / total for a in present] if total else None


def random_case(seed, *, causes=14, findings=12):
    """A network with links of every kind, and a sample with findings of every kind."""
    rng = np.random.default_rng(np.r_[7, seed])
    n, m = int(rng.integers(1, causes + 1)), int(rng.integers(1, findings + 1))
    linked = rng.random((m, n)) < rng.choice([0.1, 0.3, 0.7])
    beta = np.where(linked, rng.random((m, n)) ** rng.choice([1, 4]), 0.0)
    beta[linked & (rng.random((m, n)) < 0.1)] = 1.0
    prior = 10.0 ** rng.uniform(-4, -0.1, n)
    prior[rng.random(n) < 0.05], prior[rng.random(n) < 0.05] = 0.0, 1.0
    leak = np.where(rng.random(m) < 0.3, 0.0, 10.0 ** rng.uniform(-5, -0.5, m))
    delta = None
    if rng.random() < 0.35:
        delta = np.where(rng.random((m, n)) < 0.2, rng.random((m, n)), 0.0)
        delta[(delta > 0) & (rng.random((m, n)) < 0.1)] = 1.0
        delta[rng.random(m) < 0.5] = 0.0
    kinds = [1.0, 0.0, np.nan, 0.5, 0.25, 0.9, 1e-9]
    x = rng.choice(kinds, size=m, p=[0.4, 0.25, 0.1, 0.05, 0.1, 0.05, 0.05])
    return NoisyOr(prior, leak, beta, protection=delta), x

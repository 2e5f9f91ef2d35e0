"""Networks for tests."""

import itertools

import numpy as np
from scipy.sparse import coo_array, csr_array

from synann_core.noisy_or import NoisyOr


def sparse_pair(protection):
    """The same network twice, dense and sparse."""
    rng = np.random.default_rng(3)
    beta = rng.random((8, 6)) * (rng.random((8, 6)) < 0.4)
    beta[2], beta[3, 1] = 0.0, 1.0
    more = rng.random((8, 6)) * (rng.random((8, 6)) < 0.3) if protection else None
    prior, leak = rng.random(6), rng.uniform(0.0, 0.1, 8)
    return (
        NoisyOr(prior, leak, beta, protection=more),
        NoisyOr(prior, leak, coo_array(beta), protection=None if more is None else csr_array(more)),
    )


KINDS = ["plain", "protection", "certain"]


def network_of(kind, seed=5, causes=6, findings=8):
    """A small network; "certain" has links of 1, leaks of 0, and priors of 0 and 1."""
    rng = np.random.default_rng(seed)
    shape = findings, causes
    beta = rng.uniform(0.2, 0.95, shape) * (rng.random(shape) < 0.5)
    protection = rng.uniform(0.2, 0.9, shape) * (rng.random(shape) < 0.25)
    prior, leak = rng.uniform(0.05, 0.4, causes), rng.uniform(0.01, 0.2, findings)
    if kind == "certain":
        beta[beta > 0.7], leak[:3] = 1.0, 0.0
        prior[0], prior[1] = 0.0, 1.0
    more = {"protection": protection} if kind == "protection" else {}
    return NoisyOr(prior, leak, beta, causes=[f"c{j}" for j in range(causes)], **more)


def evidence_of(network, seed):
    """Findings that are possible: drawn, then some uncertain and some not examined."""
    rng = np.random.default_rng(seed)
    x = network.sample(1, rng=rng)[1][0]
    kind = rng.integers(4, size=x.size)
    x[kind == 2] = np.abs(x - rng.uniform(0.05, 0.4, x.size))[kind == 2]
    x[kind == 3] = np.nan
    return x


def joint_of(network, x):
    """P(set of causes, findings) of all sets, by hand."""
    sets = np.array(list(itertools.product([0.0, 1.0], repeat=network.prior.size)))
    prior = np.prod(np.where(sets, network.prior, 1 - network.prior), axis=1)
    present = network.predict(sets)
    known = ~np.isnan(x)
    r = x[known]
    return sets, prior * np.prod(r * present[:, known] + (1 - r) * (1 - present[:, known]), axis=1)


def posterior_of(network, x):
    sets, joint = joint_of(network, x)
    return joint @ sets / joint.sum()

"""The element-wise formulas as they stand in the theory, for float64 or complex128 arguments.

They are right where nothing cancels or overflows; `high_precision` says what is right at the ends.
"""

import numpy as np


def surprisal(p):
    return -np.log(p)


def probability(u):
    return np.exp(-u)


def complement(w):
    return -np.log(1.0 - np.exp(-w))


def bose_einstein(energy, chemical_potential=0.0):
    return 1.0 / (np.exp(energy - chemical_potential) - 1.0)


def odds(p):
    return p / (1.0 - p)


def logit(p):
    return np.log(p / (1.0 - p))


def expit(z):
    return 1.0 / (1.0 + np.exp(-z))


def odds_ratio(p, q):
    return odds(p) / odds(q)


def synapse(x, y, alpha=1.0, beta=1.0):
    return alpha * x * (1.0 - beta * y)


def swap_ratio(x, y, beta=1.0):
    return synapse(x, y, beta=beta) / synapse(y, x, beta=beta)


def surprisal_synapse(u, v, theta=0.0, gamma=0.0):
    return (theta + u) + complement(gamma + v)

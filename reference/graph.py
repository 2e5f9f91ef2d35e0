"""A synapse graph neuron by neuron: s_i = α_i ∏ (excitatory inputs) ∏_j (1 − β_ij x_j).

A graph is a list of neurons in an order in which each comes after what it reads; a neuron is
(excitatory, inhibitory, alpha) with `excitatory` a list of nodes, `inhibitory` a list of
(node, place of its β in `beta`), and `alpha` the place of its α in `alpha`. Nodes 0 … n − 1 are the
inputs, then come the neurons. Nothing here divides, so that factors of 0 need no care, and complex
arguments work. x (..., inputs); results hold all nodes.
"""

import numpy as np

from reference.elementwise import bose_einstein, complement, quiet


def values(neurons, x, alpha, beta):
    """Values of all nodes, (..., nodes)."""
    x, alpha, beta = np.asarray(x), np.asarray(alpha), np.asarray(beta)
    nodes = [x[..., k] for k in range(x.shape[-1])]
    for excitatory, inhibitory, own in neurons:
        value = alpha[own]
        for factor, _, _ in _factors(excitatory, inhibitory, nodes, beta):
            value = value * factor
        nodes.append(value * np.ones(x.shape[:-1]))
    return _stacked(nodes, x)


def vjp(neurons, x, alpha, beta, grad):
    """Gradients of sum(grad · values): of x, α and β."""
    every = values(neurons, x, alpha, beta)
    nodes = [every[..., k] for k in range(every.shape[-1])]
    upstream = [grad[..., k] * np.ones(x.shape[:-1]) for k in range(every.shape[-1])]
    galpha, gbeta = np.zeros(len(alpha)), np.zeros(len(beta))
    for i in reversed(range(len(neurons))):
        excitatory, inhibitory, own = neurons[i]
        g = upstream[x.shape[-1] + i]
        factors = _factors(excitatory, inhibitory, nodes, beta)
        galpha[own] += np.sum(g * _product(factors))
        for k, (_, node, place) in enumerate(factors):
            through = g * alpha[own] * _product(factors[:k] + factors[k + 1 :])
            if place is None:
                upstream[node] = upstream[node] + through
            else:
                upstream[node] = upstream[node] - through * beta[place]
                gbeta[place] -= np.sum(through * nodes[node])
    return _stacked(upstream[: x.shape[-1]], x), galpha, gbeta


@quiet
def surprisal_values(neurons, u, theta, gamma):
    """Surprisals of all nodes: z_i = θ_i + Σ u + Σ_j G(γ_ij + u_j)."""
    u, theta, gamma = np.asarray(u), np.asarray(theta), np.asarray(gamma)
    nodes = [u[..., k] for k in range(u.shape[-1])]
    for excitatory, inhibitory, own in neurons:
        value = theta[own]
        for node in excitatory:
            value = value + nodes[node]
        for node, place in inhibitory:
            value = value + complement(gamma[place] + nodes[node])
        nodes.append(value * np.ones(u.shape[:-1]))
    return _stacked(nodes, u)


@quiet
def surprisal_vjp(neurons, u, theta, gamma, grad):
    """Gradients of sum(grad · surprisal_values), with n = BE(γ + u)."""
    every = surprisal_values(neurons, u, theta, gamma)
    upstream = [grad[..., k] * np.ones(u.shape[:-1]) for k in range(every.shape[-1])]
    gtheta, ggamma = np.zeros(len(theta)), np.zeros(len(gamma))
    for i in reversed(range(len(neurons))):
        excitatory, inhibitory, own = neurons[i]
        g = upstream[u.shape[-1] + i]
        gtheta[own] += np.sum(g)
        for node in excitatory:
            upstream[node] = upstream[node] + g
        for node, place in inhibitory:
            occupation = bose_einstein(gamma[place] + every[..., node])
            upstream[node] = upstream[node] - g * occupation
            ggamma[place] -= np.sum(g * occupation)
    return _stacked(upstream[: u.shape[-1]], u), gtheta, ggamma


def _factors(excitatory, inhibitory, nodes, beta):
    """(factor, node, place of its β or None) for every input."""
    strong = [(nodes[node], node, None) for node in excitatory]
    return strong + [(1.0 - beta[place] * nodes[node], node, place) for node, place in inhibitory]


def _product(factors):
    product = 1.0
    for factor, _, _ in factors:
        product = product * factor
    return product


def _stacked(nodes, x):
    return np.stack(nodes, axis=-1) if nodes else np.zeros(x.shape)

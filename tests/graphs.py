"""Random synapse graphs, as the reference and as the library take them."""

import dataclasses
import functools

import numpy as np
from hypothesis import strategies as st

from synann_core.graph import Circuit, SynapseGraph

# Boolean corners stand beside the inside of the domain.
CORNERS = (0.0, 1.0)


@dataclasses.dataclass
class Case:
    """A graph with inputs 0 … inputs − 1; neurons as in `reference.graph`."""

    inputs: int
    neurons: list
    alpha: np.ndarray
    beta: np.ndarray
    x: np.ndarray
    place: np.ndarray  # the declared number of each neuron of the reference

    @property
    def nodes(self):
        """The declared number of each node of the reference."""
        return np.concatenate([np.arange(self.inputs), self.inputs + self.place])

    def compile(self, **options):
        """The same graph, its outputs all nodes in the reference's order unless told."""
        nodes = self.nodes
        strong, weak, betas = ([], []), ([], []), []
        for i, (excitatory, inhibitory, _) in enumerate(self.neurons):
            target = nodes[self.inputs + i]
            for node in excitatory:
                strong[0].append(target)
                strong[1].append(nodes[node])
            for node, place in inhibitory:
                weak[0].append(target)
                weak[1].append(nodes[node])
                betas.append(place)
        alphas = np.empty(len(self.neurons), int)
        alphas[self.place] = [own for _, _, own in self.neurons]
        options = {"outputs": nodes, **options}
        return SynapseGraph.from_arrays(
            self.inputs,
            len(self.neurons),
            excitatory=strong,
            inhibitory=weak,
            alpha=self.alpha,
            beta=self.beta,
            alpha_index=alphas,
            beta_index=np.asarray(betas, int),
            **options,
        ).compile()

    def gradient(self, rows=1, seed=0):
        """An upstream gradient of all nodes."""
        shape = (rows, self.inputs + len(self.neurons))
        return np.random.default_rng(seed).normal(size=shape)


@st.composite
def cases(draw, most=40, corners=CORNERS, gain=1.5, low=0.0):
    """Graphs of up to `most` nodes, with any wiring: repeated, shared, empty, hubs and chains."""
    inputs = draw(st.integers(1, 6))
    count = draw(st.integers(1, most - inputs))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    busy = draw(st.sampled_from([0.5, 2.0, 6.0]))
    near = draw(st.booleans())  # sources among the last nodes: long chains
    share = draw(st.booleans())
    most_corners = draw(st.sampled_from([0.0, 0.3, 0.9])) if corners else 0.0

    def numbers(size, high):
        inside = rng.uniform(low, high, size)
        at = rng.choice(corners, size) if corners else inside
        return np.where(rng.random(size) < most_corners, at, inside)

    def sources(node, size):
        first = max(0, node - 3) if near else 0
        return rng.integers(first, node, size).tolist()

    neurons, alphas, betas = [], 0, 0
    for i in range(count):
        node = inputs + i
        weak = sources(node, rng.poisson(busy))
        if share and betas:
            places = rng.integers(0, betas + 1, len(weak)).tolist()
        else:
            places = list(range(betas, betas + len(weak)))
        own = int(rng.integers(0, alphas + 1)) if share else alphas
        neurons.append((sources(node, rng.poisson(1.0)), list(zip(weak, places, strict=True)), own))
        alphas, betas = max(alphas, own + 1), max([betas, *(p + 1 for p in places)])
    place = rng.permutation(count) if draw(st.booleans()) else np.arange(count)
    return Case(
        inputs, neurons, numbers(alphas, gain), numbers(betas, 1.0), numbers(inputs, 1.0), place
    )


def small_graph():
    graph = SynapseGraph()
    graph.input("x", "y")
    shared = graph.parameter("b", 0.3)
    graph.synapse("late", excitatory=("early", "x", "x"), inhibitory={"y": shared, "x": 0.2})
    graph.synapse("early", inhibitory={"x": 0.5, "y": shared}, alpha=0.9)
    graph.synapse("bare", alpha=graph.parameter("a", 2.0))
    graph.output("late", "y", "bare")
    return graph


def graph_of(**synapses):
    graph = SynapseGraph()
    graph.input("x", "y")
    for name, options in synapses.items():
        graph.synapse(name, **options)
    return graph


# Two inputs; the neurons: x²(1 − βy)(1 − βx); a leak, no excitation; a shared β; a branch and hub.
NEURONS = [
    ([0, 0], [(1, 0), (0, 1)], 0),
    ([], [(2, 0), (1, 2), (2, 3)], 1),
    ([2, 3], [(1, 0)], 0),
    ([2], [(3, 4), (4, 0), (0, 1), (1, 2), (2, 3)], 2),
]


OUTPUTS = [5, 0, 3, 4]


ALPHA, BETA = np.array([1.0, 0.9, 0.5]), np.array([0.3, 0.2, 0.5, 0.25, 1.0])


X = np.array([[[0.5, 0.25], [0.9, 0.3]], [[0.2, 0.7], [0.6, 0.8]], [[0.3, 0.1], [0.75, 0.5]]])


@functools.cache
def mixed_graph():
    edges = [(2 + i, s) for i, (strong, _, _) in enumerate(NEURONS) for s in strong]
    weak = [(2 + i, s, b) for i, (_, weak, _) in enumerate(NEURONS) for s, b in weak]
    return SynapseGraph.from_arrays(
        2,
        len(NEURONS),
        excitatory=tuple(zip(*edges, strict=True)),
        inhibitory=([t for t, _, _ in weak], [s for _, s, _ in weak]),
        alpha=ALPHA,
        beta=BETA,
        alpha_index=[own for _, _, own in NEURONS],
        beta_index=[b for _, _, b in weak],
        outputs=OUTPUTS,
    ).compile()


def occupied():
    """In surprisal space z = G(γ + u), whose second derivative is n(1 + n)."""
    graph = SynapseGraph()
    graph.input("x")
    graph.synapse("z", inhibitory={"x": 0.5})
    n = 1.0 / np.expm1(0.7 + 0.3)
    return graph.compile(), n * (1.0 + n)


def driven(clip=False, alpha=1.3):
    """Two states and a drive, a readout that is not fed back, inputs in another order."""
    graph = SynapseGraph()
    graph.input("b", "drive", "a")
    share = graph.parameter("share", 0.4)
    graph.synapse("next a", excitatory="a", inhibitory={"b": share, "drive": 0.3}, alpha=alpha)
    graph.synapse("readout", excitatory=("a", "b"))
    graph.synapse("next b", excitatory=("a", "drive"), inhibitory={"b": share}, alpha=alpha)
    return Circuit(graph, {"a": "next a", "b": "next b"}, clip=clip)


def by_hand(state, drives, alpha, beta, clip):
    """The same circuit as a loop; β = (share, drive's)."""
    states = [state]
    for d in drives:
        a, b = states[-1][..., 0], states[-1][..., 1]
        d = d[..., 0]
        new = np.stack(
            [
                alpha[0] * a * (1 - beta[0] * b) * (1 - beta[1] * d),
                alpha[-1] * a * d * (1 - beta[0] * b),
            ],
            axis=-1,
        )
        if clip:  # of complex numbers, too
            new = np.where(new.real > 1.0, 1.0, np.where(new.real < 0.0, 0.0, new))
        states.append(new)
    return np.stack(states)

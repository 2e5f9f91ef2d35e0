"""Random synapse graphs, as the reference and as the library take them."""

import dataclasses

import numpy as np
from hypothesis import strategies as st

from synann_core.graph import SynapseGraph

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

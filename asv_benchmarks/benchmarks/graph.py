"""Synapse graphs of random acyclic wiring, beside scipy's sparse matrix-vector product."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from synann_core.graph import CompiledGraph, SynapseGraph

from .common import SMOKE, Prepared, require
from .meters import Call

SYNAPSES = (10_000,) if SMOKE else (10_000, 100_000, 1_000_000, 10_000_000)
CALLS = ("forward", "vjp", "jvp", "surprisal forward", "surprisal vjp", "csr")
DTYPES = ("float64",) if SMOKE else ("float64", "float32")
CHAIN = 100 if SMOKE else 100_000
SHORT_CHAIN = 10 if SMOKE else 2_000
ORDERS = ("sorted", "reversed", "shuffled")


class Wiring(NamedTuple):
    """A tenth as many neurons as synapses; each has one excitatory input and nine inhibitory."""

    inputs: int
    neurons: int
    excitatory: tuple[np.ndarray, np.ndarray]
    inhibitory: tuple[np.ndarray, np.ndarray]
    beta: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that a graph is built from."""
        return sum(a.nbytes for a in (*self.excitatory, *self.inhibitory, self.beta))


def make_wiring(synapses: int) -> Wiring:
    """Make random acyclic wiring: every source is any node before its target."""
    rng = np.random.default_rng(0)
    neurons = max(1, synapses // 10)
    inputs = max(1, neurons // 1000)
    targets = np.arange(inputs, inputs + neurons)
    weak = np.repeat(targets, 9)
    sources, readings = ((rng.random(t.size) * t).astype(np.int64) for t in (targets, weak))
    # Weak enough that values do not fade away along the chains.
    beta = rng.random(weak.size) * 0.2
    return Wiring(inputs, neurons, (targets, sources), (weak, readings), beta)


def build(wiring: Wiring) -> CompiledGraph:
    """Build a graph from arrays and compile it."""
    return SynapseGraph.from_arrays(
        wiring.inputs,
        wiring.neurons,
        excitatory=wiring.excitatory,
        inhibitory=wiring.inhibitory,
        beta=wiring.beta,
    ).compile()


def make_calls(wiring: Wiring, compiled: CompiledGraph, dtype: str = "float64") -> dict[str, Call]:
    """Make the calls that are compared: on one vector, with the graph's own parameters."""
    sparse = require("scipy.sparse")
    rng = np.random.default_rng(1)
    nodes = wiring.inputs + wiring.neurons
    x = rng.random(wiring.inputs).astype(dtype)
    grad = np.ones(len(compiled.output_nodes), dtype)
    weights = np.concatenate([np.ones(wiring.neurons), wiring.beta]).astype(dtype)
    rows, columns = (
        np.concatenate([strong, weak])
        for strong, weak in zip(wiring.excitatory, wiring.inhibitory, strict=True)
    )
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(nodes, nodes))
    vector = rng.random(nodes).astype(dtype)
    return {
        "forward": lambda: compiled(x),
        "vjp": lambda: compiled.vjp(x, grad=grad),
        "jvp": lambda: compiled.jvp(x, dx=x),
        "surprisal forward": lambda: compiled(x, space="surprisal"),
        "surprisal vjp": lambda: compiled.vjp(x, space="surprisal", grad=grad),
        "csr": lambda: matrix @ vector,
    }


@functools.lru_cache(maxsize=1)
def prepare(synapses: int, dtype: str) -> dict[str, Call]:
    """Make all calls of a size, and run each once."""
    wiring = make_wiring(synapses)
    calls = make_calls(wiring, build(wiring), dtype)
    for call in calls.values():
        call()
    return calls


class Graph(Prepared):
    """Time of one call; ``csr`` is the control."""

    param_names = ("synapses", "dtype", "call")
    params = (SYNAPSES, DTYPES, CALLS)

    def setup(self, synapses: int, dtype: str, call: str) -> None:
        """Prepare the call."""
        self.call = prepare(synapses, dtype)[call]

    def time_call(self, *params: object) -> None:
        """Time one call."""
        self.call()

    time_call.pretty_name = "Graphs: one call"


class Build(Prepared):
    """Time and memory of building a graph from arrays."""

    param_names = ("synapses",)
    params = (SYNAPSES,)

    def setup(self, synapses: int) -> None:
        """Make the arrays."""
        self.wiring = make_wiring(synapses)

    def time_build(self, synapses: int) -> None:
        """Time from arrays to the compiled graph."""
        build(self.wiring)

    time_build.pretty_name = "Graphs: building from arrays"

    def peakmem_build(self, synapses: int) -> None:
        """Peak memory of the process."""
        build(self.wiring)

    peakmem_build.pretty_name = "Graphs: peak memory of building"


def make_chain(neurons: int, order: str, *, names: bool = False) -> SynapseGraph:
    """Make a chain, each of whose neurons reads the one before, declared in an order."""
    orders = {"sorted": np.arange(neurons), "reversed": np.arange(neurons)[::-1]}
    orders["shuffled"] = np.random.default_rng(0).permutation(neurons)
    declared = orders[order]
    if not names:
        nodes = 1 + declared
        sources = np.concatenate([[0], nodes[:-1]])
        return SynapseGraph.from_arrays(1, neurons, excitatory=(nodes, sources), alpha=0.5)
    graph = SynapseGraph()
    graph.input(-1)
    for k in declared.tolist():
        graph.synapse(k, excitatory=k - 1)
    return graph


class Chain(Prepared):
    """A chain, compiled."""

    param_names = ("order", "how")
    params = (ORDERS, ("arrays", "names"))

    def setup(self, order: str, how: str) -> None:
        """Declare the neurons."""
        self.graph = make_chain(CHAIN, order, names=how == "names")

    def time_compile(self, order: str, how: str) -> None:
        """Time what sorts the neurons."""
        self.graph.compile()

    time_compile.pretty_name = "Graphs: compiling a long chain"


def chain_gradient() -> Call:
    """Bind `torch.func.grad` of a chain's output, by its input."""
    torch = require("torch")
    compiled = make_chain(SHORT_CHAIN, "sorted").compile()
    x = torch.full((1,), 0.25).double()
    gradient = torch.func.grad(lambda x: compiled(x).sum())
    return lambda: gradient(x)


class ChainGradient(Prepared):
    """Gradients of a deep graph under a transform of torch."""

    make = staticmethod(chain_gradient)

    def time_gradient(self) -> None:
        """Time one call."""
        self.call()

    time_gradient.pretty_name = "Graphs: torch.func.grad of a long chain"

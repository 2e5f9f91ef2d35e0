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
        "vjp": lambda: compiled.vjp(x, grad),
        "jvp": lambda: compiled.jvp(x, x),
        "surprisal forward": lambda: compiled(x, space="surprisal"),
        "surprisal vjp": lambda: compiled.vjp(x, grad, space="surprisal"),
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

    def peakmem_build(self, synapses: int) -> None:
        """Peak memory of the process."""
        build(self.wiring)

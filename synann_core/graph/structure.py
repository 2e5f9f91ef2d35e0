"""Put a graph into topological order, and keep what follows from that.

The modules that evaluate a graph are given a `Task`. What they derive from the graph (a plan, other
integers, compiled code) they make once, and it stays in the structure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from array_api_compat import device, is_numpy_namespace

from synann_core._lib.arguments import Arguments
from synann_core._lib.typing import Namespace, Space
from synann_core.graph.parameters import GraphParameters, Parameters
from synann_core.graph.wiring import Edges, Ints, Rows, Wiring, find_levels, find_order, offsets
from synann_core.surprisals import surprisal

T = TypeVar("T")


class Structure:
    """A wiring in topological order.

    Attributes
    ----------
    inputs, neurons : number of each
    params : its own parameters, probabilities
    order : the declared number of the neuron at each place of the order; None if they are the same
    place : the inverse of `order`; None likewise
    excitatory, inhibitory : `Rows` of the neurons in order, with the nodes numbered in order
    alpha_index : the parameter of each neuron; None if they are the same
    beta_index : the parameter of each entry of `inhibitory`; None likewise
    own_betas : whether every edge has a parameter of its own
    outputs : node numbers in order
    """

    def __init__(self, wiring: Wiring) -> None:
        self.inputs = wiring.inputs
        self.neurons = len(wiring.names) - wiring.inputs
        self.params = GraphParameters(wiring.alpha.values, wiring.beta.values)
        edges = (wiring.excitatory, wiring.inhibitory)
        self.order = self.place = None
        if not all(np.all(sources < targets) for targets, sources in edges):
            self.order = find_order(self.inputs, self.neurons, edges, wiring.names)
            self.place = np.empty_like(self.order)
            self.place[self.order] = np.arange(self.neurons, dtype=np.int32)
        self.excitatory, _ = self._rows(wiring.excitatory)
        self.inhibitory, moved = self._rows(wiring.inhibitory)
        self.alpha_index = _composed(wiring.alpha.place, self.order)
        self.beta_index = _composed(wiring.beta.place, moved)
        self.own_betas = wiring.beta.place is None
        self.outputs = self._in_order(wiring.outputs)
        self._made: dict[Hashable, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is derived: code that JAX compiled cannot be pickled or copied."""
        return {**self.__dict__, "_made": {}}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return ``make()``, made when it is first asked for."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    @property
    def levels(self) -> Ints:
        """Level of each neuron in order: 1 + the highest of what it reads; inputs have level 0."""
        return self.once("levels", self._levels)

    @property
    def nodes(self) -> Ints:
        """Numbers in order of all nodes as declared."""
        neurons = np.arange(self.neurons) if self.place is None else self.place
        return np.concatenate([np.arange(self.inputs), self.inputs + neurons])

    def own(self, space: Space, dtype: Any) -> GraphParameters[Any]:
        """The graph's own parameters in a space and a dtype of NumPy: the same object each time."""

        def make() -> GraphParameters[Any]:
            given = map(surprisal, self.params) if space == "surprisal" else self.params
            return GraphParameters(*(a.astype(dtype, copy=False) for a in given))

        return self.once(("own", space, dtype), make)

    def is_own(self, params: Parameters, space: Space) -> bool:
        """Whether these are what `own` returned."""
        return self._made.get(("own", space, params.alpha.dtype)) is params

    def parameters(self, given: Arguments[Any], space: Space = "probability") -> Parameters:
        """The parameters among checked arguments, or else the graph's own, like the arguments."""
        if "params.alpha" in given.named:
            return GraphParameters(given["params.alpha"], given["params.beta"])
        if is_numpy_namespace(given.xp):
            return self.own(space, np.dtype(given.work_dtype))
        where = {"dtype": given.work_dtype, "device": device(given.arrays[0])}
        own = self.own(space, np.dtype(np.float64))
        return GraphParameters(*(given.xp.asarray(a, **where) for a in own))

    def _in_order(self, nodes: Ints) -> Ints:
        """Numbers in order of nodes as declared, at no cost for inputs that are not among them."""
        if self.place is None:
            return nodes
        neurons, moved = nodes >= self.inputs, nodes.copy()
        moved[neurons] = self.inputs + self.place[nodes[neurons] - self.inputs]
        return moved

    def _rows(self, edges: Edges) -> tuple[Rows, Ints | None]:
        """Rows of edges, and where each entry stood before if they were not sorted."""
        targets, sources = map(self._in_order, edges)
        moved = None
        if not np.all(targets[1:] >= targets[:-1]):
            moved = np.argsort(targets, kind="stable").astype(np.int32)
            sources = sources[moved]
        counts = np.bincount(targets - self.inputs, minlength=self.neurons)
        return Rows(offsets(counts), sources), moved

    def _levels(self) -> Ints:
        both = (self.excitatory, self.inhibitory)
        edges = [(self.inputs + rows.targets(), rows.indices) for rows in both]
        return find_levels(self.inputs, self.neurons, edges, range(self.inputs + self.neurons))


class Task(NamedTuple):
    """One way to evaluate a graph.

    Attributes
    ----------
    structure : Structure
    xp : the array namespace
    space : what inputs, parameters and values are
    every : whether all nodes are outputs, in declared order
    """

    structure: Structure
    xp: Namespace
    space: Space = "probability"
    every: bool = False

    @property
    def outputs(self) -> Ints:
        """Numbers in topological order of the nodes whose values are wanted."""
        return self.structure.nodes if self.every else self.structure.outputs


def _composed(index: Ints | None, moved: Ints | None) -> Ints | None:
    """The index of moved things."""
    if index is None or moved is None:
        return moved if index is None else index
    return index[moved]

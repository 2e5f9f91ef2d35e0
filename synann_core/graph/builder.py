"""Build synapse graphs, any acyclic connection of synapses, by names or from index arrays.

A neuron's value is ``α_i · ∏ (excitatory inputs) · ∏_j (1 − β_ij x_j)`` over its inhibitory inputs
j; an empty product is 1. The synapse tensor is the graph in which every input inhibits every
output.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from synann_core._lib.checks import check_number
from synann_core.graph.arrays import wiring_from_arrays
from synann_core.graph.compiled import CompiledGraph
from synann_core.graph.names import (
    Neuron,
    Parameter,
    check_name,
    check_strength,
    is_name,
    wiring_from_names,
)
from synann_core.graph.networkx import read_networkx, write_networkx
from synann_core.graph.wiring import Counted, Kind, Name, Wiring

if TYPE_CHECKING:
    import networkx

Strength = float | Parameter


class SynapseGraph(Counted):
    """Neurons and synapses, in any acyclic connection.

    Neurons may be declared in any order; what they read is looked up by `compile`.

    Attributes
    ----------
    nodes, inputs, neurons, outputs : sequences of names
        In declared order; nodes are the inputs, then the neurons.

    Notes
    -----
    Source: "A Synaptic Neural Network and Synapse Learning", section 3 (graphs of synapses). With
    no excitatory input the value is one minus a noisy-OR with leak 1 − α, as in Bayesian networks.

    The inputs of a neuron are multiplied as if they were independent. Where two of them share an
    uncertain cause the value is not the marginal probability, which would need a sum over that
    cause: with P(s) = ½ and ``a = b = s/2``, ``a or b`` comes out as 0.4375 where 0.375 is right.
    `CompiledGraph.dependent_pairs` tells where.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph import SynapseGraph
    >>> graph = SynapseGraph()
    >>> graph.input("x", "y")
    >>> graph.synapse("z", excitatory="x", inhibitory={"y": 0.5})
    'z'
    >>> compiled = graph.compile()
    >>> compiled(np.array([[0.9, 0.2], [1.0, 1.0]]))
    array([[0.81],
           [0.5 ]])
    >>> compiled.params
    GraphParameters(alpha=array([1.]), beta=array([0.5]))
    """

    def __init__(self) -> None:
        self._inputs: list[Name] = []
        self._neurons: dict[Name, Neuron] = {}
        self._outputs: dict[Name, None] = {}  # in order
        self._known: set[Name] = set()
        self._parameters: dict[str, Parameter] = {}
        self._wiring: Wiring | None = None  # of a graph from arrays

    def input(self, *names: Name) -> None:
        """Declare input neurons; the last axis of the compiled graph's argument has their order.

        Raises
        ------
        TypeError
            If a name is neither a string nor an int.
        ValueError
            If a name was declared before.
        """
        self._check_new("names", names, self._known)
        self._known.update(names)
        self._inputs += names

    def synapse(
        self,
        name: Name,
        *,
        excitatory: Name | Sequence[Name] = (),
        inhibitory: Name | Mapping[Any, Strength] | Iterable[tuple[Name, Strength]] = (),
        alpha: Strength = 1.0,
    ) -> Name:
        """Declare a neuron and what it reads.

        Parameters
        ----------
        name : str (or int)
        excitatory : name or sequence of names
            May repeat: ``("x", "x")`` is x². None of them: the empty product, 1.
        inhibitory : name, or mapping from names to β, or pairs (name, β)
            A name alone has β = 1. β is in [0, 1], or a shared `parameter`.
        alpha : number ≥ 0, or shared `parameter`

        Returns
        -------
        name

        Raises
        ------
        TypeError
            If a name, α or β is of another kind.
        ValueError
            If the name was declared before, or if α or β is out of range.
        """
        sources: Any = (excitatory,) if is_name(excitatory) else excitatory
        pairs: Any = ((inhibitory, 1.0),) if is_name(inhibitory) else inhibitory
        pairs = pairs.items() if isinstance(pairs, Mapping) else pairs
        for kind, given in (("excitatory", sources), ("inhibitory", pairs)):
            if not isinstance(given, Iterable) or isinstance(given, Mapping):
                raise TypeError(f"`{kind}` of neuron {name!r} must be names. Received: {given!r}")
        strong, weak = tuple(sources), tuple(pairs)
        for pair in weak:
            if not (isinstance(pair, tuple) and len(pair) == 2):
                raise TypeError(
                    f"`inhibitory` of neuron {name!r} must be a name, a mapping from names to "
                    f"beta, or pairs (name, beta). Received: {pair!r}"
                )
        # Messages are made, and pairs anew, only where they are needed: there may be millions.
        for source in (*strong, *(source for source, _ in weak)):
            if not is_name(source):
                check_name(f"a source of neuron {name!r}", source)
        checked = tuple(
            pair
            if type(pair[1]) is float and 0.0 <= pair[1] <= 1.0
            else (pair[0], self._strength("beta", pair[1], f"the synapse {pair[0]!r} -> {name!r}"))
            for pair in weak
        )
        gain = self._strength("alpha", alpha, f"neuron {name!r}")
        self._check_new("name", (name,), self._known)
        self._known.add(name)
        self._neurons[name] = Neuron(strong, checked, gain)
        return name

    def output(self, *names: Name) -> None:
        """Declare outputs, in this order; with none, all neurons that nothing reads.

        An input may be an output as well. Unknown names are found by `compile`.

        Raises
        ------
        TypeError
            If a name is neither a string nor an int.
        ValueError
            If a name is an output already.
        """
        self._check_new("names", names, self._outputs, "new outputs")
        self._outputs.update(dict.fromkeys(names))

    def parameter(self, name: str, value: float) -> Parameter:
        """Make a parameter that may stand for the β of several synapses, or the α of neurons.

        Raises
        ------
        TypeError
            If `name` is not a string or `value` not a number.
        ValueError
            If the name was used before, or if the value is not a finite number ≥ 0.
        """
        self._check_open()
        if not isinstance(name, str):
            raise TypeError(f"`name` must be a string. Received: {name!r}")
        if name in self._parameters:
            raise ValueError(f"`name` must be a new parameter. Received: {name!r} twice")
        handle = Parameter(name, check_number("value", value, 0.0))
        self._parameters[name] = handle
        return handle

    @classmethod
    def from_arrays(
        cls,
        inputs: int,
        neurons: int,
        *,
        excitatory: tuple[ArrayLike, ArrayLike] = ((), ()),
        inhibitory: tuple[ArrayLike, ArrayLike] = ((), ()),
        beta: ArrayLike = 1.0,
        alpha: ArrayLike = 1.0,
        alpha_index: ArrayLike | None = None,
        beta_index: ArrayLike | None = None,
        outputs: ArrayLike | None = None,
    ) -> SynapseGraph:
        """Build a graph at once, of millions of synapses as well; it cannot be added to.

        Parameters
        ----------
        inputs, neurons : int
            Nodes 0 … inputs − 1 are the inputs, then come the neurons. The numbers are the names.
        excitatory, inhibitory : pairs of integer arrays (targets, sources)
            Edges, in any order; pairs may repeat. Compiled in half the memory and time where the
            targets are sorted and every source is less than its target.
        beta : array, shape (inhibitory edges,), or number
            In [0, 1]. With `beta_index` the distinct parameters, in any number.
        alpha : array, shape (neurons,), or number
            At least 0. With `alpha_index` the distinct parameters.
        alpha_index, beta_index : integer arrays, optional
            The parameter of each neuron and of each inhibitory edge, where they are shared.
        outputs : integer array, optional
            Nodes; by default the neurons that nothing reads.

        Returns
        -------
        SynapseGraph

        Raises
        ------
        TypeError
            If indices are not integers, or parameters not real numbers.
        ValueError
            If lengths do not fit, an index names no node, parameter or neuron, or a parameter is
            out of range.

        Examples
        --------
        >>> from synann_core.graph import SynapseGraph
        >>> graph = SynapseGraph.from_arrays(
        ...     2, 1, excitatory=([2], [0]), inhibitory=([2], [1]), beta=[0.5]
        ... )
        >>> graph.outputs
        (2,)
        """
        graph = cls()
        graph._wiring = wiring_from_arrays(
            inputs,
            neurons,
            edges={"excitatory": excitatory, "inhibitory": inhibitory},
            parameters={"alpha": (alpha, alpha_index), "beta": (beta, beta_index)},
            outputs=outputs,
        )
        return graph

    @classmethod
    def from_networkx(cls, g: networkx.DiGraph) -> SynapseGraph:
        """Read a `networkx.DiGraph` or `MultiDiGraph`, with the attributes `to_networkx` writes.

        Raises
        ------
        TypeError
            If `g` is not a directed graph of networkx.
        ValueError
            If an attribute is missing or wrong.
        """
        graph = cls()
        inputs, neurons, outputs = read_networkx(g, graph.parameter)
        graph.input(*inputs)
        for name, n in neurons.items():
            graph.synapse(name, excitatory=n.excitatory, inhibitory=n.inhibitory, alpha=n.alpha)
        graph.output(*outputs)
        return graph

    def to_networkx(self) -> networkx.DiGraph:
        """Write a `networkx.DiGraph`, or a `MultiDiGraph` where a pair of nodes has several edges.

        Nodes have ``kind="input" | "neuron"``, neurons ``alpha``, outputs ``output`` (their place);
        edges ``kind="excitatory" | "inhibitory"`` and, inhibitory ones, ``beta``. Where a parameter
        is shared, ``parameter`` is its name; what is shared by none is in ``graph["parameters"]``.

        Examples
        --------
        >>> from synann_core.graph import SynapseGraph
        >>> graph = SynapseGraph()
        >>> graph.input("x", "y")
        >>> graph.synapse("z", excitatory="x", inhibitory={"y": 0.5})
        'z'
        >>> graph.to_networkx().edges["y", "z"]
        {'kind': 'inhibitory', 'beta': 0.5}
        """
        return write_networkx(self._wired(), self._parameters)

    @property
    def nodes(self) -> Sequence[Name]:
        """Names of all nodes."""
        return (*self._inputs, *self._neurons) if self._wiring is None else self._wiring.names

    @property
    def inputs(self) -> Sequence[Name]:
        """Names of the inputs."""
        return tuple(self._inputs) if self._wiring is None else self.nodes[: self._wiring.inputs]

    @property
    def neurons(self) -> Sequence[Name]:
        """Names of the neurons."""
        return tuple(self._neurons) if self._wiring is None else self.nodes[self._wiring.inputs :]

    @property
    def outputs(self) -> Sequence[Name]:
        """Names of the outputs."""
        if self._outputs:
            return tuple(self._outputs)
        wiring = self._wired()
        return tuple(wiring.names[i] for i in wiring.outputs)

    def compile(self) -> CompiledGraph:
        """Freeze the graph as it is now: sorted, checked, ready to evaluate.

        Raises
        ------
        ValueError
            If a source or output is unknown, or if there is a cycle; it is named.
        """
        return CompiledGraph(self._wired())

    def _wired(self) -> Wiring:
        if self._wiring is not None:
            return self._wiring
        return wiring_from_names(self._inputs, self._neurons, list(self._outputs))

    def _check_new(
        self, what: str, names: Iterable[Name], known: Container[Name], wanted: str = "new"
    ) -> None:
        self._check_open()
        seen: set[Name] = set()
        for name in names:
            check_name(what, name)
            if name in known or name in seen:
                raise ValueError(f"`{what}` must be {wanted}. Received: {name!r} twice")
            seen.add(name)

    def _check_open(self) -> None:
        if self._wiring is not None:
            raise ValueError("a graph from arrays is complete: nothing can be added to it")

    def _strength(self, kind: Kind, value: Any, where: str) -> Strength:
        """Check a number or shared parameter."""
        if not isinstance(value, Parameter):
            return check_strength(kind, value, where)
        if self._parameters.get(value.name) is not value:
            raise ValueError(
                f"`{kind}` of {where} must be a parameter of this graph. Received: {value.name!r}"
            )
        check_strength(kind, value.value, where)
        return value

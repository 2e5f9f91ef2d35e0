"""Evaluate compiled graphs: values and derivatives, by the module that serves the arrays.

The methods of `CompiledGraph` raise TypeError if an argument is not a real floating-point array or
if the libraries differ, and ValueError if shapes do not fit or `space` is unknown.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike

from synann_core._lib.arguments import Arguments, check_shape
from synann_core._lib.autodiff import narrowed, stop_gradient
from synann_core._lib.checks import check_option, check_pair, check_range
from synann_core._lib.typing import AnyArray, ArrayT, NumpyArray, Space
from synann_core.graph import dispatch, native
from synann_core.graph.dependence import DependentPair, dependent_pairs
from synann_core.graph.parameters import Given, GraphParameters, Parameters, arguments, numbers
from synann_core.graph.structure import Structure, Task
from synann_core.graph.wiring import Counted, Ints, Name, Rows, Wiring, entries, offsets


class Inhibition(NamedTuple):
    """Inhibitory inputs by neuron: nodes and parameters at ``indptr[i] : indptr[i + 1]``."""

    indptr: Ints
    indices: Ints
    beta_index: Ints

    def row(self, i: int) -> tuple[Ints, Ints]:
        """Nodes that inhibit neuron i, and the place of each β."""
        place = slice(self.indptr[i], self.indptr[i + 1])
        return self.indices[place], self.beta_index[place]


class CompiledGraph(Counted):
    """Values and derivatives of a `SynapseGraph`, which makes it by ``graph.compile()``.

    A neuron's value is ``α_i · ∏ (excitatory inputs) · ∏_j (1 − β_ij x_j)`` over its inhibitory
    inputs j; in surprisal space ``θ_i + Σ u + Σ_j G(γ_ij + u_j)``, the same without loss of digits.
    It is a probability as if the inputs of each neuron were independent: `dependent_pairs` names
    those that are not.

    Attributes
    ----------
    params : GraphParameters
        α and β as built: read-only float64 NumPy arrays, one entry a distinct parameter, in the
        order in which they were first used (with `from_arrays`, the order given).
    parameters : dict
        For each shared parameter with a name, ``("alpha" | "beta", place in that array)``.
    nodes, inputs, neurons, outputs : sequences of names
        As declared; nodes are the inputs, then the neurons.
    order : int array, shape (neurons,)
        Numbers of the neurons (0 is the first one declared), each after all that it reads.
    levels : int array, shape (neurons,)
        1 + the highest level among what a neuron reads; inputs have level 0.
    excitatory : (indptr, indices)
        Compressed sparse rows by neuron, as declared: node numbers of its excitatory inputs.
    inhibitory : Inhibition
        The same for its inhibitory inputs, with the place of each β in ``params.beta``.
    alpha_index : int array, shape (neurons,)
        The place of each neuron's α in ``params.alpha``.
    output_nodes : int array
        Node numbers of the outputs.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._structure = Structure(wiring)
        self.nodes = wiring.names
        self.inputs = wiring.names[: wiring.inputs]
        self.neurons = wiring.names[wiring.inputs :]
        self.output_nodes = wiring.outputs
        self.parameters = dict(wiring.parameters)
        self.params = GraphParameters(*map(_read_only, self._structure.params))

    @property
    def outputs(self) -> Sequence[Name]:
        """Names of the outputs."""
        return tuple(self.nodes[i] for i in self.output_nodes)

    @property
    def order(self) -> Ints:
        """Numbers of the neurons, each after all that it reads."""
        order = self._structure.order
        return np.arange(len(self.neurons), dtype=np.int32) if order is None else order

    @functools.cached_property
    def levels(self) -> Ints:
        """Level of each neuron."""
        place = self._structure.place
        return self._structure.levels if place is None else self._structure.levels[place]

    @functools.cached_property
    def excitatory(self) -> Rows:
        """Excitatory inputs by neuron."""
        return self._declared(self._structure.excitatory)[0]

    @functools.cached_property
    def inhibitory(self) -> Inhibition:
        """Inhibitory inputs by neuron."""
        rows, places = self._declared(self._structure.inhibitory)
        index = self._structure.beta_index
        return Inhibition(*rows, places if index is None else index[places])

    @property
    def alpha_index(self) -> Ints:
        """Place of each neuron's α."""
        index, place = self._structure.alpha_index, self._structure.place
        if index is None:
            return np.arange(len(self.neurons), dtype=np.int32)
        return index if place is None else index[place]

    def __call__(
        self, x: ArrayT, /, params: Given[ArrayT] = None, *, space: Space = "probability"
    ) -> ArrayT:
        """Values of the outputs.

        Parameters
        ----------
        x : array, shape (..., inputs)
            Values of the inputs in declared order: probabilities in [0, 1], or their surprisals in
            nats. Leading axes are batch axes.
        params : GraphParameters, optional
            Parameters other than the graph's own, from the library of x: α and β, or θ and γ.
        space : {'probability', 'surprisal'}
            What x, the parameters and the result are.

        Returns
        -------
        array, shape (..., outputs), dtype and device of x (and `params`)
            In probability space values outside [0, 1] follow the formula. In surprisal space inf
            where a factor is closed, NaN outside the domain. A row's bits do not depend on its
            batch mates. Relative error a few eps, times ``1 − log`` of the value.

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.graph import SynapseGraph
        >>> graph = SynapseGraph()
        >>> graph.input("x", "y")
        >>> graph.synapse("z", excitatory="x", inhibitory={"y": 0.5})
        'z'
        >>> graph.compile()(np.array([0.9, 0.2]))
        array([0.81])
        """
        return self._evaluate(x, params, space, every=False)

    def values(
        self, x: ArrayT, /, params: Given[ArrayT] = None, *, space: Space = "probability"
    ) -> ArrayT:
        """Values of all nodes, (..., nodes), inputs first; else as the call itself."""
        return self._evaluate(x, params, space, every=True)

    def vjp(
        self,
        x: ArrayT,
        /,
        params: Given[ArrayT] = None,
        *,
        space: Space = "probability",
        grad: ArrayT | float,
    ) -> tuple[ArrayT, GraphParameters[ArrayT]]:
        """Gradients for an upstream gradient of the outputs.

        Parameters
        ----------
        x, params, space
            As for the call itself.
        grad : array, shape (..., outputs), or number

        Returns
        -------
        gx : array, shape of x
        gparams : GraphParameters
            Summed over the batch and over all uses of a shared parameter. In probability space all
            are exact where factors are 0; in surprisal space the occupations are capped there (at
            eps over the smallest normal number).

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.graph import SynapseGraph
        >>> graph = SynapseGraph()
        >>> graph.input("x", "y")
        >>> graph.synapse("z", excitatory="x", inhibitory="y")
        'z'
        >>> graph.compile().vjp(np.array([1.0, 1.0]), grad=np.ones(1))       # a closed factor
        (array([ 0., -1.]), GraphParameters(alpha=array([0.]), beta=array([-1.])))
        """
        with self._arguments(x, params, space) as given:
            task, own = self._task(given, space)
            upstream = given.array("grad", grad, (*given.shape("x")[:-1], len(self.output_nodes)))
            gx, gparams = dispatch.vjp(task, given["x"], own, upstream)
            # (`given.gradients` would copy them: a third of the time of a large graph.)
            like: tuple[Any, ...] = (x, *(own if params is None else params))
            gradients: list[Any] = [
                narrowed(g, a.dtype, given.xp) for g, a in zip((gx, *gparams), like, strict=True)
            ]
            return gradients[0], GraphParameters(*gradients[1:])

    def jvp(
        self,
        x: ArrayT,
        /,
        params: Given[ArrayT] = None,
        *,
        space: Space = "probability",
        dx: ArrayT | float,
        dparams: GraphParameters[ArrayT] | None = None,
    ) -> ArrayT:
        """Tangent of the outputs, (..., outputs), along `dx` and `dparams`.

        Parameters
        ----------
        x, params, space
            As for the call itself.
        dx : array, shape of x, or number
        dparams : GraphParameters, optional
            Tangents of the parameters, 0 if not given.
        """
        pair = (0.0, 0.0) if dparams is None else dparams
        dalpha, dbeta = check_pair("dparams", pair, "(alpha, beta)")
        with self._arguments(x, params, space) as given:
            task, own = self._task(given, space)
            moved = given.array("dx", dx, given.shape("x"))
            tangents = GraphParameters(
                given.array("dparams.alpha", dalpha, own.alpha.shape),
                given.array("dparams.beta", dbeta, own.beta.shape),
            )
            return given.tangent(dispatch.jvp(task, given["x"], own, moved, tangents))

    def dependent_pairs(
        self, x: ArrayLike | None = None, /, params: Given[Any] = None
    ) -> list[DependentPair]:
        """Pairs of inputs of one neuron that share an uncertain cause.

        A graph multiplies as if what a neuron reads were independent. It is not where two of its
        inputs depend on one node that is itself uncertain: the value is then not the marginal
        probability of the neuron. Without such pairs it is.

        Parameters
        ----------
        x : array_like, shape (inputs,), optional
            Probabilities of the inputs: those that are 0 or 1 are certain, and nobody's uncertain
            cause. Without it all inputs are uncertain.
        params : GraphParameters, optional
            α and β other than the graph's own. A neuron is uncertain by itself where α is not 0 or
            1, or a β.

        Returns
        -------
        list of DependentPair
            ``(neuron, first, second, cause)``, by neurons in topological order; k inputs that share
            one cause are k (k − 1)/2 pairs. Empty where all is independent.

        Raises
        ------
        TypeError, ValueError
            If x or a parameter is not a real number, out of range, or of another shape.

        Notes
        -----
        Memory O(synapses), at most 64 MB (or 32 bytes a node) more, and the pairs. Time O(synapses)
        for every 5e8/nodes (or 256) of the nodes that are read more than once.

        Examples
        --------
        >>> from synann_core.graph import SynapseGraph
        >>> graph = SynapseGraph()
        >>> graph.input("s")
        >>> for name in ("not a", "not b"):
        ...     _ = graph.synapse(name, inhibitory={"s": 0.5})
        >>> graph.synapse("neither", excitatory=("not a", "not b"))
        'neither'
        >>> compiled = graph.compile()
        >>> compiled.dependent_pairs()
        [DependentPair(neuron='neither', first='not a', second='not b', cause='s')]
        >>> float(compiled(np.array([0.5]))[0])  # 0.625 is right: half of 1, half of 0.25
        0.5625
        >>> compiled.dependent_pairs([1.0])
        []
        """
        given = (0.5,) * len(self.inputs) if x is None else x
        values = check_range("x", given, 0.0, 1.0)
        check_shape("x", values, len(self.inputs))
        alpha, beta = numbers(self.params, params)
        return dependent_pairs(self._structure, self.nodes, values, alpha, beta)

    def variant(self, x: AnyArray, /) -> str:
        """Name of the implementation that would serve x: ``"native"`` or ``"array-api"``.

        Also where autograd records the call as one operation, within which it runs.
        """
        with Arguments(x=x) as given:
            inside = dispatch.choose(given.xp, stop_gradient(given["x"], given.xp))
            return "native" if inside is native else "array-api"

    def _arguments(self, x: ArrayT, params: Given[ArrayT], space: Space) -> Arguments[ArrayT]:
        check_option("space", space, get_args(Space))
        given = arguments(self.params, params, x=x)
        given.check_shapes(x=(..., len(self.inputs)))
        return given

    def _task(
        self, given: Arguments[ArrayT], space: Space, *, every: bool = False
    ) -> tuple[Task, Parameters]:
        task = Task(self._structure, given.xp, space, every)
        return task, self._structure.parameters(given, space)

    def _evaluate(self, x: ArrayT, params: Given[ArrayT], space: Space, *, every: bool) -> ArrayT:
        if params is None and space == "probability" and not every:
            out: Any = native.own_values(self._structure, x)
            if out is not None:
                found: ArrayT = out
                return found
        with self._arguments(x, params, space) as given:
            task, own = self._task(given, space, every=every)
            return given.result(dispatch.forward(task, given["x"], own))

    def _declared(self, rows: Rows) -> tuple[Rows, Ints]:
        """Rows by declared neurons and nodes, and where each entry stood in `rows`."""
        order, place = self._structure.order, self._structure.place
        if order is None or place is None:
            return rows, np.arange(rows.indices.size, dtype=np.int32)
        places = entries(rows.indptr, place).astype(np.int32)
        nodes = np.concatenate([np.arange(len(self.inputs)), len(self.inputs) + order])
        indptr = offsets(np.diff(rows.indptr)[place])
        return Rows(indptr, nodes[rows.indices[places]].astype(np.int32)), places


def _read_only(a: NumpyArray) -> NumpyArray:
    view = a.view()
    view.flags.writeable = False
    return view

"""A compiled graph: values and derivatives, on the branch that serves the arrays."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device, is_numpy_namespace

from synann_core._lib.arguments import Call, namespace_of, silence
from synann_core._lib.checks import check_option
from synann_core._lib.numerics import row_count
from synann_core._lib.typing import Array, Namespace
from synann_core.graph.dispatch import Branches, GraphParameters, branch
from synann_core.graph.wiring import Ints, Rows, Structure, Wiring, entries

__all__ = ["CompiledGraph", "GraphParameters", "Inhibition"]

_SPACES = ("probability", "surprisal")


class Inhibition(NamedTuple):
    """Inhibitory inputs by neuron: nodes and parameters at ``indptr[i] : indptr[i + 1]``."""

    indptr: Ints
    indices: Ints
    beta_index: Ints


class CompiledGraph:
    """Values and derivatives of a `SynapseGraph`, which makes it by ``graph.compile()``.

    A neuron's value is ``α_i · ∏ (excitatory inputs) · ∏_j (1 − β_ij x_j)`` over its inhibitory
    inputs j; in surprisal space ``θ_i + Σ u + Σ_j G(γ_ij + u_j)``, the same without loss of digits.

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
        self.params = GraphParameters(*map(_read_only, (wiring.alpha, wiring.beta)))
        self._branches = Branches(self._structure, GraphParameters(wiring.alpha, wiring.beta))

    @property
    def outputs(self) -> tuple[Any, ...]:
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
        self, x: Array, params: GraphParameters | None = None, *, space: str = "probability"
    ) -> Array:
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

        Raises
        ------
        TypeError
            If an argument is not a real floating-point array, or if the libraries differ.
        ValueError
            If the shapes do not fit, or if `space` is unknown.

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
        self, x: Array, params: GraphParameters | None = None, *, space: str = "probability"
    ) -> Array:
        """Values of all nodes, (..., nodes), inputs first; else as the call itself."""
        return self._evaluate(x, params, space, every=True)

    def vjp(
        self,
        x: Array,
        grad: Array,
        params: GraphParameters | None = None,
        *,
        space: str = "probability",
    ) -> tuple[Array, GraphParameters]:
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

        Raises
        ------
        TypeError, ValueError
            As for the call itself; also if `grad` does not fit the result.

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.graph import SynapseGraph
        >>> graph = SynapseGraph()
        >>> graph.input("x", "y")
        >>> graph.synapse("z", excitatory="x", inhibitory="y")
        'z'
        >>> graph.compile().vjp(np.array([1.0, 1.0]), np.ones(1))       # a closed factor
        (array([ 0., -1.]), GraphParameters(alpha=array([0.]), beta=array([-1.])))
        """
        call, surprisals = self._call(x, params, space)
        grad = call.shaped(grad, (*call.shape("x")[:-1], len(self.output_nodes)))

        xp, (own, alpha, beta) = call.xp, call.arrays.values()
        rows, grad = (xp.reshape(a, (row_count(a), a.shape[-1])) for a in (own, grad))
        with silence(xp):
            gradients = self._branches.vjp(rows, alpha, beta, grad, surprisals, False, xp)
        # (`call.gradients` would copy them: a third of the time of a large graph.)
        like = (x, *((alpha, beta) if params is None else params))
        gx, galpha, gbeta = (
            g if g.dtype == a.dtype else xp.astype(g, a.dtype)
            for g, a in zip(gradients, like, strict=True)
        )
        return xp.reshape(gx, x.shape), GraphParameters(galpha, gbeta)

    def jvp(
        self,
        x: Array,
        dx: Array,
        params: GraphParameters | None = None,
        dparams: GraphParameters | None = None,
        *,
        space: str = "probability",
    ) -> Array:
        """Tangent of the outputs, (..., outputs), along `dx` and `dparams`.

        Parameters
        ----------
        x, params, space
            As for the call itself.
        dx : array, shape of x, or number
        dparams : GraphParameters, optional
            Tangents of the parameters, 0 if not given.

        Raises
        ------
        TypeError, ValueError
            As for the call itself; also if a tangent does not fit.
        """
        call, surprisals = self._call(x, params, space)
        tangents = [dx, *((0.0, 0.0) if dparams is None else _two("dparams", dparams))]
        names = ("dx", "dparams.alpha", "dparams.beta")
        moved = [
            call.shaped(tangent, a.shape, name)
            for tangent, a, name in zip(tangents, call.arrays.values(), names, strict=True)
        ]

        def formula(*arrays: Array, xp: Namespace) -> Array:
            x, alpha, beta, dx, dalpha, dbeta = arrays
            rows = (row_count(x), x.shape[-1])
            primals = (xp.reshape(x, rows), alpha, beta)
            tangents = (xp.reshape(dx, rows), dalpha, dbeta)
            out = self._branches.jvp(primals, tangents, surprisals, xp)
            return xp.reshape(out, (*x.shape[:-1], out.shape[-1]))

        return call.value(formula, *call.arrays.values(), *moved)

    def variant(self, x: Array) -> str:
        """Name of the branch that would serve x: ``"numba"`` or ``"array-api"``."""
        return branch(namespace_of(x=x), x)

    def _call(self, x: Array, params: Any, space: str) -> tuple[Call, bool]:
        """The checked arguments, and whether they are surprisals."""
        surprisals = check_option("space", space, _SPACES) == "surprisal"
        if params is None:
            call = Call(x=x)
            dtype, xp = call.dtype, call.xp
            where = {"dtype": call.work_dtype, "device": device(call["x"])}
            own = self._branches.own(surprisals, "float64")
            if is_numpy_namespace(xp):
                own = self._branches.own(surprisals, np.dtype(call.work_dtype).name)
            alpha, beta = (xp.asarray(a, **where) for a in own)
            call = Call(**{"x": call["x"], "params.alpha": alpha, "params.beta": beta})
            call.dtype = dtype
        else:
            alpha, beta = _two("params", params)
            call = Call(**{"x": x, "params.alpha": alpha, "params.beta": beta})
        sizes = (a.size for a in self.params)
        alphas, betas = ((size,) for size in sizes)
        call.expect(**{"x": (..., len(self.inputs)), "params.alpha": alphas, "params.beta": betas})
        return call, surprisals

    def _evaluate(self, x: Array, params: Any, space: str, *, every: bool) -> Array:
        call, surprisals = self._call(x, params, space)

        def formula(x: Array, alpha: Array, beta: Array, *, xp: Namespace) -> Array:
            rows = xp.reshape(x, (row_count(x), x.shape[-1]))
            out = self._branches.forward(rows, alpha, beta, surprisals, every, xp)
            return xp.reshape(out, (*x.shape[:-1], out.shape[-1]))

        return call.value(formula)

    def _declared(self, rows: Rows) -> tuple[Rows, Ints]:
        """Rows by declared neurons and nodes, and where each entry stood in `rows`."""
        order, place = self._structure.order, self._structure.place
        if order is None or place is None:
            return rows, np.arange(rows.indices.size, dtype=np.int32)
        places = entries(rows.indptr, place).astype(np.int32)
        nodes = np.concatenate([np.arange(len(self.inputs)), len(self.inputs) + order])
        counts = np.diff(rows.indptr)[place]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        return Rows(indptr, nodes[rows.indices[places]].astype(np.int32)), places


def _two(name: str, pair: Any) -> tuple[Any, Any]:
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise TypeError(f"`{name}` must be a pair (alpha, beta). Received: {pair!r}")
    return pair[0], pair[1]


def _read_only(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    view = a.view()
    view.flags.writeable = False
    return view

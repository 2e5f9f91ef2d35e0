"""The branches that evaluate a compiled graph: compiled loops, or array operations anywhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import is_jax_namespace

from synann_core._lib.autodiff import with_torch_gradient
from synann_core._lib.torch_modes import is_torch_namespace, torch_watcher
from synann_core._lib.typing import Array, Namespace
from synann_core.graph import array_api as formulas
from synann_core.graph import native as kernels
from synann_core.graph.plan import Plan, make_plan
from synann_core.graph.wiring import Ints, Structure
from synann_core.native import host


class GraphParameters(NamedTuple):
    """The distinct parameters of a graph as two flat arrays, or gradients of them.

    In surprisal space they hold θ = −log α and γ = −log β.
    """

    alpha: Array
    beta: Array


def branch(xp: Namespace, *arrays: Array) -> str:
    """Which branch serves these arrays."""
    if is_torch_namespace(xp) and torch_watcher(*arrays) != "nobody":
        return "array-api"
    return "numba" if host.serves(xp, *arrays) else "array-api"


class Branches:
    """Values and derivatives for arrays that were checked; x and gradients are (rows, ...).

    Throughout, `surprisals` tells what the arrays are, and with `every` all nodes are outputs, in
    declared order. What is derived from the structure is made when first needed, and kept.
    """

    def __init__(self, structure: Structure, probabilities: GraphParameters) -> None:
        self._structure = structure
        # Not read-only: torch warns of arrays that are.
        self._probabilities = probabilities
        self._converted: dict[tuple[bool, str], GraphParameters] = {}
        self._kept: dict[tuple[bool, str], kernels.Strengths] = {}
        self._plans: dict[bool, Plan] = {}
        self._jitted: dict[tuple[str, bool, bool], Callable[..., Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without what JAX compiled, which cannot be pickled or copied."""
        return {**self.__dict__, "_jitted": {}}

    def own(self, surprisals: bool, dtype: str) -> GraphParameters:
        """The graph's own parameters for NumPy, made once."""
        if (surprisals, dtype) not in self._converted:
            arrays: Any = self._probabilities
            if surprisals:
                with np.errstate(divide="ignore"):
                    arrays = [0.0 - np.log(a) for a in arrays]
            own = GraphParameters(*(a.astype(dtype, copy=False) for a in arrays))
            self._converted[surprisals, dtype] = own
        return self._converted[surprisals, dtype]

    def forward(
        self, x: Array, alpha: Array, beta: Array, surprisals: bool, every: bool, xp: Namespace
    ) -> Array:
        """Values of the outputs."""
        if is_torch_namespace(xp) and torch_watcher(x, alpha, beta) == "autograd":

            def forward(x: Array, alpha: Array, beta: Array) -> Array:
                return self.forward(x, alpha, beta, surprisals, every, xp)

            def vjp(x: Array, alpha: Array, beta: Array, grad: Array) -> tuple[Array, ...]:
                return self.vjp(x, alpha, beta, grad, surprisals, every, xp)

            # Nothing is recorded inside, so that the compiled kernels may serve.
            return with_torch_gradient(forward, vjp, x, alpha, beta)
        if branch(xp, x, alpha, beta) == "numba":
            strengths = self._strengths(alpha, beta, surprisals)
            return kernels.forward(self._structure, x, strengths, self._chosen(every))
        run = self._array_api(formulas.forward, surprisals, every, xp)
        out: Array = run(x, alpha, beta)
        return out

    def vjp(
        self,
        x: Array,
        alpha: Array,
        beta: Array,
        grad: Array,
        surprisals: bool,
        every: bool,
        xp: Namespace,
    ) -> tuple[Array, Array, Array]:
        """Gradients of x, α and β."""
        if branch(xp, x, alpha, beta, grad) == "numba":
            strengths, outputs = self._strengths(alpha, beta, surprisals), self._chosen(every)
            sizes = (alpha.shape[0], beta.shape[0])
            return kernels.vjp(self._structure, x, strengths, grad, outputs, sizes)
        run = self._array_api(formulas.vjp, surprisals, every, xp)
        gx, galpha, gbeta = run(x, alpha, beta, grad)
        return gx, galpha, gbeta

    def jvp(self, primals: Any, tangents: Any, surprisals: bool, xp: Namespace) -> Array:
        """Tangent of the outputs."""
        if branch(xp, *primals, *tangents) == "numba":
            x, alpha, beta = primals
            strengths, outputs = self._strengths(alpha, beta, surprisals), self._chosen(False)
            return kernels.jvp(self._structure, x, strengths, tangents, outputs)
        run = self._array_api(formulas.jvp, surprisals, False, xp)
        return run(*primals, *tangents)

    def _strengths(self, alpha: Array, beta: Array, surprisals: bool) -> kernels.Strengths:
        """Parameters as the compiled loops take them; the graph's own are kept, once."""
        for key, own in self._converted.items():
            if alpha is own.alpha and beta is own.beta:
                if key not in self._kept:
                    self._kept[key] = kernels.strengths(self._structure, *own, surprisals)
                return self._kept[key]
        return kernels.strengths(self._structure, alpha, beta, surprisals)

    def _chosen(self, every: bool) -> Ints:
        """Numbers of the outputs in topological order."""
        place, inputs = self._structure.place, self._structure.inputs
        if not every:
            return self._structure.outputs
        nodes = np.arange(inputs + self._structure.neurons)
        return nodes if place is None else np.concatenate([nodes[:inputs], inputs + place])

    def _array_api(
        self, formula: Callable[..., Any], surprisals: bool, every: bool, xp: Namespace
    ) -> Callable[..., Any]:
        """A formula for this graph, with JAX compiled when first called."""
        options = {"plan": self._plan(every), "surprisals": surprisals, "xp": xp}
        if not is_jax_namespace(xp):
            return functools.partial(formula, **options)
        key = (formula.__name__, surprisals, every)
        if key not in self._jitted:
            import jax

            self._jitted[key] = jax.jit(functools.partial(formula, **options))
        return self._jitted[key]

    def _plan(self, every: bool) -> Plan:
        """How array operations go through the graph, made when first needed."""
        if every not in self._plans:
            alphas, betas = (a.size for a in self._probabilities)
            self._plans[every] = make_plan(self._structure, every, (alphas, betas))
        return self._plans[every]

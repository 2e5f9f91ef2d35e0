"""Check the parameters of a graph beside the other arguments of a call."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_pair
from synann_core._lib.typing import Array, ArrayT, NumpyArray
from synann_core.graph.arrays import check_values


class GraphParameters(NamedTuple, Generic[ArrayT]):
    """The distinct parameters of a graph as two flat arrays, or gradients of them.

    In surprisal space they hold θ = −log α and γ = −log β.
    """

    alpha: ArrayT
    beta: ArrayT


Parameters = GraphParameters[Array]  # of any library, checked
Gradients = tuple[Array, Parameters]  # of the inputs, and of the parameters
Given = GraphParameters[ArrayT] | None  # as an argument; None stands for the graph's own


def arguments(
    own: GraphParameters[NumpyArray], params: Given[ArrayT], **arrays: ArrayT
) -> Arguments[ArrayT]:
    """Check arrays and, where they are given, parameters of as many entries as the graph's own."""
    if params is None:
        return Arguments(**arrays)
    alpha, beta = check_pair("params", params, "(alpha, beta)")
    given = Arguments(**arrays, **{"params.alpha": alpha, "params.beta": beta})
    given.check_shapes(**{"params.alpha": own.alpha.shape, "params.beta": own.beta.shape})
    return given


def numbers(own: GraphParameters[NumpyArray], params: Any) -> GraphParameters[NumpyArray]:
    """Check parameters that become NumPy's, as many as the graph's own; None stands for those."""
    if params is None:
        return own
    alpha, beta = check_pair("params", params, "(alpha, beta)")
    return GraphParameters(
        check_values("alpha", alpha, own.alpha.size), check_values("beta", beta, own.beta.size)
    )

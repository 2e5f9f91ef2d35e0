"""Check the parameters of a graph beside the other arguments of a call."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple

from synann_core._lib.arguments import Arguments
from synann_core._lib.typing import Array, ArrayT, NumpyArray


class GraphParameters(NamedTuple, Generic[ArrayT]):
    """The distinct parameters of a graph as two flat arrays, or gradients of them.

    In surprisal space they hold θ = −log α and γ = −log β.
    """

    alpha: ArrayT
    beta: ArrayT


Parameters = GraphParameters[Array]  # of any library, checked
Gradients = tuple[Array, Parameters]  # of the inputs, and of the parameters
Given = GraphParameters[ArrayT] | None  # as an argument; None stands for the graph's own


def check_pair(name: str, value: Any) -> tuple[Any, Any]:
    """Return the two members of parameters, or of tangents of them."""
    if not (isinstance(value, tuple | list) and len(value) == 2):
        raise TypeError(f"`{name}` must be a pair (alpha, beta). Received: {value!r}")
    return value[0], value[1]


def arguments(
    own: GraphParameters[NumpyArray], params: Given[ArrayT], **arrays: ArrayT
) -> Arguments[ArrayT]:
    """Check arrays and, where they are given, parameters of as many entries as the graph's own."""
    if params is None:
        return Arguments(**arrays)
    alpha, beta = check_pair("params", params)
    given = Arguments(**arrays, **{"params.alpha": alpha, "params.beta": beta})
    given.check_shapes(**{"params.alpha": own.alpha.shape, "params.beta": own.beta.shape})
    return given

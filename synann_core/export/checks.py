"""Checks that the exports share."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_array_api_obj

from synann_core._lib.checks import to_numpy
from synann_core.graph.arrays import _values
from synann_core.graph.compiled import CompiledGraph
from synann_core.models.mlp import SynaMLP

Numbers = np.ndarray[Any, Any]


def expect_network(model: Any, params: Any, space: str = "probability") -> None:
    """Refuse what is no graph, and no SynaMLP either, and the options of graphs."""
    if not isinstance(model, SynaMLP):
        raise TypeError(f"`model` must be a SynaMLP or a SynapseGraph. Received: {model!r}")
    if params is not None:
        raise TypeError(f"`params` must be None for a SynaMLP. Received: {params!r}")
    if space != "probability":
        raise ValueError(
            f"`space` must be 'probability' for a SynaMLP, whose inputs are features. "
            f"Received: {space!r}"
        )


def parameters(
    compiled: CompiledGraph, params: Any, *, surprisals: bool = False
) -> tuple[Numbers, Numbers]:
    """α and β as float64, the graph's own or given ones that are checked; or θ and γ."""
    alpha, beta = compiled.params
    if params is not None:
        if not (isinstance(params, tuple | list) and len(params) == 2):
            raise TypeError(f"`params` must be a pair (alpha, beta). Received: {params!r}")
        alpha, beta = (
            _values(name, to_numpy(given) if is_array_api_obj(given) else given, own.size)
            for name, given, own in zip(("alpha", "beta"), params, compiled.params, strict=True)
        )
    if not surprisals:
        return alpha, beta
    with np.errstate(divide="ignore"):
        return 0.0 - np.log(alpha), 0.0 - np.log(beta)

"""Check what the exports have in common: the model, and a graph's parameters."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from synann_core._lib.checks import to_numpy
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.typing import NumpyArray, Space
from synann_core.graph import CompiledGraph, GraphParameters
from synann_core.graph.parameters import numbers
from synann_core.models import SynaMLP
from synann_core.spiking import SpikingNetwork
from synann_core.spiking.network.passes import constants
from synann_core.surprisals import surprisal

Precision = Literal["float32", "float64"]


def check_network(
    model: Any, params: Any, space: Space = "probability"
) -> SynaMLP | SpikingNetwork:
    """Refuse a model of another kind, and for a network the options of a graph."""
    if not isinstance(model, SynaMLP | SpikingNetwork):
        raise TypeError(
            "`model` must be a SynaMLP, a SynapseGraph, a SpikingNetwork or (as JSON and C) a "
            "Circuit; not a compiled graph, nor SynapseRules, whose methods write them. "
            f"Received: {model!r}"
        )
    kind = type(model).__name__
    if params is not None:
        raise TypeError(f"`params` must be None for a {kind}. Received: {params!r}")
    if space != "probability":
        raise ValueError(
            f"`space` must be 'probability' for a {kind}, whose inputs are features. "
            f"Received: {space!r}"
        )
    return model


def in_dtype(parameter: str, values: Any, dtype: Precision) -> NumpyArray:
    """Return `values` in the dtype of the file, which must hold them."""
    with np.errstate(over="ignore"):
        result: NumpyArray = np.asarray(values, dtype=np.float64).astype(dtype)
    if not np.isfinite(result).all():
        raise ValueError(
            f"`{parameter}` must hold finite numbers, also in {dtype}. Received: "
            f"{np.count_nonzero(~np.isfinite(result))} others"
        )
    return result


def parameters(
    compiled: CompiledGraph,
    params: Any,
    space: Space = "probability",
    dtype: Precision = "float64",
) -> GraphParameters[NumpyArray]:
    """Return α and β for a file, the graph's own or given ones that are checked; or θ and γ."""
    result = numbers(compiled.params, params)
    if space == "surprisal":  # infinite where α or β is 0, and never too large for a dtype
        return GraphParameters(*(surprisal(values).astype(dtype) for values in result))
    return GraphParameters(
        in_dtype("alpha", result.alpha, dtype), in_dtype("beta", result.beta, dtype)
    )


def numbers_of(network: SpikingNetwork, dtype: Precision) -> dict[str, NumpyArray]:
    """Return all weights and numbers of neurons, by name, in the dtype of a file."""
    found: dict[str, Any] = dict(constants(network.layers, np.zeros(1), numpy_namespace))
    found |= {key: to_numpy(weight) for key, weight in network.weights.items()}
    infinite = {key for key in found if key.endswith(".threshold")}  # a neuron that never fires
    return {
        key: np.asarray(values, dtype) if key in infinite else in_dtype("model", values, dtype)
        for key, values in found.items()
    }

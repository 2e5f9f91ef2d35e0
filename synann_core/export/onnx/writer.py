"""Write models as ONNX: the core's formulas, traced as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from synann_core._lib.checks import check_option, to_numpy
from synann_core._lib.files import FilePath, write_whole
from synann_core._lib.typing import Array, Namespace, Space
from synann_core.export.checks import Precision, check_network, in_dtype, numbers_of, parameters
from synann_core.graph import GraphParameters, SynapseGraph, array_api
from synann_core.graph.structure import Task
from synann_core.models import passes
from synann_core.models.mlp import SynaMLP
from synann_core.spiking import SpikingNetwork
from synann_core.spiking.network import losses
from synann_core.spiking.network import passes as spiking_passes
from synann_core.spiking.network.passes import Architecture

if TYPE_CHECKING:
    from synann_core.export.onnx.graph import Sizes

__all__ = ["save_onnx"]

_SPIKING = ("scores", "spikes", "membranes")


def save_onnx(
    model: SynaMLP | SynapseGraph | SpikingNetwork,
    path: FilePath,
    /,
    *,
    params: GraphParameters | None = None,
    space: Space = "probability",
    dtype: Precision = "float32",
    sequence: bool = False,
) -> None:
    """Write a model as an ONNX file, for onnxruntime and the like; batches of any size.

    Needs onnx (``pip install "synann[onnx]"``).

    Parameters
    ----------
    model : SynaMLP, SynapseGraph or SpikingNetwork
    path : str or path
        Of the file to write, usually ending in ``.onnx``; written whole or not at all.
    params : GraphParameters, optional
        Of a graph, in place of its own: after training, say. Probabilities in either space.
    space : {"probability", "surprisal"}
        Of a graph: what its inputs and outputs are.
    dtype : {"float32", "float64"}
        Of weights, inputs and outputs.
    sequence : bool
        Of a spiking network: whether its inputs are a sequence of its `steps`, or stay.

    Notes
    -----
    The input is ``x`` (batch, features); the output ``logits`` (batch, classes) of a SynaMLP,
    ``outputs`` (batch, outputs) of a graph. The outputs of a spiking network are ``scores`` (batch,
    classes), its summed membranes, and ``spikes`` and ``membranes`` (steps, batch, classes) of the
    last layer; a sequence is ``x`` (steps, batch, features), and the steps are a Loop. log1p and
    expm1, which ONNX lacks, are forms that keep their accuracy: nothing is lost where βy is small.
    Memory of order batch · 32 · hidden.

    Raises
    ------
    ImportError
        Without onnx.
    TypeError
        If `model` is none of these, or not a graph and comes with `params`.
    ValueError
        If an option is unknown or does not belong to such a model, a network asked for in surprisal
        space (its inputs are features), or a weight not finite in `dtype`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import onnxruntime
    >>> from synann_core.export import save_onnx
    >>> from synann_core.graph import SynapseGraph
    >>> graph = SynapseGraph()
    >>> graph.input("x", "y")
    >>> z = graph.synapse("z", excitatory="x", inhibitory={"y": 0.5})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "graph.onnx")
    ...     save_onnx(graph, path)
    ...     session = onnxruntime.InferenceSession(path)
    >>> session.run(None, {"x": np.array([[0.9, 0.2]], np.float32)})
    [array([[0.81]], dtype=float32)]
    """
    check_option("dtype", dtype, get_args(Precision))
    check_option("space", space, get_args(Space))
    if not isinstance(sequence, bool) or (sequence and not isinstance(model, SpikingNetwork)):
        raise ValueError(
            f"`sequence` must be False, or a bool for a SpikingNetwork. Received: {sequence!r}"
        )
    if isinstance(model, SynapseGraph):
        formula = _graph_formula(model, params, space, dtype)
        data = traced(formula, {"x": (len(model.inputs),)}, "outputs", dtype)
    else:
        network = check_network(model, params, space)
        inputs: dict[str, Sizes] = {"x": (network.in_features,)}
        if isinstance(network, SpikingNetwork):
            if sequence:
                inputs = {"x": (network.steps, None, network.in_features)}
            formula = _spiking_formula(network, dtype)
            data = traced(formula, inputs, _SPIKING, dtype)
        else:
            data = traced(_network_formula(network, dtype), inputs, "logits", dtype)
    write_whole(path, data)


def traced(
    formula: Callable[..., Any],
    inputs: Mapping[str, Sizes],
    outputs: str | tuple[str, ...],
    dtype: Precision,
) -> bytes:
    """Return the ONNX file of ``formula(*inputs, xp=xp)``: one array, or as many as `outputs`.

    The first axis is the batch, unless an input's shape has it elsewhere, as None.
    """
    try:
        from synann_core.export.onnx.array import TracedArray
        from synann_core.export.onnx.graph import Graph, Tensor
        from synann_core.export.onnx.namespace import OnnxNamespace
    except ImportError as error:
        raise ImportError(f'{error}. Install it with: pip install "synann[onnx]"') from None
    graph, number = Graph(), np.dtype(dtype)
    arguments = [
        TracedArray(graph, shape if None in shape else (None, *shape), number, graph.argument(name))
        for name, shape in inputs.items()
    ]
    found = formula(*arguments, xp=OnnxNamespace(arguments[0]))
    named = {outputs: found} if isinstance(outputs, str) else dict(zip(outputs, found, strict=True))
    results = []
    for name, array in named.items():
        graph.name_output(array.whole().name, name)
        results.append(Tensor(name, array.dtype, array.shape))
    return graph.serialised([Tensor(a.name, a.dtype, a.shape) for a in arguments], results)


def _network_formula(model: SynaMLP, dtype: Precision) -> Callable[..., Array]:
    weights = {k: in_dtype("model", to_numpy(w), dtype) for k, w in model.weights.items()}

    def formula(x: Array, *, xp: Namespace) -> Array:
        constants = {name: xp.asarray(weight) for name, weight in weights.items()}
        return passes.logits(constants, x, layer=model.layer, gate=model.gate, xp=xp)

    return formula


def _spiking_formula(network: SpikingNetwork, dtype: Precision) -> Callable[..., Any]:
    architecture = Architecture(network.layers, network.steps, network.loss)
    values = numbers_of(network, dtype)

    def formula(x: Array, *, xp: Namespace) -> tuple[Array, Array, Array]:
        constants = {name: xp.asarray(value) for name, value in values.items()}
        trace = spiking_passes.forward(constants, x, architecture=architecture, xp=xp)[-1]
        spikes, membranes = spiking_passes.output(trace, network.layers[-1], xp)
        return losses.scores("membrane", spikes, membranes, xp), spikes, membranes

    return formula


def _graph_formula(
    graph: SynapseGraph, params: Any, space: Space, dtype: Precision
) -> Callable[..., Array]:
    compiled = graph.compile()
    own = parameters(compiled, params, space, dtype)

    def formula(x: Array, *, xp: Namespace) -> Array:
        constants = GraphParameters(*(xp.asarray(values) for values in own))
        return array_api.forward(Task(compiled._structure, xp, space), x, constants)

    return formula

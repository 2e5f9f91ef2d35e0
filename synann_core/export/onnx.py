"""Write models as ONNX: the core's formulas, traced by ndonnx as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from synann_core._lib.checks import check_option, to_numpy
from synann_core._lib.files import FilePath, write_whole
from synann_core._lib.typing import Array, Namespace, Space
from synann_core.export.checks import Precision, check_network, in_dtype, parameters
from synann_core.graph import GraphParameters, SynapseGraph, array_api
from synann_core.graph.structure import Task
from synann_core.models import passes
from synann_core.models.mlp import SynaMLP

__all__ = ["save_onnx"]


def save_onnx(
    model: SynaMLP | SynapseGraph,
    path: FilePath,
    /,
    *,
    params: GraphParameters | None = None,
    space: Space = "probability",
    dtype: Precision = "float32",
) -> None:
    """Write a model as an ONNX file, for onnxruntime and the like; batches of any size.

    Needs ndonnx (``pip install "synann[onnx]"``).

    Parameters
    ----------
    model : SynaMLP or SynapseGraph
    path : str or path
        Of the file to write, usually ending in ``.onnx``; written whole or not at all.
    params : GraphParameters, optional
        Of a graph, in place of its own: after training, say. Probabilities in either space.
    space : {"probability", "surprisal"}
        Of a graph: what its inputs and outputs are.
    dtype : {"float32", "float64"}
        Of weights, inputs and outputs.

    Notes
    -----
    The input is ``x`` (batch, features); the output ``logits`` (batch, classes) of a SynaMLP,
    ``outputs`` (batch, outputs) of a graph. log1p and expm1, which ONNX lacks, are forms that keep
    their accuracy: nothing is lost where βy is small. Memory of order batch · 32 · hidden.

    Raises
    ------
    ImportError
        Without ndonnx.
    TypeError
        If `model` is neither, or if a SynaMLP comes with `params`.
    ValueError
        If an option is unknown, a SynaMLP asked for in surprisal space (its inputs are features),
        or a weight not finite in `dtype`.

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
    if isinstance(model, SynapseGraph):
        formula = _graph_formula(model, params, space, dtype)
        data = traced(formula, {"x": (len(model.inputs),)}, "outputs", dtype)
    else:
        check_network(model, params, space)
        data = traced(_network_formula(model, dtype), {"x": (model.in_features,)}, "logits", dtype)
    write_whole(path, data)


def traced(
    formula: Callable[..., Any], inputs: dict[str, tuple[int, ...]], output: str, dtype: Precision
) -> bytes:
    """Return the ONNX file of ``formula(*inputs, xp=xp)``; the inputs' shapes lack the batch."""
    try:
        import ndonnx as ndx

        from synann_core.export.onnx_namespace import OnnxNamespace
    except ImportError as error:
        raise ImportError(f'{error}. Install it with: pip install "synann[onnx]"') from None
    arguments = {
        name: ndx.argument(shape=("batch", *shape), dtype=getattr(ndx, dtype))
        for name, shape in inputs.items()
    }
    xp = OnnxNamespace(next(iter(arguments.values())))
    model = ndx.build(arguments, {output: formula(*arguments.values(), xp=xp)})
    data: bytes = model.SerializeToString()
    return data


def _network_formula(model: SynaMLP, dtype: Precision) -> Callable[..., Array]:
    weights = {k: in_dtype("model", to_numpy(w), dtype) for k, w in model.weights.items()}

    def formula(x: Array, *, xp: Namespace) -> Array:
        constants = {name: xp.asarray(weight) for name, weight in weights.items()}
        return passes.logits(constants, x, layer=model.layer, gate=model.gate, xp=xp)

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

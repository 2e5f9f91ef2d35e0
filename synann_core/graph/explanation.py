"""Explain a neuron's surprisal: take it apart exactly into what each of its synapses added."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from synann_core._lib.arguments import namespace_of
from synann_core._lib.checks import to_numpy
from synann_core._lib.typing import ArrayT, NumpyArray
from synann_core.graph.compiled import CompiledGraph
from synann_core.graph.parameters import Given
from synann_core.graph.wiring import Name
from synann_core.surprisals import surprisal
from synann_core.transmission import check_background, contributions

__all__ = ["Part", "explain"]


class Part(NamedTuple):
    """One term of a neuron's surprisal.

    Attributes
    ----------
    kind : {"gain", "background", "excitatory", "inhibitory"}
    source : name, or None for the gain and the background
    surprisal : float
        −log α, −log x, or −log(1 − β x), in nats. With a background, of the synapses how much more
        that is than on average over its samples; the averages together are the background's part.
    """

    kind: Literal["gain", "background", "excitatory", "inhibitory"]
    source: Name | None
    surprisal: float


def explain(
    compiled: CompiledGraph,
    x: ArrayT,
    /,
    neuron: Name,
    params: Given[ArrayT] = None,
    *,
    background: ArrayT | None = None,
) -> list[Part]:
    """Explain why a neuron of a graph is as surprising as it is.

    Parameters
    ----------
    compiled : CompiledGraph
    x : array, shape (inputs,)
        Probabilities of one sample.
    neuron : name
        The neuron to explain. Where a source is a neuron itself, another call explains it.
    params : GraphParameters, optional
        α and β other than the graph's own.
    background : array, shape (samples, inputs), optional
        Samples to compare with, the training data say: the parts are then the interventional
        Shapley values of what the neuron reads. Without it each synapse is compared with one that
        takes nothing away: an excitatory input of 1, an inhibitory one of 0.

    Returns
    -------
    list of Part
        The gain, with a background its mean, then the excitatory and the inhibitory synapses as
        declared. Their sum is −log of the neuron's value, to rounding.

    Raises
    ------
    TypeError, ValueError
        As the compiled graph; also if x has batch axes, if there is no such neuron, or if the
        background holds no sample, or one in which a synapse is closed: its mean is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.graph import SynapseGraph, explain
    >>> graph = SynapseGraph()
    >>> graph.input("fever", "vaccine")
    >>> graph.synapse("flu", excitatory="fever", inhibitory={"vaccine": 0.6}, alpha=0.3)
    'flu'
    >>> for part in explain(graph.compile(), np.array([1.0, 1.0]), "flu"):
    ...     print(f"{part.kind:10} {part.source!s:8} {part.surprisal:.3f}")
    gain       None     1.204
    excitatory fever    0.000
    inhibitory vaccine  0.916
    """
    if not isinstance(compiled, CompiledGraph):
        raise TypeError(f"`compiled` must be a CompiledGraph. Received: {type(compiled).__name__}")
    namespace_of(x=x)
    shape = tuple(getattr(x, "shape", ()))
    if len(shape) != 1:
        raise ValueError(f"`x` must have shape (inputs,). Received: shape {shape}")
    names = list(compiled.neurons)
    if neuron not in names:
        raise ValueError(f"`neuron` must be a neuron of the graph. Received: {neuron!r}")
    k, values = names.index(neuron), compiled.values(x, params)
    alpha, beta = (to_numpy(a) for a in (compiled.params if params is None else params))
    gain = surprisal(alpha[[compiled.alpha_index[k]]].astype(np.float64))
    added = _added(compiled, values, k, beta)
    strong, (nodes, _) = compiled.excitatory.row(k), compiled.inhibitory.row(k)
    sources = [compiled.nodes[j] for j in (*strong, *nodes)]
    parts = [Part("gain", None, float(gain[0]))]
    if background is not None:
        namespace_of(x=x, background=background)
        check_background(background, len(compiled.inputs))
        others = compiled.values(background, params)
        mean = _added(compiled, others, k, beta).mean(axis=0)
        for source, average in zip(sources, mean, strict=True):
            if not np.isfinite(average):
                raise ValueError(
                    "`background` must leave every synapse of the neuron open. "
                    f"Received: a mean of {average} from {source!r}"
                )
        added = added - mean
        parts.append(Part("background", None, float(mean.sum())))
    kinds: list[Any] = ["excitatory"] * len(strong) + ["inhibitory"] * len(nodes)
    for kind, source, share in zip(kinds, sources, added, strict=True):
        parts.append(Part(kind, source, float(share)))
    return parts


def _added(compiled: CompiledGraph, nodes: Any, neuron: int, beta: NumpyArray) -> NumpyArray:
    """Surprisal that each synapse of a neuron adds, (..., synapses), the excitatory ones first."""
    values = to_numpy(nodes).astype(np.float64)
    readings, places = compiled.inhibitory.row(neuron)
    strengths = beta[None, places].astype(np.float64)
    strong = surprisal(values[..., compiled.excitatory.row(neuron)])
    weak = contributions(values[..., readings], strengths)[..., 0, :]
    return np.concatenate([strong, weak], axis=-1)

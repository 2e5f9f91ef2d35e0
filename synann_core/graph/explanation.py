"""Explain a neuron's surprisal: take it apart exactly into what each of its synapses added."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from synann_core._lib.arguments import namespace_of
from synann_core._lib.checks import to_numpy
from synann_core._lib.typing import ArrayT
from synann_core.graph.compiled import CompiledGraph
from synann_core.graph.parameters import Given
from synann_core.graph.wiring import Name
from synann_core.surprisals import surprisal
from synann_core.transmission import contributions

__all__ = ["Part", "explain"]


class Part(NamedTuple):
    """One term of a neuron's surprisal.

    Attributes
    ----------
    kind : {"gain", "excitatory", "inhibitory"}
    source : name, or None for the gain
    surprisal : float
        −log α, −log x, or −log(1 − β x), in nats.
    """

    kind: Literal["gain", "excitatory", "inhibitory"]
    source: Name | None
    surprisal: float


def explain(
    compiled: CompiledGraph, x: ArrayT, /, neuron: Name, params: Given[ArrayT] = None
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

    Returns
    -------
    list of Part
        The gain, then the excitatory and the inhibitory synapses as declared. Their sum is −log of
        the neuron's value, to rounding.

    Raises
    ------
    TypeError, ValueError
        As the compiled graph; also if x has batch axes, or if there is no such neuron.

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
    values = to_numpy(compiled.values(x, params)).astype(np.float64)
    alpha, beta = (to_numpy(a) for a in (compiled.params if params is None else params))
    k = names.index(neuron)
    excitatory = compiled.excitatory.row(k)
    inhibitory, places = compiled.inhibitory.row(k)
    strengths = beta[None, places].astype(np.float64)
    gain = surprisal(alpha[[compiled.alpha_index[k]]].astype(np.float64))
    added = contributions(values[inhibitory], strengths)[0]
    parts = [Part("gain", None, float(gain[0]))]
    for j, share in zip(excitatory, surprisal(values[excitatory]), strict=True):
        parts.append(Part("excitatory", compiled.nodes[j], float(share)))
    for j, share in zip(inhibitory, added, strict=True):
        parts.append(Part("inhibitory", compiled.nodes[j], float(share)))
    return parts

"""Count what an inference does: spikes, the additions they cause, and multiply-adds.

A spike adds one weight to every neuron that it reaches. A number, which an input may be as well,
has to be multiplied by the weight first. Counts are NumPy's int64 whatever the arrays: JAX's
integers end at 2³¹.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from synann_core._lib.checks import to_numpy
from synann_core._lib.typing import Array, Namespace, NumpyArray, Shape
from synann_core.spiking.network.layer import Layer
from synann_core.spiking.network.passes import Trace

InputKind = Literal["numbers", "spikes"]


class Operations(NamedTuple):
    """Counts of an inference, for each sample and layer; see `SpikingNetwork.operations`.

    Printed, it is a table of the means over samples.

    Attributes
    ----------
    spikes : int64 array, shape (samples, layers)
        Spikes that the layer's neurons put out, in all steps.
    additions : int64 array, shape (samples, layers)
        Synaptic operations: each spike that comes in times the neurons that it reaches, all of the
        layer; a recurrent layer's own spikes count as coming in at the next step.
    multiply_adds : int64 array, shape (samples, layers)
        Of inputs that are numbers: inputs × neurons, once where the input is constant, else at
        every step. 0 but for the first layer.
    updates : int64 array, shape (samples, layers)
        Steps × neurons. Each is the neuron's leak, a multiply-add, and its test against the
        threshold, spike or no spike.
    dense : int64 array, shape (layers,)
        Inputs × neurons: multiply-adds of Dense layers of the same sizes, in one pass.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import Layer, SpikingNetwork
    >>> net = SpikingNetwork(3, [Layer(4), Layer(2)], steps=5)
    >>> counts = net.operations(np.ones((1, 3)), inputs="spikes")
    >>> counts.additions[0, 0] == 5 * 3 * 4, counts.updates[0], counts.dense
    (np.True_, array([20, 10]), array([12,  8]))
    >>> print(net.operations(np.zeros((1, 3)), inputs="spikes"))
    layer  spikes  additions  multiply-adds  updates  dense
        0     2.0        0.0            0.0     20.0   12.0
        1     0.0        4.0            0.0     10.0    8.0
    """

    spikes: NumpyArray
    additions: NumpyArray
    multiply_adds: NumpyArray
    updates: NumpyArray
    dense: NumpyArray

    def __str__(self) -> str:
        """Return the means over samples, a line for each layer."""
        names = [name.replace("_", "-") for name in self._fields]
        means = [column.mean(axis=0) for column in self[:-1]] + [self.dense]
        columns = [
            [name, *(f"{mean:.1f}" for mean in row)] for name, row in zip(names, means, strict=True)
        ]
        columns.insert(0, ["layer", *map(str, range(len(self.dense)))])
        widths = [max(map(len, column)) for column in columns]
        lines = zip(*columns, strict=True)
        return "\n".join("  ".join(map(str.rjust, line, widths)) for line in lines)


def count(
    traces: list[Trace], layers: tuple[Layer, ...], inputs: InputKind, xp: Namespace
) -> Operations:
    """Return the counts of a forward pass."""
    dense = np.array([trace.x.shape[-1] * layer.units for trace, layer in _pairs(traces, layers)])
    steps, samples, _ = traces[0].run.spikes.shape
    spikes, additions, multiply_adds, updates = np.zeros((4, samples, len(layers)), np.int64)
    for k, (trace, layer) in enumerate(_pairs(traces, layers)):
        x, fired, n = trace.x, trace.run.spikes, layer.units
        spikes[:, k] = _nonzero(fired, xp)
        updates[:, k] = steps * n
        if k == 0 and inputs == "numbers":
            multiply_adds[:, k] = dense[k] * (1 if x.ndim == 2 else steps)
        elif x.ndim == 2:  # the same spikes at every step
            additions[:, k] = steps * n * _nonzero(x[None, ...], xp)
        else:
            additions[:, k] = n * _nonzero(x, xp)
        if trace.inputs.parameters.recurrent is not None:
            # What "article" puts out is one step old already; else the last step's are not awaited.
            back = fired if layer.neuron.order == "article" else fired[:-1, ...]
            additions[:, k] += n * _nonzero(back, xp)
    return Operations(spikes, additions, multiply_adds, updates, dense)


def join(parts: list[Operations]) -> Operations:
    """Return the counts of all samples from those of some."""
    names = Operations._fields[:-1]
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Operations(**whole, dense=parts[0].dense)


def _pairs(traces: list[Trace], layers: tuple[Layer, ...]) -> zip[tuple[Trace, Layer]]:
    return zip(traces, layers, strict=True)


def _nonzero(a: Array, xp: Namespace) -> NumpyArray:
    """Count entries of (steps, samples, n) that are not 0, for each sample."""
    shape: Shape = tuple(a.shape)
    if shape[0] == 0:
        return np.zeros(shape[1], np.int64)
    return to_numpy(xp.count_nonzero(a, axis=(0, 2))).astype(np.int64)

"""DECOLLE: layers that learn from errors of their own, through readouts that stay as they are.

Every layer has a readout of fixed random weights G, and a loss of what that says at each step. The
gradient of the loss by its weights needs nothing of other layers, nor of other steps but for
the inputs' traces: it is that of `eprop_gradient`, with the signal from here.

Functions raise TypeError for arrays that are not of real floating-point numbers and for mixed
libraries, and ValueError for shapes that do not fit and unknown options.
"""

from __future__ import annotations

from typing import Literal, get_args

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_option
from synann_core._lib.loops import runner
from synann_core._lib.typing import Array, ArrayT, Namespace
from synann_core.learning import _cross_entropy, _cross_entropy_vjp

LocalLoss = Literal["squared", "cross_entropy"]


def local_signal(
    spikes: ArrayT, readout: ArrayT, target: ArrayT, /, *, loss: LocalLoss = "squared"
) -> tuple[ArrayT, ArrayT]:
    """Return a layer's own loss, and the learning signal by which its neurons descend it.

    With ``y[t] = G s[t]``: ½ Σ_t Σ_k (y_k[t] − target_k[t])², or the cross-entropy
    −Σ_t Σ_k target_k[t] log softmax(y[t])_k; the mean over the batch.

    Parameters
    ----------
    spikes : array, shape (T, B, m)
    readout : array, shape (k, m)
        G; it is not learned.
    target : array, shape (T, B, k)
        What the readout is to say at each step; for "cross_entropy" probabilities, or zeros in
        steps that do not count.
    loss : {"squared", "cross_entropy"}

    Returns
    -------
    loss : array, shape ()
    signal : array, shape (T, B, m)
        ``∂loss/∂s[t]``, for `eprop_gradient`.

    Notes
    -----
    Source: J. Kaiser, H. Mostafa and E. Neftci, "Synaptic plasticity dynamics for deep continuous
    local learning (DECOLLE)" (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import local_signal
    >>> spikes, target = np.array([[[1.0, 0.0]]]), np.array([[[1.0]]])
    >>> loss, signal = local_signal(spikes, np.array([[0.5, -1.0]]), target)
    >>> float(loss), signal  # the readout says ½, and should say 1
    (0.125, array([[[-0.25,  0.5 ]]]))
    """
    check_option("loss", loss, get_args(LocalLoss))
    with Arguments(spikes=spikes, readout=readout, target=target) as given:
        given.check_shapes(spikes=("T", "B", "m"), readout=("k", "m"), target=("T", "B", "k"))
        if loss == "cross_entropy" and given.shape("readout")[0] == 0:
            raise ValueError(
                "`readout` must have at least one row for a cross-entropy. "
                f"Received: shape {given.shape('readout')}"
            )
        value, signal = runner(_local, given.xp)(*given.arrays, kind=loss, xp=given.xp)
        return given.result(value), given.result(signal)


def _local(
    spikes: Array, readout: Array, target: Array, *, kind: LocalLoss, xp: Namespace
) -> tuple[Array, Array]:
    said = spikes @ xp.matrix_transpose(readout)
    share = 1.0 / max(spikes.shape[1], 1)
    if kind == "squared":
        errors = said - target
        return 0.5 * share * xp.sum(errors * errors), share * (errors @ readout)
    each = xp.full_like(said[..., 0], share)
    errors, _ = _cross_entropy_vjp(said, target, each, xp=xp)
    return share * xp.sum(_cross_entropy(said, target, xp=xp)), errors @ readout

"""The formulas as functions of tensors, differentiable in every way that torch has.

`synann_core` does the work; importing them from here registers the operators that keep its kernels
under torch.compile and torch.export.
"""

from __future__ import annotations

from torch import Tensor

import synann_core as syn

__all__ = ["log_transmission", "synapse_tensor"]


def log_transmission(y: Tensor, beta: Tensor) -> Tensor:
    """Log-probability that no inhibitory channel opens, ``T_i = Σ_j log(1 − β_ij y_j)``.

    Parameters
    ----------
    y : Tensor, shape (..., n)
        Inhibitory inputs, in [0, 1].
    beta : Tensor, shape (m, n)
        Strengths of the inhibition, in [0, 1].

    Returns
    -------
    Tensor, shape (..., m)
        In [−∞, 0] nats; everything `synann_core.log_transmission` says holds.

    Raises
    ------
    TypeError, ValueError
        As `synann_core.log_transmission`.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import functional
    >>> y = torch.tensor([[0.5, 1.0]], requires_grad=True)
    >>> T = functional.log_transmission(y, torch.tensor([[0.5, 0.0], [1.0, 0.5]]))
    >>> T.sum().backward()
    >>> y.grad
    tensor([[-2.6667, -1.0000]])
    """
    result: Tensor = syn.log_transmission(y, beta)
    return result


def synapse_tensor(x: Tensor | float, y: Tensor, alpha: Tensor | float, beta: Tensor) -> Tensor:
    """Fully connected synapses, ``s_i = α_i x_i ∏_j (1 − β_ij y_j)``, each sample on its own.

    Parameters
    ----------
    x : Tensor, shape (..., m), or number
        Excitatory inputs, in [0, 1].
    y : Tensor, shape (..., n)
        Inhibitory inputs, in [0, 1].
    alpha : Tensor, shape (m,), or number
        Gains, ≥ 0.
    beta : Tensor, shape (m, n)
        Strengths of the inhibition, in [0, 1].

    Returns
    -------
    Tensor, shape (..., m)
        Everything `synann_core.synapse_tensor` says holds.

    Raises
    ------
    TypeError, ValueError
        As `synann_core.synapse_tensor`.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import functional
    >>> y = torch.tensor([0.5, 1.0])
    >>> functional.synapse_tensor(y, y, 1.0, torch.tensor([[0.5, 0.0], [1.0, 0.5]]))
    tensor([0.3750, 0.2500])
    """
    result: Tensor = syn.synapse_tensor(x, y, alpha, beta)
    return result

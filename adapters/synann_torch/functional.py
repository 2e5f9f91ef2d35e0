"""The formulas as functions of tensors, differentiable in every way that torch has.

They are those of `synann_core`; importing them from here registers the operators that keep its
kernels in programs that torch.export has saved.

Examples
--------
>>> import torch
>>> from synann_torch import functional
>>> y = torch.tensor([[0.5, 1.0]], requires_grad=True)
>>> beta = torch.tensor([[0.5, 0.0], [1.0, 0.5]])
>>> functional.synapse_tensor(y.detach(), y.detach(), 1.0, beta)
tensor([[0.3750, 0.2500]])
>>> functional.log_transmission(y, beta).sum().backward()
>>> y.grad
tensor([[-2.6667, -1.0000]])
"""

from synann_core import log_transmission, synapse_tensor

__all__ = ["log_transmission", "synapse_tensor"]

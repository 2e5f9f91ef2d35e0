"""Parameters in the groups that an optimizer takes."""

from __future__ import annotations

from typing import Any

from torch import nn

from synann_core.extending import check_number

from .layer import Synapse

__all__ = ["parameter_groups"]


def parameter_groups(model: nn.Module, *, weight_decay: float = 0.01) -> list[dict[str, Any]]:
    """Parameters that decay, and those that must not: the logits of synapses, and vectors.

    Weight decay pulls a logit to 0. For β that is ½, the strongest change that there is: a synapse
    that was absent (β = 0) would inhibit, and one that closes (β = 1) would let half pass.

    Parameters
    ----------
    model : nn.Module
    weight_decay : float
        Of the first group, ≥ 0.

    Returns
    -------
    list of dict
        For an optimizer: the model's parameters with two axes or more, with `weight_decay`; then
        all parameters of its synapse layers, biases and the gains of norms, with 0. Every
        parameter is in one of them.

    Raises
    ------
    TypeError, ValueError
        If `model` is not a module or still lazy, or `weight_decay` not a number ≥ 0.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import SynaMLP, parameter_groups
    >>> model = SynaMLP(784, 280, 10)
    >>> optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay=0.05), lr=0.004)
    >>> [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups]
    [(2, 0.05), (7, 0.0)]
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a torch.nn.Module. Received: {model!r}")
    if any(map(nn.parameter.is_lazy, model.parameters())):
        raise ValueError("`model` must be called once before. Received: uninitialised parameters")
    decay = check_number("weight_decay", weight_decay, 0.0)
    layers = [module for module in model.modules() if isinstance(module, Synapse)]
    spared = {id(parameter) for layer in layers for parameter in layer.parameters()}
    groups: list[list[nn.Parameter]] = [[], []]
    for parameter in model.parameters():
        groups[parameter.ndim < 2 or id(parameter) in spared].append(parameter)
    return [
        {"params": groups[0], "weight_decay": decay},
        {"params": groups[1], "weight_decay": 0.0},
    ]

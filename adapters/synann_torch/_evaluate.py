"""How a layer calls the core, whose functions check their arguments at every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from array_api_compat import torch as xp
from torch import Tensor

import synann_core as syn
from synann_core import tensor, transmission

Function = Callable[..., Any]
_FORMULAS: dict[Function, Function] = {
    syn.log_transmission: transmission._log_transmission,
    syn.synapse_tensor: tensor._synapse_tensor,
    syn.surprisal_synapse_tensor: tensor._surprisal_synapse_tensor,
}
_DTYPES = (torch.float32, torch.float64)


def evaluate(function: Function, *arguments: Tensor | float, fits: bool) -> Tensor:
    """Call one of the core's functions, or the formula behind it where arguments are known to fit.

    Of a call for a single sample the checks are a third.
    """
    if fits:
        function, options = _FORMULAS[function], {"xp": xp}
    else:
        options = {}
    result: Tensor = function(*arguments, **options)
    return result


def fit(parameter: Tensor, y: Tensor, x: Tensor | None) -> bool:
    """Whether the core's checks would find nothing in a layer's inputs, nor a dtype to promote."""
    outputs, inputs = parameter.shape
    fits = y.dtype == parameter.dtype and y.dtype in _DTYPES and y.shape[-1:] == (inputs,)
    if fits and x is not None:
        fits = x.dtype == y.dtype and x.shape == (*y.shape[:-1], outputs)
    return bool(fits)

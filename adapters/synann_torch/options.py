"""Options that layers pass on to other layers, refused under the name of the one that got them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TypedDict

import torch

__all__ = ["Placement", "check_options"]


class Placement(TypedDict, total=False):
    """Device and dtype of a module's parameters, as torch's modules take them."""

    device: torch.device | str | int | None
    dtype: torch.dtype | None


def check_options(owner: object, options: Mapping[str, object], taker: type | None = None) -> None:
    """Refuse options that are neither a placement nor, if there is one, of the layer `taker`."""
    known = set(Placement.__annotations__)
    if taker is not None:
        known |= inspect.signature(taker).parameters.keys()
    for name in options.keys() - known:
        raise TypeError(f"{type(owner).__name__} has no option {name!r}")

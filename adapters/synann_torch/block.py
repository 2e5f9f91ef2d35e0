"""A synapse layer with its batch norm, to put into networks."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from synann_core.extending import NORM_EPS, NORM_MOMENTUM

from .layer import Synapse
from .options import check_options

__all__ = ["SynapseBlock"]

NORM = (NORM_EPS, NORM_MOMENTUM)  # of every batch norm, as in the core


class SynapseBlock(nn.Module):
    """A synapse layer's surprisals, normalised: what to put into a network after a gate.

    Parameters
    ----------
    in_features, out_features : int
    **options
        Of `Synapse`; α is left out, for batch norm would subtract it again.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import SynapseBlock
    >>> net = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Sigmoid(), SynapseBlock(8, 8))
    >>> net(torch.rand(32, 5)).shape
    torch.Size([32, 8])
    """

    def __init__(self, in_features: int, out_features: int, **options: Any) -> None:
        super().__init__()
        check_options(self, options, Synapse)
        if "output" in options:
            raise TypeError("`output` must not be given: a block normalises surprisals")
        options = {"alpha": False, **options}
        self.synapse = Synapse(in_features, out_features, output="surprisal", **options)
        placement = {key: options.get(key) for key in ("device", "dtype")}
        self.norm = nn.BatchNorm1d(out_features, *NORM, **placement)

    def forward(self, y: Tensor, x: Tensor | None = None) -> Tensor:
        """Normalised log outputs (..., out_features), as large where the outputs are probable."""
        z = -self.synapse(y, x)
        normalised: Tensor = self.norm(z.reshape(-1, z.shape[-1])).reshape(z.shape)
        return normalised

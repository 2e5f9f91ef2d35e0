"""A synapse layer with what it needs inside a network: a batch norm, or log-odds throughout."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from synann_core.extending import NORM_EPS, NORM_MOMENTUM, check_tensor, torch_values_known

from .functional import log_transmission
from .layer import Synapse
from .options import check_options

__all__ = ["OddsBlock", "SynapseBlock"]

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


class OddsBlock(nn.Module):
    """A synapse layer from log-odds to log-odds, of which a deep network stacks many.

    ``h'_i = h_i + log α_i + Σ_j log(1 − β_ij σ(h_j))``: the transmission multiplies the odds of the
    excitatory input, which is h itself. Without synapses h passes as it is, whatever the depth; of
    a product of probabilities every layer would squeeze one end.

    Parameters
    ----------
    features : int
        Inputs and outputs n, ≥ 1.
    **options
        Of `Synapse`: mask, generator, device and dtype.

    Attributes
    ----------
    synapse : Synapse
        In surprisal space, with a sigmoid gate; its excitatory input is −h.

    Raises
    ------
    TypeError, ValueError
        As by `Synapse`; also if an option is given that the block itself chooses.

    Notes
    -----
    α starts at ``1 / ∏_j (1 − β_ij / 2)``, so that even odds pass on as even odds. That is all the
    normalisation a stack needs: where inputs grow, the inhibition does. docs/torch.md has 64 of
    them, measured.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import OddsBlock
    >>> net = torch.nn.Sequential(torch.nn.Linear(5, 8), *(OddsBlock(8) for _ in range(64)))
    >>> net(torch.rand(32, 5)).shape
    torch.Size([32, 8])
    """

    def __init__(self, features: int, **options: Any) -> None:
        super().__init__()
        check_options(self, options, Synapse)
        chosen = ("excitation", "alpha", "space", "output", "gate", "strict")
        for name in options.keys() & set(chosen):
            raise TypeError(f"`{name}` must not be given: an OddsBlock has its own")
        options |= {"excitation": "none", "space": "surprisal", "gate": "sigmoid"}
        self.synapse = Synapse(features, features, **options)
        self._reset_alpha()

    def reset_parameters(self, *, generator: torch.Generator | None = None) -> None:
        """Draw new initial values: those of `Synapse`, and α that makes up for them."""
        self.synapse.reset_parameters(generator=generator)
        self._reset_alpha()

    def _reset_alpha(self) -> None:
        theta: Any = self.synapse.theta
        if torch_values_known(theta):
            with torch.no_grad():
                theta.copy_(log_transmission(torch.full_like(theta, 0.5), self.synapse.beta))

    def forward(self, h: Tensor) -> Tensor:
        """Log-odds (..., features) of log-odds h (..., features), any real numbers."""
        check_tensor("h", h)
        log_odds: Tensor = -self.synapse(h, -h)
        return log_odds

"""A recurrent layer of synapses: the state is a probability, and inhibits what comes next."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from array_api_compat import torch as xp
from torch import Tensor, nn
from torch.nn import functional

from synann_core.extending import check_int, check_tensor
from synann_core.layer import gated_state

from .layer import Placement, Synapse

__all__ = ["SynaRNN", "SynaRNNCell"]


class SynaRNNCell(nn.Module):
    """One step of a recurrent layer whose previous state inhibits.

    ``s_t = synapse_tensor(σ(W y_t + b), h_{t−1})``, ``z_t = σ(W_z y_t + U_z h_{t−1} + b_z)``,
    ``h_t = (1 − z_t) h_{t−1} + z_t s_t``.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of an input y_t, any real numbers; size of the state h_t, in [0, 1].
    generator : torch.Generator, optional
        For the initial values.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weight_ih : Parameter, shape (2·hidden_size, input_size)
        W, then W_z.
    weight_hh : Parameter, shape (hidden_size, hidden_size)
        U_z.
    bias : Parameter, shape (2·hidden_size,)
        b, then b_z.
    synapse : Synapse
        Square, with α = 1, so that the state stays in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If a size is not an int or less than 1, or an input or state has the wrong kind or shape.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import SynaRNNCell
    >>> SynaRNNCell(28, 64)(torch.rand(32, 28)).shape
    torch.Size([32, 64])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        generator: torch.Generator | None = None,
        **placement: Unpack[Placement],
    ) -> None:
        super().__init__()
        n = self.input_size = check_int("input_size", input_size, 1)
        k = self.hidden_size = check_int("hidden_size", hidden_size, 1)
        self.weight_ih = nn.Parameter(torch.empty((2 * k, n), **placement))
        self.weight_hh = nn.Parameter(torch.empty((k, k), **placement))
        self.bias = nn.Parameter(torch.empty(2 * k, **placement))
        self.synapse = Synapse(k, k, alpha=False, generator=generator, **placement)
        self._reset_own(generator)

    def reset_parameters(self, *, generator: torch.Generator | None = None) -> None:
        """Draw new initial values: uniform as in nn.GRU, and those of `Synapse`."""
        self.synapse.reset_parameters(generator=generator)
        self._reset_own(generator)

    def _reset_own(self, generator: torch.Generator | None) -> None:
        bound = self.hidden_size**-0.5
        for parameter in (self.weight_ih, self.weight_hh, self.bias):
            if not parameter.is_meta:
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, y: Tensor, h: Tensor | None = None) -> Tensor:
        """State (N, hidden_size) after the input y (N, input_size) and the state h, by default 0.

        Without N both are single samples.
        """
        return self.step(self.project(y), h)

    def project(self, y: Tensor) -> Tensor:
        """Apply W and W_z: what of a step does not need the state, (..., 2·hidden_size)."""
        check_tensor("y", y)
        if y.shape[-1:] != (self.input_size,) or not y.is_floating_point():
            raise ValueError(
                f"`y` must be a floating-point tensor of shape (..., {self.input_size}). "
                f"Received: {y.dtype} of shape {tuple(y.shape)}"
            )
        return functional.linear(y, self.weight_ih, self.bias)

    def step(self, projected: Tensor, h: Tensor | None = None) -> Tensor:
        """State after an input that `project` has seen."""
        shape = (*projected.shape[:-1], self.hidden_size)
        if h is None:
            h = projected.new_zeros(shape)
        check_tensor("h", h)
        if not h.is_floating_point() or h.shape != shape:
            raise ValueError(
                f"`h` must be a floating-point tensor of shape {shape}. "
                f"Received: {h.dtype} of shape {tuple(h.shape)}"
            )
        recurrent = functional.linear(h, self.weight_hh)
        state: Tensor = gated_state(h, projected, recurrent, self.synapse, xp=xp)
        return state

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.input_size}, {self.hidden_size}"


class SynaRNN(nn.Module):
    """`SynaRNNCell` over a sequence; called like nn.GRU with one layer.

    Parameters
    ----------
    input_size, hidden_size : int
    batch_first : bool
        Sequences are (N, L, input_size) rather than (L, N, input_size).
    **options
        Of `SynaRNNCell`.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import SynaRNN
    >>> output, h_n = SynaRNN(28, 64, batch_first=True)(torch.rand(32, 28, 28))
    >>> output.shape, h_n.shape
    (torch.Size([32, 28, 64]), torch.Size([1, 32, 64]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, batch_first: bool = False, **options: Any
    ) -> None:
        super().__init__()
        self.cell = SynaRNNCell(input_size, hidden_size, **options)
        self.batch_first = batch_first

    def reset_parameters(self, *, generator: torch.Generator | None = None) -> None:
        """Draw new initial values."""
        self.cell.reset_parameters(generator=generator)

    def forward(self, y: Tensor, h_0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All states, and the last one.

        Parameters
        ----------
        y : Tensor, shape (L, N, input_size), (N, L, input_size) if batch_first, or (L, input_size)
        h_0 : Tensor, shape (1, N, hidden_size), or (1, hidden_size), optional
            In [0, 1]; 0 if not given.

        Returns
        -------
        output : Tensor, shape (L, N, hidden_size), (N, L, hidden_size) or (L, hidden_size)
        h_n : Tensor, of the shape of h_0
        """
        for name, value in (("y", y), ("h_0", h_0)):
            if value is not None:
                check_tensor(name, value)
        if y.ndim not in (2, 3):
            raise ValueError(f"`y` must have 2 or 3 axes. Received: shape {tuple(y.shape)}")
        time = 1 if self.batch_first and y.ndim == 3 else 0
        projected = self.cell.project(y)
        shape = (1, *projected.shape[:time], *projected.shape[time + 1 : -1], self.cell.hidden_size)
        if h_0 is None:
            h = projected.new_zeros(shape[1:])
        elif tuple(h_0.shape) != shape:
            raise ValueError(f"`h_0` must have shape {shape}. Received: {tuple(h_0.shape)}")
        else:
            h = h_0[0]
        states = []
        for part in projected.unbind(time):
            h = self.cell.step(part, h)
            states.append(h)
        output = (
            torch.stack(states, dim=time)
            if states
            else projected.new_zeros((*projected.shape[:-1], self.cell.hidden_size))
        )
        return output, h[None]

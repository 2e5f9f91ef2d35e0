"""A recurrent layer of synapses: the state is a probability, and inhibits what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import torch
from array_api_compat import torch as xp
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from synann_core.extending import check_int, check_number, check_tensor
from synann_core.layer import gated_state

from .layer import Synapse
from .options import Placement, check_options

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
        check_options(self, placement)
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
        self._check_input(y)
        projected = self._project(y)
        shape = (*y.shape[:-1], self.hidden_size)
        if h is None:
            return self._step(projected, projected.new_zeros(shape))
        _check_state("h", h, shape)
        return self._step(projected, h)

    def _check_input(self, y: Tensor) -> None:
        """Refuse what is not of shape (..., input_size) and floating-point."""
        check_tensor("y", y)
        if y.shape[-1:] != (self.input_size,) or not y.is_floating_point():
            raise ValueError(
                f"`y` must be a floating-point tensor of shape (..., {self.input_size}). "
                f"Received: {y.dtype} of shape {tuple(y.shape)}"
            )

    def _project(self, y: Tensor) -> Tensor:
        """Apply W and W_z: what of a step does not need the state, (..., 2·hidden_size)."""
        return functional.linear(y, self.weight_ih, self.bias)

    def _step(self, projected: Tensor, h: Tensor) -> Tensor:
        """State after an input that `_project` has seen, and the state h of its shape."""
        recurrent = functional.linear(h, self.weight_hh)
        state: Tensor = gated_state(h, projected, recurrent, self.synapse, xp=xp)
        return state

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.input_size}, {self.hidden_size}"


class SynaRNN(nn.Module):
    """`SynaRNNCell` over sequences, in several layers and both directions; called like nn.GRU.

    Parameters
    ----------
    input_size, hidden_size : int
    num_layers : int
        Each further layer reads the states of the one before; ≥ 1.
    batch_first : bool
        Sequences are (N, L, input_size) rather than (L, N, input_size).
    dropout : float
        Probability, in [0, 1), with which a state is dropped on the way to the next layer.
    bidirectional : bool
        Beside each layer another one reads from the end; D = 2, else 1.
    **options
        Of `SynaRNNCell`.

    Attributes
    ----------
    cell : SynaRNNCell
        Of the first layer. The other ones are `cell_reverse`, `cell_l1`, `cell_l1_reverse`, ….

    Raises
    ------
    TypeError, ValueError
        As by `SynaRNNCell`; if an option is out of range or unknown, or an argument has the wrong
        kind or shape.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import SynaRNN
    >>> output, h_n = SynaRNN(28, 64, batch_first=True)(torch.rand(32, 28, 28))
    >>> output.shape, h_n.shape
    (torch.Size([32, 28, 64]), torch.Size([1, 32, 64]))
    >>> sequences = torch.nn.utils.rnn.pack_sequence([torch.rand(5, 28), torch.rand(3, 28)])
    >>> output, h_n = SynaRNN(28, 64, num_layers=2, bidirectional=True)(sequences)
    >>> output.data.shape, h_n.shape
    (torch.Size([8, 128]), torch.Size([4, 2, 64]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        check_options(self, options, SynaRNNCell)
        self.num_layers = check_int("num_layers", num_layers, 1)
        self.batch_first, self.bidirectional = batch_first, bidirectional
        self.dropout = check_number("dropout", dropout, 0.0, 1.0, ends="[)")
        size, self._names = input_size, []
        for layer in range(self.num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                name = "cell" + (f"_l{layer}" if layer else "") + suffix
                self.add_module(name, SynaRNNCell(size, hidden_size, **options))
                self._names.append(name)
            size = hidden_size * (1 + bidirectional)

    def reset_parameters(self, *, generator: torch.Generator | None = None) -> None:
        """Draw new initial values."""
        for cell in self._cells():
            cell.reset_parameters(generator=generator)

    def forward(
        self, y: Tensor | PackedSequence, h_0: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """All states of the last layer, and the last ones of all layers.

        Parameters
        ----------
        y : Tensor, shape (L, N, input_size), (N, L, input_size) if batch_first, or (L, input_size)
            Or a PackedSequence of N sequences of several lengths.
        h_0 : Tensor, shape (D·num_layers, N, hidden_size), or (D·num_layers, hidden_size), optional
            In [0, 1]; 0 if not given.

        Returns
        -------
        output : Tensor, shape (L, N, D·hidden_size), (N, L, D·hidden_size) or (L, D·hidden_size)
            A PackedSequence if y is one.
        h_n : Tensor, of the shape of h_0
            After the last input of each sequence; backwards, after the first.
        """
        packed = y if isinstance(y, PackedSequence) else None
        data = y if packed is None else packed.data
        self.cell._check_input(data)
        if data.ndim not in ((2, 3) if packed is None else (2,)):
            wanted = "2 or 3 axes" if packed is None else "2 axes in its data"
            raise ValueError(f"`y` must have {wanted}. Received: shape {tuple(data.shape)}")
        time, sizes = 1 if self.batch_first and data.ndim == 3 else 0, None
        if packed is None:
            batch = (*data.shape[:time], *data.shape[time + 1 : -1])
        else:
            sizes = packed.batch_sizes.tolist()  # sequences that are so long, by steps
            batch = (sizes[0],)
        shape = (len(self._names), *batch, self.cell.hidden_size)
        if h_0 is not None:
            _check_state("h_0", h_0, shape)
        if packed is None:
            return self._run(data, h_0, shape, time)
        h = None if h_0 is None else _ordered(h_0, packed.sorted_indices)
        data, h = self._run(data, h, shape, sizes=sizes)
        return PackedSequence(data, *packed[1:]), _ordered(h, packed.unsorted_indices)

    def extra_repr(self) -> str:
        """Options that are not the default."""
        chosen = {"num_layers": 1, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        given = {name: getattr(self, name) for name in chosen}
        return ", ".join(f"{k}={given[k]}" for k, usual in chosen.items() if given[k] != usual)

    def _cells(self) -> list[SynaRNNCell]:
        return [getattr(self, name) for name in self._names]

    def _run(
        self,
        y: Tensor,
        h_0: Tensor | None,
        shape: tuple[int, ...],
        time: int = 0,
        sizes: list[int] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """States and last states; along the axis `time` lie steps, or `sizes` rows for each.

        The first states are h_0, or zeros of this shape.
        """
        last, directions = [], 1 + self.bidirectional
        for first in range(0, len(self._names), directions):
            outputs = []
            for k, cell in enumerate(self._cells()[first : first + directions]):
                projected = cell._project(y)
                if h_0 is None:  # of the dtype that autocast chooses
                    h_0 = projected.new_zeros(shape)
                parts = projected.unbind(time) if sizes is None else projected.split(sizes)
                states, h = _steps(cell, parts, h_0[first + k], backwards=k == 1)
                last.append(h)
                if sizes is not None:
                    outputs.append(torch.cat(states))
                elif states:
                    outputs.append(torch.stack(states, dim=time))
                else:
                    outputs.append(projected.new_zeros((*projected.shape[:-1], cell.hidden_size)))
            y = torch.cat(outputs, dim=-1) if self.bidirectional else outputs[0]
            if self.dropout and first + directions < len(self._names):
                y = functional.dropout(y, self.dropout, self.training)
        return y, torch.stack(last)


def _check_state(name: str, h: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse what is not of this shape and floating-point."""
    check_tensor(name, h)
    if not h.is_floating_point() or h.shape != shape:
        raise ValueError(
            f"`{name}` must be a floating-point tensor of shape {shape}. "
            f"Received: {h.dtype} of shape {tuple(h.shape)}"
        )


def _steps(
    cell: SynaRNNCell, parts: Sequence[Tensor], h: Tensor, *, backwards: bool
) -> tuple[list[Tensor], Tensor]:
    """States after each part, and the last one of each sequence.

    Parts may hold fewer rows than h: those of the first sequences, which are the longest.
    """
    states = []
    for part in reversed(parts) if backwards else parts:
        if part.shape[:-1] == h.shape[:-1]:
            state = h = cell._step(part, h)
        else:
            rows = part.shape[0]
            state = cell._step(part, h[:rows])
            h = torch.cat((state, h[rows:]))
        states.append(state)
    return states[::-1] if backwards else states, h


def _ordered(states: Tensor, order: Tensor | None) -> Tensor:
    """States (…, N, hidden_size) with their sequences in this order."""
    return states if order is None else states.index_select(1, order)

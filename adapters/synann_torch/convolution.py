"""Synapses over patches of images, where a Conv2d layer would stand."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
import torch.fx
from array_api_compat import torch as xp
from torch import Tensor
from torch.nn import functional

from synann_core import layer as core
from synann_core.extending import (
    PatchAxis,
    Space,
    check_int,
    check_tensor,
    height_and_width,
    torch_values_known,
    widened,
)

from .layer import Synapse
from .options import check_options
from .state import SynapticModule

__all__ = ["LogSynapseConv2d", "SynapseConv2d"]


class SynapseConv2d(SynapticModule):
    """Synapses over patches: ``s_cp = α_c x_cp ∏_kj (1 − β_ckj y_k(p+j))``, for images of pixels p.

    The inhibitory inputs of an output pixel are the patch around it, of all input channels; β is
    shared by all pixels. It is `Synapse` of patches.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or tuple of two ints
        As of nn.Conv2d: height and width of a patch, steps between patches and in them.
    padding : int, tuple of two ints, "valid" or "same"
        Rows and columns around the image. Outside it all channels are closed: y = 0 takes nothing
        away, and x = 0 lets nothing through.
    excitation : {"auto", "input", "mixture", "none"}
        Where the excitatory inputs x come from, unless the call gives them: "input" is the pixel in
        the middle of the patch, of the same channel (in_channels = out_channels; of an even number
        of pixels, the one before the middle), "mixture" a trained row-stochastic mixture of the
        patch, "none" x = 1, which makes 1 − s a noisy-OR; "auto" is "input" for as many channels
        out as in, else "mixture".
    mask : Tensor, shape (out_channels, in_channels, height, width), optional
        Bool or 0 and 1: where 0, there is no synapse.
    gate : {"sigmoid", "softmax", "exp"}, optional
        Makes probabilities of the pixels first; "softmax" runs over their channels. The outside
        stays closed.
    **options
        Of `Synapse`: alpha, space, output, strict, generator, device and dtype.

    Attributes
    ----------
    synapse : Synapse
        Holds the parameters, for in_channels · height · width inputs in the order of a flattened
        weight of nn.Conv2d.

    Raises
    ------
    TypeError, ValueError
        If a size, an option, the mask or an input is of the wrong kind or shape, or if `excitation`
        is "input" and there are not as many channels out as in; with `strict` also if a value is
        out of range.

    Notes
    -----
    There are no groups: a mask can stand for them. The patches are copied, as torch's own unfold
    does it: memory is O(pixels · in_channels · height · width).

    Examples
    --------
    >>> import torch
    >>> from synann_torch import SynapseConv2d
    >>> layer = SynapseConv2d(3, 8, 3, padding=1)
    >>> layer(torch.rand(2, 3, 28, 28)).shape
    torch.Size([2, 8, 28, 28])
    >>> layer.beta.shape
    torch.Size([8, 3, 3, 3])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Literal["valid", "same"] = 0,
        dilation: int | tuple[int, int] = 1,
        *,
        excitation: core.Excitation = "auto",
        mask: Tensor | None = None,
        gate: core.Gate | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        check_options(self, options, Synapse)
        c = self.in_channels = check_int("in_channels", in_channels, 1)
        m = self.out_channels = check_int("out_channels", out_channels, 1)
        self.kernel_size = kernel = height_and_width("kernel_size", kernel_size, 1)
        self.stride = height_and_width("stride", stride, 1)
        self.dilation = height_and_width("dilation", dilation, 1)
        self.padding = padding
        down, across = map(PatchAxis, kernel, self.stride, self.dilation)
        self._geometry = _Geometry(c, down, across, _border(padding, down, across))
        core.checked_options(excitation, "probability", None)
        where = "in_channels = out_channels"
        self.excitation = core.chosen_excitation(excitation, c, m, where)
        self.gate = core.checked_gate(gate)
        if mask is not None:
            check_tensor("mask", mask)
            core.check_mask(mask, (m, c, *kernel), readable=torch_values_known(mask), xp=xp)
            mask = mask.flatten(1)
        own: core.Excitation = "mixture" if self.excitation == "mixture" else "none"
        inputs = c * kernel[0] * kernel[1]
        self.synapse = Synapse(inputs, m, excitation=own, mask=mask, **options)
        self.space, self.output = self.synapse.space, self.synapse.output

    def reset_parameters(
        self, mean_input: float = 0.5, *, generator: torch.Generator | None = None
    ) -> None:
        """Draw new initial values, as `Synapse.reset_parameters`."""
        self.synapse.reset_parameters(mean_input, generator=generator)

    def forward(self, y: Tensor, x: Tensor | None = None) -> Tensor:
        """Outputs (N, out_channels, H', W') of images (N, in_channels, H, W), also without N.

        Parameters
        ----------
        y : Tensor, shape (N, in_channels, H, W) or (in_channels, H, W)
        x : Tensor, shape (N, out_channels, H', W') or (out_channels, H', W'), optional
            Excitatory inputs, in the same space, in place of the layer's own.
        """
        patches = _patches(y, self._geometry, self.gate, self.space)
        own = self._geometry if self.excitation == "input" else None
        x = _excitatory(x, patches, self.out_channels, own)
        result = _like(self.synapse(patches, x).movedim(-1, -3), y, self.synapse.beta_logit)
        return _laid_out(result, y)

    @property
    def alpha(self) -> Tensor:
        """Gains α = e^−θ, (out_channels,)."""
        return self.synapse.alpha

    @property
    def beta(self) -> Tensor:
        """Strengths of the inhibition, (out_channels, in_channels, height, width)."""
        return self.synapse.beta.unflatten(-1, (self.in_channels, *self.kernel_size))

    @property
    def gamma(self) -> Tensor:
        """Their surprisals γ = −log β, of the same shape; inf where there is no synapse."""
        return self.synapse.gamma.unflatten(-1, (self.in_channels, *self.kernel_size))

    def contributions(self, y: Tensor) -> Tensor:
        """Exact attribution: what each pixel of its patch adds to the surprisal of each output.

        Parameters
        ----------
        y : Tensor, shape (N, in_channels, H, W) or (in_channels, H, W)

        Returns
        -------
        Tensor, shape (..., out_channels, H', W', in_channels, height, width)
            In nats, ≥ 0. The surprisal output is θ + (excitatory surprisal) + their sum over the
            last three axes.
        """
        patches = _patches(y, self._geometry, self.gate, self.space)
        parts = self.synapse.contributions(patches).movedim(-2, -4)
        parts = parts.unflatten(-1, (self.in_channels, *self.kernel_size))
        return _like(parts, y, self.synapse.beta_logit)

    def _patch(self) -> tuple[int, ...]:
        return self.kernel_size

    def extra_repr(self) -> str:
        """Sizes and options that are not the default; those of the synapse are its own."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        usual = {"stride": (1, 1), "padding": 0, "dilation": (1, 1), "gate": None}
        given = {name: getattr(self, name) for name in usual}
        text += "".join(f", {k}={given[k]!r}" for k in usual if given[k] != usual[k])
        return f"{text}, excitation={self.excitation!r}"


class LogSynapseConv2d(SynapseConv2d):
    """Synapses over patches behind a sigmoid, the logarithm of whose outputs is normalised."""

    def __init__(self, in_channels: int, out_channels: int, **placement: Any) -> None:
        options: Any = {"alpha": False, "output": "surprisal", "gate": "sigmoid", **placement}
        super().__init__(in_channels, out_channels, 3, padding=1, **options)

    def forward(self, y: Tensor, x: Tensor | None = None) -> Tensor:
        """Log outputs, as large where the outputs are probable."""
        return -super().forward(y, x)


class _Geometry(NamedTuple):
    """How patches lie in an image."""

    channels: int
    down: PatchAxis
    across: PatchAxis
    border: tuple[int, int, int, int]  # left, right, above, below


def _border(padding: object, down: PatchAxis, across: PatchAxis) -> tuple[int, int, int, int]:
    """Columns and rows around an image: left, right, above, below."""
    if padding == "same":
        stride = (down.stride, across.stride)
        if stride != (1, 1):
            raise ValueError(f"`padding` must not be 'same' unless stride = 1. Received: {stride}")
        return (*across.same_border(1), *down.same_border(1))  # the same for any size
    if isinstance(padding, str) and padding != "valid":
        raise ValueError(f"`padding` must be an int, two, 'valid' or 'same'. Received: {padding!r}")
    pair: Any = 0 if padding == "valid" else padding
    above, left = height_and_width("padding", pair, 0)
    return left, left, above, above


@torch.fx.wrap
def _patches(y: Tensor, geometry: _Geometry, gate: core.Gate | None, space: Space) -> Tensor:
    """Patches (..., H', W', channels · height · width) of images, gated, checked."""
    channels, *axes, border = geometry
    axes = [PatchAxis(*own) for own in axes]  # of a trace they are tuples
    check_tensor("y", y)
    if not y.is_floating_point():
        raise TypeError(f"`y` must have a real floating-point dtype. Received: {y.dtype}")
    if y.ndim not in (3, 4) or y.shape[-3] != channels:
        raise ValueError(
            f"`y` must have shape (N, {channels}, height, width) or without N. "
            f"Received: shape {tuple(y.shape)}"
        )
    if gate is not None:
        y = widened(y, torch.float32, xp) if y.dtype.itemsize < 4 else y
        y = core.gated(y.movedim(-3, -1), gate, space=space, xp=xp).movedim(-1, -3)
    if any(border):  # no channel is open out there
        y = functional.pad(y, border, value=0.0 if space == "probability" else math.inf)
    size = [axis.count(pixels) for axis, pixels in zip(axes, y.shape[-2:], strict=True)]
    if min(size) < 1:
        raise ValueError(
            f"`y` must be as large as a patch of {axes[0].length}×{axes[1].length} pixels or "
            f"larger. Received: shape {tuple(y.shape)}, with its padding"
        )
    kernel, stride, dilation = zip(*axes, strict=True)
    flat: Tensor = functional.unfold(y, kernel, dilation=dilation, stride=stride)
    return flat.transpose(-1, -2).unflatten(-2, size)


@torch.fx.wrap
def _excitatory(
    x: Tensor | None, patches: Tensor, channels: int, geometry: _Geometry | None
) -> Tensor | None:
    """Excitatory inputs, channels last: x, checked, or the middles of patches that lie so."""
    if x is None:
        if geometry is None:
            return None
        axes = [PatchAxis(*own) for own in geometry[1:3]]
        pixels = patches.unflatten(-1, (channels, *(axis.size for axis in axes)))
        return pixels[..., *(axis.middle for axis in axes)]
    check_tensor("x", x)
    if x.ndim < 3 or x.shape[-3] != channels:
        raise ValueError(
            f"`x` must have shape (..., {channels}, height, width). "
            f"Received: shape {tuple(x.shape)}"
        )
    return x.movedim(-3, -1)


@torch.fx.wrap
def _laid_out(images: Tensor, y: Tensor) -> Tensor:
    """Images in memory as those of the input, like nn.Conv2d's: a contiguous one can be viewed."""
    if y.ndim == 4 and not y.is_contiguous() and y.is_contiguous(memory_format=torch.channels_last):
        return images.contiguous(memory_format=torch.channels_last)
    return images.contiguous()


@torch.fx.wrap
def _like(result: Tensor, y: Tensor, logit: Tensor) -> Tensor:
    """The result in the dtype to which input and parameters promote, whatever the gate gave."""
    return result.to(torch.promote_types(y.dtype, logit.dtype))

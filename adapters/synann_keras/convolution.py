"""Synapses over patches of images, where a Conv2D layer would stand."""

from __future__ import annotations

import math
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from synann_core import layer as core
from synann_core.extending import Array, PatchAxis, check_int, check_option, height_and_width

from . import _ops
from ._trained import Recorded, Trained
from .layer import Synapse

__all__ = ["SynapseConv2d"]

_OF_SYNAPSE = ("alpha", "space", "output", "strict", "beta_logit_", "theta_", "mixing_logit_")


@keras.saving.register_keras_serializable(package="synann", name="SynapseConv2d")
class SynapseConv2d(Recorded, Trained):
    """Synapses over patches: ``s_cp = α_c x_cp ∏_kj (1 − β_ckj y_k(p+j))``, for images of pixels p.

    The inhibitory inputs of an output pixel are the patch around it, of all input channels; β is
    shared by all pixels. It is `Synapse` of patches.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size, strides, dilation_rate : int or tuple of two ints
        As of Conv2D: height and width of a patch, steps between patches and in them.
    padding : {"valid", "same"}
        As of Conv2D. Outside the image all channels are closed: y = 0 there, which takes nothing
        away. "same" with strides needs images of known size.
    data_format : {"channels_last", "channels_first"}, optional
        Keras' own if not given.
    excitation : {"auto", "input", "mixture", "none"}
        Where the excitatory inputs x come from, unless the call gives them: "input" is the pixel in
        the middle of the patch, of the same channel (as many channels in as `filters`; of an even
        number of pixels, the one before the middle), "mixture" a trained row-stochastic mixture of
        the patch, "none" x = 1, which makes 1 − s a noisy-OR; "auto" is "input" for as many
        channels out as in, else "mixture".
    mask : array, shape (height, width, channels, filters), optional
        Bool or 0 and 1, a kernel's shape: where 0, there is no synapse.
    gate : {"sigmoid", "softmax", "exp"}, optional
        Makes probabilities of the pixels first; "softmax" runs over their channels. The outside
        stays closed.
    **kwargs
        Of `Synapse`: alpha, space, output, strict, initializers, regularizers and constraints; and
        of `keras.layers.Layer`.

    Attributes
    ----------
    synapse : Synapse
        Holds the weights, for height · width · channels inputs in the order of a flattened kernel
        of Conv2D.

    Raises
    ------
    TypeError, ValueError
        If a size, an option, the mask or an input is of the wrong kind or shape, or if `excitation`
        is "input" and there are not as many channels out as in; with `strict` also if a value is
        out of range.

    Notes
    -----
    There are no groups: a mask can stand for them. The patches are copied: memory is
    O(pixels · channels · height · width).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_keras import SynapseConv2d
    >>> layer = SynapseConv2d(8, 3, padding="same", data_format="channels_last")
    >>> tuple(layer(np.random.rand(2, 28, 28, 3)).shape)
    (2, 28, 28, 8)
    >>> tuple(layer.beta.shape)
    (3, 3, 3, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: Literal["valid", "same"] = "valid",
        data_format: Literal["channels_last", "channels_first"] | None = None,
        dilation_rate: int | tuple[int, int] = 1,
        *,
        excitation: core.Excitation = "auto",
        mask: Any = None,
        gate: core.Gate | None = None,
        **kwargs: Any,
    ) -> None:
        own = {key: kwargs.pop(key) for key in list(kwargs) if key.startswith(_OF_SYNAPSE)}
        super().__init__(**kwargs)
        self.filters = check_int("filters", filters, 1)
        self.kernel_size = height_and_width("kernel_size", kernel_size, 1)
        self.strides = height_and_width("strides", strides, 1)
        self.dilation_rate = height_and_width("dilation_rate", dilation_rate, 1)
        self.padding = check_option("padding", padding, ("valid", "same"))
        chosen = keras.config.image_data_format() if data_format is None else data_format
        self.data_format = check_option("data_format", chosen, ("channels_last", "channels_first"))
        core.checked_options(excitation, "probability", None)
        self.excitation, self.gate = excitation, core.checked_gate(gate)
        _ops.check_plain(("mask",), (mask,), {})
        self.mask = None if mask is None else np.asarray(mask)
        if self.mask is not None:
            shape = (*self.kernel_size, "channels", filters)
            core.check_mask(self.mask, shape, readable=True, xp=np)
            self.mask = self.mask.astype(bool)
            own["mask"] = self.mask.reshape(-1, filters)
        # The gate's values in 16 bits would be too few again: the synapse takes them as they come.
        options = {"dtype": self.dtype_policy, "autocast": False, "name": "synapse", **own}
        self.synapse = Synapse(filters, excitation="none", **options)
        self._channels = 0

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for images of this shape."""
        if len(input_shape) != 4 or not input_shape[self._channel_axis]:
            raise ValueError(
                f"`y` must have shape {self._wanted('channels')} with known channels. "
                f"Received: shape {input_shape}"
            )
        self._channels = channels = int(input_shape[self._channel_axis] or 0)
        where = "`filters` is the number of channels of the input"
        chosen = core.chosen_excitation(self.excitation, channels, self.filters, where)
        # The middles of patches are given to the call.
        self.synapse.excitation = "mixture" if chosen == "mixture" else "none"
        self._from_middle = chosen == "input"
        self.synapse.build((None, math.prod(self.kernel_size) * channels))
        self.built = True

    def call(self, y: Any, x: Any = None) -> Any:
        """Outputs (batch, height, width, filters) of images, or with their channels first.

        Parameters
        ----------
        y : tensor, shape (batch, height, width, channels)
        x : tensor, shape (batch, height, width, filters) of the output, optional
            Excitatory inputs, in the same space, in place of the layer's own.
        """
        self._check(y, x)
        patches = self._patches(y)
        if x is not None:
            x = self._last(x)
        elif self._from_middle:
            row, column = (axis.middle for axis in self._axes)
            first = (row * self.kernel_size[1] + column) * self._channels
            x = patches[..., first : first + self._channels]
        result = self.synapse(patches, x=x)
        if self.data_format == "channels_first":
            result = ops.transpose(result, (0, 3, 1, 2))
        return result

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the outputs."""
        given = zip(self._axes, self._sizes(input_shape), self._border(input_shape), strict=True)
        sizes = [
            None if size is None else axis.count(size + sum(border)) for axis, size, border in given
        ]
        if min(size for size in (*sizes, 1) if size is not None) < 1:
            height, width = (axis.length for axis in self._axes)
            raise ValueError(
                f"`y` must be as large as a patch of {height}×{width} pixels or larger. "
                f"Received: shape {tuple(input_shape)}"
            )
        shape = (input_shape[0], *sizes, self.filters)
        return shape if self.data_format == "channels_last" else (shape[0], shape[3], *shape[1:3])

    def compute_output_spec(
        self, y: keras.KerasTensor, x: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """Symbolic outputs, with the checks of a call."""
        self._check(y, x)
        return keras.KerasTensor(self.compute_output_shape(y.shape), dtype=self.compute_dtype)

    @property
    def alpha(self) -> Any:
        """Gains α = e^−θ, (filters,)."""
        return self.synapse.alpha

    @property
    def beta(self) -> Any:
        """Strengths of the inhibition, (height, width, channels, filters), at most 1 − eps."""
        return ops.reshape(self.synapse.beta, self._kernel_shape)

    @property
    def gamma(self) -> Any:
        """Their surprisals γ = −log β, of the same shape; inf where there is no synapse."""
        return ops.reshape(self.synapse.gamma, self._kernel_shape)

    def contributions(self, y: Any) -> Any:
        """Exact attribution: what each pixel of its patch adds to the surprisal of each output.

        Parameters
        ----------
        y : tensor, shape (batch, height, width, channels), or with its channels first

        Returns
        -------
        tensor, shape (batch, height, width, filters, height, width, channels)
            The first pair of the output, the second of the kernel. In nats, ≥ 0. The surprisal
            output is θ + (excitatory surprisal) + their sum over the last three axes.

        Raises
        ------
        TypeError, ValueError
            As for a call; also if the layer is not built.
        """
        self.synapse._check_built()
        _ops.check_plain(("y",), (y,), {})
        y = ops.convert_to_tensor(y)
        self._check(y, None)
        parts = self.synapse.contributions(self._patches(y))
        return ops.reshape(parts, (*ops.shape(parts)[:-1], *self._kernel_shape[:3]))

    def get_config(self) -> dict[str, Any]:
        """Arguments from which `from_config` makes an equal layer."""
        of_synapse = self.synapse.get_config()
        return {
            **super().get_config(),
            **{key: value for key, value in of_synapse.items() if key.startswith(_OF_SYNAPSE)},
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "data_format": self.data_format,
            "excitation": self.excitation,
            "mask": None if self.mask is None else self.mask.astype(int).tolist(),
            "gate": self.gate,
        }

    def _options(self) -> dict[str, str | None]:
        synapse = self.synapse
        chosen = "input" if self._from_middle else synapse.excitation
        computed = {"space": synapse.space, "output": synapse.output_space}
        return {"excitation": chosen, **computed, "gate": self.gate}

    def _patch(self) -> tuple[int, ...]:
        return self.kernel_size

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    @property
    def _kernel_shape(self) -> tuple[int, ...]:
        return (*self.kernel_size, self._channels, self.filters)

    @property
    def _axes(self) -> list[PatchAxis]:
        numbers = zip(self.kernel_size, self.strides, self.dilation_rate, strict=True)
        return [PatchAxis(*own) for own in numbers]

    def _wanted(self, channels: object) -> str:
        last = self.data_format == "channels_last"
        return (
            f"(batch, height, width, {channels})" if last else f"(batch, {channels}, height, width)"
        )

    def _sizes(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Height and width in the shape of images."""
        return tuple(shape[1:3] if self.data_format == "channels_last" else shape[2:4])

    def _border(self, shape: tuple[int | None, ...]) -> list[tuple[int, int]]:
        """Rows above and below, columns left and right of images of this shape."""
        if self.padding == "valid":
            return [(0, 0), (0, 0)]
        borders = []
        for axis, size in zip(self._axes, self._sizes(shape), strict=True):
            if size is None and axis.stride > 1:
                raise ValueError(
                    "`padding` must not be 'same' with strides and images of unknown size. "
                    f"Received: shape {tuple(shape)}"
                )
            borders.append(axis.same_border(size or 1))  # without strides the same for any size
        return borders

    def _last(self, images: Array) -> Array:
        """Images with their channels last."""
        if self.data_format == "channels_last":
            return images
        moved: Array = ops.transpose(images, (0, 2, 3, 1))
        return moved

    def _patches(self, y: Array) -> Array:
        """Patches (batch, height, width, inputs of the synapse) of images, gated."""
        border = self._border(tuple(y.shape))
        y = _ops.wide(self._last(y), self.compute_dtype)
        if self.gate is not None:
            y = core.gated(y, self.gate, space=self.synapse.space, xp=_ops.xp)
        if any(map(any, border)):  # no channel is open out there
            closed = 0.0 if self.synapse.space == "probability" else math.inf
            y = ops.pad(y, [(0, 0), *border, (0, 0)], constant_values=closed)
        (height, width), (down, across) = self.kernel_size, self.dilation_rate
        # A slice ends where this pixel of the last patch can lie, whatever the image's size.
        ends = [[(k - 1 - i) * d for i in range(k)] for k, d in ((height, down), (width, across))]
        pixels = [
            y[
                :,
                i * down : _end(ends[0][i]) : self.strides[0],
                j * across : _end(ends[1][j]) : self.strides[1],
            ]
            for i in range(height)
            for j in range(width)
        ]
        patches: Array = ops.concatenate(pixels, axis=-1)
        return patches

    def _check(self, y: Array, x: Array | None) -> None:
        shape = tuple(self.compute_output_shape(y.shape)) if len(y.shape) == 4 else ()
        given = [("y", y, self._channels, tuple(y.shape))]
        if x is not None:
            given.append(("x", x, self.filters, shape))
        for name, value, channels, wanted in given:
            dtype = keras.backend.standardize_dtype(value.dtype)
            if not keras.backend.is_float_dtype(dtype):
                raise TypeError(
                    f"`{name}` must have a real floating-point dtype. Received: {dtype}"
                )
            sizes = tuple(value.shape)
            fits = len(sizes) == 4 and sizes[self._channel_axis] == channels
            if not fits or any(
                None not in (a, b) and a != b for a, b in zip(sizes, wanted, strict=True)
            ):
                raise ValueError(
                    f"`{name}` must have shape {self._wanted(channels)}. Received: shape {sizes}"
                )


def _end(rest: int) -> int | None:
    """Where a slice ends that leaves out so many at the end."""
    return -rest if rest else None

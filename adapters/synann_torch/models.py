"""Small classifiers around one synapse layer, or a Dense layer or none in its place."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn

from synann_core.extending import Architecture, GateKind, LayerKind, check_int, check_tensor

from .block import NORM
from .layer import Synapse
from .options import Placement, check_options

__all__ = ["SynaCNN", "SynaMLP"]


class _Classifier(nn.Module):
    """Linear → batch norm → gate → synapse → batch norm → dropout → Linear: the head of both."""

    def _add_head(self, architecture: Architecture, **placement: Unpack[Placement]) -> None:
        hidden = architecture.hidden
        self.gate, self.layer = architecture.gate, architecture.layer
        self.hidden = nn.Linear(architecture.in_features, hidden, **placement)
        self.norm1 = nn.BatchNorm1d(hidden, *NORM, **placement)
        if self.layer == "synapse":
            # No gains: batch norm would subtract them again.
            self.synapse = Synapse(hidden, hidden, alpha=False, output="surprisal", **placement)
            if self.gate == "softmax":
                self.synapse.reset_parameters(architecture.mean_input)
        elif self.layer == "dense":
            self.dense = nn.Linear(hidden, hidden, **placement)
        self.norm2 = nn.BatchNorm1d(hidden, *NORM, **placement)
        self.dropout = nn.Dropout(architecture.dropout)
        self.output = nn.Linear(hidden, architecture.classes, **placement)

    def _head(self, features: Tensor) -> Tensor:
        h = self.norm1(self.hidden(features))
        y = torch.sigmoid(h) if self.gate == "sigmoid" else torch.softmax(h, dim=-1)
        if self.layer == "synapse":
            y = -self.synapse(y)
        elif self.layer == "dense":
            y = self.dense(y)
        logits: Tensor = self.output(self.dropout(self.norm2(y)))
        return logits


class SynaMLP(_Classifier):
    """Classifier Linear → batch norm → gate → synapse (log output) → batch norm → Linear.

    `synann_core.SynaMLP` in torch, with the same tensor names: what one saves as safetensors the
    other loads.

    Parameters
    ----------
    in_features, hidden, classes : int
        The paper's network is ``SynaMLP(784, 280, 10, dropout=0.25)``.
    layer : {"synapse", "dense", "none"}
        What stands between the gate and the second batch norm.
    gate : {"sigmoid", "softmax"}
        Makes probabilities of the first layer's output.
    dropout : float
        Before the last layer, in [0, 1).
    device, dtype
        Of the parameters.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import SynaMLP
    >>> model = SynaMLP(784, 280, 10)
    >>> model(torch.rand(32, 784)).shape
    torch.Size([32, 10])

    To share weights: ``safetensors.torch.save_file(model.state_dict(), path)``.
    """

    def __init__(
        self,
        in_features: int,
        hidden: int,
        classes: int,
        *,
        layer: LayerKind = "synapse",
        gate: GateKind = "sigmoid",
        dropout: float = 0.0,
        **placement: Unpack[Placement],
    ) -> None:
        super().__init__()
        check_options(self, placement)
        architecture = Architecture(in_features, hidden, classes, layer, gate, dropout)
        self._add_head(architecture, **placement)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of features (N, in_features)."""
        check_tensor("x", x)
        return self._head(x)


class SynaCNN(_Classifier):
    """Convolutional features with a synapse head: for images of 8 × 8 pixels or more.

    Five 3 × 3 convolutions with batch norm and ReLU, of `width`, `width`, 2, 2 and 4 × `width`
    channels, halved in size after the second and fourth, averaged at the end; then as `SynaMLP`.

    Parameters
    ----------
    in_channels, classes : int
    width : int
        Channels of the first convolution.
    hidden : int
        Width of the head.
    layer : {"synapse", "dense", "none"}
        What stands between the gate and the last batch norm.
    dropout : float
        Before the last layer, in [0, 1).
    device, dtype
        Of the parameters.

    Examples
    --------
    >>> import torch
    >>> from synann_torch import SynaCNN
    >>> model = SynaCNN()
    >>> model(torch.rand(32, 1, 28, 28)).shape
    torch.Size([32, 10])
    """

    def __init__(
        self,
        in_channels: int = 1,
        classes: int = 10,
        *,
        width: int = 32,
        hidden: int = 64,
        layer: LayerKind = "synapse",
        dropout: float = 0.0,
        **placement: Unpack[Placement],
    ) -> None:
        super().__init__()
        check_options(self, placement)
        check_int("in_channels", in_channels, 1)
        check_int("width", width, 1)
        channels = [in_channels, width, width, 2 * width, 2 * width, 4 * width]
        architecture = Architecture(channels[-1], hidden, classes, layer, dropout=dropout)
        stages: list[nn.Module] = []
        for k in range(5):
            convolution = nn.Conv2d(*channels[k : k + 2], 3, padding=1, bias=False, **placement)
            stages += [convolution, nn.BatchNorm2d(channels[k + 1], *NORM, **placement), nn.ReLU()]
            if k in (1, 3):
                stages.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self._add_head(architecture, **placement)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, in_channels, height, width)."""
        check_tensor("images", images)
        return self._head(self.features(images))

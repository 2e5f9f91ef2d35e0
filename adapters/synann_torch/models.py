"""Small classifiers around one synapse layer, and the same with what might stand in its place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from synann_core._lib.checks import check_int, check_option

from .layer import Synapse

__all__ = ["SynaCNN", "SynaMLP"]

LAYERS = ("synapse", "dense", "none")


class SynaMLP(nn.Module):
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
        layer: str = "synapse",
        gate: str = "sigmoid",
        dropout: float = 0.0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_int("in_features", in_features, 1)
        check_int("hidden", hidden, 1)
        check_int("classes", classes, 2)
        self.gate = check_option("gate", gate, ("sigmoid", "softmax"))
        options = {"device": device, "dtype": dtype}
        self.hidden = nn.Linear(in_features, hidden, **options)
        _add_middle(self, hidden, layer, options)
        if layer == "synapse" and gate == "softmax":
            self.synapse.reset_parameters(1.0 / hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, classes, **options)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of features (N, in_features)."""
        h = self.norm1(self.hidden(x))
        y = torch.sigmoid(h) if self.gate == "sigmoid" else torch.softmax(h, dim=-1)
        logits: Tensor = self.output(self.dropout(self.norm2(_middle(self, y))))
        return logits


class SynaCNN(nn.Module):
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
        layer: str = "synapse",
        dropout: float = 0.0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("in_channels", in_channels), ("width", width), ("hidden", hidden)):
            check_int(name, size, 1)
        check_int("classes", classes, 2)
        options = {"device": device, "dtype": dtype}
        channels = [in_channels, width, width, 2 * width, 2 * width, 4 * width]
        stages: list[nn.Module] = []
        for k in range(5):
            convolution = nn.Conv2d(*channels[k : k + 2], 3, padding=1, bias=False, **options)
            stages += [convolution, nn.BatchNorm2d(channels[k + 1], **options), nn.ReLU()]
            if k in (1, 3):
                stages.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.hidden = nn.Linear(channels[-1], hidden, **options)
        _add_middle(self, hidden, layer, options)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, classes, **options)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, in_channels, height, width)."""
        y = torch.sigmoid(self.norm1(self.hidden(self.features(images))))
        logits: Tensor = self.output(self.dropout(self.norm2(_middle(self, y))))
        return logits


def _add_middle(module: nn.Module, hidden: int, layer: str, options: dict[str, Any]) -> None:
    """Give a model its norms, and its synapse or what stands in its place."""
    module.layer = check_option("layer", layer, LAYERS)
    module.norm1 = nn.BatchNorm1d(hidden, **options)
    if layer == "synapse":
        # No gains: batch norm would subtract them again.
        module.synapse = Synapse(hidden, hidden, alpha=False, output="surprisal", **options)
    elif layer == "dense":
        module.dense = nn.Linear(hidden, hidden, **options)
    module.norm2 = nn.BatchNorm1d(hidden, **options)


def _middle(module: nn.Module, y: Tensor) -> Tensor:
    if module.layer == "synapse":
        log_output: Tensor = -module.synapse(y)
        return log_output
    if module.layer == "dense":
        result: Tensor = module.dense(y)
        return result
    return y

"""The torch models that `mnist_torch.py` trains: images (N, 1, height, width) in, logits out."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mnist.checkpoints import RunError
from mnist.recipes import HIDDEN, gru_units
from synann.torch import SynaCNN, SynaMLP, Synapse, SynapseBlock, SynaRNN


class FlatMLP(SynaMLP):
    """`SynaMLP` of images; its tensors keep their names, so that `synann` loads them too."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.movedim(1, -1).flatten(1))


class PublishedSynapse(nn.Module):
    """The published layer, a control: every sample depends on all others of its batch.

    ``log s_bi = log x_bi + Σ_b' Σ_j log(1 − w_ij x_b'j)``: as `reference/published.py`, in torch.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        bound = features**-0.5
        self.weight = nn.Parameter(torch.empty(features, features).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        log_factors = torch.log1p(-x[:, None, :] * self.weight)
        return torch.exp(torch.log(x) + log_factors.sum(dim=(0, 2)))


class PublishedNet(nn.Module):
    """The published small network, with any of four layers after its softmax."""

    def __init__(self, classes: int, layer: str, free: bool, norm: bool = True) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(10, 20, 5),
            nn.Identity() if free else nn.Dropout2d(),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(320, 64),
            *(() if free else (nn.ReLU(), nn.Dropout())),
            nn.Softmax(dim=1),
        )
        if layer == "synapse" and norm:
            middle: nn.Module = SynapseBlock(64, 64, excitation="input")
            middle.synapse.reset_parameters(1 / 64)  # the mean of a softmax over 64
        else:
            if layer == "synapse":
                middle = Synapse(64, 64, excitation="input")
                middle.reset_parameters(1 / 64)
            elif layer == "published":
                middle = PublishedSynapse(64)
            else:
                middle = nn.Linear(64, 64) if layer == "dense" else nn.Identity()
            middle = nn.Sequential(middle, nn.BatchNorm1d(64)) if norm else middle
        self.head = nn.Sequential(middle, nn.Linear(64, classes))

    def forward(self, images: Tensor) -> Tensor:
        # Mean and deviation of MNIST's pixels, as published.
        return self.head(self.features((images - 0.1307) / 0.3081))


class RowRNN(nn.Module):
    """Read an image row by row, then decide from the last state."""

    def __init__(self, columns: int, classes: int, layer: str) -> None:
        super().__init__()
        hidden = HIDDEN
        recurrent: nn.Module = SynaRNN(columns, hidden, batch_first=True)
        if layer == "gru":  # after the other: a seed stands for the numbers of docs/results.md
            hidden = gru_units(columns, classes)
            recurrent = nn.GRU(columns, hidden, batch_first=True)
        self.recurrent = recurrent
        self.norm = nn.BatchNorm1d(hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        _, last = self.recurrent(images.movedim(1, -1).flatten(2))
        return self.head(self.norm(last[0]))


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def build(
    model: str, layer: str, recipe: str, shape: tuple[int, ...], classes: int, norm: bool = True
) -> nn.Module:
    """An untrained model for images of the given shape; `norm` is for "published"."""
    if model == "mlp":
        return FlatMLP(math.prod(shape), 280, classes, layer=layer, dropout=0.25)
    if model == "cnn":
        return SynaCNN(math.prod(shape[2:]), classes, layer=layer)
    if model == "rnn":
        return RowRNN(math.prod(shape[1:]), classes, layer)
    if shape != (28, 28):
        raise RunError(f"--model published takes 28×28 pixels, not {'×'.join(map(str, shape))}")
    return PublishedNet(classes, layer, free=recipe == "free", norm=norm)

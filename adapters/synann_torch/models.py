"""Small classifiers around one synapse layer, or a Dense layer or none in its place."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Unpack

import torch
import torch.fx
from array_api_compat import torch as xp
from torch import Tensor, nn

from synann_core.extending import (
    Architecture,
    Explanation,
    GateKind,
    LayerKind,
    against_background,
    check_int,
    check_option,
    check_shape,
    check_tensor,
    checked_names,
    classifier_parts,
    expected_gradients,
)

from .block import NORM
from .convolution import LogSynapseConv2d
from .layer import Synapse
from .options import Placement, check_options

__all__ = ["SynaCNN", "SynaMLP"]

_WEIGHTS = ("weight", "bias", "running_mean", "running_var", "beta_logit", "mask")


class _Classifier(nn.Module):
    """Linear → batch norm → gate → synapse → batch norm → dropout → Linear: the head of both."""

    _axes: tuple[int | str, ...]  # of a sample

    def _check(self, name: str, x: Any, like: Tensor | None = None) -> None:
        """Refuse what are not samples, or for `like` not one or more of the size of its own."""
        check_tensor(name, x)
        if isinstance(x, torch.fx.Proxy):
            return
        if not x.is_floating_point():
            raise TypeError(f"`{name}` must have a real floating-point dtype. Received: {x.dtype}")
        check_shape(name, x, "samples", *(self._axes if like is None else like.shape[1:]))
        if like is not None and not len(x):
            raise ValueError(
                f"`{name}` must hold one sample or more. Received: shape {tuple(x.shape)}"
            )

    def _features_of(self, x: Tensor) -> Tensor:
        """What the head takes, (N, features), from the model's input."""
        return x

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

    def explain(self, x: Tensor, *, background: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Take every logit apart, exactly: a constant and one part for each input of the synapse.

        Of the model as it is in evaluation, whatever mode it is in.

        Parameters
        ----------
        x : Tensor
            Samples, as the model takes them.
        background : Tensor, optional
            Samples to compare with, the training data say: a part is then how much more the
            synapse's input adds than it does there on average (its interventional Shapley value).
            Without it the baseline is that the input is 0.

        Returns
        -------
        constant : Tensor, shape (classes,)
        parts : Tensor, shape (N, classes, hidden)
            ``constant + parts.sum(-1)`` are the logits, to rounding. Memory O(N · hidden²).

        Raises
        ------
        TypeError, ValueError
            If `x` or `background` is not a floating-point tensor of samples of the model's and of
            one shape, or the background holds no sample.
        """
        options: Any = {"layer": self.layer, "gate": self.gate, "xp": xp}

        def parts_of(rows: Any) -> Any:
            return classifier_parts(weights, rows, **options)

        self._check("x", x)
        if background is not None:
            self._check("background", background, x)
        with torch.no_grad(), _evaluation(self):
            features = self._features_of(x)
            self._head(features[:1])  # pruning and its like make the weights before a call
            weights = self._weights()
            if background is None:
                constant, parts = parts_of(features)
            else:
                others = self._features_of(background)
                constant, parts = against_background(parts_of, features, others, xp)
        return constant, parts

    def _weights(self) -> dict[str, Tensor]:
        """What the head's layers compute with, by the names of the state; the mask, too."""
        found = {
            f"{name}.{key}": getattr(module, key, None)
            for name, module in self.named_children()
            for key in _WEIGHTS
        }
        return {name: value for name, value in found.items() if value is not None}

    def explain_inputs(
        self,
        x: Tensor,
        background: Tensor,
        *,
        names: Sequence[str] | None = None,
        steps: int = 16,
    ) -> Explanation[Tensor]:
        """What each feature or pixel adds to each logit, by integrated gradients.

        The synapse is taken apart exactly (`explain`). What lies before it is not a sum: the parts
        are gradients, integrated from each sample of the background to x, and their mean.

        Parameters
        ----------
        x : Tensor
            Samples, as the model takes them.
        background : Tensor
            Samples to compare with: some hundred of the training data, say, or one baseline.
        names : sequence of str, optional
            Names of the features, in the order of a flattened sample.
        steps : int
            Points of the integration, ≥ 1. ReLU and max pooling have corners, and need more.

        Returns
        -------
        Explanation
            ``constant`` (classes,), the background's mean logits; ``parts`` (N, classes, ...), of
            the shape of a sample; ``names``. The logits are their sum to the integration's error.

        Raises
        ------
        TypeError, ValueError
            As for `explain`; also if there are not as many names as features.
        """
        self._check("x", x)
        self._check("background", background, x)
        chosen = checked_names(names, math.prod(x.shape[1:]))
        steps = check_int("steps", steps, 1)

        def slopes(points: Any) -> Any:
            leaf = points.detach().requires_grad_()
            with torch.enable_grad():
                logits = self(leaf)
                classes = range(logits.shape[1])
                each = [
                    torch.autograd.grad(logits[:, k].sum(), leaf, retain_graph=True)[0]
                    for k in classes
                ]
            return torch.stack(each, dim=1)

        with _evaluation(self), torch.no_grad():
            constant = self(background).mean(dim=0)
            parts = expected_gradients(slopes, x.detach(), background.detach(), steps, xp)
        return Explanation(constant, parts, chosen)


@contextlib.contextmanager
def _evaluation(model: nn.Module) -> Iterator[None]:
    """Have the model, and each part of it, in evaluation, and then in its own mode again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


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
        self._axes = (in_features,)
        self._add_head(architecture, **placement)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of features (N, in_features)."""
        self._check("x", x)
        return self._head(x)


class SynaCNN(_Classifier):
    """Convolutional features with a synapse head: for images of 8 × 8 pixels or more.

    Five 3 × 3 convolutions with batch norm and ReLU, of `width`, `width`, 2, 2 and 4 × `width`
    channels, halved in size after the second and fourth, averaged at the end; then as `SynaMLP`.
    Four of them may be synapses instead.

    Parameters
    ----------
    in_channels, classes : int
    width : int
        Channels of the first convolution.
    hidden : int
        Width of the head.
    layer : {"synapse", "dense", "none"}
        What stands between the gate and the last batch norm.
    convolution : {"linear", "synapse"}
        What the convolutions after the first one are: nn.Conv2d behind a ReLU, or `SynapseConv2d`
        behind a sigmoid, whose log outputs are normalised.
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
        convolution: Literal["linear", "synapse"] = "linear",
        dropout: float = 0.0,
        **placement: Unpack[Placement],
    ) -> None:
        super().__init__()
        check_options(self, placement)
        check_int("in_channels", in_channels, 1)
        check_int("width", width, 1)
        self._axes = (in_channels, "height", "width")
        check_option("convolution", convolution, ("linear", "synapse"))
        channels = [in_channels, width, width, 2 * width, 2 * width, 4 * width]
        architecture = Architecture(channels[-1], hidden, classes, layer, dropout=dropout)
        stages: list[nn.Module] = []
        synapses = convolution == "synapse"
        for k, (given, made) in enumerate(itertools.pairwise(channels)):
            if k and synapses:
                stages.append(LogSynapseConv2d(given, made, **placement))
            else:
                stages.append(nn.Conv2d(given, made, 3, padding=1, bias=False, **placement))
            stages.append(nn.BatchNorm2d(made, *NORM, **placement))
            stages += [nn.Identity() if synapses and k < 4 else nn.ReLU()]  # a gate is enough
            if k in (1, 3):
                stages.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self._add_head(architecture, **placement)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, in_channels, height, width)."""
        self._check("images", images)
        return self._head(self._features_of(images))

    def _features_of(self, x: Tensor) -> Tensor:
        """Means of the last channels, (N, 4 · width), from images."""
        features: Tensor = self.features(x)
        return features

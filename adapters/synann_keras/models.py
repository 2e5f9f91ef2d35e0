"""Small classifiers around one synapse layer, or a Dense layer or none in its place."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import keras

from synann_core.extending import (
    NORM_EPS,
    NORM_MOMENTUM,
    Architecture,
    GateKind,
    LayerKind,
    check_int,
    check_option,
)

from ._ops import check_plain
from .convolution import SynapseConv2d
from .initializers import InitialBetaLogit
from .layer import Synapse

__all__ = ["SynaCNN", "SynaMLP"]


class _Classifier(keras.Model):
    """A model that refuses masked and sparse arrays, whose hidden numbers Keras would learn."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        check_plain(("x", "y"), args, kwargs)
        return super().__call__(*args, **kwargs)

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as `keras.Model.fit`."""
        check_plain(("x", "y"), args, kwargs)
        return super().fit(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate`."""
        check_plain(("x", "y"), args, kwargs)
        return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predict as `keras.Model.predict`."""
        check_plain(("x", "y"), args, kwargs)
        return super().predict(*args, **kwargs)


@keras.saving.register_keras_serializable(package="synann", name="SynaMLP")
class SynaMLP(_Classifier):
    """Classifier Dense → batch norm → gate → synapse (log output) → batch norm → Dense.

    `synann_torch.SynaMLP` in Keras, a functional model: its layers have the same names.

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
    name : str
        Of the model.

    Raises
    ------
    TypeError, ValueError
        If a size is not an int or too small, or an option unknown.

    Notes
    -----
    Logits (batch, classes) of features (batch, in_features): compile it with
    ``SparseCategoricalCrossentropy(from_logits=True)``.

    Examples
    --------
    >>> from synann_keras import SynaMLP
    >>> model = SynaMLP(784, 280, 10)
    >>> model.output_shape
    (None, 10)
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
        name: str = "syna_mlp",
    ) -> None:
        architecture = Architecture(in_features, hidden, classes, layer, gate, dropout)
        inputs = keras.Input((in_features,))
        super().__init__(inputs, _head(inputs, architecture), name=name)
        self.architecture = architecture

    def get_config(self) -> dict[str, Any]:
        """Arguments from which `from_config` makes an equal model."""
        return {**dataclasses.asdict(self.architecture), "name": self.name}


@keras.saving.register_keras_serializable(package="synann", name="SynaCNN")
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
        What the convolutions after the first one are: Conv2D behind a ReLU, or `SynapseConv2d`
        behind a sigmoid, whose log outputs are normalised.
    dropout : float
        Before the last layer, in [0, 1).
    name : str
        Of the model.

    Raises
    ------
    TypeError, ValueError
        If a size is not an int or too small, or an option unknown.

    Notes
    -----
    Logits (batch, classes) of images (batch, height, width, in_channels).

    Examples
    --------
    >>> from synann_keras import SynaCNN
    >>> model = SynaCNN()
    >>> model.output_shape
    (None, 10)
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
        name: str = "syna_cnn",
    ) -> None:
        check_int("in_channels", in_channels, 1)
        check_int("width", width, 1)
        architecture = Architecture(4 * width, hidden, classes, layer, dropout=dropout)
        check_option("convolution", convolution, ("linear", "synapse"))
        layout: dict[str, Any] = {"data_format": "channels_last"}
        of_synapse: dict[str, Any] = {"alpha": False, "output": "surprisal", "gate": "sigmoid"}
        features = inputs = keras.Input((None, None, in_channels))
        for k, channels in enumerate((width, width, 2 * width, 2 * width, 4 * width), start=1):
            options: dict[str, Any] = {"padding": "same", "name": f"conv{k}", **layout}
            if k > 1 and convolution == "synapse":
                features = -SynapseConv2d(channels, 3, **of_synapse, **options)(features)
            else:
                features = keras.layers.Conv2D(channels, 3, use_bias=False, **options)(features)
            features = _norm(f"conv{k}_norm")(features)
            if k == 5 or convolution == "linear":  # the gate of the next one is enough
                features = keras.layers.ReLU(name=f"conv{k}_relu")(features)
            if k in (2, 4):
                features = keras.layers.MaxPooling2D(name=f"pool{k}", **layout)(features)
        features = keras.layers.GlobalAveragePooling2D(name="pool", **layout)(features)
        super().__init__(inputs, _head(features, architecture), name=name)
        self.architecture, self.in_channels, self.width = architecture, in_channels, width
        self.convolution = convolution

    def get_config(self) -> dict[str, Any]:
        """Arguments from which `from_config` makes an equal model."""
        config = {"in_channels": self.in_channels, "width": self.width, "name": self.name}
        config["convolution"] = self.convolution
        names = ("classes", "hidden", "layer", "dropout")
        return config | {name: getattr(self.architecture, name) for name in names}


def _head(features: keras.KerasTensor, architecture: Architecture) -> keras.KerasTensor:
    hidden = architecture.hidden
    y = keras.layers.Dense(hidden, name="hidden")(features)
    y = keras.layers.Activation(architecture.gate, name="gate")(_norm("norm1")(y))
    if architecture.layer == "synapse":
        # No gains: batch norm would subtract them again.
        synapse = Synapse(
            hidden,
            alpha=False,
            output="surprisal",
            beta_logit_initializer=InitialBetaLogit(architecture.mean_input),
            name="synapse",
        )
        y = -synapse(y)
    elif architecture.layer == "dense":
        y = keras.layers.Dense(hidden, name="dense")(y)
    y = keras.layers.Dropout(architecture.dropout, name="dropout")(_norm("norm2")(y))
    return keras.layers.Dense(architecture.classes, name="output")(y)


def _norm(name: str) -> keras.layers.Layer:
    """Batch norm with the constants of torch and the core."""
    return keras.layers.BatchNormalization(
        momentum=1.0 - NORM_MOMENTUM, epsilon=NORM_EPS, name=name
    )

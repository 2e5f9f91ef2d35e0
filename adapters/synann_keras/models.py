"""Small classifiers around one synapse layer, and the same with what might stand in its place."""

from __future__ import annotations

from typing import Any

import keras

from synann_core._lib.checks import check_int, check_option

from .initializers import InitialBetaLogit
from .layer import Synapse

__all__ = ["syna_cnn", "syna_mlp"]

LAYERS = ("synapse", "dense", "none")


def syna_mlp(
    in_features: int,
    hidden: int,
    classes: int,
    *,
    layer: str = "synapse",
    gate: str = "sigmoid",
    dropout: float = 0.0,
    name: str = "syna_mlp",
) -> keras.Model:
    """Classifier Dense → batch norm → gate → synapse (log output) → batch norm → Dense.

    `synann_torch.SynaMLP` in Keras: its layers have the same names.

    Parameters
    ----------
    in_features, hidden, classes : int
        The paper's network is ``syna_mlp(784, 280, 10, dropout=0.25)``.
    layer : {"synapse", "dense", "none"}
        What stands between the gate and the second batch norm.
    gate : {"sigmoid", "softmax"}
        Makes probabilities of the first layer's output.
    dropout : float
        Before the last layer, in [0, 1).
    name : str
        Of the model.

    Returns
    -------
    keras.Model
        Logits (batch, classes) of features (batch, in_features): compile it with
        ``SparseCategoricalCrossentropy(from_logits=True)``.

    Raises
    ------
    TypeError, ValueError
        If a size is no int or too small, or an option unknown.

    Examples
    --------
    >>> from synann_keras import syna_mlp
    >>> model = syna_mlp(784, 280, 10)
    >>> model.output_shape
    (None, 10)
    """
    check_int("in_features", in_features, 1)
    check_option("gate", gate, ("sigmoid", "softmax"))
    inputs = keras.Input((in_features,))
    mean = 0.5 if gate == "sigmoid" else 1.0 / check_int("hidden", hidden, 1)
    outputs = _head(inputs, hidden, classes, layer, gate, dropout, mean)
    return keras.Model(inputs, outputs, name=name)


def syna_cnn(
    input_shape: tuple[int, int, int] = (28, 28, 1),
    classes: int = 10,
    *,
    width: int = 32,
    hidden: int = 64,
    layer: str = "synapse",
    dropout: float = 0.0,
    name: str = "syna_cnn",
) -> keras.Model:
    """Convolutional features with a synapse head: for images of 8 × 8 pixels or more.

    Five 3 × 3 convolutions with batch norm and ReLU, of `width`, `width`, 2, 2 and 4 × `width`
    channels, halved in size after the second and fourth, averaged at the end; then as `syna_mlp`.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels; the height and width may be None.
    classes : int
    width : int
        Channels of the first convolution.
    hidden : int
        Width of the head.
    layer : {"synapse", "dense", "none"}
        What stands between the gate and the last batch norm.
    dropout : float
        Before the last layer, in [0, 1).
    name : str
        Of the model.

    Returns
    -------
    keras.Model
        Logits (batch, classes) of images (batch, height, width, channels).

    Raises
    ------
    TypeError, ValueError
        If a size is no int or too small, or an option unknown.

    Examples
    --------
    >>> from synann_keras import syna_cnn
    >>> model = syna_cnn()
    >>> model.output_shape
    (None, 10)
    """
    if not (isinstance(input_shape, tuple | list) and len(input_shape) == 3):
        raise ValueError(
            f"`input_shape` must be (height, width, channels). Received: {input_shape!r}"
        )
    check_int("width", width, 1)
    features = inputs = keras.Input(tuple(input_shape))
    layout = {"data_format": "channels_last"}
    for k, channels in enumerate((width, width, 2 * width, 2 * width, 4 * width), start=1):
        features = keras.layers.Conv2D(
            channels, 3, padding="same", use_bias=False, name=f"conv{k}", **layout
        )(features)
        features = _norm(f"conv{k}_norm")(features)
        features = keras.layers.ReLU(name=f"conv{k}_relu")(features)
        if k in (2, 4):
            features = keras.layers.MaxPooling2D(name=f"pool{k}", **layout)(features)
    features = keras.layers.GlobalAveragePooling2D(name="pool", **layout)(features)
    outputs = _head(features, hidden, classes, layer, "sigmoid", dropout, 0.5)
    return keras.Model(inputs, outputs, name=name)


def _head(
    features: Any,
    hidden: int,
    classes: int,
    layer: str,
    gate: str,
    dropout: float,
    mean_input: float,
) -> Any:
    check_int("hidden", hidden, 1)
    check_int("classes", classes, 2)
    check_option("layer", layer, LAYERS)
    y = keras.layers.Dense(hidden, name="hidden")(features)
    y = keras.layers.Activation(gate, name="gate")(_norm("norm1")(y))
    if layer == "synapse":
        # No gains: batch norm would subtract them again.
        synapse = Synapse(
            hidden,
            alpha=False,
            output="surprisal",
            beta_logit_initializer=InitialBetaLogit(mean_input),
            name="synapse",
        )
        y = -synapse(y)
    elif layer == "dense":
        y = keras.layers.Dense(hidden, name="dense")(y)
    y = keras.layers.Dropout(dropout, name="dropout")(_norm("norm2")(y))
    return keras.layers.Dense(classes, name="output")(y)


def _norm(name: str) -> Any:
    """Batch norm with torch's constants, which `synann_core.SynaMLP` has, too."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)

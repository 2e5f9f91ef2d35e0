"""Models of Keras as models of the core, whose exports then serve them: JSON, ONNX and C."""

from __future__ import annotations

from typing import Any

import keras

import synann_core as syn
from synann_core.extending import NORM_EPS, NumpyArray, to_numpy

__all__ = ["to_core"]

_ENDS = ("hidden", "norm1", "gate", "norm2", "dropout", "output")
# Keras' names of a layer's weights are not the core's; kernels are (inputs, units) there.
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean"}
_NORM["running_var"] = "moving_variance"
_DENSE = {"weight": "kernel", "bias": "bias"}


def to_core(model: keras.Model) -> syn.SynaMLP:
    """`synann_core.SynaMLP` with the weights of a `SynaMLP` of Keras: it computes the same logits.

    From there the weights go everywhere: ``to_core(model).save(path)`` writes a safetensors file
    for torch, `synann_core.export` has JSON, ONNX and C.

    Parameters
    ----------
    model : keras.Model
        A `synann_keras.SynaMLP`, trained or not.

    Returns
    -------
    SynaMLP
        With NumPy arrays in the dtype of the weights.

    Raises
    ------
    ValueError
        If the model has other layers than those of `SynaMLP`, or other options of them.

    Examples
    --------
    >>> from synann_keras import SynaMLP
    >>> from synann_keras.convert import to_core
    >>> model = to_core(SynaMLP(4, 8, 3, dropout=0.25))
    >>> model.layer, model.gate, model.dropout, model.weights["hidden.weight"].shape
    ('synapse', 'sigmoid', 0.25, (8, 4))
    """
    layers = {layer.name: layer for layer in model.layers if layer.weights or layer.name in _ENDS}
    middle = sorted(layers.keys() - set(_ENDS))
    missing = [name for name in _ENDS if name not in layers]
    if missing or middle not in (["synapse"], ["dense"], []):
        raise ValueError(
            f"`model` must be a SynaMLP. Received: layers {list(layers)}, missing {missing}"
        )
    weights: dict[str, NumpyArray] = {}
    for name, names in (("hidden", _DENSE), ("norm1", _NORM), ("norm2", _NORM), ("output", _DENSE)):
        weights |= _weights(layers[name], names)
    if middle == ["dense"]:
        weights |= _weights(layers["dense"], _DENSE)
    elif middle == ["synapse"]:
        synapse = layers["synapse"]
        expected = {"excitation": "auto", "alpha": False, "space": "probability"}
        expected |= {"mask": None, "gate": None}
        config = synapse.get_config()
        for option, value in {**expected, "output": "surprisal"}.items():
            if config[option] != value:
                raise ValueError(
                    f"`model` must have a synapse with {option} {value!r}. "
                    f"Received: {config[option]!r}"
                )
        weights |= _weights(synapse, {"beta_logit": "beta_logit"})
    hidden, in_features = weights["hidden.weight"].shape
    result = syn.SynaMLP(
        in_features,
        hidden,
        weights["output.weight"].shape[0],
        layer=middle[0] if middle else "none",
        gate=keras.activations.serialize(layers["gate"].activation),
        dropout=float(layers["dropout"].rate),
    )
    result.weights = {name: weights[name] for name in result.weights}
    return result


def _weights(layer: Any, names: dict[str, str]) -> dict[str, NumpyArray]:
    """A layer's weights by the core's names, matrices as (units, inputs)."""
    if names is _NORM and layer.epsilon != NORM_EPS:
        raise ValueError(
            f"`model` must have {layer.name} with epsilon {NORM_EPS}. Received: {layer.epsilon}"
        )
    return {
        f"{layer.name}.{ours}": to_numpy(keras.ops.stop_gradient(getattr(layer, theirs))).T.copy()
        for ours, theirs in names.items()
    }

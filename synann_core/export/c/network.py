"""Write a SynaMLP in C: its affine maps, gate and synapses, in floating point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from synann_core._lib.checks import to_numpy
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.typing import Array, NumpyArray
from synann_core.export.c.text import source
from synann_core.export.checks import Precision, in_dtype
from synann_core.layer import beta_of
from synann_core.models import passes
from synann_core.models.mlp import SynaMLP

Constants = dict[str, NumpyArray]


def network_source(model: SynaMLP, name: str, dtype: Precision) -> str:
    """Return the whole file."""
    constants = affine_maps(model)
    pieces = ["sum", "affine", model.gate]
    middle, encoded = "", "y"
    if model.layer == "synapse":
        # Kept below 1 by the eps of the arithmetic.
        logit = to_numpy(model.weights["synapse.beta_logit"]).astype(dtype)
        constants["beta"] = beta_of(logit, xp=numpy_namespace)
        pieces.append("transmission")
        middle, encoded = (
            f"    for (int i = 0; i < {model.hidden}; i++)\n        log_y[i] += "
            f"{name}_log_transmission({name}_beta + i * {model.hidden}, y, {model.hidden});\n",
            "log_y",
        )
    return source(
        f"{name}: {described(model)}.",
        name,
        dtype,
        declarations=[
            "void ${name}_logits(const $real *x, $real *logits);",
            "int ${name}_predict(const $real *x);",
        ],
        constants={key: in_dtype("model", values, dtype) for key, values in constants.items()},
        pieces=[*pieces, "network", "predict"],
        middle=middle,
        encoded=encoded,
        scored="logits",
        features=model.in_features,
        hidden=model.hidden,
        classes=model.classes,
    )


def described(model: SynaMLP) -> str:
    """Name the kind of model and its sizes, for a comment."""
    return (
        f"a SynaMLP with {model.in_features} features {model.hidden} hidden {model.classes} classes"
    )


def affine_maps(model: SynaMLP) -> Constants:
    """Matrices and biases before the gate, `in`, and behind the synapses, `out`, in float64.

    Batch norms, and a dense layer in the synapses' place, are folded into them.
    """
    weights: dict[str, Any] = {
        key: to_numpy(weight).astype(np.float64) for key, weight in model.weights.items()
    }
    xp = numpy_namespace  # NumPy itself lacks functions of the standard before 2.4

    def first(x: Array) -> Array:
        return passes.normalise(weights, "norm1", passes.dense(weights, "hidden", x, xp), xp)

    def last(z: Array) -> Array:
        z = passes.dense(weights, "dense", z, xp) if model.layer == "dense" else z
        return passes.dense(weights, "output", passes.normalise(weights, "norm2", z, xp), xp)

    maps: Constants = {}
    for part, function, inputs in (("in", first, model.in_features), ("out", last, model.hidden)):
        maps[part], maps[f"{part}_bias"] = _affine(function, inputs)
    return maps


def _affine(function: Callable[[Any], Any], inputs: int) -> tuple[NumpyArray, NumpyArray]:
    """Matrix and bias of an affine map, from what it makes of the unit vectors and of 0."""
    bias = function(np.zeros((1, inputs)))
    return (function(np.eye(inputs)) - bias).T, bias[0]

"""Write a SynaMLP in C in whole numbers, for processors without floating point.

    sums of weights and bytes → log-odds z → gate → y, −log2 y → synapses → sums of weights

Logarithms are surprisals in units of 2⁻¹⁵ bits, probabilities units of 2⁻¹⁶. The log-transmission
is that of a product of the factors 1 − βy, which keeps 16 bits and counts its halvings. All scales
follow from the weights: no sum can overflow, and no data are needed to find them.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from synann_core._lib.checks import to_numpy
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.typing import NumpyArray
from synann_core.export.c.network import affine_maps, described
from synann_core.export.c.text import source
from synann_core.export.checks import in_dtype
from synann_core.layer import beta_of
from synann_core.models.mlp import SynaMLP

WholeDtype = Literal["int8", "int16"]

#: Units of surprisal in a bit, and in a nat.
BITS = 2.0**15
NATS = BITS / math.log(2.0)
#: So many factors, of at most 16 bits each, stay below 2^29 units.
MOST_FACTORS = 1023
#: Of log-odds in these units, 5,678 nats; rounded weights may make it twice as much.
LARGEST = 2.0**28
_INT32 = 2.0**31 - 1


class Integers(NamedTuple):
    """The numbers of a network's C file."""

    constants: dict[str, NumpyArray]  # named as in the file
    shift: int  # what log-odds are divided by after their scale, as a power of 2
    unit: float  # of a logit, in nats


def integers_source(model: SynaMLP, name: str, dtype: WholeDtype, levels: int) -> str:
    """Return the whole file."""
    numbers = integers(model, dtype, levels)
    middle, pieces = "", ["whole_logs", f"whole_{model.gate}"]
    if model.layer == "synapse":
        pieces += ["whole_product", "whole_transmission"]
        middle = (
            f"    for (int i = 0; i < {model.hidden}; i++)\n"
            f"        z[i] += {name}_transmission({name}_beta + i * {model.hidden}, y);\n"
        )
    bits = 8 if dtype == "int8" else 16
    return source(
        f"{name}: {described(model)}, in whole numbers.",
        name,
        None,
        declarations=[
            "void ${name}_logits(const uint8_t *x, int64_t *logits);",
            "int ${name}_predict(const uint8_t *x);",
        ],
        constants=numbers.constants,
        pieces=[*pieces, "whole_network", "predict"],
        header="stdint.h",
        local="static ",
        middle=middle,
        encoded="z" if model.layer == "synapse" else "y",
        beta=f"u{dtype}_t",
        bits=bits,
        half=1 << (bits - 1),
        shift=numbers.shift,
        rounding=(1 << numbers.shift) >> 1,
        levels=levels,
        unit=f"{numbers.unit:.6g}",
        input="uint8_t",
        score="int64_t",
        scored="logits",
        features=model.in_features,
        hidden=model.hidden,
        classes=model.classes,
    )


def integers(model: SynaMLP, dtype: WholeDtype, levels: int) -> Integers:
    """Round a network's numbers, each row of the first matrix and the last matrix on its own scale.

    The last matrix always has 16 bits.
    """
    if model.hidden > MOST_FACTORS:
        raise ValueError(
            f"`model` must have at most {MOST_FACTORS} hidden neurons in whole numbers. "
            f"Received: {model.hidden}"
        )
    maps = {key: in_dtype("model", values, "float64") for key, values in affine_maps(model).items()}
    constants, shift = _first(maps["in"], maps["in_bias"], dtype, levels)
    constants |= logarithms()
    if model.layer == "synapse":
        logit = to_numpy(model.weights["synapse.beta_logit"]).astype(np.float64)
        constants["beta"] = _units(beta_of(logit, xp=numpy_namespace), 8 * np.dtype(dtype).itemsize)
        nats = -1.0 / NATS  # of a unit of surprisal, as a logarithm
    else:
        nats = 2.0**-16  # of a probability
    weights = maps["out"] * nats
    scale = 32767.0 / max(float(np.abs(weights).max()), 1e-300)
    # A bias may be larger than all else: its 53 bits stay.
    scale = min(scale, 2.0**53 / max(float(np.abs(maps["out_bias"]).max()), 1e-300))
    constants["out"] = np.rint(weights * scale).astype(np.int16)
    constants["out_bias"] = np.rint(maps["out_bias"] * scale).astype(np.int64)
    return Integers(constants, shift, 1.0 / scale)


def logarithms() -> dict[str, NumpyArray]:
    """Points of the functions log2(1 + e) and 2^−u between 0 and 1."""
    points = np.arange(129) / 128.0
    return {
        "log2_points": np.rint(BITS * np.log2(1.0 + points)).astype(np.uint16),
        "exp2_points": _units(np.exp2(-points), 16),
    }


def _first(
    weights: NumpyArray, bias: NumpyArray, dtype: WholeDtype, levels: int
) -> tuple[dict[str, NumpyArray], int]:
    """Numbers with which a row's sum s of weights and bytes gives log-odds s · scale / 2^shift."""
    weights, bias = weights * (NATS / levels), bias * NATS
    largest = np.abs(weights).sum(axis=1) * levels + np.abs(bias)
    if not (largest <= LARGEST).all():
        raise ValueError(
            f"`model` must have log-odds within ±{LARGEST / NATS:.0f} before its gate in whole "
            f"numbers. Received: up to {largest.max() / NATS:g}"
        )
    most = float(np.iinfo(dtype).max)
    # Rounding adds half a unit for each weight, of each of the levels, and for the bias.
    room = _INT32 - (weights.shape[1] * levels + 1) / 2.0
    with np.errstate(divide="ignore"):
        row = np.minimum(most / np.abs(weights).max(axis=1), room / largest)
    row = np.minimum(row, 2.0**30)  # of a row of zeros, or nearly
    shift = 31 - max(math.frexp(float((1.0 / row).max()))[1], 0)
    return {
        "in": np.rint(weights * row[:, None]).astype(dtype),
        "in_bias": np.rint(bias * row).astype(np.int32),
        "in_scale": np.rint(np.ldexp(1.0 / row, shift)).astype(np.uint32),
    }, shift


def _units(probabilities: NumpyArray, bits: int) -> NumpyArray:
    """Probabilities in units of 2^−bits, without 1 itself."""
    rounded = np.rint(np.ldexp(probabilities, bits))
    return np.minimum(rounded, 2.0**bits - 1.0).astype(f"uint{bits}")

"""Write a surprisal synapse layer that learns in C, in floating point or in whole numbers."""

from __future__ import annotations

import math

import numpy as np

from synann_core._lib.numerics import surprisal_floor
from synann_core._lib.typing import NumpyArray
from synann_core.export.c.integers import LARGEST, MOST_FACTORS, NATS, logarithms
from synann_core.export.c.text import literal, source
from synann_core.export.checks import Precision

_FINE = 2.0**24  # units of γ in a bit: a step may be far smaller than a unit of v
_LARGEST_GAMMA = 2**31 - 1  # of these units, 128 bits


def learner_source(
    theta: NumpyArray, gamma: NumpyArray, gamma_min: float, name: str, dtype: Precision
) -> str:
    """Return the whole file; θ (m,) and γ (m, n) are in `dtype`."""
    m, n = gamma.shape
    return source(
        _title(gamma, name),
        name,
        dtype,
        declarations=[
            "void ${name}_forward(const $real *u, const $real *v, $real *z);",
            "void ${name}_learn(const $real *u, const $real *v, const $real *target, $real rate);",
        ],
        constants={"theta": theta},
        variables={"gamma": gamma},
        pieces=["sum", "complement", "learner"],
        m=m,
        n=n,
        floor=literal(surprisal_floor(np.dtype(dtype), np), dtype),
        gamma_min=literal(gamma_min, dtype),
    )


def integers_learner_source(
    theta: NumpyArray, gamma: NumpyArray, gamma_min: float, name: str
) -> str:
    """Return the whole file, without floating-point numbers."""
    m, n = gamma.shape
    if n > MOST_FACTORS:
        raise ValueError(
            f"`gamma` must have at most {MOST_FACTORS} inputs in whole numbers. "
            f"Received: shape {gamma.shape}"
        )
    units = theta * NATS
    if np.abs(units).max() > LARGEST:
        raise ValueError(
            f"`theta` must be within ±{LARGEST / NATS:.0f} nats in whole numbers. "
            f"Received: up to {np.abs(theta).max():g}"
        )
    return source(
        f"{_title(gamma, name)[:-1]}, in whole numbers.",
        name,
        None,
        declarations=[
            "int32_t ${name}_surprisal(uint32_t p);",
            "void ${name}_forward(const int32_t *u, const int32_t *v, int32_t *z);",
            "void ${name}_learn(const int32_t *u, const int32_t *v, const uint16_t *target, "
            "uint16_t rate);",
        ],
        constants={"theta": np.rint(units).astype(np.int32), **logarithms()},
        variables={"gamma": _fine(gamma).astype(np.uint32)},
        pieces=["whole_logs", "whole_product", "whole_learner"],
        header="stdint.h",
        local="",
        m=m,
        n=n,
        gamma_min=max(int(_fine(np.asarray(gamma_min))), 1),
        gamma_max=_LARGEST_GAMMA,
    )


def _title(gamma: NumpyArray, name: str) -> str:
    m, n = gamma.shape
    return f"{name}: a layer of {m} x {n} synapses in surprisal space, which learns."


def _fine(nats: NumpyArray) -> NumpyArray:
    return np.minimum(np.rint(nats * (_FINE / math.log(2.0))), _LARGEST_GAMMA)

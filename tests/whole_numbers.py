"""Emulate the C files in whole numbers, in NumPy's integers of 64 bits."""

import numpy as np

from synann_core.export.c.integers import integers
from tests.export_models import FLAGS

# Undefined behaviour, an overflow above all, ends the program.
STRICT = [*FLAGS, "-Wconversion", "-fsanitize=undefined", "-fno-sanitize-recover=all"]


def fits(values, bits):
    """The values, which must be numbers of a type of C."""
    assert (np.abs(values) < 2 ** (bits - 1)).all()
    return values


def log2(numbers, e):
    points = numbers["log2_points"].astype(np.int64)
    low, high = points[e >> 9], points[(e >> 9) + 1]
    return low + (((high - low) * (e & 511) + 256) >> 9)


def exp2(numbers, u):
    assert (u >= 0).all()
    points, halvings = numbers["exp2_points"].astype(np.int64), np.minimum(u >> 15, 60)
    high, low = points[(u & 32767) >> 8], points[((u & 32767) >> 8) + 1]
    y = high - (((high - low) * (u & 255) + 128) >> 8)
    return np.where(halvings > 16, 0, (y + ((1 << halvings) >> 1)) >> halvings)


def gated(numbers, z, gate):
    if gate == "sigmoid":
        z = np.maximum(-z, 0) + log2(numbers, exp2(numbers, np.abs(z)))
        return z, exp2(numbers, z)
    z = fits(z.max(axis=1, keepdims=True) - z, 32)
    total = exp2(numbers, z).sum(axis=1, keepdims=True)
    normal = np.full_like(total, -32768)
    while (total > 65535).any():
        normal += np.where(total > 65535, 32768, 0)
        total = np.where(total > 65535, (total + 1) >> 1, total)
    z = fits(z + np.maximum(normal + log2(numbers, 2 * (total - 32768)), 0), 32)
    return z, exp2(numbers, z)


def product_surprisal(numbers, inhibited):
    """Surprisal of ∏ (1 − inhibited / 2^16) over the first axis."""
    m = np.full(inhibited.shape[1:], 65535)
    halvings = np.zeros_like(m)
    for now in inhibited:
        m -= (m * now + 32768) >> 16
        assert (m > 0).all()
        while (m < 32768).any():
            halvings += m < 32768
            m = np.where(m < 32768, 2 * m, m)
    return (halvings + 1) * 32768 - log2(numbers, 2 * (m - 32768))


def transmission(numbers, y, bits):
    """Of each sample and row of β."""
    beta = numbers["beta"].astype(np.int64).reshape(y.shape[1], y.shape[1])
    inhibited = (y[:, None, :] * beta + (1 << bits >> 1)) >> bits
    return product_surprisal(numbers, np.moveaxis(inhibited, -1, 0))


def network_logits(model, dtype, levels, x):
    """What the file computes, in integers of 64 bits, and a unit in nats."""
    found = integers(model, dtype, levels)
    numbers = {key: values.astype(np.int64) for key, values in found.constants.items()}
    total = fits(x.astype(np.int64) @ numbers["in"].T + numbers["in_bias"], 32)
    z = fits(np.abs(total) * numbers["in_scale"], 64)
    z = fits(np.sign(total) * ((z + (1 << found.shift >> 1)) >> found.shift), 32)
    z, y = gated(numbers, z, model.gate)
    if model.layer == "synapse":
        y = fits(z + transmission(numbers, y, 8 if dtype == "int8" else 16), 32)
    return y @ numbers["out"].T + numbers["out_bias"], found.unit

"""What every code of numbers is tested for, and inputs that no library rounds."""

import numpy as np
import pytest

from reference import encoders as slow


def grid(shape, parts=64, seed=0):
    """Multiples of 1/parts in [0, 1], the ends among them."""
    x = np.random.default_rng(seed).integers(0, parts + 1, shape)
    x.flat[:2] = 0, parts
    return x / parts


X = grid((3, 5))


def walks(shape=(40, 2, 3), seed=0, parts=16):
    """Signals whose values, and sums of them, are multiples of 1/parts."""
    steps = np.random.default_rng(seed).integers(-parts // 2, parts // 2 + 1, shape)
    return np.cumsum(steps, axis=0) / parts


def against_the_loop(xp, dtype, encode, slowly):
    """The spikes of a slow loop, on every library."""
    want = slowly(X)
    got = xp.call(encode, xp.asarray(X, dtype))
    xp.check(got, dtype, want.shape)
    np.testing.assert_array_equal(xp.to_numpy(got), want)
    assert 0 < np.abs(want).sum() < want.size


def in_half_precision(half, encode, slowly):
    """The same spikes; 1/64 is a half precision number."""
    torch = pytest.importorskip("torch")
    got = encode(torch.asarray(X, dtype=getattr(torch, half)))
    assert got.dtype == getattr(torch, half)
    np.testing.assert_array_equal(got.float().numpy(), slowly(X))


def recorded_by_torch(encode):
    """Whether a gradient passes the code."""
    torch = pytest.importorskip("torch")
    return encode(torch.asarray(X).requires_grad_()).requires_grad


def sample_by_sample(encode):
    """A sample's code does not depend on the others of its batch."""
    x = np.random.default_rng(3).random((4, 6))
    whole = encode(x)
    for i in range(len(x)):
        np.testing.assert_array_equal(encode(x[i : i + 1]), whole[:, i : i + 1])


def ranked_spikes():
    """A train (6, 3, 5) in the order of X with a silent neuron, and its ranks, 6 for silent."""
    spikes = np.concatenate([slow.train(slow.ranks(X), 5), np.zeros((1, 3, 5))])
    spikes[:, 1, 2] = 0.0
    return spikes, np.where(spikes.any(axis=0), spikes.argmax(axis=0), 6)

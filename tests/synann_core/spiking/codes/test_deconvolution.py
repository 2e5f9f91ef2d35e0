"""Codes whose decoder is a filter, against slow loops; bounds of what it gives back.

Inputs are multiples of a power of two, so that every sum is exact and no library rounds a tie.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import encoders as slow
from synann_core.spiking import bsa_encode, convolution_decode, hsa_encode
from tests.synann_core.spiking.codes.checks import walks

KERNEL = np.array([0.125, 0.5, 0.25, 0.125])
SIGNALS = walks()
FILTERS = {
    "hsa": (hsa_encode, partial(slow.hsa, end="silent")),
    "hsa modified": (
        partial(hsa_encode, threshold=0.25),
        partial(slow.hsa, end="silent", threshold=0.25),
    ),
    "hsa modified to the end": (
        partial(hsa_encode, threshold=0.25, end="partial"),
        partial(slow.hsa, end="partial", threshold=0.25),
    ),
    "hsa to the end": (partial(hsa_encode, end="partial"), partial(slow.hsa, end="partial")),
} | {
    f"bsa {rule} {end}": (
        partial(bsa_encode, threshold=threshold, rule=rule, end=end),
        partial(slow.bsa, threshold=threshold, rule=rule, end=end),
    )
    for rule, threshold in (("difference", 0.625), ("ratio", 0.875))
    for end in ("silent", "partial")
}


@pytest.mark.jax_alternates
@pytest.mark.parametrize(
    ("name", "steps"),
    # 3 steps are fewer than the kernel has.
    [*((n, 40) for n in FILTERS), ("hsa", 3), ("bsa ratio partial", 3)],
)
def test_deconvolution(xp, dtype, name, steps):
    encode, slowly = FILTERS[name]
    signals = np.abs(SIGNALS[:steps])
    if steps == 3:
        signals = signals + 0.5
    want = slow.each_signal(partial(slowly, kernel=KERNEL.tolist()), signals)
    got = xp.call(encode, xp.asarray(signals, dtype), xp.asarray(KERNEL, dtype))
    xp.check(got, dtype, signals.shape)
    np.testing.assert_array_equal(xp.to_numpy(got), want)
    assert want.any() == (steps == 40 or "partial" in name)
    assert steps == 3 or want.sum() > 5


def test_the_rules_and_the_ends_differ():
    signals = np.abs(SIGNALS)
    codes = [
        slow.each_signal(partial(f, kernel=KERNEL.tolist()), signals) for _, f in FILTERS.values()
    ]
    assert all((a != b).any() for i, a in enumerate(codes) for b in codes[:i])


@pytest.mark.jax_alternates
@pytest.mark.parametrize("steps", [40, 3])
def test_convolution(xp, dtype, steps):
    spikes = np.abs(np.sign(walks((steps, 2, 3), seed=4)))
    got = xp.call(convolution_decode, xp.asarray(spikes, dtype), xp.asarray(KERNEL, dtype))
    xp.check(got, dtype, spikes.shape)
    want = slow.each_signal(partial(slow.convolution, kernel=KERNEL.tolist()), spikes)
    np.testing.assert_array_equal(xp.to_numpy(got), want)


@given(st.lists(st.integers(0, 64), min_size=4, max_size=50))
def test_hsa_stays_under_the_signal(values):
    signal = np.array(values) / 16
    for end in ("silent", "partial"):
        decoded = convolution_decode(hsa_encode(signal, KERNEL, end=end), KERNEL)
        assert (decoded <= signal).all()


@given(st.lists(st.integers(0, 64), min_size=4, max_size=50), st.integers(0, 16))
def test_modified_hsa_is_above_by_little(values, threshold):
    """Each spike adds `threshold` or less to what is above the signal; HSA is the case 0."""
    signal, threshold = np.array(values) / 16, threshold / 16
    for end in ("silent", "partial"):
        spikes = hsa_encode(signal, KERNEL, threshold=threshold, end=end)
        above = np.maximum(convolution_decode(spikes, KERNEL) - signal, 0.0).sum()
        assert above <= threshold * spikes.sum()
    strict, modified = (
        np.append(hsa_encode(signal, KERNEL, threshold=t), 1.0).argmax() for t in (0.0, threshold)
    )
    assert modified <= strict  # the first spike of each


@given(st.lists(st.integers(0, 64), min_size=4, max_size=50), st.integers(0, 16))
def test_bsa_spikes_bring_the_signal_nearer(values, threshold):
    """Each spike takes `threshold` or more from Σ |x − decoded|."""
    signal, threshold = np.array(values) / 16, threshold / 16
    spikes = bsa_encode(signal, KERNEL, threshold)
    decoded = convolution_decode(spikes, KERNEL)
    assert np.abs(signal - decoded).sum() <= np.abs(signal).sum() - threshold * spikes.sum()


@given(st.integers(0, 2**32))
def test_trains_come_back(seed):
    """The codes of what a sparse train decodes to are that train: kernels that do not overlap."""
    spikes = np.zeros(40)
    spikes[np.random.default_rng(seed).permutation(9)[:5] * 4] = 1.0
    signal = convolution_decode(spikes, KERNEL)
    np.testing.assert_array_equal(hsa_encode(signal, KERNEL), spikes)
    np.testing.assert_array_equal(bsa_encode(signal, KERNEL, 0.75), spikes)


x = np.ones((5, 2))
BAD = [
    (lambda: hsa_encode(x, np.ones((2, 2))), ValueError, r"`kernel` must have shape \(taps,\)"),
    (lambda: hsa_encode(x, np.ones(0)), ValueError, "`kernel` must not be empty"),
    (lambda: hsa_encode(x, np.ones(2), end="zero"), ValueError, "`end` must be one of"),
    (lambda: hsa_encode(x, np.ones(2), threshold=-1.0), ValueError, "`threshold` must be in"),
    (lambda: bsa_encode(x, np.ones(2), -1.0), ValueError, r"`threshold` must be in \[0, inf\)"),
    (lambda: bsa_encode(x, np.ones(2), 1.0, rule="sum"), ValueError, "`rule` must be one of"),
    (lambda: convolution_decode(np.array(1.0), np.ones(2)), ValueError, "`spikes` must have"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()

"""Signals with gaps: NaN gives no spike, and what follows is as if it had not been there.

And NaN where a threshold or a kernel is meant is refused by every code.
"""

from functools import partial

import numpy as np
import pytest

from synann_core import spiking
from tests.synann_core.spiking.codes.checks import grid, walks

KERNEL = np.array([0.5, 1.0, 0.5])
SIGNALS = walks((30, 4), seed=2)
GAPPY = SIGNALS.copy()
GAPPY[[5, 6, 7, 20], 0] = GAPPY[:3, 1] = GAPPY[:, 2] = np.nan  # amid, at the start, throughout

OF_TIME = {
    "delta": partial(spiking.delta_encode, threshold=0.25),
    "delta repeat": partial(spiking.delta_encode, threshold=0.25, first="repeat"),
    "temporal contrast": lambda x: spiking.temporal_contrast_encode(x, 0.5)[0],
    "temporal contrast, absolute": lambda x: spiking.temporal_contrast_encode(
        x, 0.5, of="absolute", correction=1.0
    )[0],
    "step forward": partial(spiking.step_forward_encode, threshold=0.25),
    "moving window": partial(spiking.moving_window_encode, threshold=0.25, window=4),
    "moving window, published": partial(
        spiking.moving_window_encode, threshold=0.25, window=4, first="window"
    ),
    "event camera": lambda x: spiking.event_camera(2.0**x, 0.25),
    "rate": partial(spiking.rate_encode, key=0),
    "Poisson": partial(spiking.poisson_encode, key=0, max_rate=2.0),
    "Poisson, signed": partial(spiking.poisson_encode, key=0, max_rate=2.0, signed=True),
}
OF_NUMBERS = {
    "rate": partial(spiking.rate_encode, steps=7, key=0),
    "deterministic rate": partial(spiking.deterministic_rate_encode, steps=7),
    "latency": partial(spiking.latency_encode, steps=7),
    "latency, linear": partial(spiking.latency_encode, steps=7, linear=True, normalise=True),
    "latency, clipped": partial(spiking.latency_encode, steps=7, clip=True),
    "Poisson": partial(spiking.poisson_encode, steps=7, key=0),
    "phase": partial(spiking.phase_encode, steps=7, bits=4),
    "burst": partial(spiking.burst_encode, steps=12),
    "first spike": partial(spiking.ttfs_encode, steps=7),
    "first spike, linear": partial(spiking.ttfs_encode, steps=7, linear=True),
    "rank order": spiking.rank_order_encode,
    "population": partial(spiking.population_encode, steps=7, neurons=5),
}


def filters(xp, dtype):
    kernel = xp.asarray(KERNEL, dtype)
    for end in ("silent", "partial"):
        for most in (0.0, 0.25):
            yield (lambda x, m=most, e=end: spiking.hsa_encode(x, kernel, threshold=m, end=e)), end
        for rule in ("difference", "ratio"):
            yield (lambda x, r=rule, e=end: spiking.bsa_encode(x, kernel, 0.9, rule=r, end=e)), end


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", OF_TIME)
def test_a_gap_is_silent_and_harms_nothing_else(xp, dtype, name):
    encode = OF_TIME[name]
    got = xp.to_numpy(xp.call(encode, xp.asarray(GAPPY, dtype)))
    assert not got[np.isnan(GAPPY)].any()
    assert np.isfinite(got).all()
    whole = xp.to_numpy(xp.call(encode, xp.asarray(SIGNALS, dtype)))
    np.testing.assert_array_equal(got[:, 3], whole[:, 3])  # another signal
    if "temporal" not in name:  # whose threshold the whole signal sets
        np.testing.assert_array_equal(got[:5, 0], whole[:5, 0])
    assert got[8:20, 0].any()
    assert got[4:, 1].any()


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", ["step forward", "event camera"])
def test_a_reference_stays_through_a_gap(xp, dtype, name):
    """The spikes of the signal with its gaps cut out."""
    encode = OF_TIME[name]
    got = xp.to_numpy(xp.call(encode, xp.asarray(GAPPY, dtype)))
    for column in (0, 1):
        known = ~np.isnan(GAPPY[:, column])
        cut = xp.to_numpy(xp.call(encode, xp.asarray(GAPPY[known, column], dtype)))
        np.testing.assert_array_equal(got[known, column], cut)


def test_codes_of_changes_do_not_look_across_a_gap():
    """The step after a gap has no change that is known; means are those of the others."""
    x = np.array([0.0, 1.0, np.nan, 9.0, 8.0, 8.0])
    assert spiking.delta_encode(x, 1.0).tolist() == [0, 1, 0, 0, -1, 0]
    assert spiking.delta_encode(x[2:], 1.0, first="repeat").tolist() == [0, 0, -1, 0]
    spikes, threshold = spiking.temporal_contrast_encode(x, 1.0)
    changes = np.array([1.0, -1.0, 0.0])
    assert threshold == pytest.approx(changes.mean() + changes.std())
    assert spikes.tolist() == [0, 1, 0, 0, -1, 0]
    encode = partial(spiking.moving_window_encode, threshold=0.5, window=2)
    assert encode(x).tolist() == [0, 1, 0, 1, -1, 0]  # the means: -, 0, -, 1, 9, 8.5
    assert encode(np.array([0.0, np.nan, np.nan, 5.0, 0.0])).tolist() == [0, 0, 0, 0, -1]


@pytest.mark.parametrize("name", [name for name in OF_TIME if name.startswith(("temp", "event"))])
def test_an_infinite_number_is_a_gap_in_some_codes(name):
    gappy = SIGNALS.copy()
    gappy[5, :2] = np.nan
    infinite = gappy.copy()
    infinite[5, 0] = np.inf
    want, got = OF_TIME[name](gappy), OF_TIME[name](infinite)
    after = [0, 1, 2, 3, 4, *range(7, 30)]  # an infinite change has a sign
    np.testing.assert_array_equal(got[after], want[after])
    assert np.isfinite(got).all()
    assert got[7:, 0].any()


def test_a_signal_of_too_few_changes_has_the_threshold_0():
    x = np.array([[1.0, np.nan, 0.0], [2.0, np.nan, np.nan], [4.0, np.nan, 1.0]])
    spikes, threshold = spiking.temporal_contrast_encode(x, 0.5, correction=1.0)
    assert threshold[1:].tolist() == [0, 0]
    assert not spikes[:, 1:].any()
    decoded = spiking.contrast_decode(spikes, threshold, start=1.0)
    assert np.isfinite(decoded).all()


@pytest.mark.jax_alternates
def test_no_spike_where_a_kernel_reaches_a_gap(xp, dtype):
    rng = np.random.default_rng(4)
    whole = spiking.convolution_decode((rng.random((30, 2)) < 0.4) * 1.0, KERNEL)
    x = whole.copy()
    x[[10, 20], 0] = np.nan
    reached = np.zeros((30, 2), dtype=bool)
    for gap in (10, 20):
        reached[gap - 2 : gap + 1, 0] = True
    for encode, _ in filters(xp, dtype):
        got = xp.to_numpy(encode(xp.asarray(x, dtype)))
        assert not got[reached].any()
        want = xp.to_numpy(encode(xp.asarray(whole, dtype)))
        np.testing.assert_array_equal(got[:8, 0], want[:8, 0])
        np.testing.assert_array_equal(got[:, 1], want[:, 1])
        assert got[11:18, 0].any()
        assert got[21:, 0].any()


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", OF_NUMBERS)
def test_a_number_that_is_missing_is_silent(xp, dtype, name):
    """And the others are as if a number that nothing follows had stood there."""
    encode, x = OF_NUMBERS[name], grid((3, 5), seed=1)
    x[1, 2] = x[2, 0] = np.nan
    got = xp.to_numpy(xp.call(encode, xp.asarray(x, dtype)))
    missing = np.isnan(x)
    assert not np.moveaxis(got, 0, -1)[missing].any()
    last = np.where(missing, -1.0, x)  # smaller than all others, whose ranks it leaves alone
    want = xp.to_numpy(xp.call(encode, xp.asarray(last, dtype)))
    np.testing.assert_array_equal(
        np.moveaxis(got, 0, -1)[~missing], np.moveaxis(want, 0, -1)[~missing]
    )
    assert got.any()


x = np.ones((5, 2))
TAKERS = {
    "delta_encode": lambda bad: spiking.delta_encode(x, bad),
    "step_forward_encode": lambda bad: spiking.step_forward_encode(x, bad),
    "moving_window_encode": lambda bad: spiking.moving_window_encode(x, bad, 2),
    "contrast_decode": lambda bad: spiking.contrast_decode(x, bad),
    "event_camera": lambda bad: spiking.event_camera(x, bad),
    "frames_to_events": lambda bad: spiking.frames_to_events(x[:, :, None], bad),
    "event_camera_decode": lambda bad: spiking.event_camera_decode(x, 1.0, bad),
}


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, np.array([np.nan]), np.array([np.inf])], ids=str)
def test_thresholds_that_are_not_numbers_are_refused(name, bad):
    with pytest.raises(ValueError, match=r"`threshold` must be in .*Received: .*(nan|inf)"):
        TAKERS[name](bad)


@pytest.mark.parametrize("name", [n for n in TAKERS if n != "contrast_decode"])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.zeros(1)], ids=str)
def test_thresholds_are_above_0(name, bad):
    with pytest.raises(ValueError, match=r"`threshold` must be in \(0, inf\)"):
        TAKERS[name](bad)


@pytest.mark.parametrize(
    "call",
    [
        lambda bad: spiking.hsa_encode(x, bad),
        lambda bad: spiking.bsa_encode(x, bad, 0.5),
        lambda bad: spiking.convolution_decode(x, bad),
    ],
)
def test_kernels_that_are_not_finite_are_refused(call):
    with pytest.raises(ValueError, match=r"`kernel` must be in .*Received: values from nan"):
        call(np.array([1.0, np.nan]))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: spiking.temporal_contrast_encode(x, np.nan), "factor"),
        (lambda: spiking.bsa_encode(x, np.ones(2), np.nan), "threshold"),
        (lambda: spiking.hsa_encode(x, np.ones(2), threshold=np.nan), "threshold"),
        (lambda: spiking.ttfs_encode(x, 5, threshold=np.nan), "threshold"),
        (lambda: spiking.ttfs_encode(x, 5, tau=np.nan), "tau"),
        (lambda: spiking.poisson_encode(x, 5, key=0, dt=np.nan), "dt"),
        (lambda: spiking.latency_encode(x, 5, threshold=np.nan), "threshold"),
        (lambda: spiking.population_encode(x, 5, 5, least=np.nan), "least"),
        (lambda: spiking.rank_order_decode(x, modulation=np.nan), "modulation"),
        (lambda: spiking.rate_encode(x, 5, key=0, max_rate=np.nan), "max_rate"),
        (lambda: spiking.event_camera(x, epsilon=np.nan), "epsilon"),
        (lambda: spiking.eprop_gradient(*[np.ones((2, 1, 1))] * 3, np.nan), "decay"),
        (lambda: spiking.eprop_gradient(*[np.ones((2, 1, 1))] * 3, np.array(np.nan)), "decay"),
    ],
)
def test_other_numbers_are_checked_as_well(call, name):
    with pytest.raises(ValueError, match=f"`{name}` must be in"):
        call()


def test_traced_thresholds_pass():
    """Inside jax.jit there are no values to look at."""
    jax = pytest.importorskip("jax")
    encode = jax.jit(spiking.delta_encode)
    spikes = encode(jax.numpy.asarray([0.0, 1.0]), jax.numpy.asarray(0.5))
    assert spikes.tolist() == [0.0, 1.0]

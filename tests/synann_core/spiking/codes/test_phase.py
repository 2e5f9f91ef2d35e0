"""The phase code against long division, and what its decoder gives back."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import number_codes as slow
from synann_core.spiking import phase_decode, phase_encode
from tests.synann_core.spiking.codes import checks

ENCODERS = {
    "one period": (partial(phase_encode, bits=6), partial(slow.phase, steps=6, bits=6)),
    "several": (partial(phase_encode, steps=11, bits=4), partial(slow.phase, steps=11, bits=4)),
    "part of one": (partial(phase_encode, steps=3, bits=8), partial(slow.phase, steps=3, bits=8)),
}


def test_torch_records_nothing_and_samples_do_not_mix():
    assert not checks.recorded_by_torch(phase_encode)
    checks.sample_by_sample(phase_encode)


@pytest.mark.jax_alternates
@pytest.mark.parametrize(("steps", "bits"), [(4, 4), (11, 4), (3, 8)])
def test_decoder(xp, dtype, steps, bits):
    spikes = np.random.default_rng(2).integers(0, 2, (steps, 3, 5)).astype(float)
    got = xp.call(partial(phase_decode, bits=bits), xp.asarray(spikes, dtype))
    xp.check(got, dtype, (3, 5))
    want = [[slow.phase_value(spikes[:, i, j], bits) for j in range(5)] for i in range(3)]
    np.testing.assert_allclose(xp.to_numpy(got), want, rtol=1e-6)


@given(st.floats(0, 1), st.integers(1, 24), st.integers(1, 60))
def test_the_error_is_less_than_a_digit(x, bits, steps):
    back = float(phase_decode(phase_encode(np.array(x), steps, bits=bits), bits=bits))
    digit = 2.0 ** -min(bits, steps)
    assert (0.0 <= x - back < digit) or (x == 1.0 and back == 1.0 - digit)


def test_every_digit_of_float32():
    x = np.random.default_rng(0).random(100, dtype=np.float32)
    np.testing.assert_array_equal(phase_decode(phase_encode(x, bits=24), bits=24), x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_beyond_the_range_and_missing(dtype):
    spikes = phase_encode(np.array([-1.0, -np.inf, np.nan, 1.0, 7.0, np.inf], dtype))
    assert not spikes[:, :3].any()
    assert spikes[:, 3:].all()


x = np.ones((3, 4))
BAD = [
    (lambda: phase_encode(x, 0), ValueError, "`steps` must be at least 1"),
    (lambda: phase_encode(x, bits=0), ValueError, "`bits` must be at least 1"),
    (lambda: phase_encode(x, bits=25), ValueError, "`bits` must be at most 24. Received: 25"),
    (lambda: phase_encode(x.astype(int)), TypeError, "`x` must have a real floating"),
    (lambda: phase_decode(x[:0]), ValueError, r"`spikes` must have shape \(time, ...\)"),
    (lambda: phase_decode(x, bits=1.5), TypeError, "`bits` must be an int"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()

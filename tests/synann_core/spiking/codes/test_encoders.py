"""Encoders of numbers against loops, on every library and in half precision.

The tests of each code say what its encoders are.
"""

import pytest

from tests.synann_core.spiking.codes import (
    checks,
    test_bursts,
    test_first_spike,
    test_latency,
    test_phase,
    test_populations,
    test_rate,
)

CODES = (test_bursts, test_first_spike, test_latency, test_phase, test_populations, test_rate)
ENCODERS = {
    f"{code.__name__.rpartition('.test_')[2]}, {name}": encoder
    for code in CODES
    for name, encoder in code.ENCODERS.items()
}


def test_no_code_hides_another():
    assert len(ENCODERS) == sum(len(code.ENCODERS) for code in CODES)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders(xp, dtype, name):
    checks.against_the_loop(xp, dtype, *ENCODERS[name])


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision(half, name):
    checks.in_half_precision(half, *ENCODERS[name])

"""How the benchmarks measure: turns, bursts, peaks of memory and errors."""

import functools
import os
import sys

import numpy as np
import pytest

from asv_benchmarks.benchmarks import meters
from tests.synann_core.contraction.test_native_processes import python


@pytest.fixture
def takes(monkeypatch):
    """Let every call take this long."""

    def make(seconds):
        monkeypatch.setattr(meters, "seconds", lambda call, clock: [call(), seconds][1])

    return make


def test_seconds_are_those_of_a_clock():
    ticks = iter([2.0, 5.0])
    assert meters.seconds(lambda: None, lambda: next(ticks)) == 3.0


def test_calls_take_turns(takes):
    takes(0.005)
    order = []
    calls = {name: functools.partial(order.append, name) for name in "ab"}
    assert meters.medians(calls, range(2)) == {"a": 0.005, "b": 0.005}
    assert "".join(order) == ("a" * 5 + "b" * 5) * 2  # one untimed, four last 20 ms


@pytest.mark.parametrize(("seconds", "made"), [(1e-6, 9 * 21), (0.9, 9 * 2), (1.1, 2 + 2)])
def test_fast_calls_are_limited_and_slow_ones_get_three_turns(takes, seconds, made):
    takes(seconds)
    order = []
    assert meters.medians({"it": lambda: order.append(1)}, range(9)) == {"it": seconds}
    assert len(order) == made


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak only ever rises")
def test_growth_sees_a_call_though_the_peak_was_higher():
    # In a process of its own: another test may have had malloc keep what is freed.
    code = """
import numpy as np
from asv_benchmarks.benchmarks import meters
np.ones(40 << 20, np.uint8)
print(meters.growth(lambda: np.ones(16 << 20, np.uint8)), meters.growth(lambda: None))
"""
    growth, nothing = map(int, python(code))
    assert 16e6 < growth < 24e6
    assert nothing < 2e6


def test_quiet_threads(monkeypatch):
    for name in meters.QUIET:
        monkeypatch.setenv(name, "")
    meters.quiet_threads()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"


def test_errors():
    exact = np.array([1.0, -2.0])
    assert meters.forward_error(exact * [1, 1.25], exact) == 0.25
    assert meters.vjp_error([exact + np.array([0, 0.5])], [exact]) == 0.25
    with pytest.raises(ArithmeticError):
        meters.forward_error(exact * np.nan, exact)

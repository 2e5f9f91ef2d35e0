"""Checks of time-first arrays, and spikes at times."""

import numpy as np
import pytest
from array_api_compat import array_namespace

from synann_core._lib.arguments import Arguments
from synann_core.spiking.codes.time_axis import (
    check_fits,
    check_time_axis,
    first_spikes,
    spikes_at,
    steps_like,
)


def given(*shape):
    return Arguments(x=np.zeros(shape), y=np.zeros((2, 1)))


def test_time_is_the_first_axis():
    assert check_time_axis(given(3, 2), "x") == (3, 2)
    assert check_time_axis(given(3, 2, 5), "x", "height", "width") == (3, 2, 5)
    for shape in ((), (0, 2)):
        with pytest.raises(ValueError, match=r"`x` must have shape \(time, ...\) and a step"):
            check_time_axis(given(*shape), "x")
    with pytest.raises(ValueError, match=r"\(time, height, width\) .* shape \(3, 2\)"):
        check_time_axis(given(3, 2), "x", "height", "width")


@pytest.mark.parametrize(
    ("shape", "fits"),
    [((2, 4), True), ((7, 2, 1), True), ((2,), False), ((3, 4), False), ((), False)],
)
def test_what_fits_one_step(shape, fits):
    """y, of shape (2, 1), beside a step of x."""
    if fits:
        check_fits(given(5, *shape), "y", shape)
        return
    with pytest.raises(ValueError, match=r"`y` must be a number or broadcast to .*\(2, 1\)"):
        check_fits(given(5, *shape), "y", shape)


def test_steps_stand_before_the_other_axes(xp, dtype):
    step = xp.asarray(np.zeros((2, 4)), dtype)
    t = xp.call(lambda a: steps_like(3, a, array_namespace(a)), step)
    xp.check(t, dtype, (3, 1, 1))
    np.testing.assert_array_equal(xp.to_numpy(t).ravel(), [0, 1, 2])


def test_a_spike_at_its_time_or_nowhere():
    times = np.array([0.0, 2.0, 3.0, -1.0, 0.5, np.nan, np.inf])
    spikes = spikes_at(times, 3, np)
    np.testing.assert_array_equal(spikes.argmax(axis=0)[:2], [0, 2])
    np.testing.assert_array_equal(spikes.sum(axis=0), [1, 1, 0, 0, 0, 0, 0])


def test_the_first_of_several_spikes():
    trains = np.array([[0.0, 0.0, 1.0, -1.0], [0.0, 2.0, 1.0, 0.5]])
    np.testing.assert_array_equal(first_spikes(trains, xp=np), [2, 1, 0, 1])

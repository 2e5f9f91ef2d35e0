"""Sums by logarithms, with impossible terms among them."""

import numpy as np

from synann_core.noisy_or.logarithms import moving_maximum, sums_of_chosen


def test_a_moving_maximum_keeps_the_sum():
    """Numbers far beyond what float64 holds, in an order that raises and lowers the maximum."""
    logs = np.array(
        [[-np.inf, -2000.0, -np.inf], [-2001.0, 3.0, -np.inf], [-1990.0, 900.0, -np.inf]]
    )
    highest, total = np.full(3, -np.inf), np.zeros(3)
    for row in logs:
        highest, ground, shrink = moving_maximum(highest, row)
        assert np.isfinite(ground).all()
        total = total * shrink + np.exp(row - ground)
    want = np.logaddexp.reduce(logs, axis=0)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(ground + np.log(total), want, rtol=1e-15)
    assert total[2] == 0.0


def test_what_is_not_chosen_may_be_impossible():
    chosen = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    logs = np.array([[-1.0, -np.inf], [-2.0, -3.0]])
    want = [[-1.0, -2.0], [-np.inf, -3.0], [0.0, 0.0], [-np.inf, -5.0]]
    np.testing.assert_array_equal(sums_of_chosen(chosen, logs), want)

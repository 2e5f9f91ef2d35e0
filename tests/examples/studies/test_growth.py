"""The forecast by one synapse, against an independent fit."""

import numpy as np
from scipy import optimize

from studies import growth


def logistic(days, alpha, capacity, first):
    x = [first / capacity]
    for _ in range(int(days[-1]) - 1):
        x.append(alpha * x[-1] * (1 - x[-1]))
    return capacity * np.array(x)


def test_the_forecast_is_that_of_scipy():
    days = np.arange(1, 7)
    start = (1.8, 1200.0, 139.0)
    values, covariance = optimize.curve_fit(logistic, days, growth.COUNTS, start)
    forecast, fitted = growth.logistic_growth(growth.COUNTS)
    np.testing.assert_allclose(fitted, values, rtol=1e-4)
    np.testing.assert_allclose(forecast.next, logistic([7], *values)[-1], rtol=1e-4)
    # The band from scipy's covariance and a numerical derivative.
    step = 1e-5 * values
    slope = [
        (logistic([7], *(values + s))[-1] - logistic([7], *(values - s))[-1]) / (2 * s.sum())
        for s in np.diag(step)
    ]
    variance = np.sum((forecast.curve[:-1] - growth.COUNTS) ** 2) / 3
    half = 3.182446 * np.sqrt(variance + slope @ covariance @ slope)  # t at 0.975, 3 degrees
    np.testing.assert_allclose(forecast.half_width, half, rtol=1e-2)


def test_the_straight_line():
    line = growth.straight_line(growth.COUNTS)
    np.testing.assert_allclose(
        line.curve, np.polyval(np.polyfit(np.arange(1, 7), growth.COUNTS, 1), np.arange(1, 8))
    )
    assert round(line.next) == 550


def test_growth_that_is_exact_is_found():
    counts = logistic(np.arange(1, 7), 1.7, 900.0, 60.0)
    forecast, fitted = growth.logistic_growth(counts)
    np.testing.assert_allclose(fitted, [1.7, 900.0, 60.0], rtol=1e-6)
    assert forecast.half_width < 1e-3

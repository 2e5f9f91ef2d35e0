"""Forecasts of an epidemic: only from the past, exact where the model is, and counted right."""

import warnings

import numpy as np
import pytest

from studies import epidemic, growth


def test_the_data():
    deaths = epidemic.load_deaths()
    assert deaths.shape == (365,)
    assert deaths.sum() == 53_293
    assert deaths.argmax() + 1 == 249


def logistic_days(days, gain=1.08, capacity=9e4, first=40.0):
    return np.diff(growth.curve(np.array([gain, capacity, first]), days))


def test_growth_of_one_synapse_is_forecast():
    days = logistic_days(70 + epidemic.AHEAD)
    np.testing.assert_allclose(epidemic.one_synapse(days[:70]), days[70:], rtol=1e-3)


def test_a_logistic_curve_is_forecast():
    t = np.arange(60 + epidemic.AHEAD + 1)
    days = np.diff(5000.0 / (1.0 + np.exp(-0.1 * (t - 45.0))))
    np.testing.assert_allclose(epidemic.logistic_curve(days[:60]), days[60:], rtol=1e-3)


def test_exponential_growth_and_constants_are_forecast():
    days = 3.0 * 1.05 ** np.arange(30 + epidemic.AHEAD)
    np.testing.assert_allclose(epidemic.line_in_logs(days[:30]), days[30:])
    assert (epidemic.last_value(days[:30]) == days[29]).all()
    np.testing.assert_allclose(epidemic.last_week(days[:30]), days[23:30].mean())
    assert epidemic.line_in_logs(np.zeros(14)) == pytest.approx(np.full(epidemic.AHEAD, 0.5))


def test_slopes_through_time():
    p, step = np.array([8.0, np.log(0.07), -1.5]), 1e-6
    want = [
        (epidemic._steps(p + h, 30) - epidemic._steps(p - h, 30)) / (2 * step)
        for h in step * np.eye(3)
    ]
    np.testing.assert_allclose(epidemic._step_slopes(p, 30), np.transpose(want), rtol=1e-6)


def test_weeks_and_errors():
    weeks = epidemic.by_week(np.arange(28.0))
    assert weeks.tolist() == [21.0, 70.0, 168.0]
    assert epidemic.errors(9.0, 19.0) == pytest.approx(np.log(2.0))


def test_a_choice_sees_only_weeks_that_have_ended():
    starts = np.array([42, 49, 56, 63])
    found = np.zeros((2, 4, 3))
    found[0, :, 1] = [1.0, 1.0, 9.0, 9.0]
    found[1, :, 1] = [2.0, 2.0, 0.0, 0.0]
    assert epidemic.choose(found, starts, 63, 1) == 0  # until 49 + 14
    assert epidemic.choose(found, starts, 77, 1) == 1


@pytest.fixture
def quick(monkeypatch):
    def level(past):
        return np.full(epidemic.AHEAD, past.mean())

    monkeypatch.setattr(
        epidemic, "MODELS",
        {"one synapse": (level, (14, 28)), "straight line in logs": (epidemic.last_value, (14,))},
    )  # fmt: skip


def test_nothing_of_the_future_is_used(quick):
    deaths = epidemic.load_deaths()
    starts, _, first, _ = epidemic.evaluate(deaths, 7)
    changed = deaths.copy()
    changed[200:] = 7.0
    _, _, second, _ = epidemic.evaluate(changed, 7)
    for name in first:
        np.testing.assert_array_equal(first[name][starts <= 200], second[name][starts <= 200])
        assert (first[name][starts > 210] != second[name][starts > 210]).any()


def test_the_report(quick, tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        epidemic.main(["--every", "7", "--output", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "37 starting days" in printed
    assert "straight line in logs" in printed
    assert (tmp_path / "epidemic.png").stat().st_size > 10_000

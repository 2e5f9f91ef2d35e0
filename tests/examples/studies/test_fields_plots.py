"""Groups of predictions, and their picture."""

import numpy as np
import pytest

from studies import fields_plots
from synann import plot


def test_events_are_grouped_by_their_predictions():
    rng = np.random.default_rng(0)
    p = rng.random(3000)
    found = fields_plots.of_events((rng.random(3000) < p).astype(float), p)
    assert len(found.predicted) == fields_plots.GROUPS
    np.testing.assert_allclose(found.predicted, np.arange(5, 100, 10), atol=1.5)
    inside = (found.low < found.predicted) & (found.predicted < found.high)
    assert inside.sum() >= 8
    assert np.all((found.low < found.observed) & (found.observed < found.high))


def test_few_rows_make_few_groups():
    p = np.linspace(0, 0.2, 100)
    found = fields_plots.of_events(np.zeros(100), p)
    assert len(found.predicted) == 3
    np.testing.assert_array_equal(found.observed, 0)
    assert np.all(found.low == 0)
    assert np.all(found.high > 5)


def test_rates_are_grouped_by_claims():
    rng = np.random.default_rng(1)
    holders = rng.integers(50, 2000, 60).astype(float)
    rate = rng.uniform(0.05, 0.3, 60)
    claims = rng.poisson(rate * holders).astype(float)
    found = fields_plots.of_rates(claims, rate * holders, holders)
    assert np.all(np.diff(found.predicted) > 0)
    assert 5 <= found.predicted[0] < found.predicted[-1] <= 30
    inside = (found.low < found.predicted) & (found.predicted < found.high)
    assert inside.mean() >= 0.8


def test_a_group_without_claims_has_an_interval():
    found = fields_plots.of_rates(np.zeros(1), np.ones(1), np.full(1, 50.0))
    assert (found.observed[0], found.low[0]) == (0, 0)
    assert found.high[0] == pytest.approx(100 * -np.log(0.025) / 50)


def test_tables_have_rows_of_panels(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(fields_plots, "save", lambda figure, path: figures.append((figure, path)))
    p = np.linspace(0.1, 0.9, 200)
    one = fields_plots.of_events((p > 0.5).astype(float), p)
    tables = {"a": {"EBM": one, "rules": one}, "b": {"EBM": one}}
    fields_plots.draw(tables, {"a": "%", "b": "claims of 100"}, tmp_path / "p.png")
    ((figure, path),) = figures
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == ["a: EBM", "a: rules", "b: EBM"]
    assert shown[2].get_xlabel() == "predicted, claims of 100"
    assert shown[2].get_ylabel() == "observed, claims of 100"
    assert path == tmp_path / "p.png"
    assert figure.dpi == plot.STYLE["figure.dpi"]
    assert not any(axes.spines["top"].get_visible() for axes in shown)

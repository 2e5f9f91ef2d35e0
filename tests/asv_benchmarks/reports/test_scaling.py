"""The picture of how time and memory grow, on tiny sizes, and the exponents in it."""

import math

import pytest

from asv_benchmarks.reports import scaling


def test_quick(capsys, monkeypatch):
    monkeypatch.setattr(scaling.meters, "_LONGEST_BURST", 1)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "passive")
    scaling.main(["--quick"])
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if "| in" in line]
    assert [row[1].strip() for row in rows] == list(scaling.DRAWN)
    assert all(math.isfinite(float(row[3])) for row in rows)


def test_the_picture_has_a_line_for_each_contender_on_each_axis():
    numbers = ([1, 2, 4], [1.0, 2.0, 4.0], [math.nan, 3.0, 3.0])
    curves = [scaling.Curve(name, a, *numbers) for a in scaling.AXES for name in scaling.DRAWN]
    figure = scaling.draw(curves, "title")
    assert [len(axes.get_lines()) for axes in figure.axes] == [3] * 6
    labels = {line.get_label() for axes in figure.axes for line in axes.get_lines()}
    assert labels == {"1.00", "0.00"}
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}


def test_slope_is_that_of_the_upper_half():
    sizes = [1.0, 2.0, 4.0, 8.0]
    assert scaling.slope(sizes, [7.0, 4.0, 16.0, 64.0]) == pytest.approx(2)
    assert scaling.slope(sizes, [math.nan, math.nan, 3.0, 6.0]) == pytest.approx(1)
    assert math.isnan(scaling.slope(sizes, [math.nan, math.nan, math.nan, 1.0]))

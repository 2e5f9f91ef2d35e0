"""Means and spreads."""

import numpy as np
import pytest

from shared.tables import known, mean_and_spread, plus_minus


def test_spread_is_the_sample_deviation_and_nan_of_one_value():
    mean, spread = mean_and_spread([(1.0, 2.0), (3.0, 2.0)])
    np.testing.assert_allclose(mean, [2, 2])
    np.testing.assert_allclose(spread, [np.sqrt(2), 0])
    mean, spread = mean_and_spread([4.0])
    assert (mean, np.isnan(spread)) == (4.0, True)


@pytest.mark.parametrize(
    ("formats", "cells"), [((".1f", ".2f"), ["2.0 ± 1.4", "2.00 ± 0.00"]), ((".0f",), ["2 ± 1"])]
)
def test_cells_have_the_given_formats(formats, cells):
    assert plus_minus([(1.0, 2.0), (3.0, 2.0)], formats) == cells


def test_one_seed_has_no_spread():
    assert plus_minus([(1.0, 2.0)], (".1f", ".2f")) == ["1.0", "2.00"]
    assert known(float("nan"), ".1f", " ± ") == ""
    assert known(0.25, ".1f", ", ") == ", 0.2"

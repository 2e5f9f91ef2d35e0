"""Tariffs as text."""

import math

from synann_core.tabular.tariffs.report import tariff_table


def test_lines_and_intervals():
    text = tariff_table(
        0.25,
        ["town", "size"],
        [{"Ulm": 1.0, "Bonn": 0.5}, {1.0: 1.0, 4.5: 0.125}],
        [{"Ulm": 0.0, "Bonn": 0.1}, {1.0: 0.0, 4.5: math.nan}],
        [[(10.0, 3.0), (20.5, 4.0)], [None, None]],
    )
    assert text.splitlines() == [
        "base rate 0.25",
        "feature level factor 95 % from    to exposure counts",
        "town    Ulm    1.000                       10      3",
        "town    Bonn   0.500     0.411 0.608     20.5      4",
        "size    1      1.000",
        "size    4.5    0.125",
    ]

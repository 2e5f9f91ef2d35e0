"""The report on narrow shapes: shares of what is to be expected, and a run on the smallest."""

import pytest

from asv_benchmarks.reports import narrow


def test_shares_are_of_the_square_shape_or_of_a_copy():
    square = {"forward": 8e-9, "vjp": 16e-9, "copy": 1e-9}  # 8 factors: 1 and 2 ns each
    memory = {"forward": 30e-9, "vjp": 120e-9, "copy": 40e-9}  # 4 factors: 16 and 32, or 60
    table = narrow.tabulate_shapes({"2x2x2": square, "1x4x1": memory}, "2x2x2")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert rows[0][1:3] == ["1.000 (0.25)", "2.000 (0.25)"]
    assert rows[1] == ["1x4x1", "7.500 (0.50)", "30.000 (2.00)", "10"]


def test_quick(capsys):
    narrow.main(["--quick", "--processor"])
    out = capsys.readouterr().out
    assert out.count("4x8x8") == len(narrow.TYPES)
    waits = dict(pair.rsplit(" ", 1) for pair in out.split("milliseconds: ")[1].split(", ")[-3:])
    assert float(waits["first vjp"]) == pytest.approx(0, abs=1000)

"""The report on exact inference, on the smallest network."""

from asv_benchmarks.reports import noisy_or


def test_quick(capsys):
    noisy_or.main(["--quick"])
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if "4 at 0.1" in line]
    assert [row[2].strip() for row in rows] == ["evidence", "posteriors"]
    assert all(float(row[3]) > 0.0 for row in rows)

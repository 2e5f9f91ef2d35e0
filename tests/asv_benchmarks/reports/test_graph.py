"""The report on graphs, on the smallest: its table and its picture."""

from asv_benchmarks.reports import graph


def test_quick(capsys, tmp_path):
    graph.main(["--quick", "--processor", "--picture", str(tmp_path / "graph.svg")])
    out = capsys.readouterr().out
    (row,) = (line.split("|") for line in out.splitlines() if "10000" in line)
    assert row[7].strip().endswith("(1.00)")  # the control beside itself
    assert "times the arrays given" in out
    assert "scipy CSR" in (tmp_path / "graph.svg").read_text(encoding="utf-8")

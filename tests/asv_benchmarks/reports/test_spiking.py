"""The report on a step of a spiking network, a tiny one, of the library alone."""

import pytest

from asv_benchmarks.reports import spiking


def test_quick(capsys, monkeypatch):
    monkeypatch.setattr(spiking.meters, "_LONGEST_BURST", 1)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "passive")
    spiking.main(["--quick", "--only", "no kernels"])
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if "| synann" in line]
    names, ratios = zip(*((row[1].strip(), float(row[3])) for row in rows), strict=True)
    assert names == ("synann, NumPy", "synann, NumPy, no kernels")
    assert ratios[0] == 1
    assert ratios[1] > 0


def test_an_unknown_contender_is_refused():
    with pytest.raises(KeyError, match="abacus"):
        spiking.measure("time", "abacus", "2", "4")

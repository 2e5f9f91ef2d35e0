"""The report of docs/performance.md, on tiny sizes: its tables, and who is skipped."""

import math

import pytest

from asv_benchmarks.benchmarks.common import Size, make_problem
from asv_benchmarks.reports import contraction

LOOP = "loop over j, NumPy"


def columns(text, name):
    return [
        [cell.strip() for cell in line.split("|")[2:-1]]
        for line in text.splitlines()
        if line.startswith(f"| {name} ")
    ]


def test_quick(capsys, monkeypatch):
    monkeypatch.setattr(contraction.meters, "_LONGEST_BURST", 1)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "passive")
    contraction.main(["--quick", "--only", LOOP])
    out = capsys.readouterr().out
    time, memory, uniform, training = columns(out, LOOP)
    assert all(float(cell) > 0 for cell in time)
    assert all(float(cell) >= 0 for cell in memory)
    assert (uniform[0], training[0]) == ("uniform", "training")
    assert all(0 < float(row[1]) < 1 for row in (uniform, training))
    assert len(columns(out, contraction.LINEAR)) == 2  # it has no errors
    assert "synann, NumPy, no kernels" not in out


def test_tables_alone(capsys, monkeypatch):
    monkeypatch.setenv("JAX_ENABLE_X64", "0")
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "passive")
    contraction.main(["--quick", "--only", LOOP, "--tables", "accuracy"])
    titles = [line for line in capsys.readouterr().out.splitlines() if line.startswith("## ")]
    assert titles == ["## Accuracy"]


def test_tables_of_float32_are_not_asked_for_in_float64(capsys):
    with pytest.raises(SystemExit):
        contraction.main(["--quick", "--tables", "memory", "--dtype", "float64"])
    assert "argument --tables: memory and accuracy are of float32" in capsys.readouterr().err


def test_a_rival_that_needs_too_much_memory_says_so():
    name = "broadcasting, torch"
    reason = contraction.measure("time", name, "4x8x8", "uniform", "float32", "1")
    assert reason.startswith("needs ")
    found = contraction.together([name, LOOP], make_problem(Size(4, 8, 8)), 1.0, range(1))
    assert found[name] == reason
    assert found[LOOP] > 0
    table = contraction.accuracy([name], Size(4, 8, 8), 1.0)
    assert f"{name}: {reason}" in table


def test_quantities():
    assert contraction.measure("memory", LOOP, "4x8x8", "training", "float32", "1e9") >= 0
    assert math.isfinite(contraction.measure("time", LOOP, "4x8x8", "training", "float32", "1e9"))
    with pytest.raises(ValueError, match="Received: 'area'"):
        contraction.measure("area", LOOP, "4x8x8", "uniform", "float32", "1e9")

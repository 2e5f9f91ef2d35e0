"""The report on spiking networks, tiny ones, of the library alone."""

import pytest

from asv_benchmarks.reports import spiking


@pytest.fixture
def rows(capsys, monkeypatch):
    """Rows of a table, by cells."""
    monkeypatch.setattr(spiking.meters, "_LONGEST_BURST", 1)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "passive")

    def report(*options):
        spiking.main(["--quick", *options])
        lines = capsys.readouterr().out.splitlines()
        return [[cell.strip() for cell in line.split("|")] for line in lines if "| synann" in line]

    return report


def test_the_articles_network(rows):
    found = rows("--tables", "article", "--only", "no kernels")
    assert [row[1:3] for row in found] == [
        ["synann, NumPy", "training"],
        ["synann, NumPy, no kernels", "training"],
    ]
    assert float(found[0][4]) == 1
    assert float(found[1][4]) > 0


def test_a_small_network_and_a_layer(rows):
    network = rows("--tables", "network", "--only", "synann, NumPy")
    assert [row[1:3] for row in network] == [
        [name, use]
        for use in ("training", "inference")
        for name in ("synann, torch", "synann, NumPy")
    ]
    layer = rows("--tables", "layer", "--only", "synann, NumPy")
    assert [row[1] for row in layer] == ["synann, torch", "synann, NumPy"]
    assert [float(row[5]) > 0 for row in layer] == [True, True]
    # With a Linear layer in front there is none on NumPy.
    assert len(rows("--tables", "layer", "--linear", "--only", "synann, NumPy")) == 1


def test_an_unknown_contender_is_refused():
    with pytest.raises(KeyError, match="abacus"):
        spiking.measure("article", "abacus", "trainingx2", "perf_counter")

"""The GPU report without a GPU: its table for the CPU, and what it asks for."""

import pytest

from asv_benchmarks.reports import gpu

torch = pytest.importorskip("torch")


def test_quick(capsys):
    assert gpu.main(["--quick", "--only", "synann|array API, CuPy"]) == 0
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
        for cells in (line.split("|") for line in capsys.readouterr().out.splitlines())
        if len(cells) > 2
    }
    assert rows["nn.Linear"][:2] == ["1", "1"] or rows["nn.Linear"][:2] == ["1.0", "1.0"]
    assert all(float(cell) > 0 for cell in rows["synann, torch"][:4])
    assert rows["synann, CuPy"][-1] == rows["array API, CuPy"][-1] == "needs a GPU"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_how_to_try_it():
    with pytest.raises(SystemExit, match="--quick"):
        gpu.main([])


def test_a_rival_that_fails_is_a_row(monkeypatch):
    def fails(*_, **__):
        def ask(*_):
            raise RuntimeError("Traceback\nValueError: no")

        return ask

    monkeypatch.setattr(gpu.common, "apart", fails)
    options = type("Options", (), {"quick": False, "device": "cpu", "seconds": 0.1})
    table = gpu.timings(["nn.Linear", "synann, torch"], gpu.Size(1, 2, 3), options)
    assert table.count("failed: ValueError: no") == 2

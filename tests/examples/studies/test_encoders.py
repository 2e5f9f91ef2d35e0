"""The table of the codes, and its picture."""

import numpy as np
from matplotlib import image as images

from studies import encoders


def test_the_codes_give_back_what_they_promise():
    values = np.linspace(0.0, 1.0, 21)
    for name, (spikes, back) in encoders.code_values(values).items():
        assert back.shape == values.shape
        whole = {"rate, signed": {-1.0, 0.0, 1.0}, "Poisson, 2 a step": {*map(float, range(8))}}
        assert set(np.unique(spikes)) <= whole.get(name, {0.0, 1.0}), name
        assert len(np.unique(spikes)) > 1, name
        assert np.sqrt(np.mean((back - values) ** 2)) < 0.15, name
    x = encoders.signal()
    decoded = {name: back for name, (_, back) in encoders.code_signal(x).items()}
    assert np.abs(decoded["step forward"] - x).max() <= 0.05
    assert np.all(decoded["HSA"] <= x + 1e-12)
    assert set(decoded) >= {"delta", "temporal contrast", "moving window", "BSA", "modified HSA"}


def test_picture(tmp_path, capsys):
    encoders.main(["--output", str(tmp_path / "new")])
    path = tmp_path / "new" / "encoders.png"
    assert images.imread(path).shape[:2] == (1625, 1462)
    assert path.stat().st_size > 50_000
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + 12 + 7 + 1 + 1
    printed = dict(row.rsplit(maxsplit=2)[::2] for row in rows[2:-1])
    assert float(printed["latency, linear"]) < 0.01
    assert float(printed["event camera"]) < 0.05

"""The table of initial values."""

import initial_values


def test_initial_values_prints_a_row_for_every_size(capsys, monkeypatch):
    monkeypatch.setattr(initial_values, "SAMPLES", 50)
    monkeypatch.setattr(initial_values, "OUTPUTS", 8)
    initial_values.main()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [int(row.split()[0]) for row in rows] == [16, 64, 256, 1024, 4096]

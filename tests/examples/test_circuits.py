"""The circuits' example: what it prints."""

import circuits
from studies import growth
from tests.examples.studies.test_growth import logistic


def test_main(tmp_path, capsys, monkeypatch):
    draw = circuits.draw_bifurcation
    monkeypatch.setattr(circuits, "draw_bifurcation", lambda path: draw(path, gains=20, shown=10))
    circuits.main(["--output", str(tmp_path)])
    pictures = {"circuits.png", "bifurcation.png", "growth.png"}
    assert {path.name for path in tmp_path.iterdir()} == pictures
    printed = capsys.readouterr().out
    assert printed.count(", stable") == 2
    assert "day 7 by straight line: 550 ± " in printed
    _, fitted = growth.logistic_growth(growth.COUNTS)
    assert f"settles at {logistic([400], *fitted)[-1]:.0f}\n" in printed

"""A layer that learns in C."""

from studies import edge_learner


def test_it_learns_the_digits(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(edge_learner, "PASSES", 1)
    edge_learner.main(["--output", str(tmp_path)])
    printed = capsys.readouterr().out
    before, after = printed.split("each pass: ")[1].split()[:2]
    assert float(before) < 20 < 80 < float(after)
    assert (tmp_path / "learner.c").exists()

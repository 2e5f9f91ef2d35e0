"""The pictures of docs/graphs.md."""

import pictures


def test_both_pictures_are_drawn(tmp_path):
    pictures.main(["--output", str(tmp_path)])
    assert {p.name for p in tmp_path.iterdir()} == {"graph.png", "synapse-surface.png"}
    assert min(p.stat().st_size for p in tmp_path.iterdir()) > 10_000

"""The example of DECOLLE: its samples, and a short run."""

import numpy as np

from studies import decolle


def test_only_the_order_of_two_patterns_tells_the_classes_apart():
    rng = np.random.default_rng(0)
    patterns = rng.uniform(0.0, decolle.LENGTH, (2, decolle.INPUTS, decolle.SPIKES))
    x, y = decolle.samples(patterns, 400, rng)
    assert x.shape == (decolle.STEPS, 400, decolle.INPUTS)
    assert 0.4 < y.mean() < 0.6
    assert not x[decolle.LENGTH : decolle.LENGTH + decolle.PAUSE].any()
    assert not x[-decolle.ANSWER :].any()
    # Whether they differ is told by neither pattern alone.
    for start in (0, decolle.LENGTH + decolle.PAUSE):
        part = x[start : start + decolle.LENGTH]
        means = [part[:, y == label].mean(axis=1) for label in (0, 1)]
        assert np.abs(means[0] - means[1]).max() < 0.25


def test_the_target_counts_while_an_answer_is_due():
    target = decolle.target_of(np.array([0, 1, 1]))
    np.testing.assert_allclose(target.sum(axis=(0, 2)), 1.0)
    assert not target[: -decolle.ANSWER].any()
    assert target[-1].argmax(axis=1).tolist() == [0, 1, 1]


def test_short_run_prints_its_table_and_leaves_its_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(decolle, "TESTED", 40)
    decolle.main(["--seeds", "1", "--batches", "2", "--output", str(tmp_path)])
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "2 batches of 50, 1 seeds; accuracy in %"
    assert [row.split("  ")[0] for row in rows[3:6]] == list(decolle.RULES)
    assert [p.name for p in tmp_path.iterdir()] == ["decolle.png"]

"""The memory task of e-prop: its trials, its gradients, and a short run."""

import numpy as np
import pytest

from studies import eprop_memory as example


def test_a_trial_has_seven_cues_and_a_question():
    x, y = example.trials(200, np.random.default_rng(0))
    groups = x.reshape(example.STEPS, 200, 4, example.GROUP).sum(axis=(0, 3))
    assert np.mean((groups[:, 1] > groups[:, 0]) == y) > 0.9
    assert 0.3 < y.mean() < 0.7
    cues = x[: example.CUES * 12, :, :20].sum()
    assert cues == pytest.approx(200 * 7 * 8 * 10 * example.LOUD, rel=0.02)
    assert not x[84 : 84 + example.DELAY, :, :30].any()


def test_the_readouts_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(1)
    weights, (x, y) = example.new_weights(rng), example.trials(4, rng)
    feedback = np.zeros((2, example.NEURONS))
    found = {
        rule: example.gradients(weights, x, y, rule, feedback)
        for rule in ("bptt", "symmetric", "random", "readout")
    }
    want = found["bptt"][1]["readout"]
    for rule, (loss, own) in found.items():
        assert loss == found["bptt"][0]
        np.testing.assert_allclose(own["readout"], want, rtol=1e-12, atol=1e-15, err_msg=rule)
    assert not found["readout"][1]["inputs"].any()
    for place in ((0, 3), (1, 40)):  # of the readout the loss is smooth
        step, losses = 1e-6, []
        for sign in (1.0, -1.0):
            moved = {**weights, "readout": weights["readout"].copy()}
            moved["readout"][place] += sign * step
            losses.append(example.errors_of(example.run(moved, x, "bptt")[2], y)[0])
        assert want[place] == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-8)
    # e-prop points where the gradient does, more or less.
    exact, local = found["bptt"][1]["inputs"], found["symmetric"][1]["inputs"]
    assert np.corrcoef(exact.ravel(), local.ravel())[0, 1] > 0.5


def test_short_run_prints_its_table_and_leaves_its_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(example, "TESTED", 40)
    example.main(["--seeds", "1", "--batches", "2", "--output", str(tmp_path)])
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "174 steps, 80 neurons, 2 batches, 1 seeds"
    assert [row.split("  ")[0] for row in rows[3:8]] == list(example.RULES)
    assert [p.name for p in tmp_path.iterdir()] == ["eprop.png"]

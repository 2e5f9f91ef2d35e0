"""The example of SuperSpike: its problem, and a short run."""

import numpy as np

from studies import superspike


def test_every_output_has_five_times_of_its_own():
    x, wanted = superspike.problem(np.random.default_rng(0))
    assert x.shape == (500, 1, 100)
    assert 0.008 < x.mean() < 0.012
    assert (wanted.sum(axis=0) == superspike.WANTED).all()
    for output in range(superspike.OUTPUTS):
        assert np.diff(np.flatnonzero(wanted[:, 0, output])).min() > 20


def test_hits_and_what_comes_beside_them_are_counted():
    wanted, spikes = np.zeros((2, 500, 1, superspike.OUTPUTS))
    wanted[[100, 200], 0, 0] = 1.0
    spikes[[103, 204, 300], 0, 0] = spikes[100, 0, 1] = 1.0
    assert superspike.hits(spikes, wanted) == (0.5, 1.5)


def test_the_last_layers_rule_needs_no_backpropagation():
    # With no feedback to the hidden layer, only the last layer's weights change.
    distances, spikes, wanted = superspike.learn(0, "last", 60)
    assert spikes.shape == wanted.shape
    assert np.mean(distances[-10:]) < distances[0]


def test_short_run_prints_its_table_and_leaves_its_picture(tmp_path, capsys):
    superspike.main(["--seeds", "1", "--epochs", "3", "--output", str(tmp_path)])
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("3 epochs, 1 seeds; distance before learning: ")
    assert [row.split("  ")[0] for row in rows[3:8]] == list(superspike.RULES)
    assert [p.name for p in tmp_path.iterdir()] == ["superspike.png"]

"""The study of hidden causes: its worlds, what counts as found, and that most is."""

import numpy as np

from studies import hidden_causes


def test_a_part_is_found_if_nearly_all_of_it_is():
    parts = np.zeros((2, 50), bool)
    parts[0, :10] = parts[1, 20:30] = True
    learned = parts.astype(float)
    learned[0, 10] = 0.9  # one too many
    learned[1, 20] = 0.1  # one too few
    assert hidden_causes.found(parts, learned).all()
    learned[0, 11] = 0.9
    assert hidden_causes.found(parts, learned).tolist() == [False, True]
    assert not hidden_causes.found(parts, np.zeros((3, 50))).any()


def test_worlds_are_made_of_their_parts():
    for make, shapes in ((hidden_causes.factors, (50, 15)), (hidden_causes.bars, (400, 16))):
        samples, parts = make(np.random.default_rng(0))
        assert samples.shape == (shapes[0], parts.shape[1])
        assert len(parts) == shapes[1]
        assert set(np.unique(samples)) == {0.0, 1.0}
    assert (parts.sum(axis=1) == 8).all()


def test_the_study_prints_what_it_finds(capsys):
    hidden_causes.main(["--seeds", "1", "--restarts", "6"])
    lines = capsys.readouterr().out.splitlines()
    bars = next(line for line in lines if line.startswith("bars"))
    assert "1 of 1" in bars
    assert any(line.startswith("factors") for line in lines)

"""The split by cohort, ranks, losses and intervals."""

import numpy as np
import pytest
from scipy import sparse

from studies import rare_disease_scores as scores
from studies.rare_disease_data import Patients


def patients_of(cohorts):
    empty = sparse.csr_array((len(cohorts), 3), dtype=np.float32)
    cohorts = np.array(cohorts)
    return Patients(cohorts, cohorts, np.arange(len(cohorts)), empty, empty)


def test_cohorts_are_split_by_their_names():
    names = np.array([f"gene {k % 500}" for k in range(1000)])
    first = scores.for_settings(names)
    np.testing.assert_array_equal(first[:500], first[500:])
    assert 0.3 < first.mean() < 0.5


def test_a_large_cohort_is_cut_and_weighs_as_its_root():
    patients = patients_of(list("aaaaabbc"))
    cut = scores.at_most(patients, 2, np.random.default_rng(0))
    assert sorted(cut.cohort.tolist()) == list("aabbc")
    weights = scores.cohort_weights(patients)
    assert weights[:5].sum() == pytest.approx(np.sqrt(5))
    assert weights[-1] == 1


def test_level_diseases_rank_first_and_missed_patients_last():
    x = np.array([[3.0, 1, 2], [1, 1, 1], [0, 5, 0]])
    rank, loss, probability = scores.outcome(x, np.array([2, 0, 1]), np.array([False, False, True]))
    assert rank.tolist() == [2, 3, 3]
    assert loss[1] == pytest.approx(np.log(3))
    assert probability[0] == pytest.approx(1 / (1 + np.exp(-1) + np.exp(-2)))


def test_intervals_come_from_whole_cohorts():
    cohorts = np.repeat(np.arange(40).astype(str), 25)
    rng = np.random.default_rng(4)
    alone = (rng.random(1000) < 0.5).astype(float)
    together = np.repeat((rng.random(40) < 0.5).astype(float), 25)
    narrow, wide = (scores.over_cohorts(v, cohorts) for v in (alone, together))
    assert narrow[0] == pytest.approx(alone.mean())
    assert narrow[1] < alone.mean() < narrow[2]
    assert narrow[2] - narrow[1] == pytest.approx(4 * 0.5 / np.sqrt(1000), rel=0.35)
    assert wide[2] - wide[1] == pytest.approx(4 * 0.5 / np.sqrt(40), rel=0.35)


def test_batches_hold_everyone_once(monkeypatch):
    monkeypatch.setattr(scores, "BATCH", 3)
    patients = patients_of(list("abcdefgh"))
    assert [p.cohort.tolist() for p in scores.batches(patients)] == [
        list("abc"),
        list("def"),
        list("gh"),
    ]


def test_differences_are_with_the_best_rival(capsys):
    zeros = np.zeros(4)
    outcomes = {
        name: scores.Outcome(np.array(rank), zeros, zeros)
        for name, rank in {"mine": [1, 1, 1, 20], "bad": [30] * 4, "good": [1, 5, 1, 5]}.items()
    }
    scores.show_differences(outcomes, ("mine",), ["bad", "good"], np.array(list("aabb")))
    rows = [line for line in capsys.readouterr().out.splitlines() if "mine" in line]
    assert "good" in rows[0]
    assert "+25.0" in rows[0]
    assert "-25.0" in rows[1]


def test_bins_hold_what_was_predicted_and_what_came():
    p, right = np.array([0.05, 0.31, 0.39, 1.0]), np.array([False, True, False, True])
    sizes, mean, share = scores.binned(p, right)
    assert sizes.tolist() == [1, 2, 1]
    np.testing.assert_allclose(mean, [0.05, 0.35, 1.0])
    np.testing.assert_allclose(share, [0, 0.5, 1])


def test_the_table_has_shares_losses_and_the_error(capsys):
    outcome = scores.Outcome(np.array([1, 2, 5, 30]), np.arange(4.0), np.array([0.9, 0.9, 0.4, 0]))
    scores.show({"mine": outcome}, np.array(list("aaab")))
    cells = capsys.readouterr().out.splitlines()[2].split()
    # Per cent first, second and fifth; by cohort a third and nothing; the loss by cohort 1 and 3.
    assert cells[:2] == ["mine", "25.0"]
    assert cells[3:] == ["16.7", "50.0", "75.0", "50.0", "1.50", "2.00", "0.300"]

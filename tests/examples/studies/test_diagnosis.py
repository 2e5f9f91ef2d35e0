"""The comparison that the diagnosis example prints."""

import numpy as np
import pytest

from studies import diagnosis
from studies.networks import draw_diseases, random_network


@pytest.fixture
def small():
    return random_network(np.random.default_rng(5), diseases=6, symptoms=8)


def test_excess_of_the_truth_is_zero_and_of_others_positive(small):
    y = draw_diseases(small, 100, np.random.default_rng(10))
    assert diagnosis.excess(small, y, small.predict) == pytest.approx(0, abs=1e-12)
    assert diagnosis.excess(small, y, lambda y: 0.9 * small.predict(y)) > 0


def test_links_implied_by_a_noisy_or_are_its_own(small):
    links = diagnosis.implied_links(small.predict, 6)
    np.testing.assert_allclose(links, small.beta, atol=1e-14)
    assert diagnosis.link_scores(small, links) == pytest.approx((0, 0, 0), abs=1e-14)
    error, false, missed = diagnosis.link_scores(small, np.zeros_like(links))
    assert (error, false, missed) == (small.beta[small.beta > 0].mean(), 0, 1)


def test_averaging_approaches_the_closed_form(small):
    rng = np.random.default_rng(11)
    q = rng.random((3, 6))
    mean = diagnosis.averaged(small.predict, q, draws=4000, rng=rng)
    np.testing.assert_allclose(mean, small.predict(q), atol=5 * 0.5 / np.sqrt(4000))


def test_the_comparison_runs_and_the_layer_wins(tmp_path, capsys):
    diagnosis.main(["--quick", "--output", str(tmp_path)])
    out = capsys.readouterr().out
    ratio = float(out.split("at 300 samples: ")[1].split()[0])
    assert ratio < 0.7
    for title in ("Diagnosis", "Uncertain findings", "The limit"):
        assert title in out
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "diagnosis-learning.png",
        "diagnosis-links.png",
    ]


@pytest.mark.parametrize(
    "option", [("--seeds", "0"), ("--sizes", "10"), ("--patients", "x"), ("--draws", "0")]
)
def test_options_out_of_range_are_named(option, capsys):
    with pytest.raises(SystemExit):
        diagnosis.main(list(option))
    assert f"argument {option[0]}: " in capsys.readouterr().err.splitlines()[-1]

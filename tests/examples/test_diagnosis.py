"""Noisy-OR networks: drawing, learning, inverting; and the comparison that the example prints."""

import itertools

import numpy as np
import pytest
from scipy.optimize import check_grad

import synann_core as syn
from examples import diagnosis, noisy_or
from examples.diagnosis_rivals import cross_entropies, fit_logistic
from examples.noisy_or import NoisyOr, fit, posterior, random_network


@pytest.fixture
def small():
    return random_network(np.random.default_rng(5), diseases=6, symptoms=8)


def by_hand(network, y):
    """Probability of each symptom of one person, from the definition."""
    absent = [
        (1 - leak) * np.prod([1 - b * v for b, v in zip(row, y, strict=True)])
        for leak, row in zip(network.causes.leak, network.causes.beta, strict=True)
    ]
    kept = [np.prod([1 - d * v for d, v in zip(row, y, strict=True)]) for row in network.protection]
    return (1 - np.array(absent)) * kept


@pytest.mark.parametrize("protecting", [0.0, 0.5])
def test_probabilities_are_those_of_the_definition(protecting):
    rng = np.random.default_rng(0)
    network = random_network(rng, diseases=6, symptoms=8, protecting=protecting)
    y = network.draw_diseases(20, rng)
    want = [by_hand(network, row) for row in y]
    np.testing.assert_allclose(network.predict(y), want, rtol=1e-13)
    assert (network.protection > 0).any() == (protecting > 0)


def test_networks_are_drawn_as_announced():
    network = random_network(np.random.default_rng(3))
    links = network.causes.beta
    parents = (links > 0).sum(axis=1)
    assert links.shape == (60, 20)
    assert (parents.min(), parents.max()) == (2, 5)
    assert links[links > 0].min() >= 0.3
    assert links.max() <= 0.95
    assert ((network.prevalence >= 0.02) & (network.prevalence <= 0.2)).all()
    assert ((network.causes.leak >= 0.005) & (network.causes.leak <= 0.1)).all()


def test_uncertain_findings_give_the_mean_over_certain_ones(small):
    q = np.random.default_rng(1).random(6)
    mean = 0
    for y in itertools.product([0.0, 1.0], repeat=6):
        mean += np.prod(np.where(y, q, 1 - q)) * small.predict(np.array(y))
    np.testing.assert_allclose(small.predict(q), mean, rtol=1e-12)


def slow_loss(c, y, s, prior, leak_prior):
    """What `fit` minimises, of one symptom with links c[:-1] and leak c[-1]."""
    w = c[-1] + y @ c[:-1]
    data = np.where(s > 0, -np.log1p(-np.exp(-w)), w).sum()
    links = (prior[1] - 1) * c[:-1].sum()
    return data + links + (leak_prior[0] - 1) * syn.complement(c[-1]) + (leak_prior[1] - 1) * c[-1]


@pytest.mark.parametrize(("prior", "leak_prior"), [((1, 2), (4, 4)), ((1, 1), (2, 30))])
def test_the_fit_is_the_minimum_of_the_convex_problem(small, prior, leak_prior):
    rng = np.random.default_rng(2)
    y = small.draw_diseases(400, rng)
    s = small.draw_symptoms(y, rng)
    model = fit(y, s, prior=prior, leak_prior=leak_prior)
    for i in range(8):
        c = -np.log1p(-np.r_[model.beta[i], model.leak[i]])
        best = slow_loss(c, y, s[:, i], prior, leak_prior)
        for _ in range(30):  # convex: no better neighbour, no better point
            other = np.maximum(c + rng.normal(0, 0.02, 7), 1e-6)
            assert slow_loss(other, y, s[:, i], prior, leak_prior) > best - 1e-3


def test_the_gradient_is_that_of_the_loss(small, monkeypatch):
    """Seen from inside: what L-BFGS is given agrees with differences, uncertain findings too."""
    errors = []

    def checked(loss, start, arguments, **_):
        c = np.random.default_rng(3).uniform(0.1, 2, len(start))
        errors.append(
            check_grad(lambda c: loss(c, *arguments)[0], lambda c: loss(c, *arguments)[1], c)
        )
        raise StopIteration

    monkeypatch.setattr(noisy_or, "minimize", checked)
    rng = np.random.default_rng(4)
    y = rng.random((50, 6))
    with pytest.raises(StopIteration):
        fit(y, small.draw_symptoms(np.round(y), rng))
    assert errors[0] < 1e-6


def test_more_samples_bring_the_links_nearer(small):
    rng = np.random.default_rng(6)
    y = small.draw_diseases(6000, rng)
    s = small.draw_symptoms(y, rng)
    errors = [np.abs(fit(y[:n], s[:n]).beta - small.causes.beta).max() for n in (200, 6000)]
    assert errors[1] < 0.1 < errors[0]


def test_a_sparser_prior_leaves_fewer_false_links():
    rng = np.random.default_rng(7)
    network = random_network(rng, diseases=20, symptoms=4)
    y = network.draw_diseases(300, rng)
    s = network.draw_symptoms(y, rng)
    no_link = network.causes.beta == 0
    usual, sparser = (
        (fit(y, s, prior=prior).beta[no_link] > 0.01).sum()
        for prior in (noisy_or.PRIOR, noisy_or.SPARSER_PRIOR)
    )
    assert sparser < usual


def test_a_symptom_that_never_or_always_comes(small):
    y = small.draw_diseases(50, np.random.default_rng(8))
    model = fit(y, np.c_[np.zeros(50), np.ones(50)])
    p = model.predict(y)
    assert np.isfinite(p).all()
    assert (p[:, 0] < 0.2).all()
    assert (p[:, 1] > 0.8).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones(3)}, "`y` and `s`"),
        ({"y": np.full((3, 2), 1.5)}, "`y` must be in"),
        ({"y": np.full((3, 2), np.nan)}, "`y` must be in"),
        ({"s": np.full((3, 1), 0.5)}, "`s` must be 0 or 1"),
        ({"prior": (1.5, 2.0)}, "`prior`"),
        ({"prior": (0.0, 2.0)}, "`prior`"),
        ({"leak_prior": (0.5, 2.0)}, "`leak_prior`"),
    ],
)
def test_bad_data_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        fit(**{"y": np.ones((3, 2)), "s": np.ones((3, 1)), **change})


@pytest.mark.parametrize("block", [7, 64, 2**14])
def test_posterior_is_bayes_rule_over_all_sets(small, block):
    rng = np.random.default_rng(9)
    s = small.draw_symptoms(small.draw_diseases(5, rng), rng)
    sets = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    prior = np.prod(np.where(sets, small.prevalence, 1 - small.prevalence), axis=1)
    p = np.array([by_hand(small, y) for y in sets])
    for person, got in zip(
        s, posterior(small.causes, small.prevalence, s, block=block), strict=True
    ):
        joint = prior * np.prod(np.where(person, p, 1 - p), axis=1)
        np.testing.assert_allclose(got, joint @ sets / joint.sum(), atol=1e-5)


def test_too_many_diseases_are_refused():
    with pytest.raises(ValueError, match="at most 24"):
        posterior(NoisyOr(np.zeros((1, 25)), np.full(1, 0.1)), np.full(25, 0.1), np.zeros((1, 1)))


def test_excess_of_the_truth_is_zero_and_of_others_positive(small):
    y = small.draw_diseases(100, np.random.default_rng(10))
    assert diagnosis.excess(small, y, small.predict) == pytest.approx(0, abs=1e-12)
    assert diagnosis.excess(small, y, lambda y: 0.9 * small.predict(y)) > 0


def test_links_implied_by_a_noisy_or_are_its_own(small):
    links = diagnosis.implied_links(small.predict, 6)
    np.testing.assert_allclose(links, small.causes.beta, atol=1e-14)
    assert diagnosis.link_scores(small, links) == pytest.approx((0, 0, 0), abs=1e-14)
    error, false, missed = diagnosis.link_scores(small, np.zeros_like(links))
    assert (error, false, missed) == (small.causes.beta[small.causes.beta > 0].mean(), 0, 1)


def test_averaging_approaches_the_closed_form(small):
    rng = np.random.default_rng(11)
    q = rng.random((3, 6))
    mean = diagnosis.averaged(small.predict, q, draws=4000, rng=rng)
    np.testing.assert_allclose(mean, small.predict(q), atol=5 * 0.5 / np.sqrt(4000))


def test_logistic_regressions_choose_and_survive_a_single_class():
    rng = np.random.default_rng(12)
    x = (rng.random((500, 4)) < 0.4).astype(float)
    targets = np.c_[rng.random(500) < syn.expit(2 * x[:, 0] - 1), np.zeros(500)].astype(float)
    for lasso in (True, False):
        p = fit_logistic(x, targets, lasso=lasso).predict(x)
        assert cross_entropies(targets[:, 0], p[:, 0]).mean() < 0.66
        assert (p[:, 1] < 0.01).all()


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

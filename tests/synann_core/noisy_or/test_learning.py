"""Learning with known causes: the minimum of a convex problem, its priors, and what is refused."""

import importlib.util
import sys

import numpy as np
import pytest
import scipy.optimize
from scipy.sparse import csc_array, csr_array
from sklearn.exceptions import ConvergenceWarning

import synann_core as syn
from synann_core.noisy_or import NoisyOr, fit_known_causes, minimum

SPARSER = (0.5, 2.0)


def random_model(seed, causes, findings):
    """Findings with two causes each."""
    rng = np.random.default_rng(seed)
    beta = np.zeros((findings, causes))
    for row in beta:
        row[rng.choice(causes, 2, replace=False)] = rng.uniform(0.3, 0.95, 2)
    return NoisyOr(rng.uniform(0.02, 0.2, causes), rng.uniform(0.005, 0.1, findings), beta)


def draw(model, samples, rng):
    y = (rng.random((samples, model.prior.size)) < model.prior).astype(float)
    p = model.predict(y)
    return y, (rng.random(p.shape) < p).astype(float)


@pytest.fixture
def small():
    return random_model(5, 6, 8)


def slow_loss(c, y, s, link_prior, leak_prior):
    """What is minimised, of one finding with links c[:-1] and leak c[-1]."""
    w = c[-1] + y @ c[:-1]
    data = np.where(s > 0, -np.log1p(-np.exp(-w)), w).sum()
    links = (link_prior[1] - 1) * c[:-1].sum()
    return data + links + (leak_prior[0] - 1) * syn.complement(c[-1]) + (leak_prior[1] - 1) * c[-1]


@pytest.mark.parametrize(("link_prior", "leak_prior"), [((1, 2), (4, 4)), ((1, 1), (2, 30))])
def test_the_fit_is_the_minimum_of_the_convex_problem(small, link_prior, leak_prior):
    rng = np.random.default_rng(2)
    y, s = draw(small, 400, rng)
    model = fit_known_causes(y, s, link_prior=link_prior, leak_prior=leak_prior)
    for i in range(8):
        c = -np.log1p(-np.r_[model.beta[i], model.leak[i]])
        best = slow_loss(c, y, s[:, i], link_prior, leak_prior)
        for _ in range(30):  # convex: no better neighbour, no better point
            other = np.maximum(c + rng.normal(0, 0.02, 7), 1e-6)
            assert slow_loss(other, y, s[:, i], link_prior, leak_prior) > best - 1e-3


def test_the_gradient_is_that_of_the_loss(small, monkeypatch):
    """Seen from inside: what L-BFGS is given agrees with differences, uncertain causes too."""
    errors = []

    def checked(loss, start, arguments, **_):
        c = np.random.default_rng(3).uniform(0.1, 2, len(start))
        errors.append(
            scipy.optimize.check_grad(
                lambda c: loss(c, *arguments)[0], lambda c: loss(c, *arguments)[1], c
            )
        )
        raise StopIteration

    monkeypatch.setattr(scipy.optimize, "minimize", checked)
    rng = np.random.default_rng(4)
    y = rng.random((50, 6))
    s = (rng.random((50, 8)) < small.predict(np.round(y))).astype(float)
    with pytest.raises(StopIteration):
        fit_known_causes(y, s)
    assert errors[0] < 1e-6


def test_more_samples_bring_the_links_nearer(small):
    y, s = draw(small, 6000, np.random.default_rng(6))
    errors = [np.abs(fit_known_causes(y[:n], s[:n]).beta - small.beta).max() for n in (200, 6000)]
    assert errors[1] < 0.1 < errors[0]


def test_a_sparser_prior_leaves_fewer_false_links():
    truth = random_model(7, 20, 4)
    y, s = draw(truth, 300, np.random.default_rng(7))
    usual, sparser = (
        (model.beta[truth.beta == 0] > 0.01).sum()
        for model in (fit_known_causes(y, s), fit_known_causes(y, s, link_prior=SPARSER))
    )
    assert sparser < usual


def test_the_prior_is_counted(small):
    y, s = draw(small, 98, np.random.default_rng(8))
    np.testing.assert_array_equal(fit_known_causes(y, s).prior, (y.sum(axis=0) + 1) / 100)


def test_a_finding_that_never_or_always_comes(small):
    y, _ = draw(small, 50, np.random.default_rng(8))
    p = fit_known_causes(y, np.c_[np.zeros(50), np.ones(50)]).predict(y)
    assert np.isfinite(p).all()
    assert (p[:, 0] < 0.2).all()
    assert (p[:, 1] > 0.8).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"causes": np.ones(3)}, "`causes` and `findings`"),
        ({"causes": np.ones((2, 2))}, "`causes` and `findings`"),
        ({"causes": np.full((3, 2), 1.5)}, "`causes` must be in"),
        ({"causes": np.full((3, 2), np.nan)}, "`causes` must be in"),
        ({"findings": np.ones(3)}, "`findings` must have shape"),
        ({"sample_weight": [1.0]}, r"`sample_weight` must have shape \(3,\)"),
        ({"sample_weight": np.zeros(3)}, "`sample_weight` must not be 0 everywhere"),
        ({"findings": np.full((3, 1), 0.5)}, "`findings` must be 0, 1 or NaN .* Received: 0.5"),
        ({"link_prior": (1.5, 2.0)}, r"`link_prior\[0\]` must be in \(0, 1\]. Received: 1.5"),
        ({"link_prior": (0.0, 2.0)}, r"`link_prior\[0\]`"),
        ({"leak_prior": (0.5, 2.0)}, r"`leak_prior\[0\]`"),
        ({"iterations": 0}, "`iterations`"),
    ],
)
def test_bad_data_are_named(change, message):
    given = {"causes": np.ones((3, 2)), "findings": np.ones((3, 1)), **change}
    with pytest.raises(ValueError, match=message):
        fit_known_causes(given.pop("causes"), given.pop("findings"), **given)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"synann\[noisy-or\]"):
        fit_known_causes(np.ones((3, 2)), np.ones((3, 1)))


@pytest.mark.parametrize("prior", [(1.0,), 0.5, (1.0, 2.0, 3.0), ("a", 2.0)])
@pytest.mark.parametrize("name", ["link_prior", "leak_prior"])
def test_a_prior_is_a_pair_of_numbers(name, prior):
    with pytest.raises(TypeError, match=rf"`{name}.* must be a .*Received: "):
        fit_known_causes(np.ones((3, 2)), np.ones((3, 1)), **{name: prior})


def test_a_weight_counts_a_sample_as_often(small):
    rng = np.random.default_rng(9)
    y, s = draw(small, 150, rng)
    weight = rng.integers(0, 3, 150)
    weighted = fit_known_causes(y, s, sample_weight=weight)
    repeated = fit_known_causes(np.repeat(y, weight, axis=0), np.repeat(s, weight, axis=0))
    np.testing.assert_allclose(weighted.beta, repeated.beta, atol=1e-3)
    np.testing.assert_allclose(weighted.leak, repeated.leak, atol=1e-3)
    np.testing.assert_allclose(weighted.prior, repeated.prior, rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"protective": True}, {"uncertain": 0.9}])
def test_a_sample_without_a_finding_does_not_count_for_it(small, options):
    rng = np.random.default_rng(10)
    y, s = draw(small, 200, rng)
    options = dict(options)
    y = y * options.pop("uncertain", 1.0)
    gone = rng.random(200) < 0.4
    partly = s.copy()
    partly[gone, 2] = np.nan
    found = fit_known_causes(y, partly, **options)
    some = fit_known_causes(y[~gone], s[~gone], **options)
    every = fit_known_causes(y, s, **options)
    np.testing.assert_allclose(found.beta[2], some.beta[2], atol=2e-3)
    np.testing.assert_allclose(found.leak[2], some.leak[2], atol=2e-3)
    np.testing.assert_allclose(np.delete(found.beta, 2, 0), np.delete(every.beta, 2, 0), atol=1e-9)
    assert np.abs(found.beta[2] - every.beta[2]).max() > 0.01


@pytest.mark.parametrize("options", [{}, {"protective": True}, {"link_prior": SPARSER}])
def test_sparse_samples_give_the_same_network_sparse(small, options):
    y, s = draw(small, 300, np.random.default_rng(11))
    dense = fit_known_causes(y, s, **options)
    sparse = fit_known_causes(csr_array(y), csc_array(s), **options)
    np.testing.assert_allclose(sparse.beta.toarray(), dense.beta, atol=1e-9)
    assert sparse.beta.nnz == np.count_nonzero(dense.beta)
    if "protective" in options:
        np.testing.assert_allclose(sparse.protection.toarray(), dense.protection, atol=1e-9)


def test_uncertain_causes_may_be_sparse(small):
    y, s = draw(small, 100, np.random.default_rng(12))
    y *= 0.7
    dense, sparse = fit_known_causes(y, s), fit_known_causes(csr_array(y), s)
    np.testing.assert_allclose(sparse.beta.toarray(), dense.beta, atol=1e-12)


def test_of_many_causes_those_that_matter_are_chosen(monkeypatch):
    truth = random_model(13, 100, 12)
    y, s = draw(truth, 3000, np.random.default_rng(13))
    chosen = fit_known_causes(y, s)
    monkeypatch.setattr(minimum, "_FEW", 100)
    every = fit_known_causes(y, s)
    np.testing.assert_allclose(chosen.beta, every.beta, atol=5e-3)
    np.testing.assert_allclose(chosen.leak, every.leak, atol=5e-3)


def test_protective_links_are_found():
    truth = NoisyOr([0.3] * 4, [0.1], [[0.7, 0.5, 0, 0]], protection=[[0, 0, 0.8, 0]])
    y, s = truth.sample(5000, rng=14)
    model = fit_known_causes(y, s, link_prior=SPARSER, protective=True)
    np.testing.assert_allclose(model.beta, truth.beta, atol=0.06)
    np.testing.assert_allclose(model.protection, truth.protection, atol=0.06)
    np.testing.assert_allclose(model.predict(y[:50]), truth.predict(y[:50]), atol=0.05)
    assert fit_known_causes(y, s).protection is None


def test_protective_links_need_definite_causes():
    with pytest.raises(ValueError, match="`causes` must be 0 or 1 where links may protect"):
        fit_known_causes(np.full((3, 2), 0.5), np.ones((3, 1)), protective=True)
    with pytest.raises(TypeError, match="`protective` must be a bool"):
        fit_known_causes(np.ones((3, 2)), np.ones((3, 1)), protective="yes")


def test_findings_side_by_side_are_as_one_after_the_other(small, monkeypatch):
    y, s = draw(small, 300, np.random.default_rng(15))
    together = fit_known_causes(y, s)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    np.testing.assert_array_equal(fit_known_causes(y, s).beta, together.beta)


def test_processes_learn_the_same(small):
    y, s = draw(small, 500, np.random.default_rng(9))
    one, two = (fit_known_causes(y, s, n_jobs=jobs) for jobs in (None, 2))
    np.testing.assert_array_equal(two.beta, one.beta)
    np.testing.assert_array_equal(two.leak, one.leak)


@pytest.mark.parametrize(("jobs", "error"), [(0, ValueError), (-2, ValueError), (1.5, TypeError)])
def test_processes_are_counted(small, jobs, error):
    with pytest.raises(error, match="`n_jobs` must be"):
        fit_known_causes(np.ones((3, 2)), np.ones((3, 1)), n_jobs=jobs)


def test_too_few_steps_are_a_warning(small, monkeypatch):
    y, s = draw(small, 500, np.random.default_rng(9))
    message = r"\d of \d+ findings did not converge in `iterations`=1 steps"
    with pytest.warns(ConvergenceWarning, match=message) as found:
        fit_known_causes(y, s, iterations=1)
    assert len(found) == 1
    assert found[0].filename == __file__
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # without scikit-learn
    with pytest.warns(UserWarning, match=message) as found:
        fit_known_causes(y, s, iterations=1)
    assert found[0].category is UserWarning

"""Posteriors as people ask for them: evidence of every kind, the ways to it, limits, errors."""

import numpy as np
import pandas
import pytest
from scipy.sparse import csr_array

from synann_core.noisy_or import NoisyOr, Posterior, cause_sets, inference, plan
from tests.synann_core.noisy_or.brute_force import brute_force


def random_network(causes, count, share, seed=0, **options):
    rng = np.random.default_rng(seed)
    shape = count, causes
    beta = np.where(rng.random(shape) < share, rng.uniform(0.05, 0.9, shape), 0.0)
    prior, leak = 10.0 ** rng.uniform(-3, -1, causes), rng.uniform(1e-3, 0.1, count)
    return NoisyOr(prior, leak, beta, **options)


@pytest.fixture
def model():
    return random_network(6, 8, 0.5)


def test_all_samples_and_both_bounds(model):
    x = np.random.default_rng(9).choice([0.0, 1.0, np.nan, 0.5, 0.2], size=(20, 8))
    found = model.posterior(x)
    assert isinstance(found, Posterior)
    assert found.method == ("exact",) * 20
    np.testing.assert_array_equal(found.lower, found.probability)
    np.testing.assert_array_equal(found.upper, found.probability)
    np.testing.assert_allclose(model.log_evidence(x), found.log_evidence, rtol=1e-13)
    for row, p, log in zip(x, found.probability, found.log_evidence, strict=True):
        evidence, posterior = brute_force(model, row)
        np.testing.assert_allclose(p, posterior.astype(float), rtol=1e-12)
        assert log == pytest.approx(float(np.log(evidence)), rel=1e-12)


def test_nothing_known_leaves_the_prior_as_it_is(model):
    found = model.posterior([[np.nan] * 8, [0.5] * 8, [np.nan] * 7 + [0.5]])
    np.testing.assert_array_equal(found.probability, np.repeat(model.prior[None], 3, axis=0))
    np.testing.assert_allclose(found.log_evidence, np.log(0.5) * np.array([0, 8, 1]), rtol=1e-15)
    assert found.log_evidence[0] == 0.0
    empty = model.posterior(np.empty((0, 8)))
    assert empty.probability.shape == (0, 6)
    assert empty.method == ()


def test_even_odds_for_a_finding_say_nothing_but_cost_a_bit(model):
    x = np.array([[1, 0, 1, np.nan, 0, 1, 0, np.nan]])
    half = np.where(np.isnan(x), 0.5, x)
    unknown, even = model.posterior(x), model.posterior(half)
    np.testing.assert_allclose(even.probability, unknown.probability, rtol=1e-14)
    lower = unknown.log_evidence - 2 * np.log(2.0)
    np.testing.assert_allclose(even.log_evidence, lower, rtol=1e-14)


def test_an_uncertain_finding_is_virtual_evidence():
    """Pearl's: the odds of the cause are multiplied by the likelihood ratio."""
    model = NoisyOr([0.2], [0.1], [[0.5]])
    present, absent = np.array([0.1, 0.55]), np.array([0.9, 0.45])  # without and with the cause
    likelihood = 0.8 * present + 0.2 * absent
    want = 0.2 * likelihood[1] / (0.2 * likelihood[1] + 0.8 * likelihood[0])
    np.testing.assert_allclose(model.posterior([[0.8]]).probability, [[want]], rtol=1e-14)


def test_sparse_networks_and_samples_and_frames():
    dense = random_network(9, 7, 0.4, seed=3, findings=list("abcdefg"))
    sparse = NoisyOr(dense.prior, dense.leak, csr_array(dense.beta), findings=list("abcdefg"))
    x = np.random.default_rng(1).integers(0, 2, (5, 7)).astype(float)
    want = dense.posterior(x)
    for network in (dense, sparse):
        for given in (x, csr_array(x)):
            got = network.posterior(given)
            np.testing.assert_allclose(got.probability, want.probability, rtol=1e-13)
    frame = pandas.DataFrame(x[:, ::-1], columns=list("gfedcba"))
    np.testing.assert_array_equal(dense.posterior(frame).probability, want.probability)


def protected(model):
    delta = np.where(np.random.default_rng(2).random(model.beta.shape) < 0.2, 0.3, 0.0)
    return NoisyOr(model.prior, model.leak, model.beta, protection=delta)


def test_protection_dense_and_sparse(model):
    dense = protected(model)
    sparse = NoisyOr(
        model.prior,
        model.leak,
        csr_array(model.beta),
        protection=csr_array(dense.protection),
    )
    x = np.array([[1, 0, 1, np.nan, 0, 1, 0.3, 0.9]])
    evidence, posterior = brute_force(dense, x[0])
    for network in (dense, sparse):
        found = network.posterior(x)
        np.testing.assert_allclose(found.probability[0], posterior.astype(float), rtol=1e-12)
        assert found.log_evidence[0] == pytest.approx(float(np.log(evidence)), rel=1e-12)


@pytest.mark.needs_kernels
def test_the_way_is_chosen_by_planned_time():
    """Few causes and many findings: over sets of causes; the other way round: of findings."""
    few, many = random_network(5, 40, 0.5), random_network(300, 12, 0.1)
    ones = np.ones((3, 40))
    assert inference._choose(few, ones, 60.0, shares=True).together.size == 3
    ways = inference._choose(many, np.ones((3, 12)), 60.0, shares=True)
    assert ways.alone.all()
    assert ways.seconds.sum() < 1.0
    # Both kinds in one call.
    both = random_network(18, 40, 0.5)
    x = np.zeros((2, 40))
    x[0, :3], x[1] = 1.0, 1.0
    ways = inference._choose(both, x, 60.0, shares=True)
    assert ways.alone.tolist() == [True, False]
    found = both.posterior(x)
    for row, p in zip(x, found.probability, strict=True):
        _, over_causes = cause_sets.solve(both, row[None], cause_sets.make_plan(both, row[None]))
        np.testing.assert_allclose(p, over_causes[0], rtol=1e-12)


@pytest.mark.parametrize("names", [None, list("abc")])
@pytest.mark.parametrize(
    ("prior", "leak", "beta", "x", "culprits"),
    [
        ([0.5, 0.5], [0, 0.1, 0], [[0, 0], [1, 1], [0.5, 0]], [1, 0, 0], "{0} present$"),
        (
            [0.5, 0.5],
            [0, 0.1, 0],
            [[0.5, 0], [1, 0], [0, 1]],
            [1, 0, 1],
            "{0} present, {1} absent$",
        ),
        ([1.0, 0.5], [0.1] * 3, [[0, 0], [0, 0], [1, 0]], [1, 1, 0], "{2} absent$"),
        ([0.0, 0.5], [0, 0.1, 0.1], [[0.5, 0], [0, 0], [0, 0]], [1, 0.3, 0], "{0} present$"),
    ],
)
def test_contradictions_are_named(names, prior, leak, beta, x, culprits):
    model = NoisyOr(prior, leak, beta, findings=names)
    known = [f"finding {i}" for i in range(3)] if names is None else [repr(n) for n in names]
    message = "sample 1, of probability 0 with " + culprits.format(*known)
    for call in (model.posterior, model.log_evidence):
        with pytest.raises(ValueError, match=message):
            call([[np.nan, 0.0, np.nan] if prior[0] < 1.0 else [np.nan] * 3, x])


def test_contradictions_of_protective_links():
    model = NoisyOr([1.0], [0.1], [[0.5]], protection=[[1.0]])
    with pytest.raises(ValueError, match="sample 0, of probability 0 with finding 0 present"):
        model.posterior([[1.0]])
    np.testing.assert_allclose(model.posterior([[0.0]]).log_evidence, 0.0, atol=1e-15)


def test_what_takes_too_long_or_too_much_is_refused():
    model = random_network(300, 40, 0.3)
    x = np.ones((1, 40))
    message = (
        r"`most_seconds` and `most_bytes` must allow an exact sum, which takes .* for 1 sample,"
        r" most for sample 0 with 40 present .*\. Received: 60 s and 2e\+09 bytes"
    )
    with pytest.raises(ValueError, match=message):
        model.posterior(x, method="exact")
    with pytest.raises(ValueError, match=r"for 2 samples, most for sample 2 with 40 present"):
        model.posterior(np.stack([0.5 * x[0], 0.0 * x[0], x[0]]), method="exact")
    with pytest.raises(ValueError, match="must allow an exact sum"):
        model.log_evidence(x)
    few = np.r_[np.ones(10), np.zeros(30)][None]
    assert model.posterior(few).method == ("exact",)
    for limit in ({"most_seconds": 1e-6}, {"most_bytes": 100}):
        with pytest.raises(ValueError, match="must allow an exact sum"):
            model.posterior(few, method="exact", **limit)


def test_what_no_plan_can_do_is_refused_before_it_is_made(monkeypatch):
    """Thousands of present findings: looking for an order would take longer than the answer."""
    model = random_network(300, 1000, 0.3)
    monkeypatch.setattr(plan, "_best_order", None)
    with pytest.raises(ValueError, match="must allow an exact sum"):
        model.log_evidence(np.ones((1, 1000)))


def test_beyond_the_limits_are_bounds_and_samples():
    """Only for the samples that are beyond them; with the same seed the same numbers."""
    model = random_network(300, 40, 0.3)
    few = np.r_[np.ones(10), np.zeros(30)]
    exact = model.posterior(few[None])
    X = np.stack([np.ones(40), np.full(40, np.nan), few])
    got = model.posterior(X, width=1.0, most_seconds=2.0)
    assert got.method == ("bounds", "exact", "exact")
    np.testing.assert_array_equal(got.probability[2], exact.probability[0])
    np.testing.assert_array_equal(got.probability[1], model.prior)
    assert (got.lower <= got.probability).all()
    assert (got.probability <= got.upper).all()
    assert (got.log_lower <= got.log_evidence).all()
    assert (got.log_evidence <= got.log_upper).all()
    for method in ("bounds", "sampling"):
        close = model.posterior(few[None], method=method, most_seconds=3.0)
        assert close.method == (method,)
        np.testing.assert_allclose(close.probability, exact.probability, atol=0.05)
        np.testing.assert_allclose(close.log_evidence, exact.log_evidence, atol=0.1)


def test_too_many_protected_findings_are_an_error():
    shape = 1100, 30
    model = NoisyOr(
        np.full(30, 0.1), np.full(1100, 0.1), np.full(shape, 0.3), protection=np.full(shape, 0.1)
    )
    with pytest.raises(ValueError, match="must allow an exact sum"):
        model.log_evidence(np.zeros((1, 1100)))
    with pytest.raises(ValueError, match="`X` must have at most 8 findings a sample that causes"):
        model.posterior(np.zeros((1, 1100)), most_seconds=1.0)


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        (np.zeros(8), {}, ValueError, r"`X` must have shape \(samples, 8\)"),
        (np.zeros((2, 7)), {}, ValueError, r"`X` must have shape \(samples, 8\)"),
        (np.full((2, 8), 1.5), {}, ValueError, r"`X` must be in \[0, 1\]"),
        ([["a"] * 8], {}, TypeError, "`X` must hold real numbers"),
        (np.zeros((1, 8)), {"method": "fast"}, ValueError, "`method` must be one of"),
        (np.zeros((1, 8)), {"most_seconds": 0}, ValueError, "`most_seconds` must be in"),
        (np.zeros((1, 8)), {"most_bytes": "1"}, TypeError, "`most_bytes` must be a number"),
    ],
)
def test_bad_arguments_are_named(model, x, options, error, message):
    with pytest.raises(error, match=message):
        model.posterior(x, **options)

"""Reasons and next findings, against sums over all sets of causes."""

import math

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr
from tests.synann_core.noisy_or.networks import (
    KINDS,
    evidence_of,
    joint_of,
    network_of,
    posterior_of,
)


def odds(p):
    return math.inf if p == 1 else p / (1 - p)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_weights_are_what_the_log_odds_fall_by(kind, seed):
    network = network_of(kind, seed)
    x = evidence_of(network, seed)
    for cause in range(2, 6):
        reasons = network.explain(x, f"c{cause}")
        whole = posterior_of(network, x)[cause]
        np.testing.assert_allclose(reasons.probability, whole, rtol=1e-9)
        assert len(reasons.findings) == np.count_nonzero(~np.isnan(x))
        for i, weight, alone, without in zip(
            reasons.findings, reasons.weight, reasons.alone, reasons.without, strict=True
        ):
            less, only = x.copy(), np.full(8, np.nan)
            less[i], only[i] = np.nan, x[i]
            rest = posterior_of(network, less)[cause]
            np.testing.assert_allclose(without, rest, rtol=1e-9)
            with np.errstate(divide="ignore", invalid="ignore"):
                want = np.log(odds(whole)) - np.log(odds(rest))
                want = 0.0 if np.isnan(want) else want  # certain either way
                single = np.log(odds(posterior_of(network, only)[cause]))
                single -= np.log(odds(network.prior[cause]))
            np.testing.assert_allclose(weight, want, rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(alone, single, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_parts_in_turn_add_up_from_the_prior_to_the_log_odds(kind, seed):
    network = network_of(kind, seed)
    x = evidence_of(network, seed)
    for cause in range(2, 6):
        reasons = network.explain(x, f"c{cause}")
        so_far, before = np.full(8, np.nan), np.log(odds(network.prior[cause]))
        np.testing.assert_allclose(reasons.prior, before, rtol=1e-12)
        for i, part in zip(reasons.findings, reasons.in_turn, strict=True):
            so_far[i] = x[i]
            with np.errstate(divide="ignore", invalid="ignore"):
                now = np.log(odds(posterior_of(network, so_far)[cause]))
                want = now - before if now != before else 0.0  # certain before and after
            np.testing.assert_allclose(part, want, rtol=1e-7, atol=1e-9)
            before = now
        total = reasons.prior + sum(reasons.in_turn)
        np.testing.assert_allclose(total, reasons.log_odds, rtol=1e-12, atol=1e-12)


def test_without_findings_the_log_odds_are_the_priors():
    reasons = NoisyOr([0.2], [0.1], [[0.5]]).explain([np.nan], 0)
    assert reasons.in_turn == ()
    assert reasons.prior == reasons.log_odds == pytest.approx(math.log(0.25))


def test_log_odds_keep_their_digits_near_certainty():
    network = NoisyOr([0.5], np.full(30, 1e-6), np.full((30, 1), 0.9))
    reasons = network.explain(np.ones(30), 0)
    each = math.log((1 - 0.1 * (1 - 1e-6)) / 1e-6)
    np.testing.assert_allclose(reasons.log_odds, 30 * each, rtol=1e-12)
    np.testing.assert_allclose(reasons.weight, np.full(30, each), rtol=1e-9)
    assert reasons.probability == 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cause", [None, "c3"])
def test_expected_information_is_that_of_all_sets(kind, cause):
    network = network_of(kind, 2)
    x = np.full(8, np.nan)
    x[0] = evidence_of(network, 1)[0]
    chosen = slice(None) if cause is None else slice(3, 4)

    def entropy(p):
        p = np.clip(p, 1e-300, 1 - 1e-16)
        return float((-p * np.log(p) - (1 - p) * np.log1p(-p))[chosen].sum())

    wants = {}
    whole = joint_of(network, x)[1].sum()
    for i in range(1, 8):
        left, probability = 0.0, 0.0
        for value in (0.0, 1.0):
            more = x.copy()
            more[i] = value
            weight = joint_of(network, more)[1].sum() / whole
            if weight > 0:
                left += weight * entropy(posterior_of(network, more))
            probability += value * weight
        wants[i] = entropy(posterior_of(network, x)) - left, probability
    found = network.next_findings(x, count=8, cause=cause)
    assert found == sorted(found, key=lambda f: -f.information)
    for one in found:
        np.testing.assert_allclose(one.information, wants[one.finding][0], rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(one.probability, wants[one.finding][1], rtol=1e-9)
    missing = set(wants) - {one.finding for one in found}
    assert all(wants[i][0] < 1e-9 for i in missing)


def test_findings_that_are_certain_together_tell_nothing():
    """That one of two causes is there is known, which no cause alone says."""
    network = NoisyOr([0.1, 0.1], [0.0, 0.0], [[0.5, 0.5], [1.0, 1.0]])
    assert network.next_findings([1.0, np.nan]) == []
    assert [f.finding for f in network.next_findings([np.nan, 0.0])] == []


@pytest.mark.parametrize("ask", ["explain", "most_probable", "next_findings"])
def test_questions_about_impossible_findings(ask):
    network = NoisyOr([0.1, 0.2], [0.0, 0.0, 0.1], [[1.0, 0.0], [1.0, 0.0], [0.0, 0.5]])
    more = {"cause": 0} if ask == "explain" else {}
    with pytest.raises(
        ValueError, match="of probability 0 with finding 0 present, finding 1 absent"
    ):
        getattr(network, ask)([1.0, 0.0, np.nan], **more)


@pytest.mark.parametrize("ask", ["explain", "most_probable", "next_findings"])
def test_questions_have_the_limits_of_exact_sums(ask):
    network = network_of("plain", 1, causes=40, findings=30)
    more = {"cause": 0} if ask == "explain" else {}
    x = np.r_[np.ones(29), np.nan]
    with pytest.raises(ValueError, match="`most_seconds` and `most_bytes` must allow an exact sum"):
        getattr(network, ask)(x, most_seconds=1e-7, **more)


def test_alone_keeps_its_digits_near_certain_findings():
    network = NoisyOr([1.0, 0.5], [0.9], [[1.0 - 1e-14, 0.999]])
    reasons = network.explain([0.0], 1)
    np.testing.assert_allclose(reasons.alone, [np.log(1e-3)], rtol=1e-12)
    np.testing.assert_allclose(reasons.weight, reasons.alone, rtol=1e-9)


def test_nothing_is_left_to_ask():
    network = network_of("plain")
    assert network.next_findings(np.zeros(8)) == []
    # A finding that is certain tells nothing.
    certain = NoisyOr([1.0, 0.5], [0.0, 0.0], [[1.0, 0.5], [0.0, 0.0]])
    assert certain.next_findings([np.nan, np.nan]) == []


def test_answers_print_with_few_digits():
    network = NoisyOr([0.2, 0.1], [0.05, 0.1], [[0.9, 0.8], [0.0, 0.3]], causes=["flu", "cold"])
    reasons = network.explain([1.0, np.nan], "flu")
    assert repr(reasons) == str(reasons)
    assert "-0.00" not in str(network.explain([0.5, 0.5], "flu"))
    (best, *_) = network.most_probable([1.0, np.nan])
    assert repr(best).startswith("CauseSet(('flu',), probability=0.")
    (following,) = network.next_findings([1.0, np.nan])
    assert repr(following).startswith("NextFinding(1, information=0.")

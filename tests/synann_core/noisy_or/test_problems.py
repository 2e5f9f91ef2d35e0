"""What is left of a sample: weights, findings, and the positive terms of protected ones."""

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr
from synann_core.noisy_or.problems import needed, problems

BETA = np.array([[0.5, 0.0, 0.25], [1.0, 0.5, 0.0], [0.0, 0.5, 0.5]])
PRIOR, LEAK = np.array([0.5, 0.25, 1.0]), np.array([0.0, 0.1, 0.2])


def problem(x, **options):
    (one,) = problems(NoisyOr(PRIOR, LEAK, BETA, **options), np.array([x]))
    return one


def test_absent_findings_are_weights():
    one = problem([1.0, np.nan, 0.0])
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(one.log_weights[0], np.log([0.5, 0.75, 0.0]))
    np.testing.assert_allclose(one.log_weights[1], np.log([0.5, 0.125, 0.5]))
    assert one.log_constant == pytest.approx(np.log(0.8))
    assert one.structure.findings == 1
    assert one.structure.cause.tolist() == [0, 2]
    assert one.fixed == (2,)


def test_an_impossible_cause_has_no_links():
    one = problem([1.0, 0.0, 1.0])
    assert np.isneginf(one.log_weights[1, 0])
    assert 0 not in one.structure.cause


@pytest.mark.parametrize("r", [0.0, 0.3, 0.8])
def test_terms_of_a_protected_finding_add_up(r):
    """Each is a product, which the formula of the whole is not."""
    delta = np.array([[0.0, 0.5, 0.25], [0, 0, 0], [0, 0, 0]])
    network = NoisyOr(PRIOR, LEAK, BETA, protection=delta)
    (one,) = problems(network, np.array([[r, np.nan, np.nan]]))
    (links, terms), *others = one.terms
    assert not others
    cause = one.structure.cause[links]
    assert not one.with_terms([1]).terms
    for y in ([0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]):
        present = network.predict(np.array(y, float))[0]
        total = 0.0
        for term in terms:
            on = np.array(y)[cause] == 1
            off = np.exp(term.log_off) * np.prod(1.0 - term.strength[on])
            factor = np.exp(term.log_constant + term.log_factor[on].sum())
            total += factor * (term.final[0] * off + term.final[1] * (1.0 - off))
        assert total == pytest.approx(r * present + (1.0 - r) * (1.0 - present), rel=1e-14)


def test_only_the_last_resort_is_needed():
    """A cause of weight 1e-2000 matters where nothing else explains a present finding."""
    absent = np.full((1000, 2), [0.99, 0.0])
    for leak, want in ((0.0, (0,)), (1e-3, ())):
        network = NoisyOr([0.5, 0.5], np.r_[np.zeros(1000), leak], np.r_[absent, [[0.5, 0.0]]])
        (one,) = problems(network, np.r_[np.zeros(1000), 1.0][None])
        assert needed(one) == want

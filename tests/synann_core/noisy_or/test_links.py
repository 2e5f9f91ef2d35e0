"""The losses of a finding: values, gradients, curvature, and the errors of links."""

import numpy as np
import pytest
import scipy.optimize
from scipy.sparse import csr_array

from synann_core.noisy_or.links import (
    SMALLEST_LEAK,
    STRONGEST,
    DefiniteLoss,
    ProtectiveLoss,
    UncertainLoss,
    standard_errors,
)
from synann_core.noisy_or.minimum import minimise_definite

ROWS, CAUSES = 60, 4


def problem(kind, seed=0):
    """A loss of random counts, and random unknowns."""
    rng = np.random.default_rng(seed)
    y = (rng.random((ROWS, CAUSES)) < 0.4).astype(float)
    if kind == "uncertain":
        y = rng.random((ROWS, CAUSES))
    present, absent = rng.integers(0, 4, (2, ROWS)).astype(float)
    size = 2 * CAUSES + 1 if kind == "protective" else CAUSES + 1
    c = rng.uniform(0.1, 2.0, size)
    if kind == "uncertain":
        return UncertainLoss(y, present, absent), c, (y, present, absent)
    if kind == "protective":
        return ProtectiveLoss(y, present, absent), c, (y, present, absent)
    rows = csr_array(y) if kind == "sparse" else y
    linear = np.r_[absent @ y, absent.sum()]
    return DefiniteLoss(rows, present, linear), c, (y, present, absent)


def by_hand(kind, c, y, present, absent):
    """The loss from the definition of the network."""
    beta, leak = 1 - np.exp(-c[:CAUSES]), 1 - np.exp(-c[-1])
    p = 1 - (1 - leak) * np.prod(1 - beta * y, axis=1)
    if kind == "protective":
        p = p * np.prod(1 - (1 - np.exp(-c[CAUSES:-1])) * y, axis=1)
    return -(present @ np.log(p) + absent @ np.log1p(-p))


KINDS = ("dense", "sparse", "uncertain", "protective")


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_the_definition(kind):
    loss, c, data = problem(kind)
    assert loss(c)[0] == pytest.approx(by_hand(kind, c, *data), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_agree_with_differences(kind):
    loss, c, _ = problem(kind, 1)
    want = scipy.optimize.approx_fprime(c, lambda c: loss(c)[0], 1e-7)
    np.testing.assert_allclose(loss(c)[1], want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("free", [None, [0, 2], []])
def test_the_information_is_the_slope_of_the_gradient(kind, free):
    loss, c, _ = problem(kind, 2)
    places = np.arange(len(c)) if free is None else np.array([*free, len(c) - 1])
    want = scipy.optimize.approx_fprime(c, lambda c: loss(c)[1], 1e-7)[np.ix_(places, places)]
    found = loss.information(c, places)
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-3)


def test_a_protective_loss_is_finite_at_its_bounds():
    loss, c, _ = problem("protective")
    for value in (0.0, STRONGEST, 300.0):
        c[:-1] = value
        for leak in (SMALLEST_LEAK, STRONGEST):
            c[-1] = leak
            value_there, gradient = loss(c)
            assert np.isfinite(value_there)
            assert np.isfinite(gradient).all()


def test_standard_errors_are_the_spread_of_estimates():
    rng = np.random.default_rng(4)
    y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    truth = -np.log1p(-np.array([0.6, 0.3, 0.1]))
    p = -np.expm1(-(y @ truth[:2] + truth[2]))
    found, errors = [], []
    for _ in range(300):
        present = rng.binomial(500, p).astype(float)
        absent = 500 - present
        loss = DefiniteLoss(y, present, np.r_[absent @ y, absent.sum()])
        c, _ = minimise_definite(loss, link_prior=(1.0, 1.0), iterations=500)
        found.append(-np.expm1(-c))
        errors.append(standard_errors(loss, c))
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(found, axis=0), rtol=0.12)


def test_links_at_a_bound_have_no_error():
    loss, c, _ = problem("dense")
    c[:2] = 0.0, STRONGEST
    errors = standard_errors(loss, c)
    assert np.isnan(errors[:2]).all()
    assert np.isfinite(errors[2:]).all()
    c[-1] = SMALLEST_LEAK
    assert np.isnan(standard_errors(loss, c)[-1])


def test_links_that_the_data_do_not_tell_apart_have_no_error():
    y = np.array([[1.0, 1.0], [0.0, 0.0]])
    loss = DefiniteLoss(y, np.array([8.0, 1.0]), np.array([2.0, 2.0, 11.0]))
    errors = standard_errors(loss, np.array([0.5, 0.5, 0.1]))
    assert not (errors[:2] < 100).any()  # infinite or unknown

"""The loss and the surprisal rule against complex steps, and the fault of the published rule."""

import numpy as np
import pytest

from reference import elementwise, learning, tensor
from reference.differentiate import complex_step


def rule_arguments(batch=(3,), m=3, n=4, seed=0):
    rng = np.random.default_rng(seed)
    u, v = 2.0 * rng.random((*batch, m)), 0.05 + 2.0 * rng.random((*batch, n))
    target = rng.random((*batch, m))  # need not sum to 1
    return u, v, rng.random(m), rng.random((m, n)), target


def assert_near(got, want):
    assert np.shape(got) == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * np.abs(want).max())


def test_known_losses():
    assert learning.cross_entropy(np.zeros(4), np.eye(4)[1]) == pytest.approx(np.log(4))
    # p = (¼, ¾)
    got = learning.cross_entropy(np.array([0.0, np.log(3.0)]), np.array([1.0, 2.0]))
    assert got == pytest.approx(np.log(4) + 2 * np.log(4 / 3))
    large = learning.cross_entropy(np.array([1000.0, 0.0]), np.array([0.0, 1.0]))
    assert large == 1000.0


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_cross_entropy_vjp_equals_complex_step(batch):
    rng = np.random.default_rng(1)
    args = 3.0 * rng.normal(size=(*batch, 5)), rng.random((*batch, 5))
    grad = rng.normal(size=batch)
    for index, gradient in enumerate(learning.cross_entropy_vjp(*args, grad)):
        assert_near(gradient, complex_step(learning.cross_entropy, args, index, grad))


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_surprisal_rule_is_the_gradient_of_the_loss(batch):
    args = rule_arguments(batch)
    gtheta, ggamma = learning.surprisal_rule(*args)
    assert_near(gtheta, complex_step(learning.surprisal_loss, args, 2, 1.0))
    assert_near(ggamma, complex_step(learning.surprisal_loss, args, 3, 1.0))


def test_one_theta_for_all_outputs():
    u, v, _, gamma, target = rule_arguments()
    args = (u, v, np.array(0.3), gamma, target)
    gtheta, _ = learning.surprisal_rule(*args)
    assert gtheta.shape == ()
    # one θ shifts all outputs alike, which softmax does not see
    assert gtheta == pytest.approx(0.0, abs=1e-14)


def test_rule_has_two_signs_and_lowers_the_loss():
    u, v, theta, gamma, _ = rule_arguments()
    target = np.eye(3)
    _, ggamma = learning.surprisal_rule(u, v, theta, gamma, target)
    assert (ggamma > 0).any()
    assert (ggamma < 0).any()
    before = learning.surprisal_loss(u, v, theta, gamma, target).sum()
    after = learning.surprisal_loss(u, v, theta, gamma - 1e-3 * ggamma, target).sum()
    expected = 1e-3 * np.sum(ggamma**2)
    assert before - after == pytest.approx(expected, rel=0.02)


def test_published_rule_has_one_sign():
    # −ô_i n_ij: γ can only grow, whatever the output is
    _, v, _, gamma, _ = rule_arguments()
    target = np.eye(3)
    occupation = elementwise.bose_einstein(gamma + v[:, None, :])
    published = -(target[:, :, None] * occupation).sum(axis=0)
    assert (published < 0).all()


def test_published_gradient_lacks_the_output_as_a_factor():
    # Its equation 18 has −y_j/(1 − β_ij y_j) where ∂s_i/∂β_ij is that times s_i.
    x, y, alpha, beta, target = (np.exp(-a) for a in rule_arguments(batch=()))
    s = tensor.synapse_tensor(x, y, alpha, beta)
    error = target.sum() * np.exp(learning.log_softmax(s)) - target
    published = error[:, None] * -y / (1.0 - beta * y)

    def loss(beta):
        return learning.cross_entropy(tensor.synapse_tensor(x, y, alpha, beta), target)

    want = complex_step(loss, (beta,), 0, 1.0)
    assert_near(published * s[:, None], want)
    assert np.abs(published / want - 1.0).min() > 0.1

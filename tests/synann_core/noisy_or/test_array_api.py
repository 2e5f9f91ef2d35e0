"""The differentiable evidence on every library, and the programs without the kernels."""

import numpy as np
import pytest

from synann_core import noisy_or
from synann_core.noisy_or import NoisyOr, exact, native
from synann_core.noisy_or.plan import make_plan
from synann_core.noisy_or.problems import problems
from tests.synann_core.noisy_or.brute_force import brute_force, random_case


def case(seed=0, causes=5, findings=6):
    rng = np.random.default_rng(seed)
    beta = rng.uniform(0.05, 0.95, (findings, causes))
    prior, leak = rng.uniform(0.05, 0.5, causes), rng.uniform(0.01, 0.2, findings)
    x = np.array([[1, 0, 1, np.nan, 0.3, 1], [0, 0, np.nan, 0.5, 1, 0], [np.nan] * 6])
    return prior, leak, beta, x


def test_evidence_on_every_library(xp, dtype):
    *parameters, x = small_case()
    given = [xp.asarray(a, dtype) for a in parameters]
    got = noisy_or.log_evidence(*given, x)
    assert got.dtype == xp.dtype(dtype)
    want = NoisyOr(*(a.astype(dtype) for a in parameters)).log_evidence(x)
    np.testing.assert_allclose(xp.to_numpy(got), want, rtol=50 * np.finfo(dtype).eps, atol=1e-6)
    if dtype == "float64":
        np.testing.assert_allclose(xp.to_numpy(got), want, rtol=1e-13, atol=1e-15)


def test_evidence_below_the_smallest_float32(xp):
    given = np.full(1, 1e-9), np.full(5, 1e-9), np.zeros((5, 1))
    got = noisy_or.log_evidence(*(xp.asarray(a, "float32") for a in given), np.ones((1, 5)))
    np.testing.assert_allclose(xp.to_numpy(got), [5 * np.log(1e-9)], rtol=1e-5)


def small_case():
    """Two findings under way at a time: eager JAX compiles every operation."""
    prior, leak, beta, _ = case(1, causes=3, findings=3)
    beta[0, 1] = 0.0
    return prior, leak, beta, np.array([[1.0, 0.3, 0.0], [np.nan, 1.0, 0.5]])


@pytest.mark.jax_alternates
def test_derivatives_on_torch_and_jax(ad):
    """Against central differences, also where a link is 0."""
    *parameters, x = small_case()
    upstream = np.array([1.0, 2.0])

    def logs(*given):
        return noisy_or.log_evidence(*given, x)

    gradients = ad.gradients(logs, ad.asarray(upstream), *(ad.asarray(a) for a in parameters))
    for which, got in enumerate(gradients):
        want = np.zeros_like(parameters[which])
        for at in np.ndindex(want.shape):
            moved = [[a.copy() for a in parameters] for _ in range(2)]
            moved[0][which][at] += 1e-6
            moved[1][which][at] -= 1e-6
            up, down = (logs(*m) @ upstream for m in moved)
            want[at] = (up - down) / 2e-6
        np.testing.assert_allclose(ad.to_numpy(got), want, rtol=1e-6, atol=1e-7)


@pytest.mark.jax_alternates
def test_the_derivative_by_log_odds_is_posterior_minus_prior(ad):
    prior, leak, beta, x = small_case()

    def logs(own):
        return noisy_or.log_evidence(own, ad.asarray(leak), ad.asarray(beta), x[:1])

    (by_prior,) = ad.gradients(logs, ad.asarray(np.ones(1)), ad.asarray(prior))
    posterior = NoisyOr(prior, leak, beta).posterior(x[:1]).probability[0]
    got = ad.to_numpy(by_prior) * prior * (1.0 - prior)
    np.testing.assert_allclose(got, posterior - prior, rtol=1e-12)


def test_posteriors_are_differentiable_on_torch():
    """The recipe of docs/noisy_or.md, and the derivative of a posterior by the leaks."""
    import torch

    p, leak, beta, x = small_case()
    prior, own_leak, own_beta = (torch.tensor(a) for a in (p, leak, beta))
    own_leak.requires_grad_()
    z = torch.logit(prior).requires_grad_()
    log = noisy_or.log_evidence(torch.sigmoid(z), own_leak, own_beta, x[:1])
    posterior = prior + torch.autograd.grad(log.sum(), z, create_graph=True)[0]

    def exact(leak):
        return NoisyOr(p, leak, beta).posterior(x[:1]).probability[0]

    np.testing.assert_allclose(posterior.detach().numpy(), exact(leak), rtol=1e-13)
    (by_leak,) = torch.autograd.grad(posterior[0], own_leak)
    steps = 1e-6 * np.eye(3)
    want = [(exact(leak + step) - exact(leak - step))[0] / 2e-6 for step in steps]
    np.testing.assert_allclose(by_leak.numpy(), want, rtol=1e-6, atol=1e-9)


def test_of_no_samples_there_is_no_evidence(xp, dtype):
    *parameters, _ = small_case()
    got = noisy_or.log_evidence(*(xp.asarray(a, dtype) for a in parameters), np.ones((0, 3)))
    assert got.dtype == xp.dtype(dtype)
    assert xp.to_numpy(got).shape == (0,)


@pytest.mark.parametrize("which", ["prior", "leak", "beta"])
def test_values_of_parameters_are_not_checked(which):
    """NaN where one is NaN; outside their ranges any number or NaN, but no error."""
    *parameters, x = small_case()
    given = dict(zip(("prior", "leak", "beta"), parameters, strict=True))
    for value in (-0.5, 1.5):
        noisy_or.log_evidence(*(given | {which: np.full_like(given[which], value)}).values(), x)
    given[which] = np.full_like(given[which], np.nan)
    assert np.isnan(noisy_or.log_evidence(*given.values(), x)).all()


def test_a_prior_above_one_is_the_sum_with_signs():
    """1.5 · P(finding | cause) − 0.5 · P(finding | no cause); below 0 there is no logarithm."""
    leak, beta = np.array([0.1]), np.array([[0.5]])
    got = noisy_or.log_evidence(np.array([1.5]), leak, beta, [[1.0]])
    np.testing.assert_allclose(np.exp(got), [1.5 * 0.55 - 0.5 * 0.1], rtol=1e-14)
    assert np.isnan(noisy_or.log_evidence(np.array([-1.0]), leak, beta, [[1.0]]))


def test_links_that_cannot_fail_and_priors_at_their_ends():
    prior, leak = np.array([0.5, 1.0, 0.0, 0.25]), np.array([0.0, 0.0, 0.1])
    beta = np.array([[1.0, 0.0, 1.0, 0.5], [1.0, 0.5, 0.0, 0.0], [0.0, 0.25, 1.0, 0.0]])
    x = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.7], [0.0, 0.0, 1.0]])
    want = [float(np.log(brute_force(NoisyOr(prior, leak, beta), row)[0])) for row in x]
    np.testing.assert_allclose(noisy_or.log_evidence(prior, leak, beta, x), want, rtol=1e-13)
    impossible = noisy_or.log_evidence(prior[2:3], leak[:1], beta[:1, 2:3], [[1.0]])
    assert impossible[0] == -np.inf


def test_arguments_are_checked():
    prior, leak, beta, x = case()
    with pytest.raises(ValueError, match=r"`X` must have shape \(samples, 6\)"):
        noisy_or.log_evidence(prior, leak, beta, x[:, 1:])
    with pytest.raises(ValueError, match="`beta` must have shape"):
        noisy_or.log_evidence(prior, leak, beta.T, x)
    with pytest.raises(TypeError, match="`prior` must have a real floating-point dtype"):
        noisy_or.log_evidence(np.ones(5, int), leak, beta, x)
    many = np.zeros(50), np.full((50, 1), 0.5)
    with pytest.raises(ValueError, match="`X` must have at most 40 open findings"):
        noisy_or.log_evidence(np.array([0.5]), *many, np.ones((1, 50)))


@pytest.mark.needs_kernels
@pytest.mark.parametrize("seed", range(30))
def test_programs_without_the_kernels_give_the_same(seed, monkeypatch):
    """One program from the beginning to the end, against two that meet."""
    network, x = random_case([9, seed], causes=40, findings=14)
    (problem,) = problems(network, x[None])
    both = exact.plan_of(problem)
    log, posterior = exact.solve(problem, both, shares=True)
    one = make_plan(problem.structure, problem.fixed, split=False)
    monkeypatch.setattr(native, "serves", lambda: False)
    plain_log, plain = exact.solve(problem, one, shares=True)
    if np.isneginf(log):
        assert np.isneginf(plain_log)
    else:
        assert log == pytest.approx(plain_log, rel=1e-13, abs=1e-13)
        np.testing.assert_allclose(posterior, plain, rtol=1e-12)

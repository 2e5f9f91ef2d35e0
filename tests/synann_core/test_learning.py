"""Loss, surprisal rule and initial values."""

import numpy as np
import pytest

import reference.learning as slow
import synann_core as syn
from reference.differentiate import complex_step
from synann_core.learning import initial_beta_logit
from tests.helpers import EPS, assert_close


@pytest.mark.jax_alternates
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_cross_entropy_and_its_gradients_equal_the_reference(xp, dtype, batch):
    rng = np.random.default_rng(len(batch))
    logits = rng.normal(size=(*batch, 5), scale=3).astype(dtype)
    target, grad = rng.random((*batch, 5)).astype(dtype), rng.normal(size=batch).astype(dtype)
    arrays = [xp.asarray(a, dtype) for a in (logits, target, grad)]
    loss = xp.call(syn.cross_entropy, *arrays[:2])
    xp.check(loss, dtype, batch)
    limit = 20 * EPS[dtype]  # five terms, an exponential and a logarithm
    wide = [a.astype(np.float64) for a in (logits, target, grad)]
    assert_close(xp.to_numpy(loss), slow.cross_entropy(*wide[:2]), limit)
    gradients = xp.call(syn.cross_entropy_vjp, *arrays)
    for got, want in zip(gradients, slow.cross_entropy_vjp(*wide), strict=True):
        xp.check(got, dtype, want.shape)
        assert_close(xp.to_numpy(got), want, limit)


def test_gradients_of_the_loss_equal_complex_step():
    rng = np.random.default_rng(0)
    logits, target, grad = rng.normal(size=(3, 4)), rng.random((3, 4)), rng.normal(size=3)
    gradients = syn.cross_entropy_vjp(logits, target, grad)
    for index, got in enumerate(gradients):
        want = complex_step(slow.cross_entropy, (logits, target), index, grad)
        assert_close(got, want, 1e-12)


@pytest.mark.jax_alternates
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_loss_of_huge_logits_is_finite(xp, dtype, size):
    logits, target = xp.asarray([size, 0.0], dtype), xp.asarray([0.5, 0.5], dtype)
    loss = xp.call(syn.cross_entropy, logits, target)
    assert float(xp.to_numpy(loss)) == abs(size) / 2
    assert np.isfinite(xp.to_numpy(xp.call(syn.cross_entropy_vjp, logits, target, 1.0)[0])).all()


def test_a_constant_added_to_a_samples_logits_changes_nothing():
    rng = np.random.default_rng(0)
    logits, target = rng.integers(-3, 3, (4, 5)).astype(float), rng.random((4, 5))
    moved = logits + np.array([[0.0], [1e4], [-1e4], [1e6]])  # exact: these are integers
    assert np.array_equal(syn.cross_entropy(moved, target), syn.cross_entropy(logits, target))


@pytest.mark.jax_alternates
def test_an_impossible_class_of_no_weight_adds_nothing(xp, dtype):
    # What a closed factor leaves behind: log s = −∞. The gradient pulls at the others alone.
    logits, target = xp.asarray([0.0, -np.inf, 0.0], dtype), xp.asarray([1.0, 0.0, 0.0], dtype)
    loss = xp.call(syn.cross_entropy, logits, target)
    assert_close(xp.to_numpy(loss), np.log(2.0), EPS[dtype])
    glogits, _ = xp.call(syn.cross_entropy_vjp, logits, target, 1.0)
    assert_close(xp.to_numpy(glogits), [-0.5, 0.0, 0.5], EPS[dtype])
    certain = xp.call(syn.cross_entropy, logits, xp.asarray([0.5, 0.5, 0.0], dtype))
    assert float(xp.to_numpy(certain)) == np.inf


@pytest.mark.parametrize("hard", [False, True])
def test_autodiff_of_the_loss_equals_its_gradient(ad, hard):
    rng = np.random.default_rng(0)
    # The derivative by a target of 0 is −log p like any other.
    target = np.eye(4)[:3] if hard else rng.random((3, 4))
    arrays = [ad.asarray(rng.random((3, 4))), ad.asarray(target)]
    upstream = ad.asarray(rng.normal(size=3))
    automatic = ad.gradients(syn.cross_entropy, upstream, *arrays)
    for got, want in zip(automatic, syn.cross_entropy_vjp(*arrays, upstream), strict=True):
        assert_close(ad.to_numpy(got), ad.to_numpy(want), 1e-14)


def surprisal_case(rng, batch=(6,), m=3, n=4):
    u, v = rng.exponential(size=(*batch, m)), rng.exponential(size=(*batch, n))
    theta, gamma = rng.normal(size=m), rng.exponential(size=(m, n)) + 0.1
    return u, v, theta, gamma, rng.dirichlet(np.ones(m), size=batch) * 1.3


def test_the_rule_equals_the_reference_and_the_losss_gradient(xp):
    case = surprisal_case(np.random.default_rng(0))
    got = xp.call(syn.surprisal_rule, *(xp.asarray(a) for a in case))
    for value, want in zip(got, slow.surprisal_rule(*case), strict=True):
        xp.check(value, "float64", want.shape)
        assert_close(xp.to_numpy(value), want, 1e-13)

    def loss(theta, gamma):
        return np.sum(slow.surprisal_loss(*case[:2], theta, gamma, case[4]))

    for index, value in enumerate(got):
        want = complex_step(loss, case[2:4], index, 1.0)
        assert_close(xp.to_numpy(value), want, 1e-12)


def test_the_rule_has_two_signs_where_the_published_one_fades():
    rng = np.random.default_rng(3)
    v = rng.exponential(size=(200, 4))
    # The class is the input with the smallest surprisal: its own output must be inhibited least.
    target = np.eye(4)[v.argmin(axis=1)]
    gamma, theta = np.full((4, 4), 1.0), np.zeros(4)
    start = syn.cross_entropy(-syn.surprisal_synapse_tensor(v, v, theta, gamma), target).mean()
    first = syn.surprisal_rule(v, v, theta, gamma, target)[1]
    assert (first > 0).any()
    assert (first < 0).any()
    published = gamma
    for _ in range(300):
        gtheta, ggamma = syn.surprisal_rule(v, v, theta, gamma, target)
        theta, gamma = theta - gtheta / 400, np.maximum(1e-3, gamma - ggamma / 400)
        # Its equations 27-28: ∂L/∂γ_ij = −ô_i n_ij.
        occupation = syn.bose_einstein(published + v[:, None, :])
        published = published + (target[:, :, None] * occupation).sum(axis=0) / 400
    end = syn.cross_entropy(-syn.surprisal_synapse_tensor(v, v, theta, gamma), target).mean()
    assert end < 0.55 * start  # 0.459 against 0.887, where it settles
    assert gamma.min() < 0.5  # some synapses grew stronger,
    assert gamma.max() > 2.0  # others faded
    assert published.min() > 2.0  # there all of them do, and the layer tends to the identity


def test_the_rule_of_closed_outputs_opens_the_right_one(xp):
    # γ = v = 0: every output is closed and z = ∞ for all. By symmetry p = 1/3.
    zeros, theta = xp.asarray(np.zeros(3)), xp.asarray(np.zeros(3))
    gamma, target = xp.asarray(np.zeros((3, 3))), xp.asarray([1.0, 0.0, 0.0])
    gtheta, ggamma = xp.to_numpy(xp.call(syn.surprisal_rule, zeros, zeros, theta, gamma, target))
    assert_close(gtheta, [2 / 3, -1 / 3, -1 / 3], 4 * EPS["float64"])
    assert np.isfinite(ggamma).all()
    assert (np.sign(ggamma) == [[-1], [1], [1]]).all()  # a step lowers β of the right output


@pytest.mark.parametrize("seed", range(10))
def test_a_small_step_of_the_rule_lowers_the_loss(seed):
    u, v, theta, gamma, target = surprisal_case(np.random.default_rng(seed))

    def loss(theta, gamma):
        return syn.cross_entropy(-syn.surprisal_synapse_tensor(u, v, theta, gamma), target).sum()

    gtheta, ggamma = syn.surprisal_rule(u, v, theta, gamma, target)
    slope = np.sum(gtheta**2) + np.sum(ggamma**2)
    rate = 1e-7
    fall = loss(theta, gamma) - loss(theta - rate * gtheta, gamma - rate * ggamma)
    # The first order, short of rate·curvature; rounding of the loss, of order 10, is 1e-8 of it.
    assert fall == pytest.approx(rate * slope, rel=1e-4)


def test_the_rule_gives_gradients_in_shapes_and_dtypes(xp):
    u, v, _, gamma, target = surprisal_case(np.random.default_rng(1), batch=(2, 3))
    arrays = (xp.asarray(u), xp.asarray(v), 0.5, xp.asarray(gamma, "float32"), xp.asarray(target))
    gtheta, ggamma = xp.call(syn.surprisal_rule, *arrays)
    xp.check(gtheta, "float64", ())
    xp.check(ggamma, "float32", gamma.shape)
    want = slow.surprisal_rule(u, v, 0.5, gamma.astype(np.float32).astype(float), target)
    assert_close(xp.to_numpy(gtheta), want[0], 1e-13, scale=target.sum())  # it cancels to 0
    assert_close(xp.to_numpy(ggamma), want[1], EPS["float32"])


@pytest.mark.parametrize("n", [16, 64, 256, 1024, 4096])
def test_initial_beta_lets_samples_differ(n):
    rng = np.random.default_rng(0)
    beta = syn.initial_beta(32, n, rng=0)
    assert beta.shape == (32, n)
    assert (beta > 0).all()
    assert (beta < 1).all()
    for y in (rng.random((400, n)), syn.expit(rng.standard_normal((400, n)))):
        t = syn.log_transmission(y, beta)
        assert -2 < t.mean() < -0.5
        assert t.std(axis=0).min() >= 0.1
    if n >= 256:  # what it is for: with the same mean spread evenly, samples hardly differ
        even = syn.log_transmission(rng.random((400, n)), rng.uniform(1 / n, 3 / n, (32, n)))
        assert -2 < even.mean() < -0.5
        assert even.std(axis=0).max() < 0.1


@pytest.mark.parametrize("n", [2, 4, 8])
def test_initial_beta_lets_inputs_that_sum_to_one_differ(n):
    # Outputs of softmax: were all of them strong, every sample would lose about the same.
    y = np.random.default_rng(0).dirichlet(np.ones(n), size=400)
    t = syn.log_transmission(y, syn.initial_beta(32, n, mean_input=1 / n, rng=0))
    assert t.std(axis=0).min() >= 0.1


@pytest.mark.parametrize("mean_input", [0.1, 0.25, 1.0])
def test_initial_beta_heeds_the_mean_of_its_inputs(mean_input):
    y = np.full((1, 256), mean_input)
    t = syn.log_transmission(y, syn.initial_beta(32, 256, mean_input=mean_input, rng=0))
    # Strong inhibitors take β·y each, which add up to 1; −log(1 − βy) is a little or, at y = 1, far
    # more than βy. The 1e-3 of all others adds nothing to speak of.
    assert -1.5 < t.mean() < -0.9


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (1, 1), (2, 2), (3, 5)])
def test_initial_beta_of_small_sizes(m, n):
    beta = syn.initial_beta(m, n, rng=1)
    assert beta.shape == (m, n)
    assert ((beta > 0) & (beta < 1)).all()


@pytest.mark.parametrize("mean_input", [1e-300, 1e-309, 5e-324])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_initial_beta_of_the_smallest_means(n, mean_input):
    """Half the inputs, as strong as they may be, as for any mean that is small enough."""
    want = syn.initial_beta(3, n, mean_input=1e-100, rng=0)
    np.testing.assert_array_equal(syn.initial_beta(3, n, mean_input=mean_input, rng=0), want)


def test_initial_beta_by_some_rows_at_a_time_is_the_same(monkeypatch):
    """A wide layer does not fill the memory, nor does another layer change."""
    whole = syn.initial_beta(50, 30, rng=0)
    monkeypatch.setattr("synann_core.learning._TOGETHER", 64)
    np.testing.assert_array_equal(syn.initial_beta(50, 30, rng=0), whole)
    found = initial_beta_logit(50, 30, mean_input=0.5, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(found, syn.logit(whole))


def test_initial_beta_draws_from_its_seed_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state must stay
    first = syn.initial_beta(4, 8, rng=5)
    assert np.array_equal(first, syn.initial_beta(4, 8, rng=np.random.default_rng(5)))
    assert not np.array_equal(first, syn.initial_beta(4, 8, rng=6))
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"m": -1}, ValueError, "m"),
        ({"n": 2.0}, TypeError, "n"),
        ({"n": True}, TypeError, "n"),
        ({"rng": None}, TypeError, "rng"),
        ({"rng": 0.5}, TypeError, "rng"),
        ({"rng": True}, TypeError, "rng"),
        ({"rng": -1}, ValueError, "rng"),
        ({"mean_input": None}, TypeError, "mean_input"),
        ({"mean_input": True}, TypeError, "mean_input"),
        ({"mean_input": 0.0}, ValueError, "mean_input"),
        ({"mean_input": 2.0}, ValueError, "mean_input"),
        ({"mean_input": float("nan")}, ValueError, "mean_input"),
    ],
)
def test_initial_beta_names_what_is_wrong(arguments, error, name):
    options = {"m": 3, "n": 3, "rng": 0, **arguments}
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        syn.initial_beta(options.pop("m"), options.pop("n"), **options)


@pytest.mark.parametrize(
    ("logits", "target", "error", "name"),
    [
        (np.zeros(3), np.zeros(4), ValueError, "target"),
        (np.zeros((2, 3)), np.zeros(3), ValueError, "target"),
        (np.zeros(0), np.zeros(0), ValueError, "logits"),
        (np.zeros(()), np.zeros(()), ValueError, "logits"),
        (np.zeros(3), np.zeros(3, dtype=int), TypeError, "target"),
        ([0.0, 1.0], np.zeros(2), TypeError, "logits"),
    ],
)
def test_cross_entropy_names_what_is_wrong(logits, target, error, name):
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        syn.cross_entropy(logits, target)
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        syn.cross_entropy_vjp(logits, target, 1.0)


def test_surprisal_rule_names_a_target_that_does_not_fit():
    u, v, theta, gamma, target = surprisal_case(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"`target`.*Received"):
        syn.surprisal_rule(u, v, theta, gamma, target[:, :2])


def test_impossible_excitation_is_that_of_equal_outputs(xp, dtype):
    """u = ∞ for all outputs: z = ∞ for all, and by symmetry p = ½."""
    u, v = xp.asarray([np.inf, np.inf], dtype), xp.asarray([0.5, 1.0], dtype)
    theta, gamma = xp.asarray([0.0, 0.0], dtype), xp.asarray([[0.5, 1.0], [2.0, 3.0]], dtype)
    target = xp.asarray([1.0, 0.0], dtype)
    gtheta, ggamma = xp.call(syn.surprisal_rule, u, v, theta, gamma, target)
    assert_close(xp.to_numpy(gtheta), [0.5, -0.5], 4 * EPS[dtype])
    occupation = syn.bose_einstein(xp.to_numpy(gamma).astype(float) + xp.to_numpy(v))
    assert_close(xp.to_numpy(ggamma), np.array([[-0.5], [0.5]]) * occupation, 8 * EPS[dtype])


def test_surprisal_rule_is_finite_where_every_output_is_closed(xp):
    zeros, gamma = xp.asarray(np.zeros(2)), xp.asarray(np.zeros((2, 2)))
    target = xp.asarray([1.0, 0.0])
    for gradient in xp.call(syn.surprisal_rule, zeros, zeros, zeros, gamma, target):
        assert np.isfinite(xp.to_numpy(gradient)).all()

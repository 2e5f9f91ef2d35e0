"""STDP: pairs, traces and whole-window products are one rule."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reference.plasticity as slow
from synann_core.spiking import STDP
from tests.helpers import EPS, assert_close
from tests.synann_core.spiking.plasticity.cases import spike_trains

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Norse's, of its own imports
    # torch loads this late, in some test, and warns of the types that Norse has registered.
    import torch.utils._cxx_pytree
    from norse.torch.functional import stdp as norse

CONVENTIONS = ("both", "potentiation", "depression", "none")
WINDOW = (0.3, 0.2, 3.0, 5.0)
NAMED = dict(zip(("a_plus", "a_minus", "tau_plus", "tau_minus"), WINDOW, strict=True))


@pytest.mark.jax_alternates
@pytest.mark.parametrize("pairing", ["all", "nearest"])
def test_traces_and_products_equal_the_sum_over_pairs(xp, dtype, pairing):
    rng = np.random.default_rng(0)
    pre, post = spike_trains(rng)
    weights = rng.random((3, 4)).astype(dtype)
    given_arrays = [xp.asarray(a, dtype) for a in (weights, pre, post)]
    # Of JAX, which compiles each of them, one.
    one = ("both",) if pairing == "all" else ("depression",)
    for coincident in one if xp.is_jax else CONVENTIONS:
        rule = STDP(**NAMED, coincident=coincident, pairing=pairing)
        want = slow.stdp_pairs(pre, post, *WINDOW, coincident, pairing)
        limit = 1e-12 if dtype == "float64" else 50 * EPS[dtype]
        for form in (rule.online, rule.offline):
            got = xp.call(form, *given_arrays)
            got = got[0] if isinstance(got, tuple) else got
            xp.check(got, dtype, (3, 4))
            assert_close(xp.to_numpy(got) - weights, want, limit, scale=1.0)


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 1.0),
    st.floats(0.5, 50.0),
    st.floats(0.5, 50.0),
    st.sampled_from(CONVENTIONS),
    st.sampled_from(["all", "nearest"]),
)
def test_the_three_forms_agree_on_any_spike_trains(seed, rate, tau_plus, tau_minus, at_0, pairing):
    pre, post = spike_trains(np.random.default_rng(seed), 70, 1, 2, 3, rate)
    window = (0.3, 0.2, tau_plus, tau_minus, at_0)
    rule = STDP(*window, pairing=pairing)
    start = np.zeros((3, 2))
    want = slow.stdp_pairs(pre, post, *window, pairing)
    scale = 1.0 + np.abs(want).max()
    assert_close(rule.online(start, pre, post)[0], want, 1e-12, scale=scale)
    assert_close(rule.offline(start, pre, post), want, 1e-12, scale=scale)


@pytest.mark.jax_alternates
def test_pairs_of_two_spikes_trace_the_window(xp):
    # d = 0 is where conventions part.
    for coincident, at_zero in zip(CONVENTIONS, (0.1, 0.3, -0.2, 0.0), strict=True):
        rule = STDP(**NAMED, coincident=coincident)
        delays = np.arange(-9.0, 10.0)
        got = xp.call(rule.window, xp.asarray(delays))
        xp.check(got, "float64", delays.shape)
        want = [slow.stdp_window(d, *WINDOW, coincident) for d in delays]
        assert_close(xp.to_numpy(got), want, 1e-15, scale=1.0)
        assert xp.to_numpy(got)[9] == pytest.approx(at_zero, abs=1e-16)
        for d, value in zip(delays, want, strict=True):
            pre, post = np.zeros((10, 1, 1)), np.zeros((10, 1, 1))
            pre[max(0, int(-d))] = post[max(0, int(d))] = 1.0
            assert slow.stdp_pairs(pre, post, *WINDOW, coincident)[0, 0] == pytest.approx(value)
    assert np.isnan(STDP().window(np.array([np.nan]))).all()


@pytest.mark.jax_alternates
@pytest.mark.parametrize("dependence", ["additive", "hard", "power", "linear"])
def test_weight_dependences_equal_the_reference(xp, dtype, dependence):
    rng = np.random.default_rng(1)
    pre, post = spike_trains(rng, steps=20)
    weights = rng.uniform(-0.5, 1.5, (3, 4)).astype(dtype)
    bounds = {"dependence": dependence, "mu_plus": 0.4, "mu_minus": 1.7, "low": -0.5, "high": 1.5}
    rule = STDP(**NAMED, **bounds)
    want = slow.stdp_online(weights, pre, post, (*WINDOW, "both"), bounds)
    got, state = xp.call(rule.online, *(xp.asarray(a, dtype) for a in (weights, pre, post)))
    xp.check(got, dtype, (3, 4))
    # A root is steep where the weight meets its bound.
    assert_close(xp.to_numpy(got), want, 1e-12 if dtype == "float64" else 1e-4, scale=1.0)
    xp.check(state["pre"], dtype, (2, 4))
    xp.check(state["post"], dtype, (2, 3))


def test_unlike_time_constants_need_a_trace_each():
    rng = np.random.default_rng(2)
    pre, post = spike_trains(rng, steps=40)
    want = slow.stdp_pairs(pre, post, *WINDOW, "both")
    wrong = STDP(**{**NAMED, "tau_minus": NAMED["tau_plus"]})
    assert np.abs(wrong.offline(np.zeros((3, 4)), pre, post) - want).max() > 0.1


@given(st.integers(0, 2**32 - 1), st.sampled_from(["hard", "power", "linear"]))
def test_bounded_weights_stay_within_their_bounds(seed, dependence):
    rng = np.random.default_rng(seed)
    pre, post = spike_trains(rng)
    rule = STDP(a_plus=3.0, a_minus=2.5, dependence=dependence, low=-1.0, high=2.0, mu_plus=0.5)
    start = rng.uniform(-1.0, 2.0, (3, 4))
    for end in (rule.online(start, pre, post)[0], rule.offline(start, pre, post)):
        assert end.min() >= -1.0
        assert end.max() <= 2.0


def test_offline_follows_online_where_changes_are_small():
    rng = np.random.default_rng(3)
    pre, post = spike_trains(rng)
    start = rng.uniform(0.3, 0.7, (3, 4))
    for dependence in ("hard", "power", "linear"):
        changes = []
        for small in (1e-3, 1e-4):
            rule = STDP(small, small / 2, 3.0, 5.0, dependence=dependence, mu_plus=0.5)
            online, offline = rule.online(start, pre, post)[0], rule.offline(start, pre, post)
            changes.append(np.abs(online - offline).max())
        assert changes[1] < 0.02 * changes[0] + 1e-15  # an error of second order


@pytest.mark.jax_alternates
def test_a_window_in_pieces_is_the_window(xp):
    rng = np.random.default_rng(4)
    pre, post = spike_trains(rng, steps=21)
    rule = STDP(**NAMED, dependence="linear", pairing="nearest")
    weights = xp.asarray(rng.random((3, 4)))
    arrays_ = [xp.asarray(a) for a in (pre, post)]
    whole, end = rule.online(weights, *arrays_)
    part, state = rule.online(weights, *(a[:8, ...] for a in arrays_))
    for t in range(8, 21):
        part, state = xp.call(rule.step, part, *(a[t, ...] for a in arrays_), state)
    assert_close(xp.to_numpy(part), xp.to_numpy(whole), 1e-14)
    for name in ("pre", "post"):
        assert_close(xp.to_numpy(state[name]), xp.to_numpy(end[name]), 1e-14)


@pytest.mark.jax_alternates
def test_nothing_happens_without_steps_samples_or_spikes(xp):
    rule, weights = STDP(), xp.asarray(np.full((3, 4), 0.5))
    for steps, batch in ((0, 2), (2, 0), (5, 1)):
        pre, post = xp.asarray(np.zeros((steps, batch, 4))), xp.asarray(np.zeros((steps, batch, 3)))
        for got in (rule.online(weights, pre, post)[0], rule.offline(weights, pre, post)):
            assert np.array_equal(xp.to_numpy(got), np.full((3, 4), 0.5))


def test_half_precision_is_computed_in_float32():
    pre, post = (
        torch.asarray(a, dtype=torch.float16) for a in spike_trains(np.random.default_rng(0))
    )
    weights = torch.full((3, 4), 0.5, dtype=torch.float16)
    end, state = STDP().online(weights, pre, post)
    assert end.dtype == state["pre"].dtype == torch.float16
    wide = STDP().online(weights.float(), pre.float(), post.float())[0]
    assert torch.equal(end, wide.half())


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("additive", {"dependence": "additive"}),
        ("additive_step", {"dependence": "hard"}),
        ("multiplicative_pow", {"dependence": "power", "mu_plus": 0.4, "mu_minus": 0.4}),
        ("multiplicative_relu", {"dependence": "linear"}),
    ],
)
def test_norse_with_its_decay_and_amplitudes_translated(theirs, ours):
    # Norse's traces decay by 1 − dt/τ, not e^(−dt/τ), and a spike adds dt/τ, not 1.
    rng = np.random.default_rng(7)
    pre, post = spike_trains(rng, steps=30)
    start = rng.uniform(0.3, 0.7, (3, 4))
    dt, tau_plus, tau_minus, eta_plus, eta_minus = 1e-3, 5e-3, 8e-3, 0.3, 0.2
    settings = norse.STDPParameters(
        tau_pre_inv=torch.asarray(1.0 / tau_plus, dtype=torch.float64),
        tau_post_inv=torch.asarray(1.0 / tau_minus, dtype=torch.float64),
        eta_plus=eta_plus,
        eta_minus=eta_minus,
        stdp_algorithm=theirs,
        mu=0.4,
        hardbound=theirs != "additive",
    )
    state = norse.STDPState(torch.zeros(2, 4).double(), torch.zeros(2, 3).double())
    want = torch.asarray(start)
    for now in zip(torch.asarray(pre), torch.asarray(post), strict=True):
        want, state = norse.stdp_step_linear(*now, want, state, settings, dt)
    rule = STDP(
        eta_plus * dt / tau_plus,
        eta_minus * dt / tau_minus,
        -1.0 / np.log1p(-dt / tau_plus),
        -1.0 / np.log1p(-dt / tau_minus),
        **ours,
    )
    got, _ = rule.online(start, pre, post)
    assert np.abs(got - start).max() > 0.05
    # Its exponent is a float32.
    limit = 1e-6 if theirs == "multiplicative_pow" else 1e-12
    assert_close(got, want.numpy(), limit, scale=1.0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"a_plus": "x"}, TypeError, "`a_plus` must be a number"),
        ({"a_minus": -np.inf}, ValueError, "`a_minus` must be in"),
        ({"tau_plus": 0.0}, ValueError, "`tau_plus` must be in"),
        ({"tau_minus": float("nan")}, ValueError, "`tau_minus` must be in"),
        ({"mu_minus": -1.0}, ValueError, "`mu_minus` must be in"),
        ({"coincident": "all"}, ValueError, "`coincident` must be one of"),
        ({"pairing": "both"}, ValueError, "`pairing` must be one of"),
        ({"dependence": None}, ValueError, "`dependence` must be one of"),
        ({"low": 1.0}, ValueError, "`low` must be below `high`"),
    ],
)
def test_options_out_of_range_are_named(options, error, message):
    with pytest.raises(error, match=message):
        STDP(**options)


def test_bad_arguments_are_named():
    rule, weights = STDP(), np.zeros((3, 4))
    pre, post = np.zeros((5, 2, 4)), np.zeros((5, 2, 3))
    with pytest.raises(ValueError, match=r"`post` must have shape \(5, 2, 3\)"):
        rule.offline(weights, pre, post[:4])
    with pytest.raises(ValueError, match="`pre` must have shape"):
        rule.online(weights, pre[..., :3], post)
    with pytest.raises(TypeError, match="`pre` must have a real floating-point dtype"):
        rule.online(weights, pre.astype(bool), post)
    with pytest.raises(ValueError, match="`state` must be a dict of"):
        rule.step(weights, pre[0], post[0], {"pre": pre[0]})
    with pytest.raises(ValueError, match="`state_post` must have shape"):
        rule.step(weights, pre[0], post[0], {"pre": pre[0], "post": pre[0]})
    with pytest.raises(TypeError, match="`batch` must be an int"):
        rule.init(weights, 1.5)


def test_a_target_is_taken_for_every_postsynaptic_spike():
    pre, post = spike_trains(np.random.default_rng(3))
    weights, taken = np.full((3, 4), 0.5), 0.4 * 0.3 * post.sum(axis=(0, 1))[:, None]
    plain = STDP(**NAMED).offline(weights, pre, post)
    rule = STDP(**NAMED, target=0.4)
    assert_close(plain - rule.offline(weights, pre, post), taken + 0.0 * plain, 1e-12)
    assert_close(plain - rule.online(weights, pre, post)[0], taken + 0.0 * plain, 1e-12)
    # Inputs that are silent lose; with "linear" half of it, as the weight is half of its most.
    rule = STDP(**NAMED, dependence="linear", target=0.4)
    fallen = rule.offline(weights, 0.0 * pre, post)
    assert_close(weights - fallen, np.minimum(0.5 * taken, 0.5) + 0.0 * plain, 1e-12)
    with pytest.raises(ValueError, match="`target` must be"):
        STDP(target=-1.0)

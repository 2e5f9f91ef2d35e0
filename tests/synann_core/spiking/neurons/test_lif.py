"""LIF neurons: forward and backward against explicit loops, autodiff, and themselves."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference.spiking as slow
from synann_core.spiking import (
    LIF,
    State,
    Surrogate,
    decay_factor,
    fast_sigmoid,
    leaky_integrator,
    norse_lif,
)
from tests.helpers import EPS, assert_close

STEPS, BATCH, N = 5, 2, 3
NAMES = ("decay", "threshold", "synaptic_decay", "recurrent")
# Between them, every option in every order.
CASES = {
    "snntorch": {},
    "article": {"order": "article", "reset": "zero", "fires": ">=", "gain": 0.7},
    "article, synaptic": {"order": "article", "synaptic_decay": True, "detach_reset": False},
    "immediate": {"order": "immediate", "rest": 0.3, "recurrent": True},
    "norse": {
        "order": "immediate",
        "reset": "zero",
        "synaptic_decay": True,
        "gain": 0.6,
        "rest": -0.1,
        "reset_to": 0.2,
        "detach_reset": False,
    },
    "to a value, attached": {"reset": "zero", "reset_to": 0.2, "detach_reset": False, "rest": 0.1},
    "adaptive": {
        "recurrent": True,
        "synaptic_decay": True,
        "adaptation": 0.3,
        "adaptation_decay": 0.8,
        "detach_reset": False,
    },
    "adaptive, immediate": {"order": "immediate", "adaptation": 0.3, "adaptation_decay": 0.5},
}


@functools.cache
def problem(case, seed=0):
    """Options, float32-exact arrays by name, gradients of spikes and membranes."""
    rng = np.random.default_rng(seed)
    options = dict(CASES[case] if isinstance(case, str) else case)
    arrays = {
        "currents": rng.normal(0.4, 0.8, (STEPS, BATCH, N)),
        "decay": rng.uniform(0.5, 0.95, N),
        "threshold": rng.uniform(0.6, 1.0, N),
        "synaptic_decay": rng.uniform(0.3, 0.9, N) if options.pop("synaptic_decay", 0) else None,
        "recurrent": rng.normal(0, 0.5, (N, N)) if options.pop("recurrent", 0) else None,
        "membrane": rng.normal(0.2, 0.5, (BATCH, N)),
    }
    arrays["current"] = None if arrays["synaptic_decay"] is None else rng.normal(0, 0.3, (BATCH, N))
    adaptive = "adaptation" in options
    arrays["adaptation"] = rng.uniform(0, 0.5, (BATCH, N)) if adaptive else None
    arrays = {
        k: None if a is None else a.astype("float32").astype(float) for k, a in arrays.items()
    }
    options.setdefault("surrogate", fast_sigmoid(0.5, 1.2))
    grads = rng.normal(size=(2, STEPS, BATCH, N)).astype("float32").astype(float)
    return options, arrays, grads


def neuron_and_state(options, given):
    parameters = {name: given[name] for name in NAMES if name in given}
    state = State(given["membrane"], given.get("current"), None, given.get("adaptation"))
    return LIF(**parameters, **options), state


def reference_of(case, seed=0):
    options, arrays, grads = problem(case, seed)
    everything = {name: getattr(LIF(), name) for name in LIF().rule._fields} | options
    s = everything["surrogate"]
    everything["surrogate"] = (s.shape, s.width, s.height)
    weights = {name: arrays[name] for name in NAMES}
    state = [arrays["membrane"], arrays["current"], arrays["adaptation"]]
    state = tuple(np.zeros((BATCH, N)) if a is None else a for a in state)
    duals = {k: None if a is None else slow._seed(a, None) for k, a in weights.items()}
    run = slow.run(
        slow._seed(arrays["currents"], None),
        duals,
        [slow._seed(a, None) for a in state],
        everything,
    )
    gradients = slow.differentiate(arrays["currents"], weights, state, everything, *grads)
    return *map(slow.values, run), gradients


def flat(gradients):
    """Gradients by name, None left out."""
    found = {**gradients._asdict(), **gradients.state._asdict()}
    del found["state"]
    return {name: g for name, g in found.items() if g is not None}


@functools.cache
def outputs(case, names):
    """Spikes, membranes and all gradients as a function of the named arrays."""
    options = problem(case)[0]

    def run(gspikes, gmembrane, *arrays):
        given = dict(zip(names, arrays, strict=True))
        neuron, state = neuron_and_state(options, given)
        spikes, record = neuron.run(given["currents"], state)
        found = flat(neuron.vjp(record, gspikes, gmembrane))
        return spikes, record.membrane, *(found[name] for name in names)

    return run


@pytest.mark.jax_alternates
@pytest.mark.parametrize("case", CASES)
def test_forward_and_backward_equal_the_loops(xp, dtype, case):
    _, arrays, grads = problem(case)
    names = tuple(name for name, a in arrays.items() if a is not None)
    given = [xp.asarray(a, dtype) for a in (*grads, *(arrays[name] for name in names))]
    results = xp.call(outputs(case, names), *given)
    for result, like in zip(results, (given[2], given[2], *given[2:]), strict=True):
        xp.check(result, dtype, like.shape)
    spikes, membranes, gradients = reference_of(case)
    assert 0.1 < spikes.mean() < 0.9
    np.testing.assert_array_equal(xp.to_numpy(results[0]), spikes)
    assert_close(xp.to_numpy(results[1]), membranes, 20 * EPS[dtype])
    for name, got in zip(names, results[2:], strict=True):
        # Sums of up to T·B·N products, over paths of up to T steps.
        assert_close(xp.to_numpy(got), gradients[name], 200 * EPS[dtype])


OPTIONS = list(
    itertools.product(
        ("article", "snntorch", "immediate"),
        ("subtract", "zero", "none"),
        (True, False),
        (True, False),
    )
)


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize(("order", "reset", "detach", "synaptic"), OPTIONS)
def test_every_combination_equals_the_loops(order, reset, detach, synaptic, kernels, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    case = (("order", order), ("reset", reset), ("detach_reset", detach), ("reset_to", 0.1))
    case = (*case, ("synaptic_decay", synaptic))
    options, arrays, grads = problem(case, 1)
    neuron, state = neuron_and_state(options, {k: a for k, a in arrays.items() if a is not None})
    spikes, record = neuron.run(arrays["currents"], state)
    want_spikes, want_membranes, want = _reference(case)
    np.testing.assert_array_equal(spikes, want_spikes)
    assert_close(record.membrane, want_membranes, 1e-14)
    for name, got in flat(neuron.vjp(record, *grads)).items():
        assert_close(got, want[name], 1e-13, scale=max(1.0, np.abs(want[name]).max()))


@functools.cache
def _reference(case):
    return reference_of(case, 1)


@pytest.mark.parametrize("name", ["currents", "decay", "threshold", "synaptic_decay", "membrane"])
def test_a_gradient_wrong_by_half_a_thousandth_is_seen(name):
    _, arrays, grads = problem("norse")
    neuron, state = neuron_and_state(
        problem("norse")[0], {k: a for k, a in arrays.items() if a is not None}
    )
    _, record = neuron.run(arrays["currents"], state)
    got = flat(neuron.vjp(record, *grads))[name]
    want = reference_of("norse")[2][name]
    assert_close(got, want, 1e-12)
    with pytest.raises(AssertionError):
        assert_close(got * 1.0005, want, 1e-12)


@pytest.mark.parametrize("case", CASES)
def test_autodiff_of_the_library_agrees(ad, case):
    """torch and JAX differentiate `run` as `vjp` does."""
    if ad.is_jax and case not in ("norse", "adaptive", "article"):
        pytest.skip("a second of compilation each: three cases hold every option")
    options, arrays, grads = problem(case)
    names = tuple(name for name, a in arrays.items() if a is not None)
    given = [ad.asarray(arrays[name]) for name in names]

    def loss(*values):
        neuron, state = neuron_and_state(options, dict(zip(names, values, strict=True)))
        spikes, record = neuron.run(values[0], state)
        return spikes * ad.asarray(grads[0]) + record.membrane * ad.asarray(grads[1])

    found = ad.gradients(loss, ad.asarray(1.0), *given)
    want = reference_of(case)[2]
    for name, got in zip(names, found, strict=True):
        assert_close(ad.to_numpy(got), want[name], 1e-12)


@pytest.mark.parametrize("order", ["article", "snntorch", "immediate"])
@pytest.mark.parametrize("synaptic", [None, 0.7])
@pytest.mark.parametrize(
    "shape",
    ["fast_sigmoid", "arctan", "sigmoid", "triangle", "boxcar", "gaussian", "straight_through"],
)
@pytest.mark.parametrize("steps", [None, 7])
def test_compiled_loops_have_the_same_bits(order, synaptic, shape, steps, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    surrogate = Surrogate(shape, 0.5, 1.5)
    neuron = LIF(
        0.9, rng.uniform(0.5, 1, 37).astype(dtype), synaptic, order=order, surrogate=surrogate
    )
    shape = (35, 37) if steps else (7, 35, 37)
    currents = rng.normal(0.1, 0.4, shape).astype(dtype)
    found = []
    for kernels in ("on", "off"):
        monkeypatch.setenv("SYNANN_KERNELS", kernels)
        spikes, record = neuron.run(currents, steps=steps)
        grads = neuron.vjp(record, spikes=1.0, membrane=0.5)
        found.append((spikes, record.membrane, *record.state[:2], grads.currents, grads.threshold))
    for k, (one, other) in enumerate(zip(*found, strict=True)):
        if one is None:
            assert other is None
        elif k < 4:
            np.testing.assert_array_equal(one, other)
        else:
            assert_close(one, other, 100 * EPS[dtype])


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cut", [1, 3])
def test_a_sequence_in_two_parts_is_the_sequence(case, cut, kernels, monkeypatch):
    """State out, state in; and gradients go back through it."""
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    options, arrays, grads = problem(case)
    neuron, state = neuron_and_state(options, {k: a for k, a in arrays.items() if a is not None})
    spikes, record = neuron.run(arrays["currents"], state)
    whole = neuron.vjp(record, *grads)
    first_spikes, first = neuron.run(arrays["currents"][:cut], state)
    second_spikes, second = neuron.run(arrays["currents"][cut:], first.state)
    np.testing.assert_array_equal(np.concatenate([first_spikes, second_spikes]), spikes)
    np.testing.assert_array_equal(
        np.concatenate([first.membrane, second.membrane]), record.membrane
    )
    back = neuron.vjp(second, grads[0][cut:], grads[1][cut:])
    front = neuron.vjp(first, grads[0][:cut], grads[1][:cut], back.state)
    assert_close(np.concatenate([front.currents, back.currents]), whole.currents, 1e-13)
    for name in NAMES:
        if getattr(whole, name) is not None:
            assert_close(getattr(front, name) + getattr(back, name), getattr(whole, name), 1e-12)
    assert_close(front.state.membrane, whole.state.membrane, 1e-13)


@pytest.mark.parametrize("case", CASES)
def test_steps_one_by_one_are_the_run(case):
    options, arrays, _ = problem(case)
    neuron, state = neuron_and_state(options, {k: a for k, a in arrays.items() if a is not None})
    spikes, record = neuron.run(arrays["currents"], state)
    for t, current in enumerate(arrays["currents"]):
        now, state = neuron.step(current, state)
        np.testing.assert_array_equal(now, spikes[t])
        np.testing.assert_array_equal(state.membrane, record.membrane[t])


@pytest.mark.parametrize("case", CASES)
def test_a_constant_input_is_the_repeated_one(case):
    options, arrays, grads = problem(case)
    neuron, state = neuron_and_state(options, {k: a for k, a in arrays.items() if a is not None})
    one = arrays["currents"][0]
    spikes, record = neuron.run(one, state, steps=STEPS)
    repeated = np.broadcast_to(one, (STEPS, *one.shape))
    want_spikes, want = neuron.run(repeated, state)
    np.testing.assert_array_equal(spikes, want_spikes)
    np.testing.assert_array_equal(record.membrane, want.membrane)
    got, want = (neuron.vjp(r, *grads) for r in (record, want))
    assert got.currents.shape == one.shape
    assert_close(got.currents, want.currents.sum(0), 1e-14)
    assert_close(got.decay, want.decay, 1e-13)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(sorted(CASES)))
def test_a_row_does_not_depend_on_its_batch_mates(seed, rows, case):
    rng = np.random.default_rng(seed)
    options, arrays, _ = problem(case)
    parameters = {name: arrays[name] for name in NAMES if arrays[name] is not None}
    if "recurrent" in parameters:  # BLAS sums otherwise for one row than for many
        parameters["recurrent"] = np.diag(np.diag(parameters["recurrent"]))
    neuron = LIF(**parameters, **options)
    currents = rng.normal(0.3, 1, (4, rows, N)).astype("float32")
    spikes, record = neuron.run(currents)
    grads = neuron.vjp(record, currents, 1.0).currents
    alone, one = neuron.run(currents[:, :1])
    np.testing.assert_array_equal(alone, spikes[:, :1])
    np.testing.assert_array_equal(one.membrane, record.membrane[:, :1])
    np.testing.assert_array_equal(neuron.vjp(one, currents[:, :1], 1.0).currents, grads[:, :1])


def test_the_article_fires_one_step_after_snntorch_with_its_membrane():
    currents = np.random.default_rng(0).normal(0.2, 0.5, (50, 4, 3))
    early, record = LIF(0.9).run(currents)
    late, same = LIF(0.9, order="article").run(currents)
    np.testing.assert_array_equal(record.membrane, same.membrane)
    np.testing.assert_array_equal(late[1:], early[:-1])
    assert early.sum() > 20


def test_firing_at_the_threshold():
    for fires, want in ((">", 0.0), (">=", 1.0)):
        spikes, _ = LIF(0.5, fires=fires).run(np.ones((1, 1)))
        assert float(spikes[0, 0]) == want


def test_an_integrator_is_a_filter(xp):
    currents = np.random.default_rng(0).normal(size=(6, 2, 3))
    spikes, record = leaky_integrator(0.5).run(xp.asarray(currents))
    want = [sum(0.5 ** (t - k) * currents[k] for k in range(t + 1)) for t in range(6)]
    assert_close(xp.to_numpy(record.membrane), want, 1e-14)
    assert not xp.to_numpy(spikes).any()


@pytest.mark.parametrize("kernels", ["on", "off"])
@pytest.mark.parametrize("shape", [(3, 0), (3, 0, 4), (3, 4, 0), (1, 2, 2, 5), (4,)])
def test_any_number_of_axes(shape, kernels, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    neuron = LIF(0.9, synaptic_decay=0.5, order="article")
    spikes, record = neuron.run(np.full(shape, 2.0))
    grads = neuron.vjp(record, 1.0, 1.0)
    assert spikes.shape == record.membrane.shape == grads.currents.shape == shape
    assert record.state.membrane.shape == shape[1:]
    assert grads.decay.shape == ()


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_half_precision_is_computed_in_float32(backend):
    currents = np.random.default_rng(0).normal(0.3, 0.5, (20, 8)).astype("float16")
    neuron = LIF(0.9)
    want, want_record = neuron.run(currents.astype("float32"))
    if backend == "torch":
        torch = pytest.importorskip("torch")
        currents = torch.from_numpy(currents)
    spikes, record = neuron.run(currents)
    assert spikes.dtype == record.membrane.dtype == record.state.membrane.dtype == currents.dtype
    np.testing.assert_array_equal(np.asarray(spikes), want)
    np.testing.assert_array_equal(
        np.asarray(record.membrane), want_record.membrane.astype("float16")
    )
    assert neuron.vjp(record, 1.0).currents.dtype == currents.dtype


def test_the_record_keeps_one_array():
    _, record = LIF(0.9).run(np.ones((50, 4, 3)))
    assert record.membrane is record._potential


def test_decay_factor():
    assert decay_factor(20.0, 2.0) == pytest.approx(np.exp(-0.1), rel=1e-15)
    assert decay_factor(20.0, 2.0, method="euler") == pytest.approx(0.9, rel=1e-15)
    # A fine grid makes them the same filter.
    tau, dt = 10.0, 1e-3
    assert decay_factor(tau, dt) == pytest.approx(decay_factor(tau, dt, method="euler"), rel=1e-7)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: LIF(order="later"), ValueError, "`order` must be one of"),
        (lambda: LIF(reset="half"), ValueError, "`reset` must be one of"),
        (lambda: LIF(fires="<"), ValueError, "`fires` must be one of"),
        (lambda: LIF(surrogate=abs), TypeError, "`surrogate` must be a Surrogate"),
        (lambda: LIF(detach_reset=1), TypeError, "`detach_reset` must be a bool"),
        (lambda: LIF("0.9"), TypeError, "`decay` must be a number or an array"),
        (lambda: LIF(None), TypeError, "`decay` must be a number or an array"),
        (lambda: LIF(float("nan")), ValueError, "`decay` must be finite"),
        (lambda: LIF(gain=None), TypeError, "`gain` must be a number"),
        (lambda: LIF(recurrent=0.5), TypeError, "`recurrent` must be an array"),
        (lambda: LIF(threshold=None, adaptation=1.0), ValueError, "`adaptation` must be 0"),
        (lambda: decay_factor(0.0), ValueError, "`tau` must be > 0"),
        (lambda: decay_factor(1.0, 2.0, method="euler"), ValueError, "`dt` must be at most"),
        (lambda: decay_factor(1.0, method="rk"), ValueError, "`method` must be one of"),
        (lambda: LIF().run(1.0), TypeError, "`currents` must be an array"),
        (lambda: LIF().run(np.ones(3, int)), TypeError, "`currents` must have a real floating"),
        (lambda: LIF().run(np.ones((0, 3))), ValueError, "with T ≥ 1"),
        (lambda: LIF().run(np.ones(3), steps=0), ValueError, "`steps` must be at least 1"),
        (lambda: LIF().run(np.ones((2, 3)), np.ones(3)), TypeError, "`state` must be a State"),
        (
            lambda: LIF().run(np.ones((2, 3)), State(np.ones(4))),
            ValueError,
            r"`state.membrane` must have shape \(3,\)",
        ),
        (lambda: LIF(np.ones(4)).run(np.ones((2, 3))), ValueError, r"`decay` must be a number or"),
        (
            lambda: LIF(recurrent=np.ones((3, 2))).run(np.ones((2, 3))),
            ValueError,
            r"`recurrent` must have shape \(3, 3\)",
        ),
        (
            lambda: LIF().vjp(LIF().run(np.ones((2, 3)))[1], np.ones((3, 2))),
            ValueError,
            r"`spikes` must have shape \(2, 3\)",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_libraries_do_not_mix():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="`currents` and `decay` must come from one array library"):
        LIF(torch.ones(3)).run(np.ones((2, 3)))


def test_norse_preset_has_norses_numbers():
    neuron = norse_lif(tau_syn_inv=100.0, tau_mem_inv=50.0, dt=0.002)
    assert (neuron.decay, neuron.gain, neuron.synaptic_decay) == pytest.approx((0.9, 0.1, 0.8))

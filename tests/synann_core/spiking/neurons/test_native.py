"""Compiled neurons: bits of the array operations, gradients to within rounding, any shape."""

import numpy as np
import pytest

from synann_core.native import host
from synann_core.spiking import LIF, Surrogate
from synann_core.spiking.neurons import native
from tests.helpers import EPS, assert_close


@pytest.fixture(autouse=True)
def kernels_there():
    assert host.installed()


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
    for kernels in ("", "off"):
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


OTHERS = {
    "adaptive": {"adaptation": 0.3, "adaptation_decay": 0.8},
    "adaptive, synaptic, attached": {
        "adaptation": 0.2,
        "adaptation_decay": 0.5,
        "synaptic_decay": 0.6,
        "detach_reset": False,
    },
    "integrator": {"threshold": None, "rest": 0.2},
    "integrator, synaptic": {"threshold": None, "synaptic_decay": 0.6, "reset": "zero"},
}
RECURRENT = {
    "recurrent": {},
    "synaptic": {"synaptic_decay": 0.6},
    "adaptive": {"adaptation": 0.3, "adaptation_decay": 0.8, "detach_reset": False},
    "everything": OTHERS["adaptive, synaptic, attached"] | {"fires": ">=", "gain": 0.7},
    "integrator": {"threshold": None},
}


def on_and_off(neuron, currents, steps, monkeypatch):
    """Spikes, membranes and state, and gradients, from kernels and from array operations."""
    rng, found = np.random.default_rng(1), []
    every = (steps, *currents.shape) if steps else currents.shape
    grads = rng.normal(size=(2, *every)).astype(currents.dtype)
    for kernels in ("", "off"):
        monkeypatch.setenv("SYNANN_KERNELS", kernels)
        spikes, record = neuron.run(currents, steps=steps)
        later = neuron.run(spikes, record.state)[1].state  # states of every kind
        state = later._replace(spikes=record.state.spikes)
        found.append(((spikes, record.membrane, *state), neuron.vjp(record, *grads, state)))
    return found


@pytest.mark.parametrize("order", ["article", "snntorch", "immediate"])
@pytest.mark.parametrize("steps", [None, 7])
@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS)
def test_adaptive_neurons_and_integrators_too(options, order, steps, dtype, monkeypatch):
    currents = np.random.default_rng(0).normal(0.3, 0.6, (7, 21, 37)[bool(steps) :]).astype(dtype)
    neuron = LIF(0.9, **{"threshold": 0.7} | options, order=order)
    (values, got), (others, want) = on_and_off(neuron, currents, steps, monkeypatch)
    assert (np.mean(values[0]) > 0.05) == (neuron.threshold is not None)
    for one, other in zip(values, others, strict=True):
        assert (one is None and other is None) or np.array_equal(one, other)
    compare(got, want, 200 * EPS[dtype])


def compare(got, want, tolerance):
    """Gradients, each by the size of the largest entry."""
    assert [a is None for a in got[:-1]] == [a is None for a in want[:-1]]
    for one, other in zip([*got[:-1], *got.state], [*want[:-1], *want.state], strict=True):
        if other is not None:
            assert one.dtype == other.dtype
            assert_close(one, other, tolerance)


@pytest.mark.parametrize("order", ["article", "snntorch", "immediate"])
@pytest.mark.parametrize("steps", [None, 7])
@pytest.mark.parametrize("options", RECURRENT.values(), ids=RECURRENT)
def test_recurrent_neurons_too(options, order, steps, dtype, monkeypatch):
    """Weights of a few bits, whose sums are exact, so that the same neurons fire."""
    rng = np.random.default_rng(0)
    currents = rng.normal(0.3, 0.6, (7, 21, 37)[bool(steps) :]).astype(dtype)
    weights = (rng.integers(-8, 8, (37, 37)) / 64).astype(dtype)
    neuron = LIF(0.9, **{"threshold": 0.7} | options, order=order, recurrent=weights)
    (values, got), (others, want) = on_and_off(neuron, currents, steps, monkeypatch)
    for one, other in zip(values, others, strict=True):
        assert (one is None and other is None) or np.array_equal(one, other)
    compare(got, want, 1000 * EPS[dtype])


@pytest.mark.needs_kernels
def test_bits_of_a_recurrent_row_do_not_depend_on_its_batch():
    rng = np.random.default_rng(0)
    neuron = LIF(0.9, 0.7, recurrent=rng.normal(0, 0.2, (40, 40)))
    currents = rng.normal(0.3, 1, (6, 19, 40))
    spikes, record = neuron.run(currents)
    grads = neuron.vjp(record, currents).currents
    for row in (0, 7, 18):
        alone, one = neuron.run(currents[:, row])
        np.testing.assert_array_equal(alone, spikes[:, row])
        np.testing.assert_array_equal(one.membrane, record.membrane[:, row])
        np.testing.assert_array_equal(neuron.vjp(one, currents[:, row]).currents, grads[:, row])


@pytest.mark.parametrize("order", ["article", "snntorch", "immediate"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("kernels", ["", "off"])
def test_a_threshold_out_of_reach(kernels, reset, order, monkeypatch):
    """A neuron that never fires is an integrator, though ∞ · 0 is NaN."""
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    currents = np.random.default_rng(0).normal(0.3, 0.6, (5, 3, 4))
    threshold = np.array([0.5, np.inf, np.inf, 0.5])
    never = slice(1, 3)
    options = {"reset": reset, "order": order, "detach_reset": False}
    spikes, record = LIF(0.9, threshold, **options).run(currents)
    _, other = LIF(0.9, None, **options).run(currents)
    assert spikes[..., 0].any()
    assert not spikes[..., never].any()
    np.testing.assert_array_equal(record.membrane[..., never], other.membrane[..., never])
    grads = LIF(0.9, threshold, **options).vjp(record, 1.0, currents)
    assert all(np.isfinite(a).all() for a in (grads.currents, grads.decay, grads.threshold))


@pytest.mark.parametrize("shape", ["fast_sigmoid", "arctan", "triangle"])
def test_a_surrogate_of_subnormal_width(shape, monkeypatch):
    """1/width is beyond the largest number: both branches take the largest."""
    currents = np.random.default_rng(0).normal(0.3, 0.6, (5, 3, 4)).astype(np.float32)
    found = []
    for kernels in ("", "off"):
        monkeypatch.setenv("SYNANN_KERNELS", kernels)
        neuron = LIF(0.9, 0.7, surrogate=Surrogate(shape, 1e-310, 1.0))
        found.append(neuron.vjp(neuron.run(currents)[1], 1.0).currents)
    assert np.isfinite(found[0]).all()
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize(("steps", "given"), [(None, 1), (1, 1), (3, 1)])
def test_recurrent_gradients_of_few_steps_warn_of_nothing(backend, steps, given, recwarn):
    xp = np if backend == "numpy" else pytest.importorskip("torch")
    currents = xp.ones((given, 2, 3) if steps is None else (2, 3))
    neuron = LIF(0.9, recurrent=xp.full((3, 3), 0.25))
    spikes, record = neuron.run(currents, steps=steps)
    assert neuron.vjp(record, spikes).recurrent.shape == (3, 3)
    assert not recwarn.list


@pytest.mark.parametrize("kernels", ["", "off"])
def test_recurrent_neurons_of_no_number(kernels, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    neuron = LIF(0.9, recurrent=np.ones((0, 0)))
    grads = neuron.vjp(neuron.run(np.ones((3, 2, 0)))[1], 1.0, 1.0)
    assert grads.recurrent.shape == (0, 0)


@pytest.mark.parametrize("kernels", ["", "off"])
@pytest.mark.parametrize("shape", [(3, 0), (3, 0, 4), (3, 4, 0), (1, 2, 2, 5), (4,)])
def test_any_number_of_axes(shape, kernels, monkeypatch):
    monkeypatch.setenv("SYNANN_KERNELS", kernels)
    neuron = LIF(0.9, synaptic_decay=0.5, order="article")
    spikes, record = neuron.run(np.full(shape, 2.0))
    grads = neuron.vjp(record, 1.0, 1.0)
    assert spikes.shape == record.membrane.shape == grads.currents.shape == shape
    assert record.state.membrane.shape == shape[1:]
    assert grads.decay.shape == ()


@pytest.mark.parametrize(
    "options",
    [{}, OTHERS["adaptive, synaptic, attached"], {"order": "article"}, {"order": "immediate"}],
    ids=["plain", "everything", "article", "immediate"],
)
def test_threads_and_parts_change_nothing(options, monkeypatch):
    """Rows and neurons go in parts, on several threads where there is work for them."""
    currents = np.random.default_rng(0).normal(0.1, 0.4, (7, 35, 37))
    neuron, found = LIF(0.9, np.full(37, 0.8), **options), []
    for rows, work, block in ((16, 1, 4096), (16, 1 << 30, 4096), (16, 1, 8), (5, 1, 36)):
        monkeypatch.setattr(native, "_ROWS", rows)
        monkeypatch.setattr(native, "_WORK", work)
        monkeypatch.setattr(native, "_BLOCK", block)
        spikes, record = neuron.run(currents)
        grads = neuron.vjp(record, currents, 0.5, record.state)
        states = (a for a in (*record.state, *grads.state) if a is not None)
        found.append((spikes, record.membrane, grads.currents, *states, grads.threshold))
    for other in found[1:]:
        for one, another in zip(found[0][:-1], other[:-1], strict=True):
            np.testing.assert_array_equal(one, another)
    for other in found[1:3]:
        np.testing.assert_array_equal(found[0][-1], other[-1])
    assert_close(found[3][-1], found[0][-1], 1e-14)  # summed in other parts


@pytest.mark.parametrize("order", ["article", "snntorch", "immediate"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_one_gradient_for_all_steps(backend, order):
    """It is not copied for each, which would take the memory of a run."""
    xp = np if backend == "numpy" else pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    currents, one, other = map(xp.asarray, rng.normal(0.3, 0.6, (3, 5, 4, 3)))
    neuron = LIF(0.9, 0.7, order=order)
    _, record = neuron.run(currents)
    steady = [xp.broadcast_to(a[:1], (5, 4, 3)) for a in (one, other)]
    whole = [a + 0.0 for a in steady]
    for got, want in zip(neuron.vjp(record, *steady), neuron.vjp(record, *whole), strict=True):
        if got is not None and not isinstance(got, tuple):
            np.testing.assert_array_equal(np.asarray(got), np.asarray(want))

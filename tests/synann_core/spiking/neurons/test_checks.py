"""What a neuron refuses: numbers and arrays outside what `LIF` documents, NaN first."""

import numpy as np
import pytest

from synann_core.spiking import LIF, leaky_integrator, snntorch_leaky, snntorch_synaptic
from tests.helpers import make_backend

LIBRARIES = ("numpy", "strict", "torch", "jax")
BAD = [
    ("decay", np.nan), ("decay", 1.5), ("decay", -0.1), ("decay", np.inf),
    ("threshold", np.nan), ("threshold", 0.0), ("threshold", np.inf),
    ("synaptic_decay", np.nan), ("synaptic_decay", 2.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "bad"), BAD)
def test_numbers_out_of_range(name, bad):
    with pytest.raises(ValueError, match=f"`{name}` must be in .* Received: {bad}"):
        LIF(**{name: bad})


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("name", "bad"), BAD)
def test_arrays_with_a_value_out_of_range(library, name, bad):
    if (name, bad) == ("threshold", np.inf):
        return  # a neuron that never fires
    with make_backend(library) as xp:
        values = xp.asarray([0.5, bad, 0.75])
        with pytest.raises(ValueError, match=f"`{name}` must be in .* Received: values from"):
            LIF(**{name: values})


@pytest.mark.parametrize("library", LIBRARIES)
def test_recurrent_weights_are_finite(library):
    with make_backend(library) as xp:
        with pytest.raises(
            ValueError, match=r"`recurrent` must be in .* Received: values from nan"
        ):
            LIF(recurrent=xp.asarray([[0.0, np.nan], [1.0, 0.0]]))
        assert LIF(recurrent=xp.asarray([[0.0, -3.0], [1.0, 0.0]])).recurrent is not None


@pytest.mark.parametrize(
    "make",
    [
        lambda bad: leaky_integrator(bad),
        lambda bad: snntorch_leaky(bad),
        lambda bad: snntorch_leaky(0.9, bad),
        lambda bad: snntorch_synaptic(0.9, bad),
        lambda bad: snntorch_synaptic(bad, 0.9),
    ],
)
@pytest.mark.parametrize("bad", [np.nan, np.full(2, np.nan)], ids=["number", "array"])
def test_presets_check_as_well(make, bad):
    with pytest.raises(ValueError, match="must be in"):
        make(bad)


def test_traced_and_learned_parameters_are_not_looked_at():
    jax = pytest.importorskip("jax")

    def spikes(decay):
        return LIF(decay).run(jax.numpy.ones((3, 2)))[0].sum()

    assert float(jax.jit(spikes)(jax.numpy.asarray([0.5, 0.9]))) > 0
    other = LIF(0.9, reset="zero").with_parameters(decay=np.array([np.nan]))
    assert (other.reset, other.rule) == ("zero", LIF(reset="zero").rule)
    with pytest.raises(TypeError, match="no parameter 'gain'"):
        LIF().with_parameters(gain=2.0)


def test_values_at_the_ends_pass():
    """An infinite threshold among others is that of a neuron that never fires."""
    neuron = LIF(np.array([0.0, 1.0]), np.array([1e-300, np.inf]), np.array([0.0, 1.0]))
    assert neuron.run(np.ones((2, 2)))[0].tolist() == [[1, 0], [1, 0]]

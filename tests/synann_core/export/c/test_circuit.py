"""Circuits in C: compiled without a warning by gcc, a step is that of `Circuit.step`."""

import ctypes

import numpy as np
import pytest

from synann_core.export import save_c
from synann_core.graph import Circuit, GraphParameters, SynapseGraph, motifs
from tests.export_models import FLAGS, array_graph, call, circuit, compiled
from tests.helpers import assert_close

# Undefined behaviour ends the program.
STRICT = [*FLAGS, "-Wconversion", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
LIMIT = {"float32": 1e-6, "float64": 1e-15}


def iterated(model, folder, state, drive, dtype, params=None):
    """All states that the file computes, and those of Python in float64."""
    source = folder / "circuit.c"
    save_c(model, source, name="own", dtype=dtype, params=params)
    library = compiled(source, STRICT)
    now, states = state.astype(dtype), [state.astype(dtype)]
    for row in drive:
        call(library.own_step, now, row.astype(dtype))
        states.append(now.copy())
    given = drive.astype(dtype).astype(float) if model.drives else None
    want = model.iterate(states[0].astype(float), len(drive), drive=given, params=params)
    return np.array(states), want


def start(model, steps, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random(len(model.states)), rng.random((steps, len(model.drives)))


@pytest.mark.parametrize("seed", range(4))
def test_any_wiring(seed, dtype, tmp_path):
    """States that are others or drives one step ago, constants, neurons that nothing needs."""
    model = circuit(seed, clip=seed % 2 == 0)
    got, want = iterated(model, tmp_path, *start(model, 6), dtype)
    assert_close(got, want, LIMIT[dtype], scale=np.maximum(1.0, np.abs(want)))
    assert np.unique(got).size > 5


@pytest.mark.parametrize(
    "model",
    [motifs.latch(), motifs.comparator(), motifs.oscillator(), Circuit(array_graph(), {0: 2})],
)
def test_a_hundred_steps_of_circuits_that_settle(model, dtype, tmp_path):
    got, want = iterated(model, tmp_path, *start(model, 100), dtype)
    assert_close(got, want, LIMIT[dtype])


def test_chaos(tmp_path):
    """One step of it: two programs part after some dozens."""
    model = motifs.logistic_map()
    for x in np.linspace(0.0, 1.0, 21):
        got, want = iterated(model, tmp_path, np.array([x]), np.array([[3.9]]), "float64")
        assert_close(got, want, 1e-15)


def test_a_trained_circuit(tmp_path):
    model = motifs.latch()
    params = GraphParameters(model.params.alpha * 0.75, model.params.beta**2)
    got, want = iterated(model, tmp_path, *start(model, 20), "float64", params)
    assert_close(got, want, 1e-15)
    assert np.abs(want - model.iterate(want[0], 20, drive=np.zeros(2)))[5:].max() > 0.1


def test_states_that_change_places(tmp_path):
    """Each is written when all have been read."""
    graph = SynapseGraph()
    graph.input("a", "b")
    graph.output("b", "a")
    got, _ = iterated(
        Circuit(graph, {"a": "b", "b": "a"}), tmp_path, np.array([0.25, 0.5]), np.empty((1, 0)),
        "float64",
    )  # fmt: skip
    assert got.tolist() == [[0.25, 0.5], [0.5, 0.25]]


def test_what_is_not_a_number_stays_so(tmp_path):
    model = motifs.oscillator()
    got, want = iterated(model, tmp_path, np.array([np.nan, 0.5, 2.0]), np.empty((1, 0)), "float64")
    np.testing.assert_array_equal(got, want)
    assert got[1].tolist()[::2] == [0.0, 1.0]


def test_names_and_the_drive_are_told(tmp_path):
    save_c(motifs.latch(), tmp_path / "latch.c", name="latch")
    text = (tmp_path / "latch.c").read_text()
    assert "drive has 2 numbers (set, reset). */" in text
    assert "state->x[1] = s1; /* p */" in text
    save_c(motifs.oscillator(), tmp_path / "ring.c")
    library = compiled(tmp_path / "ring.c", STRICT)
    state = (ctypes.c_float * 3)(1.0, 0.0, 0.0)
    library.model_step(state, None)
    assert [*state] == [1.0, 0.0, 1.0]


def test_circuits_have_no_surprisal_space(tmp_path):
    with pytest.raises(ValueError, match=r"`space` must be 'probability' for a Circuit.*Received"):
        save_c(motifs.latch(), tmp_path / "x.c", space="surprisal")
    with pytest.raises(ValueError, match=r"`name`"):
        save_c(motifs.latch(), tmp_path / "x.c", name="1")

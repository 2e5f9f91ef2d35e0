"""Circuits as JSON: they come back bit for bit, and what cannot be one is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synann_core.export import load_json, save_json
from synann_core.graph import Circuit, GraphParameters, SynapseGraph, motifs
from tests.export_models import array_graph, circuit, document, refusal
from tests.synann_core.export.test_json import VALIDATOR, check_same


@given(seed=st.integers(0, 2**32), clip=st.booleans())
def test_circuits_come_back(seed, clip, tmp_path_factory):
    model = circuit(seed, clip=clip)
    path = tmp_path_factory.getbasetemp() / "circuit.json"
    save_json(model, path)
    check_same(model, load_json(path))


def test_ready_made_circuits_and_one_of_arrays_come_back(tmp_path):
    path = tmp_path / "circuit.json"
    made = (motifs.latch(), motifs.comparator(), motifs.oscillator(5), motifs.logistic_map())
    for model in (*made, Circuit(array_graph(), {0: 2, 1: 4})):
        save_json(model, path)
        check_same(model, load_json(path))
        VALIDATOR.validate(json.loads(path.read_text()))


def test_a_trained_circuit(tmp_path):
    model = motifs.latch()
    params = GraphParameters(model.params.alpha * 0.75, model.params.beta * 0.5)
    save_json(model, tmp_path / "circuit.json", params=params)
    again = load_json(tmp_path / "circuit.json")
    state, drive = np.array([0.3, 0.4]), np.array([0.1, 0.2])
    want = model.step(state, drive=drive, params=params)
    assert again.step(state, drive=drive).tobytes() == want.tobytes()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"feedback": []}, "must name one input"),
        ({"feedback": [["x0", 7]] * 2}, "feedback[1]: expected a new input, got 'x0'"),
        ({"feedback": [["x0"]]}, "feedback[0]: expected a pair"),
        ({"feedback": [["x0", None]]}, "feedback[0][1]: expected a name"),
        ({"feedback": [["x0", "none"]]}, "must name an output"),
        ({"clip": 1}, "clip: expected true or false, got 1"),
        ({"graph": {"kind": "Circuit"}}, "kind: expected one of ('SynapseGraph', "),
        ({"graph": {"kind": "SynapseGraph"}}, "graph: the object: expected the key 'inputs'"),
        ({"more": 1}, "the file: expected only the keys"),
    ],
)
def test_circuits_that_cannot_be(change, reason, tmp_path):
    (tmp_path / "x.json").write_text(json.dumps(document("circuit") | change))
    assert reason in refusal(tmp_path / "x.json")


def test_a_circuit_of_too_many_drives(tmp_path):
    """A number in a small file that would ask for memory."""
    content = {**document("circuit"), "feedback": [[0, 2**24]]}
    content["graph"] = {key: value for key, value in document("arrays").items()
                        if key not in ("format", "version")} | {
        "inputs": 2**24, "neurons": 1, "excitatory": [[], []], "inhibitory": [[], []],
        "alpha": [0.5], "beta": [], "alpha_index": None, "beta_index": None, "outputs": [2**24],
    }  # fmt: skip
    (tmp_path / "x.json").write_text(json.dumps(content))
    assert "at most 65536 drives" in refusal(tmp_path / "x.json")
    many = Circuit(SynapseGraph.from_arrays(2**16 + 2, 1), {0: 2**16 + 2})
    with pytest.raises(ValueError, match=r"`model`.*65536 drives.*Received: 65537"):
        save_json(many, tmp_path / "y.json")

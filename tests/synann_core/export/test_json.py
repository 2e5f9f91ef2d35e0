"""JSON files: models come back bit for bit, and nothing else is loaded."""

import contextlib
import copy
import json
import os
import sys
from importlib import resources

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synann_core as syn
from synann_core.export import load_json, save_json
from synann_core.graph import Circuit, GraphParameters, SynapseGraph
from synann_core.spiking import SpikingNetwork
from tests.export_models import (
    MODELS,
    array_graph,
    document,
    evaluated,
    fitted,
    named_graph,
    random_graph,
    refusal,
    small_mlp,
    spiking,
)
from tests.synann_core.spiking.network.cases import NETWORKS, make

SCHEMA = json.loads(resources.files("synann_core.export").joinpath("schema.json").read_text())


VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def check_same(a, b):
    if isinstance(a, syn.SynaMLP):
        assert a.weights.keys() == b.weights.keys()
        for key, weight in a.weights.items():
            assert b.weights[key].dtype == weight.dtype
            assert b.weights[key].tobytes() == weight.tobytes()
        for key in ("in_features", "hidden", "classes", "layer", "gate", "dropout"):
            assert getattr(a, key) == getattr(b, key)
        return
    if isinstance(a, Circuit):
        assert [*a.feedback.items()] == [*b.feedback.items()]
        assert (a.states, a.drives, a.clip) == (b.states, b.drives, b.clip)
        check_same(a.graph, b.graph)
        assert evaluated(a).tobytes() == evaluated(b).tobytes()
        return
    one, two = a.compile(), b.compile()
    assert tuple(one.nodes) == tuple(two.nodes)
    assert list(map(type, one.nodes)) == list(map(type, two.nodes))
    assert tuple(a.inputs) == tuple(b.inputs)
    assert tuple(a.outputs) == tuple(b.outputs)
    assert one.parameters == two.parameters
    for x, y in zip(
        (*one.params, *one.excitatory, *one.inhibitory, one.alpha_index, one.levels),
        (*two.params, *two.excitatory, *two.inhibitory, two.alpha_index, two.levels),
        strict=True,
    ):
        assert np.array_equal(x, y)


@pytest.mark.parametrize("layer", ["synapse", "dense", "none"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_networks_come_back_bit_for_bit(layer, dtype, tmp_path):
    model, _ = fitted(layer, "softmax", hidden=5)
    model.weights = {key: weight.astype(dtype) for key, weight in model.weights.items()}
    model.weights["output.bias"][:] = [-0.0, np.finfo(dtype).smallest_subnormal, 0.1]
    save_json(model, tmp_path / "model.json")
    check_same(model, load_json(tmp_path / "model.json"))
    VALIDATOR.validate(json.loads((tmp_path / "model.json").read_text()))


@given(seed=st.integers(0, 2**32), inputs=st.integers(1, 4), neurons=st.integers(0, 20))
def test_graphs_come_back(seed, inputs, neurons, tmp_path_factory):
    graph = random_graph(np.random.default_rng(seed), inputs, max(neurons, 3))
    path = tmp_path_factory.getbasetemp() / "graph.json"
    save_json(graph, path)
    check_same(graph, load_json(path))


def test_graphs_of_arrays_come_back(tmp_path):
    for graph in (array_graph(), SynapseGraph.from_arrays(3, 0), SynapseGraph()):
        save_json(graph, tmp_path / "graph.json")
        check_same(graph, load_json(tmp_path / "graph.json"))
        VALIDATOR.validate(json.loads((tmp_path / "graph.json").read_text()))


def test_a_loaded_graph_can_be_added_to(tmp_path):
    save_json(named_graph(), tmp_path / "graph.json")
    graph = load_json(tmp_path / "graph.json")
    assert graph.synapse("new", excitatory=graph.outputs[0]) == "new"


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_spiking_networks_compute_the_same_bits(kind, dtype, tmp_path):
    network, x, _ = make(kind)
    network.weights = {key: weight.astype(dtype) for key, weight in network.weights.items()}
    save_json(network, tmp_path / "net.json")
    again = load_json(tmp_path / "net.json")
    assert type(again) is SpikingNetwork
    assert (again.steps, again.loss) == (network.steps, network.loss)
    for one, two in zip(network.run(x), again.run(x), strict=True):
        assert [a.tobytes() for a in one] == [a.tobytes() for a in two]
    VALIDATOR.validate(json.loads((tmp_path / "net.json").read_text()))


def test_a_neuron_that_never_fires_comes_back(tmp_path):
    save_json(spiking(), tmp_path / "net.json")
    assert document("spiking")["tensors"]["0.neuron.threshold"]["values"] == [0.5, None]
    neuron = load_json(tmp_path / "net.json").layers[0].neuron
    assert neuron.threshold.tolist() == [0.5, np.inf]
    assert neuron.rule == spiking().layers[0].neuron.rule
    content = document("spiking")
    content["tensors"]["0.gain"]["values"][0] = None
    (tmp_path / "net.json").write_text(json.dumps(content))
    assert "expected a finite number, got None" in refusal(tmp_path / "net.json")


def test_parameters_that_nothing_uses_are_kept(tmp_path):
    graph = named_graph()
    graph.parameter("unused", 0.1 + 0.2)
    graph.parameter("another", 7)
    save_json(graph, tmp_path / "graph.json")
    again = load_json(tmp_path / "graph.json")
    check_same(graph, again)
    assert list(document_of(again, tmp_path)["parameters"].items()) == [
        *document("graph")["parameters"].items(),
        ("unused", 0.1 + 0.2),
        ("another", 7.0),
    ]
    with pytest.raises(ValueError, match="'unused' twice"):
        again.parameter("unused", 1.0)
    params = graph.compile().params
    trained = GraphParameters(params.alpha / 2, params.beta / 2)
    save_json(graph, tmp_path / "graph.json", params=trained)
    saved = json.loads((tmp_path / "graph.json").read_text())["parameters"]
    used = graph.compile().parameters
    assert used
    for name, value in document_of(graph, tmp_path)["parameters"].items():
        assert saved[name] == (value / 2 if name in used else value)


def document_of(model, folder):
    save_json(model, folder / "again.json")
    return json.loads((folder / "again.json").read_text())


def test_names_are_text_and_numbers(tmp_path):
    graph = SynapseGraph()
    names = ["1", 1, -3, "", 'ä\n\x1b[2J"', "\ud800", "__class__", "os.system('true')"]
    graph.input(*names)
    graph.synapse("z", excitatory=names)
    save_json(graph, tmp_path / "graph.json")
    check_same(graph, load_json(tmp_path / "graph.json"))


def test_trained_parameters_are_saved(tmp_path):
    for graph in (array_graph(), named_graph()):
        own = graph.compile().params
        params = GraphParameters(own.alpha / 3, own.beta / 3)
        save_json(graph, tmp_path / "graph.json", params=params)
        got = load_json(tmp_path / "graph.json").compile().params
        assert all(np.array_equal(a, b) for a, b in zip(got, params, strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_saved(value, tmp_path):
    model = small_mlp()
    model.weights["output.bias"] = np.array([0.0, value])
    with pytest.raises(ValueError, match=r"`model`.*finite.*Received"):
        save_json(model, tmp_path / "model.json")
    params = [1.0, 1.0], [value, 0.5, 0.5]
    with pytest.raises(ValueError, match=r"`beta`.*Received"):
        save_json(array_graph(), tmp_path / "model.json", params=params)
    assert not list(tmp_path.iterdir())


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    save_json(small_mlp(), path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        save_json(array_graph(), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_what_is_no_model_is_not_saved(tmp_path):
    for model, params, named in ((3, None, "`model`"), (small_mlp(), 1, "`params`")):
        with pytest.raises(TypeError, match=f"{named}.*Received"):
            save_json(model, tmp_path / "model.json", params=params)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_json(tmp_path / "none.json")
    refusal(tmp_path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe\x00", "utf-8"),
        (b"\x00", "Expecting value"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[" * 10**6, "recursion"),
        (b'{"a":' * 10**6, "recursion"),
        (b'{"a": 1, "a": 2}', "'a' twice"),
        (b'{"kind": NaN}', "NaN"),
        (b'{"version": 1' + b"0" * 5000 + b"}", "digits"),
        (b"null", "expected an object, got None"),
        (b"{}", "format: expected 'synann'"),
        (b'{"format": "synann", "version": true}', "version: expected 1, got True"),
        (b'{"format": "synann", "version": 1, "kind": ["SynaMLP"]}', "kind: expected one of"),
        (b'{"format": "synann", "version": 1, "kind": "os.system"}', "kind: expected one of"),
    ],
)
def test_what_is_no_model_is_refused(data, reason, tmp_path):
    (tmp_path / "x.json").write_bytes(data)
    assert reason in refusal(tmp_path / "x.json")


WATCHED = False


EVENTS = ("exec", "compile", "import", "os.system", "os.exec", "subprocess", "pickle", "ctypes")


def audit(event, arguments):
    if WATCHED and event.startswith(EVENTS):
        raise AssertionError(f"{event} {arguments}")


@contextlib.contextmanager
def nothing_is_executed():
    """Whatever compiles, imports or executes is a failure."""
    global WATCHED
    if audit not in HOOKS:
        HOOKS.append(audit)
        sys.addaudithook(audit)
    WATCHED = True
    try:
        yield
    finally:
        WATCHED = False


HOOKS = []


def check_hostile(data, path):
    """It loads as a model that works and that the schema allows, or is one clear error."""
    path.write_bytes(data)
    try:
        with nothing_is_executed():
            model = load_json(path)
    except ValueError:
        refusal(path)
        return False
    VALIDATOR.validate(json.loads(data))
    evaluated(model)
    return True


@pytest.mark.parametrize("name", MODELS)
def test_the_harness_sees_what_is_executed(name, tmp_path):
    with pytest.raises(AssertionError, match="compile"), nothing_is_executed():
        exec("1")
    content = json.dumps(document(name)).encode()
    assert check_hostile(content, tmp_path / "x.json")


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_damaged_bytes(name, data, tmp_path_factory):
    """Cut off, with bytes changed, or with parts moved."""
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(json.dumps(document(name)).encode())
    kind = data.draw(st.sampled_from(["cut", "flip", "move"]))
    at = data.draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        del content[at:]
    elif kind == "flip":
        content[at] = data.draw(st.integers(0, 255) | st.sampled_from(b'0123456789-.e"[]{},:'))
    else:
        end, to = data.draw(st.integers(at, len(content))), data.draw(st.integers(0, at))
        content[to:to] = content[at:end]
    check_hostile(bytes(content), folder / "x.json")


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.sampled_from([10**9, 10**30, 2**63, -(2**63), 1e308, 1e-320, -0.0])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["x0", "x1", "gain", "strength", "float16", "dense", "none", "softmax"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value, way=()):
    """All places in a document."""
    if way:
        yield way
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from places(value[key], (*way, key))


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_changed_documents(name, data, tmp_path_factory):
    """Values taken away, doubled, exchanged, or replaced by anything."""
    folder = tmp_path_factory.getbasetemp()
    content = document(name)
    for _ in range(data.draw(st.integers(1, 3))):
        every = list(places(content))
        if not every:
            break
        *way, last = data.draw(st.sampled_from(every))
        at = content
        for key in way:
            at = at[key]
        kind = data.draw(st.sampled_from(["odd", "take", "add", "copy"]))
        if kind == "odd":
            at[last] = data.draw(ODD)
        elif kind == "take":
            del at[last]
        elif kind == "add" and isinstance(at, list):
            at.insert(last, data.draw(ODD))
        elif kind == "add":
            at[data.draw(st.text(max_size=5))] = data.draw(ODD)
        else:
            source = content
            for key in data.draw(st.sampled_from(every)):
                source = source[key]
            at[last] = copy.deepcopy(source)
    check_hostile(json.dumps(content).encode(), folder / "x.json")

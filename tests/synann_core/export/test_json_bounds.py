"""Time and memory that a JSON file may take: in proportion to its size, whatever is in it."""

import json

import numpy as np
import pytest

import synann_core as syn
from synann_core.export import load_json, save_json
from synann_core.graph import Circuit, SynapseGraph
from tests.export_models import document, refusal
from tests.fuzz.harness import measure

SECONDS = 5  # of some 0.3 that it takes where nobody else is at work
HEAD = '"format": "synann", "version": 1'


def keys(count):
    return ", ".join(f'"{i}": 0' for i in range(count)).encode()


# What costs Python much memory for few bytes, or took time that grew with the square of the size.
HOSTILE = {
    "a key twice": lambda n: b"{" + keys(n // 11) + b', "0": 0}',
    "every key twice": lambda n: b"{" + keys(n // 22) + b"," + keys(n // 22) + b"}",
    "unknown keys": lambda n: b"{" + keys(n // 11) + b"}",
    "lists": lambda n: b"[" + b"[]," * (n // 3) + b"0]",
    "lists of one": lambda n: b"[" + b"[0]," * (n // 4) + b"0]",
    "objects": lambda n: b"[" + b"{}," * (n // 3) + b"0]",
    "strings": lambda n: b"[" + b'"ab",' * (n // 5) + b"0]",
    "numbers": lambda n: b"[" + b"-6," * (n // 3) + b"0]",
    "long numbers": lambda n: b"[" + (b"9" * 4000 + b",") * (n // 4001) + b"0]",
    "inputs": lambda n: (
        (
            b'{"format": "synann", "version": 1, "kind": "SynapseGraph", "parameters": {}, '
            b'"neurons": [], "outputs": [], "inputs": ['
            + b",".join(b"%d" % i for i in range(n // 6))
        )
        + b"]}"
    ),
    "pairs": lambda n: (
        b'{"format": "synann", "version": 1, "kind": "SynapseGraph", "parameters": {}, '
        b'"inputs": ["x"], "outputs": [], "neurons": [{"name": 0, "alpha": 1, "excitatory": [], '
        b'"inhibitory": [' + b",".join([b'["x",1]'] * (n // 8)) + b"]}]}"
    ),
    "a wide character": lambda n: '["\U0001f600{}"]'.format("a" * n).encode(),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_bounds_of_hostile_files(kind, tmp_path):
    """Ten times the file and 16 MB up to half a megabyte; forty times beyond."""
    for size in (400_000, 2_000_000):
        data = HOSTILE[kind](size)
        assert 0.8 * size < len(data) < 1.2 * size
        (tmp_path / "x.json").write_bytes(data)
        error, seconds, peak = measure(lambda: load_json(tmp_path / "x.json"))
        assert error is None or type(error) is ValueError
        assert len(str(error)) < 1000
        assert seconds < SECONDS * size / 400_000
        assert peak < (10 * size + 16_000_000 if size < 500_000 else 40 * size)


@pytest.mark.parametrize("edges", [([], []), ([2**24, 2**24 + 1], [2**24 + 1, 5])])
def test_inputs_that_nothing_reads_take_no_memory(edges, tmp_path):
    """A number in a small file, with neurons in order and out of it."""
    neurons = len(edges[0])
    content = document("arrays") | {
        "inputs": 2**24,
        "neurons": neurons,
        "excitatory": edges,
        "inhibitory": [[], []],
        "alpha": [0.5] * neurons,
        "beta": [],
        "alpha_index": None,
        "beta_index": None,
        "outputs": [2**24] * (neurons > 0),
    }
    (tmp_path / "x.json").write_text(json.dumps(content))
    error, _, peak = measure(lambda: load_json(tmp_path / "x.json"))
    assert error is None
    assert peak < 1_000_000
    compiled = load_json(tmp_path / "x.json").compile()
    x = np.linspace(0, 1, 2**24)
    want = [0.25 * x[5]] if neurons else []
    np.testing.assert_allclose(compiled(x), want, rtol=1e-15)


def large_arrays():
    rng, inputs, neurons = np.random.default_rng(0), 1000, 20_000
    edges = [np.sort(rng.integers(inputs, inputs + neurons, 60_000)) for _ in range(2)]
    sources = [rng.integers(0, targets) for targets in edges]
    return SynapseGraph.from_arrays(
        inputs,
        neurons,
        excitatory=(edges[0], sources[0]),
        inhibitory=(edges[1], sources[1]),
        beta=rng.random(60_000).round(2),
        alpha=rng.random(neurons),
    )


def large_names():
    rng, graph = np.random.default_rng(0), SynapseGraph()
    names = [f"input {i}" for i in range(1000)]
    graph.input(*names)
    for i in range(10_000):
        weak = {names[k]: rng.random() for k in rng.integers(0, len(names), 6)}
        names.append(graph.synapse(f"neuron {i}", excitatory=names[-1], inhibitory=weak))
    return graph


def large_circuit():
    graph = large_arrays()
    return Circuit(graph, dict(zip(graph.inputs, graph.outputs, strict=False)))


MODELS = {
    "arrays": large_arrays,
    "names": large_names,
    "mlp": lambda: syn.SynaMLP(64, 300, 10),
    "circuit": large_circuit,
}


@pytest.mark.parametrize("kind", MODELS)
def test_bounds_of_large_models(kind, tmp_path):
    save_json(MODELS[kind](), tmp_path / "x.json")
    size = (tmp_path / "x.json").stat().st_size
    assert size > 1_500_000
    error, seconds, peak = measure(lambda: load_json(tmp_path / "x.json"))
    assert error is None
    assert seconds < SECONDS * size / 400_000
    assert peak < 10 * size + 16_000_000


def test_a_key_that_comes_twice_is_named(tmp_path):
    (tmp_path / "x.json").write_text(f'{{{HEAD}, "inputs": 1, "inputs": 2, "a": 1}}')
    assert "the key 'inputs' twice in one object" in refusal(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{{"{0}": 1, "{0}": 2}}'.format("\\u0000" * 10**5))
    assert r"the key '\x00\x00" in refusal(tmp_path / "x.json")

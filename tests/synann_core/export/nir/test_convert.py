"""Networks through NIR, and through snnTorch and Norse: the same spikes on the other side."""

import sys
import warnings

import nir
import numpy as np
import pytest
import torch

from synann_core.export import from_nir, load_nir, save_nir, to_nir
from synann_core.spiking import LIF, Layer, SpikingNetwork, leaky_integrator, norse_lif
from tests.synann_core.spiking.network.cases import make

with warnings.catch_warnings():  # of torch.jit.script, which is deprecated
    warnings.simplefilter("ignore")
    import norse.torch
    import snntorch
    from norse.torch.utils.export_nir import to_nir as norse_to_nir
    from snntorch.export_nir import export_to_nir
    from snntorch.import_nir import import_from_nir

STEPS = 20
NETWORKS = {
    "LIF": [Layer(9, LIF(0.9, reset="zero")), Layer(4, LIF(0.8, 1.2, reset="zero"))],
    "CubaLIF": [
        Layer(9, LIF(0.9, 0.8, 0.5, reset="zero")),
        Layer(4, LIF(0.7, reset="zero", order="immediate")),
    ],
    "recurrent": [
        Layer(9, LIF(0.9, reset="zero"), recurrent=True),
        Layer(4, LIF(0.8, 1.0, 0.4, reset="zero")),
    ],
    "norse": [Layer(9, norse_lif(v_leak=0.3, v_reset=0.1)), Layer(4, norse_lif())],
    "integrators": [
        Layer(9, LIF(1.0, 2.0, reset="zero"), learn=("threshold",)),
        Layer(4, leaky_integrator(0.9)),
    ],
}


def network(kind, dtype="float64"):
    made = SpikingNetwork(5, NETWORKS[kind], steps=STEPS, loss="count")
    made.weights = {
        key: ((1 if "threshold" in key else 4) * weight).astype(dtype)
        for key, weight in made.weights.items()
    }
    return made, np.random.default_rng(1).random((STEPS, 6, 5)).astype(dtype)


def same(one, two, x, limit=1e-10):
    for (spikes, membranes), (others, found) in zip(one.run(x), two.run(x), strict=True):
        assert 0 < spikes.mean() < 1 or one.layers[-1].neuron.threshold is None
        np.testing.assert_array_equal(others, spikes)
        np.testing.assert_allclose(found, membranes, rtol=limit, atol=limit)


@pytest.mark.parametrize("resistance", ["matched", "unit"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_there_and_back(kind, resistance, tmp_path):
    one, x = network(kind)
    save_nir(one, tmp_path / "net.nir", dt=1e-3, resistance=resistance)
    again = load_nir(tmp_path / "net.nir", dt=1e-3)
    assert (again.steps, again.loss) == (STEPS, "count")
    same(one, again, x)
    given = from_nir(nir.read(tmp_path / "net.nir"), dt=1e-3, steps=3, loss="membrane")
    assert (given.steps, given.loss) == (3, "membrane")
    same(one, given, x)
    again.fit(x, np.arange(6) % 4)  # weights that can be trained
    labels = dict(again.weights)
    assert labels.keys() == {k for k in one.weights if "threshold" not in k}


@pytest.mark.parametrize("kind", ["article's", "adaptive", "synapse of spikes"])
def test_what_nir_has_no_word_for(kind, tmp_path):
    """Metadata say the rest, to this library; spikes into a synapse layer make it linear."""
    one, x, _ = make(kind, sequence=True)
    with pytest.raises(ValueError, match=r"layer 0: `(reset|adaptation)` must be"):
        to_nir(one)
    save_nir(one, tmp_path / "net.nir", strict=False)
    same(one, load_nir(tmp_path / "net.nir"), x)


def run(module, x):
    """A module of nirtorch's, step by step."""
    state, spikes = None, []
    with torch.no_grad():
        for part in torch.as_tensor(x):
            out, state = module(part) if state is None else module(part, state)
            spikes.append(out.numpy())
    return np.stack(spikes)


def clear(one, x, margin=1e-4):
    """Samples none of whose membranes comes near the threshold."""
    every = [
        np.abs(potential - layer.neuron.threshold).min(axis=(0, 2)) > margin
        for layer, (_, potential) in zip(one.layers, potentials(one, x), strict=True)
    ]
    return np.all(every, axis=0)


def potentials(one, x):
    """Membranes before their resets."""
    found = []
    for layer, (spikes, membranes) in zip(one.layers, one.run(x), strict=True):
        reset = layer.neuron.order == "immediate"
        found.append((spikes, np.where(spikes > 0, np.inf, membranes) if reset else membranes))
    return found


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
def test_to_snntorch_and_back(kind, tmp_path, capsys):
    one, x = network(kind, "float32")
    save_nir(one, tmp_path / "net.nir")
    module = import_from_nir(nir.read(tmp_path / "net.nir"))
    rows = clear(one, x)
    assert rows.sum() >= 4
    np.testing.assert_array_equal(run(module, x)[:, rows], one.run(x)[-1][0][:, rows])


@pytest.mark.parametrize("kind", ["Leaky", "RLeaky", "Synaptic"])
def test_from_snntorch(kind, capsys):
    """With one number a neuron: its own export fails where one is for all."""
    torch.manual_seed(1)

    def neuron(n):
        decay, threshold = torch.full((n,), 0.9), torch.ones(n)
        options = {"reset_mechanism": "zero", "init_hidden": True}
        if kind == "Leaky":
            return snntorch.Leaky(decay, threshold, **options)
        if kind == "RLeaky":
            options |= {"threshold": threshold, "linear_features": n, "reset_delay": False}
            return snntorch.RLeaky(decay, **options)
        slow = torch.full((n,), 0.5)
        return snntorch.Synaptic(slow, decay, threshold, reset_delay=False, **options)

    linear = [torch.nn.Linear(5, 9), torch.nn.Linear(9, 4)]
    for module in linear:
        module.weight.data *= 4
    module = torch.nn.Sequential(linear[0], neuron(9), linear[1], neuron(4))
    x = np.random.default_rng(0).random((STEPS, 6, 5)).astype(np.float32)
    with torch.no_grad():
        wanted = np.stack([module(part).numpy() for part in torch.as_tensor(x)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = export_to_nir(module, torch.zeros(1, 5), ignore_dims=[0])
    one = from_nir(graph)
    rows = clear(one, x)
    assert rows.sum() >= 4
    assert 0.05 < wanted.mean() < 0.95
    np.testing.assert_array_equal(one.run(x)[-1][0][:, rows], wanted[:, rows])


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF", "recurrent"])
def test_to_norse(kind, tmp_path):
    """Norse does not look at the resistance of a LIF node."""
    one, x = network(kind, "float32")
    save_nir(one, tmp_path / "net.nir", resistance="unit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = norse.torch.from_nir(nir.read(tmp_path / "net.nir"), dt=1e-4)
    rows = clear(one, x)
    assert rows.sum() >= 4
    np.testing.assert_array_equal(run(module, x)[:, rows], one.run(x)[-1][0][:, rows])


def test_from_norse():
    """Norse writes τ = dt · dt/τ: the step to read its files with is dt squared."""
    torch.manual_seed(2)
    linear = [torch.nn.Linear(5, 9), torch.nn.Linear(9, 4)]
    for module in linear:
        module.weight.data *= 30
    module = norse.torch.SequentialState(
        linear[0], norse.torch.LIFBoxCell(), linear[1], norse.torch.LIFBoxCell()
    )
    x = np.random.default_rng(0).random((STEPS, 6, 5)).astype(np.float32)
    wanted = run(module, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = norse_to_nir(module, torch.zeros(1, 5))
    graph.nodes["input"].input_type["input"] = np.array([5])
    one = from_nir(graph, dt=1e-6)
    assert one.layers[0].neuron.decay == pytest.approx(0.9)
    rows = clear(one, x)
    assert rows.sum() >= 4
    assert 0.05 < wanted.mean() < 0.95
    np.testing.assert_array_equal(one.run(x)[-1][0][:, rows], wanted[:, rows])


def test_convolutions_become_matrices():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
    numbers = (np.full((3, 4, 4), a) for a in (1e-3, 10.0, 0.0, 1.0))
    nodes = (
        nir.Input(np.array([2, 6, 6])),
        nir.Conv2d((6, 6), weight, 1, 0, 1, 1, bias),
        nir.LIF(*numbers),
        nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1),
        nir.Linear(rng.normal(size=(4, 12))),
        nir.LIF(*(np.full(4, a) for a in (1e-3, 10.0, 0.0, 1.0))),
    )
    one = from_nir(nir.NIRGraph.from_list(*nodes, type_check=False), steps=STEPS)
    assert [layer.units for layer in one.layers] == [48, 4]
    x = rng.random((STEPS, 2, 2, 6, 6))
    currents = torch.nn.functional.conv2d(
        *map(torch.as_tensor, (x.reshape(-1, 2, 6, 6), weight, bias))
    )
    neuron = LIF(0.9, order="immediate", reset="zero")
    spikes, _ = neuron.run(currents.numpy().reshape(STEPS, 2, 48))
    pooled = spikes.reshape(STEPS, 2, 3, 2, 2, 2, 2).sum(axis=(4, 6)).reshape(STEPS, 2, 12)
    wanted, _ = neuron.run(pooled @ nodes[5].weight.T)
    assert 0 < wanted.mean() < 1
    np.testing.assert_array_equal(one.run(x.reshape(STEPS, 2, 72))[-1][0], wanted)
    with pytest.raises(ValueError, match=r"`graph` must be one.*'conv2d': .*`most_weights` = 1000"):
        from_nir(nir.NIRGraph.from_list(*nodes, type_check=False), most_weights=1000)


def ends(*nodes):
    return nir.NIRGraph.from_list(nir.Input(np.array([2])), *nodes, type_check=False)


LIF_NODE = nir.LIF(*(np.full(2, a) for a in (1e-3, 10.0, 0.0, 1.0)))
LI_NODE = nir.LI(*(np.full(2, a) for a in (1e-3, 10.0, 0.0)))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (ends(nir.Delay(np.ones(2)), LIF_NODE), "'delay': it is of kind 'Delay'"),
        (ends(nir.Linear(np.eye(2))), "neurons must be the last"),
        (ends(LI_NODE, LIF_NODE), "follows neurons that do not spike"),
        (ends(nir.Linear(np.ones((2, 3))), LIF_NODE), "'linear': its weight has shape"),
    ],
)
def test_graphs_that_a_network_cannot_hold(graph, message):
    with pytest.raises(ValueError, match=rf"`graph` must be one.*{message}"):
        from_nir(graph)


def test_arguments(tmp_path, monkeypatch):
    one, _ = network("LIF")
    with pytest.raises(TypeError, match=r"`graph` must be a nir\.NIRGraph"):
        from_nir(one)
    with pytest.raises(TypeError, match="`network` must be a SpikingNetwork"):
        to_nir(3)
    with pytest.raises(ValueError, match="`dt` must be"):
        to_nir(one, dt=0.0)
    with pytest.raises(ValueError, match="`resistance` must be one of"):
        to_nir(one, resistance="none")
    with pytest.raises(TypeError, match="`strict` must be a bool"):
        to_nir(one, strict="no")
    for options in ({"dt": -1.0}, {"steps": 0}, {"loss": "none"}, {"most_weights": 0}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
            from_nir(to_nir(one), **options)
    with pytest.raises(ValueError, match=r"layer 0: `kind` must be 'linear'"):
        to_nir(make("synapse")[0], strict=False)
    silent = SpikingNetwork(2, [Layer(2, leaky_integrator()), Layer(2, LIF(reset="zero"))])
    with pytest.raises(ValueError, match="layer 0: it has no threshold, and is not the last"):
        to_nir(silent)
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ImportError, match=r"synann\[spiking\]"):
        save_nir(one, tmp_path / "x")
    save_path = tmp_path / "y"
    monkeypatch.undo()
    save_nir(one, save_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"synann\[spiking\]"):
        load_nir(save_path)

"""Files of spiking networks: the same bits in a fresh process, and errors for all else."""

import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

from synann_core._lib.files import read_tensors, write_tensors
from synann_core.spiking import LIF, Layer, SpikingNetwork
from synann_core.spiking.network.files import MOST_STEPS
from tests.synann_core.spiking.network.cases import NETWORKS, make

READ = """
import sys
import numpy as np
from synann_core.spiking import SpikingNetwork
network = SpikingNetwork.from_file(sys.argv[1])
np.savez(sys.argv[3], *(a for pair in network.run(np.load(sys.argv[2])) for a in pair))
"""


def arrays_of(network, x):
    return [a for pair in network.run(x) for a in pair]


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_comes_back(kind, tmp_path):
    network, x, _ = make(kind, loss="count")
    path = tmp_path / "net.safetensors"
    network.save(path)
    again = SpikingNetwork.from_file(path)
    assert (again.steps, again.loss, again.classes) == (network.steps, "count", network.classes)
    assert [layer.learned for layer in again.layers] == [layer.learned for layer in network.layers]
    for a, b in zip(arrays_of(network, x), arrays_of(again, x), strict=True):
        assert a.tobytes() == b.tobytes()
    other = SpikingNetwork(network.in_features, network.layers, steps=network.steps, seed=5)
    other.load(path)
    assert np.array_equal(other.predict(x), network.predict(x))


def test_a_fresh_process_computes_the_same_bits(tmp_path):
    network, x, _ = make("learned")
    network.save(tmp_path / "net")
    np.save(tmp_path / "x.npy", x)
    paths = [str(tmp_path / name) for name in ("net", "x.npy", "out.npz")]
    subprocess.run([sys.executable, "-c", READ, *paths], check=True)
    with np.load(tmp_path / "out.npz") as found:
        for a, b in zip(arrays_of(network, x), found.values(), strict=True):
            assert a.tobytes() == b.tobytes()


def arrays_network():
    """Neurons with numbers of their own, one of which never fires."""
    thresholds = np.array([0.8, 1.0, np.inf])
    neuron = LIF(np.array([0.5, 0.7, 0.9]), thresholds, recurrent=0.3 * np.eye(3), reset="none")
    return SpikingNetwork(2, [Layer(3, neuron), Layer(2, LIF(), learn=("decay",))], steps=4)


def test_arrays_of_neurons_are_saved(tmp_path):
    network, x = arrays_network(), np.array([[0.3, 0.9]])
    network.save(tmp_path / "net")
    again = SpikingNetwork.from_file(tmp_path / "net")
    for a, b in zip(arrays_of(network, x), arrays_of(again, x), strict=True):
        assert np.array_equal(a, b)
    network.load(tmp_path / "net")
    neuron = LIF(np.array([0.5, 0.7, 0.8]), np.ones(3), recurrent=np.eye(3), reset="none")
    other = SpikingNetwork(2, [Layer(3, neuron), network.layers[1]])
    with pytest.raises(ValueError, match="with others"):
        other.load(tmp_path / "net")


def test_weights_of_another_library_are_saved(xp, tmp_path):
    if xp.name == "jax-jit":
        pytest.skip("files are written outside of jit")
    network, x, _ = make("learned")
    before = network.predict(x)
    network.weights = {name: xp.asarray(w) for name, w in network.weights.items()}
    network.save(tmp_path / "net")
    assert np.array_equal(SpikingNetwork.from_file(tmp_path / "net").predict(x), before)


def changed(tmp_path, change):
    """The path of a file of a small network, changed."""
    network = SpikingNetwork(2, [Layer(3, LIF(), learn=("decay",)), Layer(2)], steps=4)
    path = tmp_path / "net"
    network.save(path)
    tensors, metadata = read_tensors(path)
    config = json.loads(metadata["config"])
    change(config, tensors)
    write_tensors(path, tensors, {"config": json.dumps(config)})
    return path


def drop(key):
    return lambda config, tensors: config.pop(key)


def put(key, value):
    return lambda config, tensors: config.update({key: value})


def layer(key, value):
    return lambda config, tensors: config["layers"][0].update({key: value})


def tensor(name, value):
    return lambda config, tensors: tensors.update({name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("steps"), "without .'steps'"),
        (put("steps", MOST_STEPS + 1), "`steps` must be at most 10000"),
        (put("steps", 1.5), "`steps` must be an int"),
        (put("in_features", 10**15), "of shape .3, 1000000000000000"),
        (put("loss", "none"), "`loss`"),
        (put("layers", []), "list with one or more"),
        (put("layers", [3]), r"layers\[0\] must be an object"),
        (layer("units", 10**12), "of shape .1000000000000, 2"),
        (layer("kind", "conv"), "`kind`"),
        (layer("learn", "decay"), r"layers\[0\].learn must be a list"),
        (layer("learn", ["gain"]), "`learn`"),
        (layer("neuron", None), r"layers\[0\].neuron must be an object"),
        (put("more", 1), "config must have the keys"),
        (tensor("0.decay", np.full(3, 1.5)), r"numbers in \[0, 1\] in `0.decay`"),
        (tensor("0.weight", np.full((3, 2), np.nan)), "finite numbers in `0.weight`"),
        (tensor("3.neuron.decay", np.ones(3)), "there is no layer '3'"),
        (tensor("0.neuron.decay", np.ones(3)), "must be 'array' where"),
        (tensor("extra", np.ones(3)), "not of this model .'extra'"),
    ],
)
def test_files_that_are_not_a_network(change, message, tmp_path):
    path = changed(tmp_path, change)
    with pytest.raises(ValueError, match=rf"`path` must.*Received.*{message}|{message}") as error:
        SpikingNetwork.from_file(path)
    assert str(error.value).startswith("`path` must")
    assert "\n" not in str(error.value)


def test_a_network_that_a_file_cannot_hold(tmp_path):
    network = arrays_network()
    network.weights["0.bias"][0] = np.inf
    with pytest.raises(ValueError, match=r"`weights` must hold finite numbers in `0.bias`"):
        network.save(tmp_path / "net")
    network = SpikingNetwork(2, [Layer(2)], steps=MOST_STEPS + 1)
    with pytest.raises(ValueError, match="`steps` must be at most"):
        network.save(tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_loading_into_a_network_of_other_neurons(tmp_path):
    SpikingNetwork(2, [Layer(3), Layer(2)]).save(tmp_path / "net")
    other = SpikingNetwork(2, [Layer(3, LIF(0.9)), Layer(2)])
    before = dict(other.weights)
    with pytest.raises(ValueError, match=r"these layers .*with others"):
        other.load(tmp_path / "net")
    assert other.weights == before
    safetensors.numpy.save_file(before, tmp_path / "bare")
    other.load(tmp_path / "bare")  # tensors alone are enough
    with pytest.raises(ValueError, match="configuration that `save` writes"):
        SpikingNetwork.from_file(tmp_path / "bare")
    with pytest.raises(FileNotFoundError):
        other.load(tmp_path / "none")

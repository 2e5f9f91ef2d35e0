"""What is tried: exporters on random models."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from synann_core import SynaMLP
from synann_core.export import load_json, save_json, save_onnx
from synann_core.graph import SynapseGraph
from tests.export_models import circuit, evaluated, random_graph
from tests.fuzz.harness import Prepared
from tests.synann_core.spiking.network.cases import NETWORKS, make


class Json:
    """Random models through JSON and back: the same text, and the same bits when evaluated."""

    def prepare(self, rng: np.random.Generator, folder: Path) -> Prepared:
        kind = rng.random()
        if kind < 0.2:
            model, _, _ = make(str(rng.choice(list(NETWORKS))), seed=int(rng.integers(0, 1000)))
        elif kind < 0.4:
            layer = str(rng.choice(["synapse", "dense", "none"]))
            sizes = rng.integers(1, 9, 2).tolist()
            model = SynaMLP(*sizes, 2 + int(rng.integers(0, 4)), layer=layer)
            for name, weight in model.weights.items():
                values = rng.standard_cauchy(weight.shape) * 10.0 ** rng.integers(-30, 30)
                dtype = rng.choice(["float32", "float64"])
                model.weights[name] = np.abs(values).astype(dtype)
        elif rng.random() < 0.3:
            model = circuit(int(rng.integers(1 << 32)), clip=bool(rng.integers(2)))
        else:
            model = _random_graph(rng)

        def there_and_back() -> None:
            first, second = folder / "first", folder / "second"
            save_json(model, first)
            again = load_json(first)
            save_json(again, second)
            assert first.read_bytes() == second.read_bytes()
            assert evaluated(model).tobytes() == evaluated(again).tobytes()

        return there_and_back, 0

    def is_own(self, error: Exception) -> bool:
        return False


class Onnx:
    """Random graphs and small networks through ONNX: onnxruntime computes what they do."""

    def prepare(self, rng: np.random.Generator, folder: Path) -> Prepared:
        _import_onnx()
        dtype, space = str(rng.choice(["float32", "float64"])), "probability"
        if rng.random() < 0.2:
            return self._network(rng, dtype, folder / "network.onnx"), 0
        graph = _random_graph(rng, most=7)
        x = rng.random((2, len(graph.inputs))).astype(dtype)
        if rng.random() < 0.5:
            space, x = "surprisal", -np.log(x)
        compiled, path = graph.compile(), folder / "graph.onnx"

        def there() -> None:
            save_onnx(graph, path, dtype=dtype, space=space)
            got = _outputs(path, x)
            want = compiled(x, space=space)
            limit = 300 * np.finfo(dtype).eps  # a few for each of a dozen neurons in a row
            np.testing.assert_allclose(got, want, rtol=limit, atol=limit)

        return there, 0

    def _network(self, rng: np.random.Generator, dtype: str, path: Path) -> Callable[[], None]:
        layer = str(rng.choice(["synapse", "dense", "none"]))
        inputs, hidden, classes = rng.integers(1, 5, 3).tolist()
        model = SynaMLP(inputs, hidden, classes + 1, layer=layer)
        x = rng.random((3, inputs)).astype(dtype)

        def there() -> None:
            save_onnx(model, path, dtype=dtype)
            got = _outputs(path, x)
            np.testing.assert_allclose(got, model.decision_function(x), rtol=1e-5, atol=1e-5)

        return there

    def is_own(self, error: Exception) -> bool:
        return False


def _outputs(path: Path, x: np.ndarray) -> np.ndarray:
    """What onnxruntime computes, on one thread: the file is small."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    (output,) = onnxruntime.InferenceSession(path, options).run(None, {"x": x})
    return output


@functools.cache
def _import_onnx() -> None:
    """Write a model: what the first one imports is not an input's memory."""
    with tempfile.TemporaryDirectory() as folder:
        save_onnx(SynaMLP(1, 1, 2), Path(folder, "x"))


def _random_graph(rng: np.random.Generator, most: int = 40) -> SynapseGraph:
    """By names, or from arrays with shared and unused parameters, in any order."""
    inputs, neurons = int(rng.integers(1, 6)), int(rng.integers(3, most))
    if rng.random() < 0.5:
        graph = random_graph(rng, inputs, neurons)
        graph.parameter("unused", rng.random())
        return graph
    place = inputs + rng.permutation(neurons)
    nodes = np.concatenate([np.arange(inputs), place])
    edges = []
    for _ in range(2):
        targets = rng.integers(0, neurons, rng.integers(0, 2 * neurons))
        sources = (rng.random(targets.size) * (inputs + targets)).astype(int)
        edges.append((nodes[inputs + targets], nodes[sources]))
    shared = rng.integers(0, 4, edges[1][0].size) if rng.random() < 0.5 else None
    return SynapseGraph.from_arrays(
        inputs,
        neurons,
        excitatory=edges[0],
        inhibitory=edges[1],
        alpha=rng.random(neurons) * 1.5,
        beta=rng.random(4 if shared is not None else edges[1][0].size).round(1),
        beta_index=shared,
        outputs=rng.permutation(inputs + neurons)[: rng.integers(1, neurons)],
    )

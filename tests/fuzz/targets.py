"""What is tried: every loader on damaged files, and what `models` has."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import nir
import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from scipy.sparse import csr_array

from synann_core import SynaMLP
from synann_core.export import load_json, load_nir, save_nir
from synann_core.noisy_or import NoisyOr
from synann_core.spiking import LIF, Layer, SpikingNetwork, triangle
from synann_torch.exchange import load_spiking, save_spiking
from synann_torch.spiking import Spiking
from tests.export_models import MODELS, evaluated, json_text
from tests.fuzz.harness import Prepared
from tests.fuzz.models import Json, Onnx
from tests.fuzz.mutations import changed_text, damaged
from tests.synann_core.spiking.network.cases import NETWORKS, make

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))

from mnist.checkpoints import RunError, load_checkpoint, save_checkpoint
from mnist.files import DataError, load_mnist
from tests.examples.mnist.idx_files import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    idx,
)


@dataclasses.dataclass
class Loader:
    """A loader of one file, and valid files for it.

    `header` says whether a safetensors header may be changed as a JSON document, and the whole file
    where it is JSON itself.
    """

    load: Callable[[Path], object]
    make: Callable[[], list[bytes]]
    error: type[Exception]
    header: bool = True
    start: str = "`path` must "

    @functools.cached_property
    def files(self) -> list[bytes]:
        return self.make()

    def prepare(self, rng: np.random.Generator, folder: Path) -> Prepared:
        data = self.files[rng.integers(0, len(self.files))]
        if rng.random() < 0.1:
            pass  # as it is
        elif rng.random() < 0.5:
            data = damaged(rng, data, self.files)
        elif self.header:
            size = int.from_bytes(data[:8], "little")
            text = changed_text(rng, data[8 : 8 + size].decode()).encode()
            data = len(text).to_bytes(8, "little") + text + data[8 + size :]
        else:
            data = changed_text(rng, data.decode()).encode()
        path = folder / "input"
        path.write_bytes(data)
        return functools.partial(self.load, path), len(data)

    def is_own(self, error: Exception) -> bool:
        message = str(error)
        return type(error) is self.error and "\n" not in message and self.start in message


def _load_network(path: Path) -> None:
    model = SynaMLP.from_file(path)
    model.predict(np.full((1, model.in_features), 0.5))
    SynaMLP(4, 6, 3).load(path)


def _networks() -> list[bytes]:
    files = []
    for layer in ("synapse", "dense", "none"):
        model = SynaMLP(4, 6, 3, layer=layer)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "x")
            model.save(path)
            files.append(path.read_bytes())
            with safetensors.safe_open(path, framework="numpy") as file:
                metadata = file.metadata()
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        state = {k: torch.tensor(w).to(dtype) for k, w in model.weights.items()}
        state["norm1.num_batches_tracked"] = torch.tensor(3)
        files.append(safetensors.torch.save(state, metadata))
    return files


def _load_spiking(path: Path) -> None:
    network = SpikingNetwork.from_file(path)
    evaluated(network)
    network.load(path)


def _load_neurons(path: Path) -> None:
    module = load_spiking(path)
    module.sequence(torch.zeros(2, 1, np.size(module.neuron.decay), dtype=module.decay.dtype))


def _written(save: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder, "x"))
        return Path(folder, "x").read_bytes()


def _spiking_files() -> list[bytes]:
    networks = [*(make(kind)[0] for kind in NETWORKS), MODELS["spiking"]()]
    return [_written(network.save) for network in networks]


def _neuron_files() -> list[bytes]:
    arrays = LIF(np.array([0.5, 0.9]), 1.0, 0.3, np.eye(2), surrogate=triangle(0.5))
    modules = (
        Spiking(LIF(0.9)),
        Spiking(arrays, learn=("threshold", "recurrent"), units=2).double(),
    )
    return [_written(functools.partial(save_spiking, module)) for module in modules]


def _load_noisy_or(path: Path) -> None:
    network = NoisyOr.from_file(path)
    network.predict(np.full((1, network.prior.size), 0.5))


def _noisy_or_files() -> list[bytes]:
    rng, files = np.random.default_rng(0), []
    beta = rng.random((4, 3)) * (rng.random((4, 3)) < 0.6)
    for links, names in ((beta, None), (csr_array(beta), ["a", "b", "é"])):
        with tempfile.TemporaryDirectory() as folder:
            network = NoisyOr(rng.random(3), rng.random(4), links, protection=links, causes=names)
            network.save(Path(folder, "x"))
            files.append(Path(folder, "x").read_bytes())
    return files


def _load_model(path: Path) -> None:
    evaluated(load_json(path))


def _json_files() -> list[bytes]:
    return [json_text(name).encode() for name in MODELS]


def _checkpoints() -> list[bytes]:
    arrays = {
        "w": np.arange(6.0).reshape(2, 3),
        "step": np.array(3),
        "rng": np.arange(9, dtype="u1"),
    }
    content = {"settings": {"epochs": 3}, "history": [{"loss": 0.5}], "state": {"steps": 7}}
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder, "x"), arrays, content)
        old = safetensors.numpy.save(
            arrays, {"config": json.dumps({"content": 1, "scalars": [[]]})}
        )
        return [Path(folder, "x").read_bytes(), old]


ODD_VALUES = (
    *(0, -1, 3, 0.5, np.nan, np.inf, 1e308, 1 << 40, "", "LIF", "Conv2d", "[" * 3000, b"x"),
    *(np.zeros(0), np.ones(1), np.ones((2, 3)), np.ones((3, 1, 2, 2)), np.full(4, -1)),
    *(np.array([[b"a", b"b"]]), np.ones(3, np.float16), np.ones(2, bool), np.ones(2, complex)),
)


class Nir(Loader):
    """A NIR file with damaged bytes, or with other numbers, names and places in it."""

    def prepare(self, rng: np.random.Generator, folder: Path) -> Prepared:
        path = folder / "input.nir"
        data = self.files[rng.integers(0, len(self.files))]
        if rng.random() < 0.45:
            data = damaged(rng, data, self.files)
        path.write_bytes(data)
        if rng.random() < 0.5 and data in self.files:
            with h5py.File(path, "a") as file:
                for _ in range(rng.integers(1, 3)):
                    self._change(rng, file)
        return functools.partial(self.load, path), path.stat().st_size

    def _change(self, rng: np.random.Generator, file: h5py.File) -> None:
        names: list[str] = []
        file.visit(names.append)
        one, two = (names[k] for k in rng.integers(0, len(names), 2))
        kind = rng.integers(0, 5)
        if kind == 0:
            del file[one]
        elif kind == 1:
            file.copy(one, f"{one}x")
        elif kind == 2 and not two.startswith(one) and not one.startswith(two):
            del file[one]
            file[one] = file[two]  # a second name of the same
        elif kind == 3 and isinstance(file[one], h5py.Dataset) and file[one].dtype.kind in "fiu":
            factor = (-1, 2, 0.5, 1e300, 1e-300)[rng.integers(0, 5)]
            with np.errstate(all="ignore"):
                value = np.asarray(file[one][()] * factor)
            del file[one]
            file[one] = value
        else:
            del file[one]
            file[one] = ODD_VALUES[rng.integers(0, len(ODD_VALUES))]


def _load_nir(path: Path) -> None:
    network = load_nir(path)
    if network.in_features < 1000:
        network.predict(np.full((1, network.in_features), 0.5))


def _nir_files() -> list[bytes]:
    rng, files = np.random.default_rng(0), []
    recurrent = LIF(0.9, 0.8, 0.5, reset="zero")
    layers = [Layer(4, recurrent, recurrent=True), Layer(3, LIF(0.9, reset="zero"))]
    files.append(_written(functools.partial(save_nir, SpikingNetwork(3, layers, steps=6))))
    numbers = (1e-3, 10.0, 0.0, 1.0)
    graph = nir.NIRGraph.from_list(
        nir.Input(np.array([1, 4, 5])),
        nir.Conv2d((4, 5), rng.normal(size=(2, 1, 2, 2)), 1, 1, 1, 1, np.ones(2)),
        nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Flatten({"input": np.array([2, 2, 3])}, 0, -1),
        nir.IF(np.ones(12), np.ones(12)),
        nir.Linear(rng.normal(size=(3, 12)).astype(np.float32)),
        nir.LIF(*(np.full(3, number) for number in numbers)),
        type_check=False,
    )
    files.append(_written(lambda path: nir.write(path, graph)))
    return files


class Idx:
    """The four files of a small MNIST, one or two of them damaged, some compressed."""

    def prepare(self, rng: np.random.Generator, folder: Path) -> Prepared:
        pixels = rng.integers(0, 256, (7, 3, 2))
        files = {
            TRAIN_IMAGES: idx(pixels[:5]),
            TRAIN_LABELS: idx(rng.integers(0, 10, 5)),
            TEST_IMAGES: idx(pixels[5:]),
            TEST_LABELS: idx(rng.integers(0, 10, 2)),
        }
        wrong = rng.choice(list(files), rng.integers(0, 3))
        total = 0
        for name, content in files.items():
            packed, data = rng.random() < 0.5, content
            inside = rng.random() < 0.5
            if name in wrong and (inside or not packed):
                data = damaged(rng, data, list(files.values()))
            if rng.random() < 0.02:
                data += bytes(int(rng.integers(1, 20_000_000)))  # which compress to nearly nothing
            data = gzip.compress(data, 1, mtime=0) if packed else data
            if name in wrong and packed and not inside:
                data = damaged(rng, data, [data])
            for path in (folder / name, folder / f"{name}.gz"):
                path.unlink(missing_ok=True)
            (folder / f"{name}.gz" if packed else folder / name).write_bytes(data)
            total += len(data)
        return functools.partial(load_mnist, folder), total

    def is_own(self, error: Exception) -> bool:
        return type(error) is DataError and "\n" not in str(error)


TARGETS = {
    "safetensors": Loader(_load_network, _networks, ValueError),
    "json": Loader(_load_model, _json_files, ValueError, header=False),
    "spiking": Loader(_load_spiking, _spiking_files, ValueError),
    "spiking-torch": Loader(_load_neurons, _neuron_files, ValueError),
    "nir": Nir(_load_nir, _nir_files, ValueError),
    "noisy-or": Loader(_load_noisy_or, _noisy_or_files, ValueError),
    "checkpoints": Loader(load_checkpoint, _checkpoints, RunError, start="not a readable"),
    "idx": Idx(),
    "json-models": Json(),
    "onnx-models": Onnx(),
}

for _make in MODELS.values():  # what the first call of a process takes is not an input's
    evaluated(_make())

"""Count the Python calls inside the project that one public call makes.

``python asv_benchmarks/reports/calls.py`` prints a line a call, beside the most that
tests/asv_benchmarks/reports/test_calls.py allows. ``--tree NAME`` lists the calls by function.

A call counts if its code is in synann_core or an adapter; it is the second one, so that nothing is
imported, compiled or cached for the first time. Arrays are small: 2 × 4, of NumPy or torch.
"""

from __future__ import annotations

import collections
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `asv_benchmarks` as a package

import synann_core as syn
from asv_benchmarks.benchmarks.common import require
from asv_benchmarks.benchmarks.meters import Call
from asv_benchmarks.reports import common
from synann_core.spiking import LIF, Layer, SpikingNetwork

PACKAGES = ("synann_core", "synann_torch", "synann_keras")
MOST = {
    "synapse_tensor": 40,
    "log_transmission": 40,
    "compiled(x)": 45,
    "torch Synapse": 30,
    "Keras Synapse": 60,
    "Circuit.iterate": 110,
    "SpikingNetwork.fit": 300,
}


def roots() -> tuple[str, ...]:
    """Folders of the packages that count."""
    found = [sys.modules.get(name) for name in PACKAGES]
    return tuple(str(Path(str(m.__file__)).parent) + os.sep for m in found if m is not None)


def calls(function: Call) -> collections.Counter[str]:
    """Names of the project's functions that a second call of `function` enters."""
    function()
    counted: collections.Counter[str] = collections.Counter()
    inside = roots()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(inside):
            name = frame.f_code.co_filename
            for root in inside:
                name = name.removeprefix(root)
            counted[f"{name}:{frame.f_code.co_qualname}"] += 1

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return counted


def cases() -> dict[str, Call]:
    """The calls that are counted, by name."""
    rng = np.random.default_rng(0)
    x, y, beta = rng.random((2, 4)), rng.random((2, 4)), rng.random((4, 4))
    alpha = np.ones(4)
    graph = syn.SynapseGraph()
    graph.input("a", "b", "c", "d")
    graph.synapse("z", excitatory=("a", "b"), inhibitory={"c": 0.5, "d": 0.25})
    compiled = graph.compile()
    return {
        "synapse_tensor": lambda: syn.synapse_tensor(x, y, alpha, beta),
        "log_transmission": lambda: syn.log_transmission(y, beta),
        "compiled(x)": lambda: compiled(x),
        "torch Synapse": _layer("synann_torch", (4, 4), y),
        "Keras Synapse": _layer("synann_keras", (4,), y),
        "Circuit.iterate": _circuit(),
        "SpikingNetwork.fit": _spiking(),
    }


def _layer(package: str, sizes: tuple[int, ...], y: np.ndarray) -> Call:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    torch, layers = require("torch"), require(package)
    layer, tensor = layers.Synapse(*sizes), torch.from_numpy(y.astype(np.float32))

    def call() -> None:
        with torch.no_grad():
            layer(tensor)

    return call


def _circuit() -> Call:
    graph = syn.SynapseGraph()
    names = ("a", "b", "c", "d")
    graph.input(*names)
    for name, other in zip(names, names[::-1], strict=True):
        graph.synapse(f"next {name}", excitatory=name, inhibitory={other: 0.5})
    circuit = syn.graph.Circuit(graph, {name: f"next {name}" for name in names})
    state = np.random.default_rng(1).random((2, 4))
    return lambda: circuit.iterate(state, 3)


def _spiking() -> Call:
    rng = np.random.default_rng(2)
    X, y = (rng.random((3, 4, 4)) < 0.5).astype(np.float32), np.array([0, 1, 0, 1])
    network = SpikingNetwork(4, (Layer(4, LIF(0.9)), Layer(2, LIF(0.9))))
    return lambda: network.fit(X, y, epochs=1, batch_size=2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the counts."""
    parser = common.make_parser(__doc__)
    parser.add_argument("--tree", metavar="NAME", help="list the calls of one case by function")
    options = common.parse(parser, arguments)
    lines = []
    for name, function in cases().items():
        if options.tree in (None, name):
            counted = calls(function)
            lines.append(f"{name:20} {counted.total():4} of at most {MOST[name]}")
            if options.tree:
                lines += [f"  {count:4}  {where}" for where, count in counted.most_common()]
    common.publish(options.output, "\n".join(lines))


if __name__ == "__main__":
    main()

"""Models of every kind that `save_c` writes, as programs for a device, and what they should answer.

The digits network is that of `make demo`, or one that is trained now with the same settings.
"""

import ctypes
import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer

import synann as syn
from synann.export import save_c, save_c_learner
from synann.graph import motifs
from synann.spiking import LIF, Layer, SpikingNetwork
from synann.tabular import SynapseRules
from tests.emulator.cortex_m import Program
from tests.export_models import call, compiled

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))

import diagnose
import digits
from shared.datasets import load_digits
from shared.syna_mlp import Settings
from studies import edge_learner

TRAINED = Path(__file__).resolve().parents[2] / "outputs" / "digits-synapse.safetensors"
MIDDLE = 27  # a pixel that most digits use


class Case(NamedTuple):
    """A model, the records that a device reads, and what it should put out for each."""

    name: str
    numbers: str  # the type of the arithmetic
    write: Callable[[Path], object]  # the C file, whose names start with "own"
    input: str  # the type of a record's numbers
    step: str  # from x to out
    records: np.ndarray  # (steps, inputs)
    wanted: np.ndarray  # (steps, outputs), int32 or float32
    within: float = 0.0  # what answers may differ
    least: float = 1.0  # share of answers that must be those wanted
    few: slice = slice(10)  # steps enough where floating point is computed by software
    learns: np.ndarray | None = None  # which steps do

    def program(self, folder):
        """Write the C file into a folder."""
        self.write(folder / "model.c")
        kind = "float" if self.wanted.dtype == np.float32 else "int32_t"
        given = f"{self.input} x[{self.records.shape[1]}]"
        return Program(folder / "model.c", given, f"{kind} out[{self.wanted.shape[1]}]", self.step)

    def answers(self, output):
        """What a device put out, as `wanted` holds it."""
        return np.frombuffer(output, self.wanted.dtype).reshape(-1, self.wanted.shape[1])

    def shortened(self):
        """The same with few steps."""
        learns = None if self.learns is None else self.learns[self.few]
        return self._replace(
            records=self.records[self.few], wanted=self.wanted[self.few], learns=learns
        )


def classes(labels):
    return np.asarray(labels, np.int32)[:, None]


@functools.cache
def digits_network():
    """The trained network, and the data."""
    data = load_digits()
    if TRAINED.exists():
        return syn.SynaMLP.from_file(TRAINED), data
    print(f"{TRAINED} is not there: training the network", flush=True)
    settings = {"curve": False, "label": "synapse"}
    return digits.train(data, "synapse", Settings(), 0, np.asarray, **settings)[0], data


def network(numbers):
    """The digits network in one arithmetic."""
    model, data = digits_network()
    whole = numbers.startswith("int")
    levels = 16 if whole else None  # the pixels are counts of 0 to 16
    return Case(
        "digits 64-128-10",
        numbers,
        lambda path: save_c(model, path, name="own", dtype=numbers, levels=levels),
        "uint8_t" if whole else "float",
        "out[0] = own_predict(x);",
        np.rint(16 * data.test_x).astype(np.uint8) if whole else data.test_x,
        classes(model.predict(data.test_x.astype(float))),
        least=0.99 if whole else 1.0,
    )


# What is put out is z, or of a step of learning ten of the γ.
PUT_OUT = (
    f"for (int i = 0; x[74] > 0 && i < 10; i++)\n        out[i] = own_gamma[64 * i + {MIDDLE}];"
)
STEPS = {
    "float32": f"""static const float u[10] = {{0}};
    if (x[74] > 0)
        own_learn(u, x, x + 64, {edge_learner.RATE}f);
    else
        own_forward(u, x, out);
    {PUT_OUT}""",
    "int32": f"""static const int32_t u[10] = {{0}};
    static int32_t v[64];
    for (int j = 0; j < 64; j++)
        v[j] = own_surprisal(x[j]);
    if (x[74] > 0)
        own_learn(u, v, x + 64, {round(65536 * edge_learner.RATE)});
    else
        own_forward(u, v, out);
    {PUT_OUT.replace("own_gamma", "(int32_t)own_gamma")}""",
}


def learner(numbers):
    """A layer that meets the training images one by one; before and after, the test images.

    A record is what inhibits (surprisals, or in whole numbers probabilities), the target, and
    whether to learn it.
    """
    data, whole = load_digits(), numbers == "int32"
    order = np.random.default_rng(0).permutation(len(data.train_x))
    x = np.concatenate([data.test_x, data.train_x[order], data.test_x])
    labels = np.concatenate([data.test_y, data.train_y[order], data.test_y])
    tests = len(data.test_x)
    learns = np.repeat([False, True, False], [tests, len(order), tests])
    x = np.maximum(x, np.float32(edge_learner.DARKEST))
    inputs, one = (np.minimum(np.rint(65536 * x), 65535), 32768) if whole else (-np.log(x), 1)
    records = np.concatenate([inputs, one * np.eye(10)[labels], learns[:, None]], axis=1)
    records = records.astype(np.uint16 if whole else np.float32)
    gamma = np.full((10, 64), -np.log(edge_learner.START))
    options = {"name": "own", "dtype": numbers, "gamma_min": edge_learner.GAMMA_MIN}

    def write(path):
        save_c_learner(0.0, gamma, path, **options)

    return Case(
        "learner 64-10",
        numbers,
        write,
        "uint16_t" if whole else "float",
        STEPS[numbers],
        records,
        _learned_here(write, records, whole),
        # Functions of math.h differ in the last bits, and what was learned with them.
        within=0.0 if whole else 1e-3,
        few=slice(tests - 10, tests + 10),
        learns=learns,
    )


def _learned_here(write, records, whole):
    """What this computer finds with the same file."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "model.c"))
        library = compiled(Path(folder, "model.c"))
    rate = edge_learner.RATE
    kind, dtype, rate = (
        (ctypes.c_uint32, np.int32, ctypes.c_uint16(round(65536 * rate)))
        if whole
        else (ctypes.c_float, np.float32, ctypes.c_float(rate))
    )
    gamma = np.ctypeslib.as_array((kind * 640).in_dll(library, "own_gamma"))
    u, found = np.zeros(10, dtype), np.zeros((len(records), 10), dtype)
    for record, out in zip(records, found, strict=True):
        v, target = record[:64], record[64:74]
        if whole:
            v = np.array([library.own_surprisal(int(p)) for p in v], dtype)
        if record[74]:
            call(library.own_learn, u, v, target, rate)
            out[:] = gamma[MIDDLE::64]
        else:
            call(library.own_forward, u, v, out)
    return found


def accuracy(case, found):
    """Test accuracy of the learner in %, before it learned and after."""
    right = found.argmin(axis=1) == case.records[:, 64:74].argmax(axis=1)
    tests = np.flatnonzero(~case.learns)
    return [100.0 * right[half].mean() for half in np.split(tests, 2)]


def spiking():
    """A trained network of spiking neurons; 25 steps an image."""
    data, neuron = load_digits(), LIF(0.9, reset="zero")
    net = SpikingNetwork(64, [Layer(30, neuron), Layer(10, neuron)], steps=25)
    x = data.test_x.astype(float)
    net.fit(data.train_x.astype(float), data.train_y, epochs=5, optimizer=syn.optim.Adam(0.01))
    return Case(
        "spiking 64-30-10, 25 steps",
        "float32",
        lambda path: save_c(net, path, name="own"),
        "float",
        "static own_state state;\n    out[0] = own_predict(&state, x);",
        data.test_x,
        classes(net.predict(x)),
    )


def rules(numbers):
    """Soft or crisp rules on measurements of tumours, in hundredths."""
    X, y = load_breast_cancer(return_X_y=True)
    X = np.rint(100.0 * X)
    crisp = numbers == "int"
    model = SynapseRules(
        crisp=crisp, integer_weights=crisp, max_rules=6, max_literals=12, penalties=(2e-3,),
        max_iter=100, n_starts=1, cv=2, random_state=0,
    ).fit(X, y)  # fmt: skip
    if crisp:  # points rather than classes: some rows have as many for one class as for the other
        step = "long points[2];\n    own_points(x, points);\n"
        step += "    out[0] = (int)(points[1] - points[0]);"
        wanted = np.rint(model.decision_function(X) / model.unit_)
    else:
        step, wanted = "out[0] = own_predict(x);", model.predict(X)
    return Case(
        "crisp rules" if crisp else "soft rules",
        numbers,
        lambda path: model.save_c(path, name="own", dtype=numbers),
        "long" if crisp else "float",
        step,
        X.astype(np.int32 if crisp else np.float32),
        classes(wanted),
    )


def findings():
    """A noisy-OR network: how probable each finding's absence is, given the causes."""
    network = diagnose.network()
    graph = network.to_graph()
    causes = np.random.default_rng(0).random((100, len(graph.inputs))).astype(np.float32)
    return Case(
        f"noisy-OR, {network.prior.size} causes, {network.leak.size} findings",
        "float32",
        lambda path: save_c(graph, path, name="own"),
        "float",
        "own_run(x, out);",
        causes,
        graph.compile()(causes.astype(float)).astype(np.float32),
        within=1e-6,
    )


def latch():
    """A circuit that remembers a bit, a step a call."""
    circuit = motifs.latch()
    rng = np.random.default_rng(0)
    drive = (rng.random((100, 2)) < 0.2).astype(np.float32)
    states = circuit.iterate(np.array([0.0, 1.0]), len(drive), drive=drive.astype(float))
    return Case(
        "latch (a circuit of 6 neurons)",
        "float32",
        lambda path: save_c(circuit, path, name="own"),
        "float",
        "static own_state state = {{0.0f, 1.0f}};\n    own_step(&state, x);\n"
        "    out[0] = state.x[0], out[1] = state.x[1];",
        drive,
        states[1:].astype(np.float32),
        within=1e-6,
    )


def all_cases():
    """Every model in every arithmetic."""
    yield from (network(numbers) for numbers in ("float32", "int16", "int8"))
    yield from (learner(numbers) for numbers in ("float32", "int32"))
    yield spiking()
    yield rules("float32")
    yield rules("int")
    yield findings()
    yield latch()

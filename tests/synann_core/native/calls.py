"""Every kernel called on many shapes, written down for `replay.c`.

``python -m tests.synann_core.native.calls FILE`` calls this processor's kernels and writes down
what each call was given and what came out. The driver calls the same kernels in another build (for
another processor, or with sanitizers) and compares the bits.
"""

import contextlib
import dataclasses
import os
import struct
import sys
from pathlib import Path
from unittest import mock

import numpy as np

import synann_core.graph.native
import synann_core.noisy_or.native
import synann_core.spiking.codes.native
import synann_core.spiking.neurons.native
from synann_core.graph import SynapseGraph
from synann_core.native import host
from synann_core.noisy_or import NoisyOr
from synann_core.spiking import State, Surrogate, bsa_encode, step_forward_encode
from synann_core.spiking.neurons.surrogates import SHAPES
from tests.synann_core.native import shapes
from tests.synann_core.spiking.neurons.cases import BATCH, CASES, NAMES, STEPS, N, neuron_of

MAGIC = b"synann kernels 1"
KINDS = (np.float32, np.float64)


def number(value):
    """Eight bytes of an integer."""
    return struct.pack("<q", value)


def array(value):
    """Size of an item, axes, and a copy of the bytes."""
    shape = (*value.shape, 1, 1, 1, 1)[:4]
    return number(value.itemsize) + struct.pack("<4q", *shape) + value.tobytes()


class Recorder:
    """The kernels' module, which writes every call down."""

    def __init__(self, kernels, file):
        self.kernels, self.file = kernels, file
        self.count, self.names = 0, set()

    def __getattr__(self, name):
        kernel = getattr(self.kernels, name)

        def called(*arguments):
            before = [array(a) if isinstance(a, np.ndarray) else None for a in arguments]
            result = kernel(*arguments)
            name_bytes = name.encode().ljust(32, b"\0")
            self.file.write(name_bytes + number(len(arguments)) + number(int(result or 0)))
            for a, was in zip(arguments, before, strict=True):
                if a is None:
                    self.file.write(b"0" * 8)
                elif was is not None:
                    self.file.write(b"a" * 8 + was + a.tobytes())
                elif isinstance(a, float):
                    self.file.write(b"%" * 8 + struct.pack("<d", a))
                else:
                    self.file.write(b"#" * 8 + number(int(a)))
            self.count += 1
            self.names.add(name)
            return result

        return called


def contraction(kernels):
    """As in the comparison of widths, and the kernels for few numbers."""
    for size in shapes.SIZES:
        for kind in KINDS:
            for seed in range(3):
                for _ in shapes.results(kernels, *size, kind, seed):
                    pass
                y, _, beta, _, grad, *_ = shapes.arguments(*size, kind, seed)
                kernels.log_product_open(y, beta, np.empty_like(grad))
                kernels.gradients_open(y, beta, grad, np.empty_like(y), np.empty_like(beta))


def layers(kernels):
    """Strengths and transmissions of any numbers, and the whole of a layer, with and without x."""
    for size in shapes.SIZES:
        for kind in KINDS:
            for seed in range(3):
                y, _, beta, _, grad, *_ = shapes.arguments(*size, kind, seed)
                x, theta = np.abs(grad), 30 * seed * beta.sum(1)
                logit, mask = 50 * (1 + seed) * (beta - 0.9), beta > 0.2
                strong, near, s, gx = np.empty_like(beta), *np.empty((3, *grad.shape), kind)
                kernels.strengths(logit, mask, strong)
                kernels.transmissions(40 * grad, theta, near)
                for given in ((mask, theta, x), (None, None, None)):
                    where, gains, excited = given
                    if kernels.layer_open(logit, where, gains, y, excited, strong, near, s):
                        gradients = gx, np.empty_like(y), np.empty_like(beta), np.empty_like(theta)
                        kernels.layer_gradients_open(strong, y, excited, near, grad, *gradients)


def graphs(neurons=60, inputs=5, batches=(1, 7, 19, 40), kinds=KINDS):
    """Values, gradients and tangents of a random graph in both spaces, for one row and for many."""
    rng = np.random.default_rng(0)
    targets = inputs + np.arange(neurons)
    weak = rng.permutation(np.repeat(targets, rng.integers(0, 12, neurons)))
    edges = [(t, (rng.random(t.size) * t).astype(int)) for t in (targets, weak)]
    beta = rng.random(weak.size) ** 3
    graph = SynapseGraph.from_arrays(
        inputs, neurons, excitatory=edges[0], inhibitory=edges[1], beta=beta
    ).compile()
    for rows in batches:
        for kind in kinds:
            for space in ("probability", "surprisal"):
                x = rng.random((rows, inputs)).astype(kind)
                x[0, 0] = 0.0
                grad = rng.normal(size=graph(x, space=space).shape).astype(kind)
                graph.vjp(x, space=space, grad=grad)
                graph.jvp(x, space=space, dx=x)


def neurons():
    """Neurons of every kind, with every surrogate."""
    rng = np.random.default_rng(1)
    for case in CASES:
        neuron, state, arrays, _ = neuron_of(case)
        for kind in KINDS:
            for shape in SHAPES:
                own = dataclasses.replace(
                    neuron,
                    surrogate=Surrogate(shape, 0.5, 1.5),
                    **{name: cast(getattr(neuron, name), kind) for name in NAMES},
                )
                before = State(*(cast(a, kind) for a in state))
                grads = rng.normal(size=(2, STEPS, BATCH, N)).astype(kind)
                _, record = own.run(arrays["currents"].astype(kind), before)
                own.vjp(record, *grads, state=record.state)
                _, record = own.run(arrays["currents"][0].astype(kind), before, steps=STEPS)
                own.vjp(record, grads[0])


def cast(a, kind):
    return None if a is None else a.astype(kind)


def codes():
    """Step-forward and BSA, of one signal and of many."""
    rng = np.random.default_rng(2)
    for kind in KINDS:
        for shape in ((1, 1), (50, 1), (33, 17)):
            signals = np.cumsum(rng.normal(size=shape), axis=0).astype(kind)
            step_forward_encode(signals, 0.5)
            for rule in ("difference", "ratio"):
                bsa_encode(rng.random(shape).astype(kind), np.full(5, 0.2, kind), 0.1, rule=rule)


def diagnoses():
    """Noisy-OR networks, dense and sparse, with a cause that is linked to all findings."""
    rng = np.random.default_rng(3)
    for findings, causes, share in ((1, 3, 1.0), (4, 9, 0.5), (11, 60, 0.3), (14, 30, 0.15)):
        shape = findings, causes
        beta = np.where(rng.random(shape) < share, rng.random(shape), 0.0)
        beta[:, 0] = rng.random(findings)
        network = NoisyOr(rng.random(causes) / 9, rng.random(findings) / 9, beta)
        for x in (np.ones(findings), rng.choice([0.0, 1.0, 0.7], findings)):
            network.log_evidence(x[None], most_seconds=1e9)
            network.posterior(x[None], most_seconds=1e9)


def everything(kernels, large=False):
    """Call the kernels of all engines through this module.

    `large`: also on graphs for which memory is asked for in advance.
    """
    # On one thread: parts of a call write to the same arrays.
    alone = mock.patch.dict(os.environ, OMP_NUM_THREADS="1")
    with alone, contextlib.ExitStack() as stack:
        contraction(kernels)
        layers(kernels)
        for engine in (
            synann_core.graph,
            synann_core.noisy_or,
            synann_core.spiking.codes,
            synann_core.spiking.neurons,
        ):
            stack.enter_context(mock.patch.object(engine.native, "kernels", kernels))
        graphs()
        if large:
            graphs(4_200, batches=(8,), kinds=KINDS[1:])
            graphs(17_000, batches=(1,), kinds=KINDS[1:])
        neurons()
        codes()
        diagnoses()


def record(path):
    """Write the calls of everything above to a file; return their number."""
    with path.open("wb") as file:
        file.write(MAGIC)
        recorder = Recorder(host.kernels, file)
        everything(recorder, large=True)
        return recorder.count, recorder.names


if __name__ == "__main__":
    count, names = record(Path(sys.argv[1]))
    print(f"{count} calls of {len(names)} kernels")

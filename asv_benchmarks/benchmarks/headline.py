"""The figures of the dashboard's first page: what people do, in seconds of one processor.

Other programs on the machine hardly change the seconds that a processor spends, so that the history
in asv_benchmarks/history need not come from a quiet machine. On one thread, because idle threads of
a library may spin, which would count.
"""

from __future__ import annotations

import functools
import os
import time

from . import common, graph, layer, noisy_or, rivals, spiking
from .meters import Call

STEP = (4, "8x8") if common.SMOKE else (512, "768x768")
SIZE = common.Size.parse("x".join(map(str, STEP)))
SIZE_IN_WORDS = f"batch {SIZE.batch}, {SIZE.n} → {SIZE.m}"
SYNAPSES = graph.SYNAPSES[0] if common.SMOKE else 1_000_000
FINDINGS = noisy_or.PROBLEMS[0] if common.SMOKE else "20 at 0.1"


class Headline(common.Prepared):
    """Base: seconds of the processor, of some calls within a second or two, on one thread."""

    timer = time.process_time
    repeat = (3, 100, 1.0)
    version = "1"  # results of another one are not shown beside it

    def setup(self, *params: object) -> None:
        """Prepare the call, for one thread of the kernels."""
        self.before = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = "1"
        super().setup(*params)

    def teardown(self, *params: object) -> None:
        """Put the number of threads back."""
        del os.environ["OMP_NUM_THREADS"]
        if self.before is not None:
            os.environ["OMP_NUM_THREADS"] = self.before


class LayerStep(Headline):
    """One step of training through a layer."""

    make = staticmethod(functools.partial(layer.make, "numpy", *STEP))

    def time_synapse(self) -> None:
        """Time forward and backward of the synapse layer."""
        self.call()

    time_synapse.pretty_name = f"A training step of a synapse layer, {SIZE_IN_WORDS}"


def linear() -> Call:
    """Bind the yardstick, with its library on one thread."""
    common.require("torch").set_num_threads(1)
    return rivals.build(rivals.LINEAR, common.make_problem(SIZE, "training"))


class LinearStep(Headline):
    """The same of PyTorch's layer, the yardstick."""

    make = staticmethod(linear)

    def time_linear(self) -> None:
        """Time forward and backward of nn.Linear."""
        self.call()

    time_linear.pretty_name = f"The same step of PyTorch's nn.Linear, {SIZE_IN_WORDS}"


def diagnose() -> Call:
    """Bind the posteriors of all causes of one patient."""
    network, x = noisy_or.make_problem(FINDINGS)
    return functools.partial(network.posterior, x, method="exact")


class Diagnosis(Headline):
    """Exact inference in a noisy-OR network."""

    make = staticmethod(diagnose)

    def time_posteriors(self) -> None:
        """Time the posteriors of all causes."""
        self.call()

    time_posteriors.pretty_name = "A diagnosis: 600 causes, 20 present and 30 absent findings"


def pull_back() -> Call:
    """Bind the gradients of a large graph."""
    return graph.prepare(SYNAPSES, "float64")["vjp"]


class Graph(Headline):
    """Gradients of a graph."""

    make = staticmethod(pull_back)

    def time_gradients(self) -> None:
        """Time all gradients."""
        self.call()

    time_gradients.pretty_name = f"Gradients of a graph of {SYNAPSES:,} synapses"


class Spiking(Headline):
    """A step of training of a spiking network."""

    make = staticmethod(spiking.ours)

    def time_step(self) -> None:
        """Time forward, backward and Adam."""
        self.call()

    time_step.pretty_name = "A training step of a spiking network on 128 images of MNIST's size"

"""Exact inference in random noisy-OR networks, by the number of present findings."""

from __future__ import annotations

import functools

import numpy as np

from synann_core.noisy_or import NoisyOr

from .common import SMOKE, Prepared
from .meters import Call

# Present findings, and the share of the causes that a finding is linked to.
PROBLEMS = ("4 at 0.1",) if SMOKE else ("16 at 0.1", "20 at 0.1", "24 at 0.1", "40 at 0.02")
CALLS = ("evidence", "posteriors")
CAUSES = 20 if SMOKE else 600
ABSENT = 30


def make_problem(problem: str) -> tuple[NoisyOr, np.ndarray]:
    """Make a network and one sample, of which 30 findings are absent and the others present."""
    present, share = (float(part) for part in problem.split(" at "))
    rng = np.random.default_rng(0)
    shape = int(present) + ABSENT, CAUSES
    prior = np.exp(rng.uniform(np.log(1e-4), np.log(2e-2), CAUSES))
    beta = np.where(rng.random(shape) < share, rng.uniform(0.05, 0.9, shape), 0.0)
    network = NoisyOr(prior, rng.uniform(1e-3, 2e-2, shape[0]), beta)
    return network, np.repeat([1.0, 0.0], [int(present), ABSENT])[None]


def make_calls(problem: str) -> dict[str, Call]:
    """Make the calls that are compared; each plans anew."""
    network, x = make_problem(problem)
    return {
        "evidence": functools.partial(network.log_evidence, x),
        "posteriors": functools.partial(network.posterior, x, method="exact"),
    }


class Inference(Prepared):
    """Time and memory of one sample, planning included."""

    param_names = ("problem", "call")
    params = (PROBLEMS, CALLS)

    def setup(self, problem: str, call: str) -> None:
        """Make the network."""
        self.call = make_calls(problem)[call]

    def time_call(self, *params: object) -> None:
        """Time one call."""
        self.call()

    time_call.pretty_name = "Noisy-OR: exact inference for one sample"

    def peakmem_call(self, *params: object) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_call.pretty_name = "Noisy-OR: peak memory of exact inference"

"""What the library's loggers say, and that they are silent by themselves."""

import logging
import subprocess
import sys

import numpy as np
import pytest

import synann as syn
from synann_core import noisy_or
from synann_core._lib.log import logger

NETWORK = noisy_or.NoisyOr([0.3, 0.2], [0.1, 0.1], [[0.8, 0.0], [0.2, 0.7]])
X, Y = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2


@pytest.fixture
def said(caplog):
    """Call a function, and return what was said."""

    def call(function, level=logging.DEBUG):
        caplog.clear()
        with caplog.at_level(level, "synann"):
            function()
        return [f"{r.levelname} {r.name}: {r.getMessage()}" for r in caplog.records]

    return call


def test_all_loggers_are_children_of_one():
    parent = logging.getLogger("synann")
    assert logger("kernels").parent is parent
    assert any(isinstance(h, logging.NullHandler) for h in parent.handlers)
    assert parent.level == logging.NOTSET


def test_nothing_is_written_without_a_handler():
    code = "import synann_core._lib.log as log; log.logger('kernels').warning('heard')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_branch_of_the_contraction(said, xp):
    y, beta = xp.asarray(np.ones((4, 3)) / 2), xp.asarray(np.ones((2, 3)) / 2)
    heard = said(lambda: syn.log_transmission_jvp(y, beta, 0.1, 0.0))
    variant = syn.log_transmission_variant(y, beta)
    names = {"native": ("native", "jax_primitives"), "jax-scan": ("array_api",)}
    wanted = names.get(variant, (variant.replace("-", "_"),))
    assert heard[-1] in [
        f"DEBUG synann.kernels: contraction by synann_core.contraction.{name}" for name in wanted
    ]


@pytest.mark.needs_kernels
def test_the_branches_of_graphs_and_neurons(said):
    graph = syn.SynapseGraph()
    graph.input("a", "b")
    graph.synapse("s", excitatory="a", inhibitory="b")
    graph.output("s")
    compiled = graph.compile()
    heard = said(lambda: compiled.vjp(np.ones(2) / 2, grad=np.ones(1)))
    assert heard == ["DEBUG synann.kernels: graph by synann_core.graph.native"]
    neuron = syn.spiking.LIF(0.9)
    heard = said(lambda: neuron.run(np.ones((3, 2))))
    assert heard == ["DEBUG synann.kernels: neurons by synann_core.spiking.neurons.native"]


def test_epochs_and_their_end(said):
    model = syn.SynaMLP(3, 4, 2)
    heard = said(lambda: model.fit(X, Y, epochs=3, callback=lambda _: True), logging.INFO)
    assert heard[0].startswith("INFO synann.training: SynaMLP: epoch 1 of 3, {'loss': ")
    assert heard[1:] == ["INFO synann.training: SynaMLP: the callback ends the training"]


def test_who_gives_posteriors(said):
    found = np.array([[1.0, 1.0], [0.0, np.nan], [np.nan, np.nan]])
    heard = [line for line in said(lambda: NETWORK.posterior(found)) if "noisy_or" in line]
    assert heard
    assert all("by sums over sets of" in line for line in heard)
    heard = said(lambda: NETWORK.posterior(found, most_seconds=1e-9), logging.INFO)
    assert heard[0].endswith("2 of 2 samples are beyond the limits of exact sums, 0 of float64")
    assert heard[1].startswith("INFO synann.noisy_or: sample 0 by bounds, a posterior within ")
    assert len(heard) == 3


def test_how_learning_ends(said):
    causes, findings = NETWORK.sample(300, rng=0)
    heard = said(lambda: noisy_or.fit_known_causes(causes, findings), logging.INFO)
    assert heard == ["INFO synann.noisy_or: links of 2 findings fitted, of which 2 converged"]
    causes[::9, 0] = np.nan
    model = noisy_or.NoisyOrClassifier(em_iter=50, tol=1e-3)
    heard = said(lambda: model.fit(findings, causes), logging.INFO)
    rounds = len(model.log_evidence_)
    assert f"INFO synann.noisy_or: missing causes converged after {rounds} rounds" in heard
    factors = noisy_or.NoisyOrFactors(2, restarts=2, random_state=0)
    heard = said(lambda: factors.fit(findings[:50]), logging.INFO)
    assert heard[0].startswith("INFO synann.noisy_or: 50 samples searched 2 times: leak 0.")

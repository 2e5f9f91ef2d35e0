"""Progress with and without tqdm, and every long call that shows it."""

import builtins
import re

import numpy as np
import pytest

import synann as syn
from synann_core import noisy_or
from synann_core._lib.progress import SILENT, Progress
from synann_core._lib.threads import run_parts


def run(total, *, shown, done=None):
    with Progress("training", total, shown=shown) as progress:
        for k in range(total if done is None else done):
            progress.advance(loss=1.0 / (k + 1))


@pytest.fixture
def no_tqdm(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("tqdm"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)


def test_a_bar_where_tqdm_is_installed(capsys):
    run(4, shown=True, done=3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training:" in err
    assert "3/4" in err
    assert "loss=0.333" in err


def test_lines_where_it_is_not(capsys, no_tqdm):
    run(20, shown=2)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 10
    assert lines[0] == "training: epoch 2 of 20, loss 0.5"
    assert lines[-1] == "training: epoch 20 of 20, loss 0.05"
    run(3, shown=True)
    assert len(capsys.readouterr().err.splitlines()) == 3
    with Progress("links", 100, shown=True, unit="finding") as progress:
        for _ in range(4):
            progress.advance(25)
    assert capsys.readouterr().err.splitlines()[-1] == "links: finding 100 of 100"


@pytest.mark.parametrize("total", [0, 30])
def test_nothing_is_shown_unless_it_is_wanted(capsys, total):
    run(total, shown=False)
    assert capsys.readouterr() == ("", "")


def test_what_all_callers_share_neither_shows_nor_counts(capsys):
    SILENT.advance(3, loss=1.0)
    assert SILENT.done == 0
    assert capsys.readouterr() == ("", "")


def test_threads_share_a_bar(capsys, no_tqdm):
    with Progress("links", 2000, shown=True, unit="finding") as progress:
        run_parts(lambda _: progress.advance(), [(k,) for k in range(2000)], 4)
    assert capsys.readouterr().err.splitlines()[-1] == "links: finding 2000 of 2000"


RNG = np.random.default_rng(0)
CAUSES = (RNG.random((60, 2)) < 0.4).astype(float)
FINDINGS = (RNG.random((60, 3)) < 0.1 + 0.4 * CAUSES[:, [0, 1, 1]]).astype(float)
NETWORK = noisy_or.NoisyOr([0.3, 0.2], [0.1, 0.1], [[0.8, 0.0], [0.2, 0.7]])
SOME_MISSING = CAUSES.copy()
SOME_MISSING[::7, 0] = np.nan
X, Y = RNG.random((20, 3)), np.arange(20) % 2
LAYERS = [syn.spiking.Layer(4, syn.spiking.LIF(0.9)), syn.spiking.Layer(2, syn.spiking.LIF(0.9))]

CALLS = {
    "SynaMLP": lambda **v: syn.SynaMLP(3, 4, 2).fit(X, Y, epochs=2, batch_size=5, **v),
    "SpikingNetwork": lambda **v: syn.spiking.SpikingNetwork(3, LAYERS, steps=3).fit(X, Y, **v),
    "SynapseClassifier": lambda **v: syn.SynapseClassifier(
        hidden=2, max_iter=2, random_state=0, **v
    ).fit(X, Y),
    "partial_fit": lambda **v: syn.SynapseClassifier(hidden=2, **v).partial_fit(
        X, Y, classes=[0, 1]
    ),
    "fit_known_causes": lambda **v: noisy_or.fit_known_causes(CAUSES, FINDINGS, **v),
    "in processes": lambda **v: noisy_or.fit_known_causes(CAUSES, FINDINGS, n_jobs=1, **v),
    "NoisyOrClassifier": lambda **v: noisy_or.NoisyOrClassifier(**v).fit(FINDINGS, CAUSES),
    "missing causes": lambda **v: noisy_or.NoisyOrClassifier(tol=1.0, **v).fit(
        FINDINGS, SOME_MISSING
    ),
    "NoisyOrFactors": lambda **v: noisy_or.NoisyOrFactors(2, restarts=2, random_state=0, **v).fit(
        FINDINGS
    ),
    "exact": lambda **v: NETWORK.posterior(FINDINGS[:9, :2], **v),
    "bounds": lambda **v: NETWORK.posterior(FINDINGS[:9, :2], method="bounds", **v),
}


@pytest.mark.parametrize("call", CALLS)
def test_long_calls_show_how_far_they_are(call, capsys):
    CALLS[call]()
    assert capsys.readouterr() == ("", "")
    CALLS[call](verbose=True)
    out, err = capsys.readouterr()
    assert out == ""
    done, total = map(int, re.findall(r"(\d+)/(\d+) \[", err)[-1])
    assert 0 < done <= total
    assert done == total or call == "missing causes"  # these may converge before


def test_the_search_for_causes_counts_all_its_draws(capsys):
    """The bar of the search comes before that of the links, and ends full."""
    noisy_or.NoisyOrFactors(5, restarts=2, random_state=0, verbose=1).fit(FINDINGS)
    found = re.findall(r"hidden causes: 100%.*?(\d+)/(\d+) \[", capsys.readouterr().err)[-1]
    assert found[0] == found[1]


def test_results_do_not_depend_on_it(capsys):
    quiet, shown = (noisy_or.fit_known_causes(CAUSES, FINDINGS, verbose=v) for v in (False, True))
    np.testing.assert_array_equal(quiet.beta, shown.beta)
    models = [syn.SynaMLP(3, 4, 2) for _ in range(2)]
    for model, verbose in zip(models, (False, True), strict=True):
        model.fit(X, Y, epochs=2, batch_size=5, verbose=verbose)
    assert all((models[0].weights[k] == w).all() for k, w in models[1].weights.items())
    capsys.readouterr()


def test_without_a_standard_error_nothing_is_shown(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    with Progress("a task", 2, shown=True) as bar:
        bar.advance()

"""The checks behind ``python -m synann``: each finds a wrong result, on every library."""

import importlib
import os

import numpy as np
import pytest

import synann
from synann import _selfcheck
from synann._selfcheck import Check, without_kernels


def libraries():
    return {library.name: library for library in _selfcheck.libraries()[0]}


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_every_library_is_checked(name, monkeypatch):
    library = libraries()[name]
    branch = _selfcheck.branch_of(library)
    checks = [c for dtype in library.dtypes for c in _selfcheck._formulas(library, branch, dtype)]
    assert len(checks) == 3 * len(library.dtypes)
    assert all(check.passed and check.library == name for check in checks)
    real = _selfcheck.log_transmission_vjp

    def wrong(y, beta, grad):
        gy, gbeta = real(y, beta, grad)
        return gy, gbeta * (1 + 1e-5)

    monkeypatch.setattr(_selfcheck, "log_transmission_vjp", wrong)
    checks = _selfcheck._formulas(library, branch, "float32")
    assert [check.passed for check in checks] == [True, True, False]


@pytest.mark.parametrize("check", ["_graph", "_neuron", "_posteriors"])
@pytest.mark.parametrize("kernels", [True, False])
def test_the_engines_are_checked(check, kernels):
    if kernels:
        found = getattr(_selfcheck, check)("native")
    else:
        with without_kernels():
            found = getattr(_selfcheck, check)("array-api")
    assert found.passed
    assert found.error < found.allowed


def test_a_wrong_engine_is_found(monkeypatch):
    real = synann.noisy_or.NoisyOr
    monkeypatch.setattr(
        _selfcheck.noisy_or, "NoisyOr", lambda prior, leak, beta: real(prior, leak * 1.001, beta)
    )
    assert not _selfcheck._posteriors("native").passed
    lif = synann.spiking.LIF
    monkeypatch.setattr(_selfcheck.spiking, "LIF", lambda decay: lif(decay + 1e-9))
    assert not _selfcheck._neuron("native").passed
    monkeypatch.setattr(_selfcheck, "synapse", lambda x, y, beta: x * (1 - beta * y) + 1e-9)
    assert not _selfcheck._stated().passed


def test_nan_does_not_pass():
    assert not Check("sum", "numpy", "native", "float64", float("nan"), 1.0).passed


def test_the_kernels_come_back(monkeypatch):
    for before in (None, "off"):
        if before is None:
            monkeypatch.delenv("SYNANN_KERNELS", raising=False)
        else:
            monkeypatch.setenv("SYNANN_KERNELS", before)
        with without_kernels():
            assert os.environ["SYNANN_KERNELS"] == "off"
            assert _selfcheck.branch_of(libraries()["numpy"]) == "array-api"
        assert os.environ.get("SYNANN_KERNELS") == before


@pytest.mark.parametrize("kind", [OSError, SystemExit])
def test_a_library_that_cannot_be_imported_is_told(monkeypatch, kind):
    real = importlib.import_module

    def broken(name):
        if name == "torch":
            raise kind("libtorch.so: cannot open\nshared object file")
        return real(name)

    monkeypatch.setattr(_selfcheck.importlib, "import_module", broken)
    found, failed = _selfcheck.libraries()
    assert failed == {"torch": f"{kind.__name__}: libtorch.so: cannot open"}
    assert [library.name for library in found] == ["numpy", "jax"]


def test_times_are_the_best_of_some(monkeypatch):
    monkeypatch.setattr(_selfcheck, "_SECONDS", 0.0)
    calls = []
    seconds = _selfcheck._best(lambda: calls.append(1) or 3, lambda result: calls.append(result))
    assert calls == [1, 3, 1, 3]  # once to warm up
    assert 0 < seconds < 10
    timing = _selfcheck.Timing("sum", "numpy", "native", 1.0)
    assert timing.nanoseconds == pytest.approx(1e9 / np.prod(_selfcheck.TIMED))

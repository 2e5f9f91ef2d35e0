"""``python -m synann``: what it says, and when it fails."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import synann
from synann import __main__ as main
from synann import _selfcheck
from synann_core.native import host


@pytest.fixture
def numpy_alone(monkeypatch):
    monkeypatch.setattr(_selfcheck.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(_selfcheck, "_SECONDS", 0.0)


def test_the_report_for_people(numpy_alone, capsys):
    assert main.main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"synann     {synann.__version__} in ")
    assert re.search(r"^kernels    (not )?active: ", out, re.MULTILINE)
    assert f"numpy {np.__version__}" in out
    assert re.search(r"^log_transmission +numpy +array-api +float32 +\S+e-\d+ +2.2e-06$", out, re.M)
    assert re.search(r"^its gradients +numpy +array-api +[\d.]+ ms +[\d.]+ ns a factor$", out, re.M)
    assert out.endswith("All is well.\n")


def test_the_report_for_programs(numpy_alone, capsys):
    assert main.main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["synann"] == synann.__version__
    assert found["passed"] is True
    assert found["kernels"]["active"] == (host.enabled() and host.installed())
    assert found["branches"] == {"numpy": _selfcheck.branch_of(_selfcheck.libraries()[0][0])}
    assert found["libraries"]["numpy"] == np.__version__
    assert found["libraries"]["tensorflow"]  # by the name of its build, tensorflow-cpu
    assert {c["branch"] for c in found["checks"]} >= {"array-api", "formula"}
    assert all(timing["seconds"] > 0 for timing in found["timings"])


@pytest.mark.parametrize("wrong", [1e-5, np.nan])
def test_a_wrong_result_is_the_exit_status(numpy_alone, capsys, monkeypatch, wrong):
    right = _selfcheck.log_transmission
    monkeypatch.setattr(
        _selfcheck, "log_transmission", lambda y, beta: right(y, beta) * (1 + wrong)
    )
    assert main.main([]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^log_transmission .*WRONG$", out, re.MULTILINE)
    assert re.search(r"^\d of \d+ results are wrong$", out, re.MULTILINE)
    assert main.main(["--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is False
    assert (found["checks"][1]["error"] is None) == np.isnan(wrong)


@pytest.mark.parametrize(
    ("kernels", "off", "reason"),
    [
        (None, False, "not built"),
        ((), False, "this processor has no variant"),
        (("x86-64-v3",), True, "turned off by SYNANN_KERNELS=off"),
        (("x86-64-v3", "x86-64-v4"), False, "this processor runs x86-64-v4"),
    ],
)
def test_why_kernels_serve(monkeypatch, kernels, off, reason):
    class Module:
        variants = kernels

        @staticmethod
        def off():
            return off

    monkeypatch.setattr(host, "kernels", None if kernels is None else Module)
    found = main.kernels()
    assert reason in found["reason"]
    assert found["active"] == ("runs" in reason)


def test_the_command():
    """From elsewhere, with what is installed: torch and JAX, too."""
    root = Path(synann.__file__).parents[1]
    code = (
        f"import sys, runpy; sys.path[:0] = [{str(root)!r}];"
        "from synann import _selfcheck; _selfcheck._SECONDS = 0.0; sys.argv[1:] = ['--json'];"
        "runpy.run_module('synann', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert {"numpy", "torch", "jax"} <= found["branches"].keys()
    assert found["not importable"] == {}
    refused = subprocess.run(
        [sys.executable, "-m", "synann", "--verbose"], capture_output=True, text=True, cwd=root
    )
    assert refused.returncode == 2
    assert "unrecognized arguments: --verbose" in refused.stderr


def test_a_misspelled_switch_is_said_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "synann"],
        capture_output=True,
        text=True,
        cwd=Path(synann.__file__).parents[1],
        env=os.environ | {"SYNANN_KERNELS": "no"},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "error: `SYNANN_KERNELS` must be off, or not set. Received: 'no'" in done.stderr

"""The Keras adapter on every backend, each in a process of its own, and what they must agree on."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests.synann_keras import keras_processes

BACKENDS = ("jax", "tensorflow", "torch")  # slowest first
FLOAT32 = 2.0**-23
HERE, OWN = pathlib.Path(__file__).parent, pathlib.Path(__file__).name
ROOT = HERE.parents[1]


def run(arguments, backend, **environment):
    settings = {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_ENABLE_X64": "0",  # as most people run Keras
        **environment,
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=900,
    )


def task(name, backend, **environment):
    result = run([str(HERE / "keras_processes.py"), name], backend, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


# Each test runs on torch and on one of the two that compile for minutes; on all in `make test-all`.
WHOLE = os.environ.get("SYNANN_TEST_KERAS") == "whole"
HALVES = {} if WHOLE else {"jax": "0", "tensorflow": "1"}


def half_of(backend):
    return {"SYNANN_KERAS_HALF": HALVES[backend]} if backend in HALVES else {}


@pytest.mark.parametrize("backend", BACKENDS)
def test_suite(backend):
    """All files beside this one."""
    files = [str(path) for path in sorted(HERE.glob("test_*.py")) if path.name != OWN]
    arguments = ["-m", "pytest", "-p", "no:cacheprovider", "--tb=short", *files]
    # jax would spend most of its time on compiling well; the other tests let it.
    result = run(arguments, backend, JAX_DISABLE_MOST_OPTIMIZATIONS="1", **half_of(backend))
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_synann_torch_gives(backend):
    """Losses and gradients are those of synann_torch; all in one process, which takes a minute."""
    # Of tensorflow, the loop in the graph: test_tensorflow_kernels.py has the kernels' bits.
    environment = {"SYNANN_KERNELS": "off"} if backend == "tensorflow" else {}
    found = task("of_keras", backend, **environment, **half_of(backend))
    same_losses(found["losses"])
    same_combinations(found["combinations"], HALVES.get(backend))
    small_growth(**found["memory"])


def same_losses(got):
    """From the same weights and batches 20 steps give the same losses."""
    want = keras_processes.torch_losses()
    assert len(want) == 20
    assert want[-1] < 0.8 * want[0]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)


def same_combinations(given, half):
    """Outputs, and gradients of the inputs and of each weight, of every combination of options."""
    wanted = keras_processes.torch_combinations()
    assert len(wanted) == 48
    for want, got in zip(wanted if half is None else wanted[int(half) :: 2], given, strict=True):
        assert set(want) == set(got)
        for name, value in want.items():
            scale = np.max(np.abs(value))
            np.testing.assert_allclose(got[name], value, rtol=0, atol=100 * FLOAT32 * scale)


def small_growth(*, growth, whole, array):
    assert whole > 0.9 * array
    assert max(growth) < 0.25 * array, (growth, array)


def test_data_parallel_training_is_that_of_one_device():
    flags = "--xla_force_host_platform_device_count=8"
    result = task("distributed_losses", "jax", XLA_FLAGS=flags)
    assert result["devices"] == 8
    assert len(result["alone"]) == 20
    np.testing.assert_allclose(result["together"], result["alone"], rtol=0, atol=1e-5)


def test_without_keras():
    code = "import sys; sys.modules['keras'] = None; import synann_keras"
    result = run(["-c", code], "jax")
    assert result.returncode == 1
    assert 'Install them with, for instance: pip install "synann[keras,jax]"' in result.stderr
    assert "name the backend in KERAS_BACKEND" in result.stderr


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_without_the_backend(backend):
    """Keras is there: what is missing is named."""
    code = f"import sys; sys.modules[{backend!r}] = None; import synann_keras"
    result = run(["-c", code], backend)
    assert result.returncode == 1
    assert f"synann_keras needs {backend}, the backend that Keras is to run on" in result.stderr
    assert "needs Keras" not in result.stderr


def test_another_backend_is_named():
    result = run(["-c", "import synann_keras"], "numpy")
    assert result.returncode == 1
    assert "name one of them in KERAS_BACKEND. Received: numpy" in result.stderr

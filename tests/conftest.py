"""The array libraries that every test of the core runs on."""

import os
import zlib

import pytest
from hypothesis import settings

from tests.browser.chromium import chromium, new_page  # noqa: F401, fixtures
from tests.helpers import DEFAULT_BACKENDS, make_backend

# Set before jax is first imported. With x64 on, a float64 that leaks into a float32 computation
# shows in the result's dtype; with x64 off, jax would hide it.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Threads that spin while they wait make torch 30 times slower when another process has the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("repeatable")

BACKENDS = os.environ.get("SYNANN_TEST_BACKENDS", ",".join(DEFAULT_BACKENDS)).split(",")


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "browser: opens pages in Debian's Chromium, offline; skipped without it, unless "
        "SYNANN_BROWSER_REQUIRED is 1",
    )
    config.addinivalue_line(
        "markers",
        "jax_alternates: of JAX eager and jitted, float32 and float64, one combination runs",
    )
    config.addinivalue_line(
        "markers", "kernel_branches: what has a compiled branch; runs in CI without it as well"
    )
    config.addinivalue_line(
        "markers", "needs_kernels: says that a compiled branch serves; skipped where they are off"
    )


def pytest_runtest_setup(item):
    if item.get_closest_marker("needs_kernels") and os.environ.get("SYNANN_KERNELS") == "off":
        pytest.skip("the compiled kernels are off")


def pytest_collection_modifyitems(config, items):
    """Run a quarter of JAX's compilations, a second each: eager or jitted, in one dtype.

    Which one depends on the test and its other parameters, so that all four meet each file; of a
    test without a dtype it is half. With SYNANN_TEST_BACKENDS set, as in `make test-all`, all run.
    """
    if "SYNANN_TEST_BACKENDS" in os.environ:
        return
    skipped = [item for item in items if item.get_closest_marker("jax_alternates") and _odd(item)]
    config.hook.pytest_deselected(items=skipped)
    items[:] = [item for item in items if item not in set(skipped)]


def _odd(item):
    values = item.callspec.params if hasattr(item, "callspec") else {}
    library = values.get("xp", values.get("ad"))
    if library not in ("jax", "jax-jit"):
        return False
    case = item.nodeid
    for word in ("jax-jit", "jax", "float64", "float32"):
        case = case.replace(word, "")
    turn = ((0, 3), (1, 2))[library == "jax"][values.get("dtype") == "float32"]
    return (zlib.crc32(case.encode()) + turn) % (4 if "dtype" in values else 2) != 0


@pytest.fixture(params=BACKENDS)
def xp(request):
    """Every array library asked for; one that cannot be imported is a failure, not a skip."""
    with make_backend(request.param) as backend:
        yield backend


@pytest.fixture(params=[b for b in BACKENDS if b.startswith(("torch", "jax"))])
def ad(request):
    """The libraries with automatic differentiation."""
    with make_backend(request.param) as backend:
        yield backend


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    """Both dtypes that are computed in as they are."""
    return request.param

"""The array libraries that every test of the core runs on."""

import os

import pytest
from hypothesis import settings

from tests.helpers import DEFAULT_BACKENDS, make_backend

# Set before jax is first imported. With x64 on, a float64 that leaks into a float32 computation
# shows in the result's dtype; with x64 off, jax would hide it.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("repeatable")

BACKENDS = os.environ.get("SYNANN_TEST_BACKENDS", ",".join(DEFAULT_BACKENDS)).split(",")


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

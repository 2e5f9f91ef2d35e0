"""Who evaluates the contraction where nobody watches the operations."""

import numpy as np
import pytest
import torch

from synann_core.contraction import array_api, jax_primitives, native, triton, unwatched


@pytest.fixture(autouse=True)
def kernels_on(monkeypatch):
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)


def test_each_library_has_its_module(xp):
    a = xp.asarray(np.ones((2, 3)))
    compiled = {"numpy": native, "numpy-readonly": native, "torch": native}
    compiled |= {"jax": jax_primitives, "jax-jit": jax_primitives}
    got = unwatched.choose(xp._namespace(), a, None, a, None)
    assert got is compiled.get(xp.name, array_api)


def test_kernels_can_be_turned_off(monkeypatch):
    a = np.ones((2, 3))
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    monkeypatch.setattr(triton, "serves", lambda *arrays: True)
    assert unwatched.choose(np, a, None, a, None) is array_api


def test_triton_takes_what_the_loops_do_not(monkeypatch):
    meta = torch.ones((2, 3), device="meta")
    seen = []
    monkeypatch.setattr(triton, "serves", lambda *arrays: seen.append(arrays) or True)
    assert unwatched.choose(torch, meta, None, meta, None) is triton
    assert len(seen) == 1
    plain = torch.ones((2, 3))
    assert unwatched.choose(torch, plain, None, plain, None) is native


def test_inside_an_operation_watchers_are_asked_again():
    plain, leaf = torch.ones((2, 3)), torch.ones((2, 3), requires_grad=True)
    assert unwatched.choose_inside(torch, plain, None, plain, None) is native
    assert unwatched.choose_inside(torch, leaf, None, plain, None) is array_api
    a = np.ones((2, 3))
    assert unwatched.choose_inside(np, a, None, a, None) is native  # only torch has watchers

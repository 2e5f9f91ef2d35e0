"""Which arrays reach the compiled loops, and how they come back."""

import array_api_compat.numpy as xp
import numpy as np
import pytest
from array_api_compat import torch as torch_xp

from synann_core.native import host


def test_numpy_arrays_are_served_but_for_long_doubles():
    assert host.serves(xp, np.ones(2), None, np.ones(3, np.float32))
    assert not host.serves(xp, np.ones(2), np.ones(2, np.longdouble))


def test_tensors_on_the_cpu_are_served_and_other_arrays_are_not():
    import array_api_strict
    import torch

    assert host.serves(torch_xp, torch.ones(2), None)
    assert not host.serves(torch_xp, torch.ones(2, device="meta"))
    assert not host.serves(array_api_strict, array_api_strict.ones(2))


@pytest.mark.parametrize("value", ["off", "OFF"])
def test_an_environment_variable_turns_the_loops_off(monkeypatch, value):
    monkeypatch.setenv("SYNANN_KERNELS", value)
    assert not host.serves(xp, np.ones(2))


def test_contiguous_memory_is_not_copied():
    a = np.arange(6.0).reshape(2, 3)
    assert host.contiguous(a) is a
    turned = host.contiguous(a.T)
    assert turned.flags.c_contiguous
    assert np.array_equal(turned, a.T)


def test_views_are_read_only_and_none_stays_none():
    a = np.zeros(3)
    assert not host.read_only(a).flags.writeable
    assert a.flags.writeable
    assert host.read_only(None) is None


def test_results_come_back_in_the_callers_library():
    import torch

    a = np.ones(3)
    assert host.wrap(a, a) is a
    tensor = host.wrap(a, torch.ones(1))
    assert isinstance(tensor, torch.Tensor)
    a[0] = 5.0
    assert float(tensor[0]) == 5.0  # the same memory

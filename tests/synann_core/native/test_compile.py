"""How the loops are compiled."""

import numba
import pytest

from synann_core.native import compile


@compile.njit
def ratio(a, b):
    return a / b


def test_division_by_zero_follows_ieee():
    assert ratio(1.0, 0.0) == float("inf")


def test_pythons_lock_is_released_and_code_is_kept():
    assert ratio.targetoptions["nogil"]
    assert not ratio.targetoptions.get("fastmath")
    assert "cache" in repr(type(ratio._cache)).lower()


def test_without_a_folder_to_write_to_code_is_not_kept(monkeypatch):
    real, asked = numba.njit, []

    def njit(function, **options):
        asked.append(options)
        if options.pop("cache", False):
            raise RuntimeError("no locator available")
        return real(function, **options)

    monkeypatch.setattr(numba, "njit", njit)
    compiled = compile.njit(lambda a: a + 1)
    assert compiled(1) == 2
    assert [options.get("cache", False) for options in asked] == [False, False]  # popped
    with pytest.raises(RuntimeError):
        njit(lambda a: a, cache=True)

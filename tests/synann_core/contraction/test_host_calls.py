"""The contraction as calls out of a graph; tests/synann_keras has those of tensorflow."""

import numpy as np
import pytest

from synann_core.contraction import array_api, dispatch, host_calls, native, recorded, unwatched
from synann_core.contraction.factors import probability_factors, surprisal_factors
from tests.helpers import EPS, assert_close
from tests.synann_core.contraction.test_recorded import Graphs


class Calling(Graphs):
    """A namespace whose graphs can call functions of NumPy arrays: where `calls` says so."""

    calls = True

    def call_host(self, function, otherwise, *arrays):
        return function(*arrays) if self.calls else otherwise(*arrays)

    def pull_back(self, function, arrays, upstream):
        return ["pulled back", function(*arrays), upstream]


@pytest.fixture(autouse=True)
def kernels_on(monkeypatch):
    monkeypatch.delenv("SYNANN_KERNELS", raising=False)


def problem(make=probability_factors):
    rng = np.random.default_rng(0)
    return make(rng.random((3, 7)), rng.random((4, 7)), xp=np), rng.normal(size=(3, 4))


@pytest.mark.parametrize("make", [probability_factors, surprisal_factors])
def test_kernels_or_operations(make):
    factors, grad = problem(make)
    names = Calling()
    for calls, module in ((True, native), (False, array_api)):
        names.calls = calls
        value = host_calls.forward(factors, xp=names)
        gradients = host_calls.vjp(factors, grad, xp=names)
        for got, want in zip(value, native.forward(factors, xp=np), strict=True):
            assert_close(got, want, 0.0 if module is native else 32 * EPS["float64"])
        for got, want in zip(gradients, native.vjp(factors, grad, xp=np), strict=True):
            assert_close(got, want, 0.0 if module is native else 64 * EPS["float64"])


def test_second_derivatives_are_those_of_the_operations():
    (factors, grad), names = problem(), Calling()
    host_calls.vjp(factors, grad, xp=names)
    ((second, arrays),) = names.noted
    assert [a is None for a in arrays] == [False, True, False, True, False]
    said, results, upstream = second(*arrays, "of gy", "of gbeta")
    assert (said, upstream) == ("pulled back", ("of gy", "of gbeta"))
    for got, want in zip(results, native.vjp(factors, grad, xp=np), strict=True):
        assert_close(got, want, 64 * EPS["float64"])


def test_functions_are_the_same_objects():
    """A library that knows them by their identity can keep them."""
    assert host_calls._kernels("vjp", 0.5, 4) is host_calls._kernels("vjp", 0.5, 4)


def test_who_is_served(monkeypatch):
    names, a = Calling(), np.ones((2, 3))
    assert unwatched.choose(names, a, None, a) is host_calls
    assert dispatch.choose(names, a, None, a) is recorded
    assert dispatch.variant(names, a, a) == "native"
    assert unwatched.choose(names, a, None, a.astype(np.float16)) is array_api
    assert unwatched.choose(Graphs(), a, None, a) is array_api  # graphs that cannot call
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    assert unwatched.choose(names, a, None, a) is array_api
    assert dispatch.variant(names, a, a) == "array-api"

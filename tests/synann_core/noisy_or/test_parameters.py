"""Parameters of networks: predictions against the definition, and what is refused."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from synann_core.noisy_or import NoisyOr
from tests.helpers import EPS, assert_relative
from tests.synann_core.noisy_or.networks import sparse_pair


@pytest.fixture
def model():
    rng = np.random.default_rng(5)
    return NoisyOr(rng.uniform(0.02, 0.2, 6), rng.uniform(0.005, 0.1, 8), rng.random((8, 6)))


def by_hand(model, y):
    """Probability of each finding, from the definition."""
    absent = [
        (1 - leak) * np.prod([1 - b * v for b, v in zip(row, y, strict=True)])
        for leak, row in zip(model.leak, model.beta, strict=True)
    ]
    return 1 - np.array(absent)


def test_probabilities_are_those_of_the_definition(model):
    y = (np.random.default_rng(0).random((20, 6)) < 0.3).astype(float)
    want = [by_hand(model, row) for row in y]
    np.testing.assert_allclose(model.predict(y), want, rtol=1e-13)


def test_uncertain_causes_give_the_mean_over_certain_ones(model):
    q = np.random.default_rng(1).random(6)
    mean = 0
    for y in itertools.product([0.0, 1.0], repeat=6):
        mean += np.prod(np.where(y, q, 1 - q)) * model.predict(np.array(y))
    np.testing.assert_allclose(model.predict(q), mean, rtol=1e-12)


def test_float32_stays_float32(model):
    y = np.random.default_rng(2).random((3, 6))
    found = model.absence_surprisal(y.astype(np.float32))
    assert found.dtype == np.float32
    # −log(1 − βy) magnifies the rounding of β and y by 1/(1 − βy).
    assert_relative(found, model.absence_surprisal(y), 100 * EPS["float32"])


def test_certain_links_and_no_leak():
    model = NoisyOr([0.5], [0.0], [[1.0]])
    np.testing.assert_array_equal(model.predict([[0.0], [1.0]]), [[0.0], [1.0]])
    np.testing.assert_array_equal(model.absence_surprisal([1.0]), [np.inf])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prior": [-0.1, 0.5]}, r"`prior` must be in \[0, 1\]. Received: -0.1 at 0"),
        ({"prior": [1.1, 0.5]}, r"`prior` must be in \[0, 1\]"),
        ({"prior": [], "beta": [[]]}, "at least one finding and one cause"),
        ({"protection": [[0.5]]}, r"`protection` must have shape \(1, 2\)"),
        ({"protection": [[0.5, 2.0]]}, r"`protection` must be in \[0, 1\]"),
        ({"causes": ["a"]}, "`causes` must hold 2 different names. Received: 1 names"),
        ({"causes": ["a", "a"]}, "`causes` must hold 2 different names. Received: 'a' twice"),
        ({"leak": [1.0]}, r"`leak` must be in \[0, 1\)"),
        ({"beta": [[0.5, 1.1]]}, r"`beta` must be in \[0, 1\]"),
        ({"beta": [[0.5, np.nan]]}, "`beta` must be in"),
        ({"beta": [[0.5]]}, r"must have the shapes.*Received: \(2,\), \(1,\) and \(1, 1\)"),
        ({"leak": [[0.5]]}, "must have the shapes"),
    ],
)
def test_parameters_out_of_range_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        NoisyOr(**{"prior": [0.1, 0.2], "leak": [0.1], "beta": [[0.5, 0.6]], **change})


def test_causes_may_be_any_numbers(model):
    causes = np.eye(6)
    want = model.predict(causes)
    for kind in (int, bool, np.uint8, np.float16):
        got = model.predict(causes.astype(kind))
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(model.predict([[1, 0, 0, 0, 0, 0]]), want[:1])


@pytest.mark.parametrize(
    ("causes", "error", "message"),
    [
        (["a"] * 6, TypeError, "`causes` must hold real numbers. Received: strings"),
        (
            np.full(6, 1.0000001),
            ValueError,
            r"`causes` must be in \[0, 1\]. Received: 1.0000001 at 0",
        ),
        (np.zeros((2, 5)), ValueError, r"`causes` must have shape \(..., 6\). Received"),
        (np.full(6, 1.5), ValueError, r"`causes` must be in \[0, 1\]"),
        (np.full(6, np.nan), ValueError, "`causes` must be in"),
    ],
)
def test_causes_that_do_not_fit_are_named(model, causes, error, message):
    with pytest.raises(error, match=message):
        model.predict(causes)


@pytest.mark.parametrize("protection", [False, True])
@pytest.mark.parametrize("definite", [True, False])
def test_a_sparse_network_predicts_as_the_dense_one(protection, definite):
    dense, sparse = sparse_pair(protection)
    y = np.random.default_rng(4).random((3, 5, 6))
    y = np.round(y) if definite else y
    np.testing.assert_allclose(sparse.predict(y), dense.predict(y), rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        sparse.absence_surprisal(y), dense.absence_surprisal(y), rtol=1e-13, atol=1e-15
    )


def test_protection_blocks_whatever_brought_it_about():
    model, _ = sparse_pair(protection=True)
    for y in itertools.product([0.0, 1.0], repeat=6):
        spared = np.prod(1 - model.protection * y, axis=1)
        want = by_hand(model, y) * spared
        np.testing.assert_allclose(model.predict(np.array(y)), want, rtol=1e-13)


def test_uncertain_causes_with_protection_give_the_mean():
    model, _ = sparse_pair(protection=True)
    q = np.random.default_rng(1).random(6)
    mean = 0
    for y in itertools.product([0.0, 1.0], repeat=6):
        mean += np.prod(np.where(y, q, 1 - q)) * model.predict(np.array(y))
    np.testing.assert_allclose(model.predict(q), mean, rtol=1e-12, atol=1e-15)


def test_the_representation_counts():
    dense, sparse = sparse_pair(protection=True)
    assert repr(sparse) == repr(dense)
    assert repr(NoisyOr([0.1], [0.1], [[0.0]])) == "NoisyOr(1 cause, 1 finding, 0 links)"


@pytest.mark.parametrize("names", [[None, "a"], ["a", 3], {"a", "b"}, "ab"])
def test_names_are_a_sequence_of_strings(names):
    with pytest.raises(TypeError, match="`causes` must be"):
        NoisyOr([0.1, 0.1], [0.1], [[0.5, 0.5]], causes=names)


def test_dense_and_sparse_links_do_not_mix():
    with pytest.raises(TypeError, match="`beta` and `protection` must both be dense"):
        NoisyOr([0.1], [0.1], [[0.5]], protection=csr_array([[0.5]]))

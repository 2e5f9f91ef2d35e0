"""The search for hidden causes: its probabilities, and that it finds what explains the data."""

import numpy as np
import pytest

from synann_core.noisy_or.annealing import Bits, search


def world(seed, causes=4, samples=40, findings=24):
    rng = np.random.default_rng(seed)
    has, links = rng.random((samples, causes)) < 0.3, rng.random((causes, findings)) < 0.3
    return (has.astype(int) @ links > 0).astype(float), has, links


def test_the_score_is_the_probability_of_all_bits():
    rng = np.random.default_rng(0)
    has = (rng.random((2, 5, 3)) < 0.5).astype(np.float32)
    links = (rng.random((2, 3, 4)) < 0.5).astype(np.float32)
    cells = rng.integers(0, 3, (5, 4)).astype(np.int8)
    empty = np.array([[0.9, 0.2, 0.1], [0.8, 0.3, 0.05]])
    found = Bits(has, links, empty).score(cells)
    for r in range(2):
        p = 1 - empty[r][np.minimum(has[r] @ links[r], 2).astype(int)]
        data = np.log(np.choose(cells, [1 - p, p, np.ones_like(p)])).sum()
        for bits in (has[r], links[r].ravel()):
            share = (bits.sum(axis=0) + 1) / (len(bits) + 2)
            data += np.log(np.where(bits, share, 1 - share)).sum()
        assert found[r] == pytest.approx(data, rel=1e-6)


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_the_causes_that_made_the_data_are_found(missing):
    X, _, links = world(1)
    rng = np.random.default_rng(2)
    X[rng.random(X.shape) < missing] = np.nan
    _, found, leak, strength = search(X, 4, rng, restarts=8)
    assert sorted(map(tuple, found > 0.5)) == sorted(map(tuple, links))
    assert leak < 0.05
    assert strength > 0.9


def test_causes_that_nothing_needs_have_no_links():
    X, *_ = world(3, causes=2)
    has, found, *_ = search(X, 5, np.random.default_rng(4), restarts=8)
    needed = (found > 0.5).any(axis=1) & (has > 0.5).any(axis=0)
    assert needed.sum() == 2


def test_the_same_numbers_give_the_same_causes():
    X, *_ = world(5)
    first, second = (search(X, 3, np.random.default_rng(6), restarts=3) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_data_without_news(value):
    has, links, *_ = search(np.full((6, 5), value), 2, np.random.default_rng(0), restarts=2)
    assert np.isfinite(has).all()
    assert np.isfinite(links).all()

"""Equal samples are counted once, with weights, unknown findings and the leak's prior."""

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array

from synann_core.noisy_or import samples as checked
from synann_core.noisy_or.parameters import unit_matrix
from synann_core.noisy_or.samples import group

LEAK = (3.0, 5.0)


def drawn(seed=0, samples=200, causes=3, findings=4, density=0.5):
    rng = np.random.default_rng(seed)
    y = (rng.random((samples, causes)) < density).astype(float)
    s = (rng.random((samples, findings)) < 0.4).astype(float)
    s[rng.random(s.shape) < 0.2] = np.nan
    return y, s, rng.integers(0, 4, samples).astype(float)


def counted(y, s, weight):
    """Counts by the set of causes, one sample after the other."""
    counts = {}
    for row, findings, w in zip(y, s, weight, strict=True):
        total = counts.setdefault(tuple(row), np.zeros((3, s.shape[1])))
        total += w * np.array([np.ones(s.shape[1]), findings == 1, np.isnan(findings)])
    counts[None] = np.array([np.full(s.shape[1], 6.0), np.full(s.shape[1], 2.0), np.zeros(4)])
    return counts


@pytest.mark.parametrize("density", [0.1, 0.5])
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_counts_are_those_of_the_samples(kind, density):
    y, s, weight = drawn(density=density)
    found = group(kind(y), checked.check_findings("s", s), weight, LEAK)
    rows = found.rows if isinstance(found.rows, np.ndarray) else found.rows.toarray()
    want = counted(y, s, weight)
    assert found.definite
    assert len(rows) == len(want)
    assert not rows[-1].any()
    for k, row in enumerate(rows):
        total, present, unknown = want[tuple(row) if k < len(rows) - 1 else None]
        assert found.total[k] == total[0]
        np.testing.assert_array_equal(found.present.toarray()[k], present)
        np.testing.assert_array_equal(found.unknown.toarray()[k], unknown)


def test_uncertain_causes_are_counted_too():
    y, s, weight = drawn()
    y[:100] *= 0.5
    found = group(y, checked.check_findings("s", s), weight, LEAK)
    want = counted(y, s, weight)
    assert not found.definite
    assert len(found.rows) == len(want)
    for k, row in enumerate(found.rows[:-1]):
        np.testing.assert_array_equal(found.present.toarray()[k], want[tuple(row)][1])


def test_few_causes_are_kept_sparse():
    y, s, weight = drawn(causes=40, density=0.05)
    assert isinstance(group(y, checked.check_findings("s", s), weight, LEAK).rows, csr_array)


@pytest.mark.parametrize("kind", [np.asarray, coo_array, lambda s: s.astype(bool)])
def test_findings_are_stored_once(kind):
    s = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = checked.check_findings("s", kind(s))
    assert found.nnz == 2
    np.testing.assert_array_equal(found.toarray(), s)


def test_the_caller_keeps_its_sparse_arrays():
    y = csr_array(([0.0, 1.0, 0.5], [0, 1, 1], [0, 2, 3]), shape=(2, 2))
    assert unit_matrix("y", y).nnz == 2
    assert checked.check_findings("s", csr_array(([0.0, 1.0], [0, 1], [0, 2]))).nnz == 1
    assert y.nnz == 3


@pytest.mark.parametrize(
    ("causes", "message"),
    [
        ([[np.nan, 0.5]], "must be 0, 1 or NaN, with NaN in it. Received: 0.5"),
        ([[np.nan, 1.0], [np.nan, 0.0]], "must know each cause .* column 0 of NaN"),
        (np.full((2, 13), np.nan), "at most 12 unknown causes in a sample. Received: 13"),
        ([[np.nan, 2.0]], r"`Y` must be in \[0, 1\]"),
    ],
)
def test_missing_causes_out_of_range_are_named(causes, message):
    with pytest.raises(ValueError, match=message):
        checked.check_missing_causes("Y", np.array(causes))


def test_what_is_missing():
    assert checked.has_missing(np.array([[np.nan, 1.0]]))
    assert not checked.has_missing(np.array([[0.0, 1.0]]))
    assert not checked.has_missing(csr_array(np.array([[0.0, 1.0]])))

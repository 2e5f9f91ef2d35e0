"""Folds of splitters and of pairs, and what is not folds."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from synann_core.tabular import OddsNetwork
from synann_core.tabular.folds import fold_masks

LABEL, WEIGHT = np.array([0, 1, 0, 1]), np.array([1.0, 1.0, 1.0, 0.0])


@pytest.mark.parametrize(
    "cv",
    [
        StratifiedKFold(2),
        StratifiedKFold(2).split(LABEL, LABEL),
        [([2, 3], [0, 1]), (np.array([0, 1]), [-2, -1])],
        [([False, False, True, True], [0, 1]), ((0, 1), np.array([2, 3], np.uint8))],
    ],
)
def test_rows_of_splitters_and_pairs(cv):
    train, test = fold_masks(cv, LABEL, np.ones(4))
    assert train.tolist() == [[False, False, True, True], [True, True, False, False]]
    np.testing.assert_array_equal(test, ~train)


@pytest.mark.parametrize(
    ("cv", "kind", "message"),
    [
        ([], ValueError, "rows to learn from, of positive weight. Received: no fold"),
        ("a", TypeError, "an int, a splitter, or pairs of rows .* Received: 'a'"),
        (0.5, TypeError, "Received: 0.5"),
        ([0, 1], TypeError, "Received: 0"),
        ([([0], [1], [2])], ValueError, "Received: 3 parts in fold 0"),
        ([([0, 4], [1])], ValueError, r"numbers of rows, below 4. Received: \[0, 4\] in fold 0"),
        ([([0], [-5])], ValueError, r"Received: \[-5\] in fold 0"),
        ([([0.0], [1])], ValueError, r"Received: \[0.0\] in fold 0"),
        ([([True], [1])], ValueError, r"Received: \[True\] in fold 0"),
        ([([[0], [1, 2]], [1])], ValueError, "in fold 0"),
        ([([], [1])], ValueError, "rows to learn from, .* Received: none in fold 0"),
        ([([0], [1]), ([0], [3])], ValueError, "rows to judge, .* Received: none in fold 1"),
    ],
)
def test_what_is_not_folds_is_named(cv, kind, message):
    with pytest.raises(kind, match=r"`cv` must .*" + message):
        fold_masks(cv, LABEL, WEIGHT)
    with pytest.raises(kind, match=r"`cv` must .*" + message):
        OddsNetwork(cv=cv).fit(np.eye(4), LABEL, sample_weight=WEIGHT)

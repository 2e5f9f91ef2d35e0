"""Findings of a table's columns, and the rule that is counted from them."""

import numpy as np
import pytest

from synann_core.tabular.odds.members import learn
from synann_core.tabular.tables import MISSING

EVENT = np.array([1.0, 1, 1, 0, 0, 0])
HOME = np.array(["rent", "rent", MISSING, "own", "own", "rent"], dtype=object)
LATE = np.array([1.0, 1, 0, 0, np.nan, 0])
AMOUNT = np.array([9.0, 7, 8, 1, 3, np.nan])


@pytest.fixture
def member():
    columns = [HOME, LATE, AMOUNT]
    return learn(["home", "late", "amount"], columns, EVENT, np.ones(6), thresholds=True)


def test_columns_become_findings(member):
    assert member.levels == [("own", "rent"), None, None]
    assert [soft is None for soft in member.soft] == [True, True, False]
    assert list(member.rule.names) == ["home = own", "home = rent", "late", "amount"]
    assert member.sizes() == [2, 1, 1]
    found = member.findings([HOME, LATE, AMOUNT])
    np.testing.assert_array_equal(found[:4, 0], [0.5, 0.5, 0.5, 1.0])
    np.testing.assert_array_equal(found[:4, 1], [1.0, 1.0, 0.5, 0.5])
    assert found[4, 2] == found[5, 3] == 0.5  # missing
    assert np.all(np.diff(found[[3, 4, 1, 2, 0], 3]) > 0)  # larger is more of a finding


def test_findings_are_counted_where_they_are_known(member):
    # One sample of each class more has each finding, and one has not.
    np.testing.assert_allclose(member.rule.given[:3], [1 / 4, 3 / 4, 3 / 5])
    np.testing.assert_allclose(member.rule.otherwise[:3], [3 / 5, 2 / 5, 1 / 4])


def test_without_thresholds_numbers_are_probabilities():
    with pytest.raises(ValueError, match="`findings` must be in"):
        learn(["amount"], [AMOUNT], EVENT, np.ones(6), thresholds=False)
    kept = learn(["amount"], [AMOUNT / 10], EVENT, np.ones(6), thresholds=False)
    np.testing.assert_array_equal(kept.findings([AMOUNT / 10])[:5, 0], AMOUNT[:5] / 10)


def test_a_calibration_is_taken_back(member):
    columns = [HOME, LATE, AMOUNT]
    z = member.log_odds(columns)
    other = member.calibrated(z, EVENT[::-1], np.ones(6))
    assert other.rule.slope < 0
    np.testing.assert_allclose(other.log_odds(columns), other.rule.slope * z + other.rule.shift)
    np.testing.assert_array_equal(other.plain().log_odds(columns), z)

"""The project's Python calls in one public call do not grow."""

import pytest

from asv_benchmarks.reports import calls

CASES = calls.cases()


def test_every_case_has_its_limit():
    assert CASES.keys() == calls.MOST.keys()


@pytest.mark.needs_kernels
@pytest.mark.parametrize("name", calls.MOST)
def test_calls_inside_the_project(name):
    counted = calls.calls(CASES[name])
    listed = "\n".join(f"{count:4}  {where}" for where, count in counted.most_common())
    assert 0 < counted.total() <= calls.MOST[name], listed


def test_calls_of_the_project_alone_are_counted():
    import numpy as np

    import synann_core as syn

    assert calls.calls(lambda: np.linalg.inv(np.eye(2))).total() == 0
    counted = calls.calls(lambda: syn.odds(0.5))
    assert counted["log_odds.py:odds"] == 1

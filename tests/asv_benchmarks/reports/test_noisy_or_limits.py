"""The report on the limits of noisy-OR inference, on tiny sizes."""

import numpy as np
import pytest

from asv_benchmarks.reports import noisy_or_limits as report


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_quick(capsys):
    report.main(["--quick"])
    text = capsys.readouterr().out
    for column in ("log(upper/lower)", "relative error", "pgmpy, ms", "ProbLog, ms"):
        assert column in text


def test_quickscore_is_right_while_nothing_cancels():
    network = report.draw_network(causes=6, findings=5)
    x = np.array([1.0, 1.0, 0.0, np.nan, 1.0])
    want = np.exp(network.log_evidence(x[None])[0])
    np.testing.assert_allclose(report.quickscore(network, x), want, rtol=1e-6)


def test_patients_have_about_as_many_findings():
    network = report.draw_network(causes=60, findings=100)
    for x in report.patients(network, 4, 3):
        assert abs(np.nansum(x) - 4) <= 2
        assert (x == 0.0).sum() == report.ABSENT

"""Problems of all findings: each as if it were the only one, in any order."""

import numpy as np
import pytest
from scipy.sparse import csc_array

from synann_core.noisy_or import NoisyOr
from synann_core.noisy_or.fits import Options, fit_findings
from synann_core.noisy_or.samples import group

TRUTH = NoisyOr([0.3, 0.2], [0.1, 0.05, 0.1], [[0.8, 0.0], [0.5, 0.6], [0.0, 0.7]])


def samples_of(findings, definite=True, rows=400):
    y, s = TRUTH.sample(rows, rng=0)
    s[::7] = np.nan
    return group(y if definite else 0.9 * y, csc_array(s[:, findings]), np.ones(rows), (4.0, 4.0))


@pytest.mark.parametrize(("definite", "protective"), [(True, False), (False, False), (True, True)])
def test_findings_share_nothing(definite, protective):
    options = Options(protective=protective).checked()
    together = fit_findings(samples_of([0, 1, 2], definite), options, errors=True)
    for finding, all_of_them in enumerate(together):
        (alone,) = fit_findings(samples_of([finding], definite), options, errors=True)
        np.testing.assert_allclose(alone.unknowns, all_of_them.unknowns, atol=1e-6)
        np.testing.assert_allclose(alone.errors, all_of_them.errors, atol=1e-4)
        assert alone.converged
        assert all_of_them.converged


def test_errors_only_where_they_are_wanted():
    fitted = fit_findings(samples_of([0]), Options().checked(), errors=False)
    assert np.isnan(fitted[0].errors).all()
    assert np.isfinite(fitted[0].unknowns).all()


def test_links_may_be_kept_out():
    allowed = np.array([[True, False], [False, True], [False, False]])
    fitted = fit_findings(samples_of([0, 1, 2]), Options().checked(), errors=False, allowed=allowed)
    found = np.array([one.unknowns[:-1] > 0 for one in fitted])
    np.testing.assert_array_equal(found, allowed)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (Options(protective=1), TypeError, "`protective` must be a bool. Received: 1"),
        (Options(iterations=0), ValueError, "`iterations` must be at least 1"),
        (Options((2.0, 1.0)), ValueError, r"`link_prior\[0\]` must be in"),
        (Options(leak_prior=(1.0, 0.5)), ValueError, r"`leak_prior\[1\]` must be in"),
        (Options(n_jobs=0), ValueError, "`n_jobs` must be -1 or positive"),
    ],
)
def test_options_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        options.checked()

"""A classifier for scikit-learn: which causes are present, by Bayes' rule in a learned network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from synann_core._lib.arguments import check_plain
from synann_core._lib.checks import check_int, check_number
from synann_core.noisy_or.fits import Options
from synann_core.noisy_or.frames import column_names
from synann_core.noisy_or.learning import check_samples, learn
from synann_core.noisy_or.missing import fit_missing_causes
from synann_core.noisy_or.parameters import is_sparse
from synann_core.noisy_or.samples import has_missing

__all__ = ["NoisyOrClassifier"]

_VALUES: dict[str, Any] = {"accept_sparse": True, "ensure_all_finite": "allow-nan"}


class NoisyOrClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Multilabel classifier: causes from findings, by Bayes' rule in a noisy-OR network.

    It learns how causes bring findings about, P(finding | causes), and turns that around. Every
    label is a cause; several may be present.

    Parameters
    ----------
    penalty : tuple of float
        (a, b) with 0 < a ≤ 1 ≤ b of the prior Beta(a, b) on every link: as `link_prior` of
        `fit_known_causes`. (0.5, 2.0) leaves fewer links.
    leak_prior : tuple of float
        (a, b), both ≥ 1, of the prior Beta(a, b) on every leak.
    protective : bool
        Whether causes may also block findings.
    iterations : int
        Most steps for a finding, ≥ 1; where they do not suffice there is a ConvergenceWarning.
    em_iter : int
        Most rounds of expectation and maximisation where causes are missing, ≥ 1, with the same
        warning.
    tol : float
        These end when a round brings less than so many nats a sample, ≥ 0.
    n_jobs : int, optional
        Processes to learn the findings in, as in `fit_known_causes`.
    verbose : bool or int
        Whether `fit` shows its progress: a bar, if tqdm is installed.

    Attributes
    ----------
    network_ : NoisyOr
        With the names of frames' columns. Sparse if Y was.
    link_errors_ : ndarray or scipy.sparse.csr_array, shape (findings, causes)
        Standard errors of the strengths β by the observed information of the data and of the leaks'
        prior. NaN where a link is at its bound, as those that are 0 are; what a sparse array does
        not store is such a link. They take the choice of links for granted, and with missing causes
        the completed data for the data: they are too small there.
    protection_errors_ : ndarray, scipy.sparse.csr_array or None
        The same for δ, of protective links.
    classes_ : list of ndarray
        0 and 1 for each cause.
    log_evidence_ : list of float
        Log-evidence a sample after each round; empty without missing causes.
    n_features_in_ : int
        Findings.
    feature_names_in_ : ndarray of str
        Their names, if X was a frame.

    Raises
    ------
    TypeError, ValueError
        By `fit`, if a parameter is out of its range.

    Notes
    -----
    `score` is scikit-learn's for labels: the share of samples all of whose causes are right.

    Examples
    --------
    >>> from synann_core.noisy_or import NoisyOr, NoisyOrClassifier
    >>> truth = NoisyOr([0.3, 0.2], [0.05, 0.05, 0.1], [[0.8, 0.0], [0.9, 0.4], [0.0, 0.7]])
    >>> causes, findings = truth.sample(2000, rng=0)
    >>> model = NoisyOrClassifier().fit(findings, causes)
    >>> model.network_
    NoisyOr(2 causes, 3 findings, 4 links)
    >>> model.predict_proba([[1.0, 1.0, 0.0], [0.0, np.nan, 1.0]]).round(1)
    array([[1. , 0.1],
           [0.1, 0.7]])
    """

    def __init__(
        self,
        *,
        penalty: tuple[float, float] = (1.0, 2.0),
        leak_prior: tuple[float, float] = (4.0, 4.0),
        protective: bool = False,
        iterations: int = 500,
        em_iter: int = 100,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.penalty = penalty
        self.leak_prior = leak_prior
        self.protective = protective
        self.iterations = iterations
        self.em_iter = em_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, Y: Any, sample_weight: ArrayLike | None = None) -> NoisyOrClassifier:
        """Learn the network.

        Parameters
        ----------
        X : array_like, frame or SciPy sparse array, shape (samples, findings)
            0 or 1; NaN where a finding was not examined.
        Y : array_like, frame or SciPy sparse array, shape (samples, causes)
            0 or 1; probabilities of uncertain causes; NaN where a cause is not known (at most 12 in
            a sample, and then no probabilities). The columns of a frame give the causes' names.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, ≥ 0.

        Returns
        -------
        NoisyOrClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            If shapes do not fit or a number is out of its range.
        """
        steps = self.iterations, self.n_jobs, self.verbose
        options = Options(self.penalty, self.leak_prior, self.protective, *steps).checked("penalty")
        rounds = check_int("em_iter", self.em_iter, 1)
        tolerance = check_number("tol", self.tol, 0.0)
        if Y is None:
            raise ValueError(
                "`Y` must hold the causes: this estimator requires y to be passed, "
                "but the target y is None. Received: None"
            )
        names = column_names(Y)
        X = check_values(self, X, reset=True)
        _check_plain("Y", Y)
        Y = check_array(Y, input_name="Y", **_VALUES)
        y, s, weight = check_samples(Y, X, sample_weight, ("Y", "X"), missing=True)
        findings = getattr(self, "feature_names_in_", None)
        named = names, None if findings is None else tuple(map(str, findings))
        self.log_evidence_: list[float] = []
        if has_missing(y):
            learned, self.log_evidence_ = fit_missing_causes(
                y, s, weight, options, rounds=rounds, tolerance=tolerance, names=named
            )
        else:
            learned = learn(y, s, weight, options, errors=True, names=named)
        learned.warn()
        self.network_ = learned.network
        self.link_errors_ = learned.link_errors
        self.protection_errors_ = learned.protection_errors
        self.classes_ = [np.array([0, 1])] * self.network_.prior.size
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return P(cause | findings) of every cause: one array, not a list with one a cause.

        Parameters
        ----------
        X : array_like, frame or SciPy sparse array, shape (samples, findings)
            1 (present), 0 (absent), NaN (not examined), or r between 0 and 1 (uncertain).

        Returns
        -------
        ndarray of float64, shape (samples, causes)
            Probabilities that the causes are present: a row need not sum to 1.

        Raises
        ------
        TypeError, ValueError
            If X does not fit or a number is out of its range.
        """
        return posterior_of(self, X)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return 1 for every cause whose probability is at least ½, else 0.

        Parameters
        ----------
        X : array_like, frame or SciPy sparse array, shape (samples, findings)
            As for `predict_proba`, with the same errors.

        Returns
        -------
        ndarray of int64, shape (samples, causes)
        """
        return (self.predict_proba(X) >= 0.5).astype(np.int64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        tags.target_tags.multi_output, tags.target_tags.single_output = True, False
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        return tags


def check_values(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Findings with the columns that the estimator has seen; with `reset` it sees them now."""
    _check_plain("X", X)
    return validate_data(estimator, X, reset=reset, **_VALUES)


def posterior_of(estimator: Any, X: Any) -> NDArray[np.float64]:
    """Posteriors in the network that the estimator has learned."""
    check_is_fitted(estimator)
    X = check_values(estimator, X, reset=False)
    probability: NDArray[np.float64] = estimator.network_.posterior(X).probability
    return probability


def _check_plain(name: str, value: Any) -> None:
    """Refuse masked arrays and the like, which scikit-learn would take for their data."""
    if not is_sparse(value):
        check_plain(name, value)

"""Tariffs: counts and rates as a base rate and factors between 0 and 1, one for each feature."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import check_int, check_option, check_range
from synann_core.models.samples import check_most, check_weights
from synann_core.tabular.tables import feature_names, order_of_words, read_values
from synann_core.tabular.targets import check_target
from synann_core.tabular.tariffs.fitting import Tariff, search
from synann_core.tabular.tariffs.loss import Family, deviance, rate_surprisals
from synann_core.tabular.tariffs.report import tariff_table
from synann_core.tabular.tariffs.terms import Constraint, first_terms

__all__ = ["LogLinkRegressor"]

Floats = NDArray[np.floating[Any]]


class LogLinkRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit counts as ``exposure · α ∏_j (1 − β_j y_j)``: a rate and multiplicative factors.

    The product is the synapse tensor, its logarithm the log-transmission: a generalised linear
    model with log link for categories, and a factor that is linear in a number.

    Parameters
    ----------
    family : {"poisson", "binomial"}
        Counts without a limit, or successes out of `exposure` trials (then α ≤ 1).
    constraints : str, or mapping from features to str
        What holds the factors of a feature; "highest" where a mapping is silent. Mappings give
        features by name or number.

        - "highest": nothing; the base is the level with the highest rate beside all other features,
          so that factors are at most 1.
        - "nonnegative": β ≥ 0 beside a base of your choice (`base`).
        - "decreasing", "increasing": the factors fall or rise in the order of the levels or with
          the number, and are at most 1.
        - "free": nothing, beside a base of your choice; factors may be above 1. With "poisson".
    base : mapping from features to levels, optional
        For "nonnegative" and "free"; otherwise the first level or the smallest number.
    levels : mapping from features to sequences, optional
        Order of their levels; otherwise the frame's, or the alphabet's.
    categorical_features : sequence of names or numbers, or of bools for all, optional
        Columns of numbers that are categories, as strings and a frame's categories always are, and
        objects unless all of them are numbers. A missing category is a level, "missing".
    max_iter : int
        Most of Newton's steps for a choice of bases, ≥ 1. Where they do not suffice there is a
        ConvergenceWarning.

    Attributes
    ----------
    alpha_ : float
        Rate where all factors are 1.
    alpha_error_ : float
        Standard error of log α; NaN if it is at its bound, 1.
    factors_ : dict of dicts
        By feature and level; of a number at its smallest and its largest value.
    errors_ : dict of dicts
        Standard errors of the factors' logarithms, by the observed information. NaN for a factor at
        a bound (1, or 0 for a level without counts), and where the data do not tell it from others;
        0 for the base. They take the bases, and what is at a bound, for granted.
    beta_ : ndarray, shape (synapses,)
        Strengths of the synapses: one for each level beside the base.
    deviance_, null_deviance_ : float
        Of the counts that were fitted, and with one rate for all.
    dispersion_ : float
        Pearson's χ² divided by its degrees of freedom: above 1 the errors are too small by its
        square root. NaN without degrees of freedom.
    n_iter_ : int
        Newton's steps.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X was a frame.

    Raises
    ------
    TypeError, ValueError
        By `fit`, if a parameter names what is not there or is out of its range.

    Notes
    -----
    Missing numbers are an error: impute them in a pipeline. In a cross-validation `exposure` gets
    to the folds by scikit-learn's metadata routing (``set_fit_request(exposure=True)``).

    A fitted model is kept with `pickle` or `joblib`: loading such a file can execute any code, so
    load only your own.

    See Also
    --------
    sklearn.linear_model.PoissonRegressor : The GLM, whose factors may be above 1.

    Examples
    --------
    >>> from synann_core.tabular import LogLinkRegressor
    >>> X = [["town", "young"], ["town", "old"], ["country", "young"], ["country", "old"]]
    >>> model = LogLinkRegressor().fit(X, [40, 20, 20, 10], exposure=[100, 100, 100, 100])
    >>> print(model.tariff())
    base rate 0.4
    feature level   factor 95 % from    to exposure counts
    x0      country  0.500     0.323 0.775      200     30
    x0      town     1.000                      200     60
    x1      old      0.500     0.323 0.775      200     30
    x1      young    1.000                      200     60
    >>> model.predict([["country", "old"]], exposure=[50]).round(2)
    array([5.])
    """

    def __init__(
        self,
        family: Family = "poisson",
        *,
        constraints: Constraint | Mapping[str, Constraint] = "highest",
        base: Mapping[str, Any] | None = None,
        levels: Mapping[str, Sequence[Any]] | None = None,
        categorical_features: Sequence[Any] | None = None,
        max_iter: int = 200,
    ) -> None:
        self.family = family
        self.constraints = constraints
        self.base = base
        self.levels = levels
        self.categorical_features = categorical_features
        self.max_iter = max_iter

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        exposure: ArrayLike | None = None,
    ) -> LogLinkRegressor:
        """Find the most likely factors.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            Categories, and finite numbers, none missing.
        y : array_like, shape (samples,)
            Counts, from 0 to 1e100, and for "binomial" at most the exposure.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, from 0 to 1e100.
        exposure : array_like, shape (samples,), optional
            Years insured, say, or trials; above 0, at most 1e100, and 1 if not given.

        Returns
        -------
        LogLinkRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            If shapes do not fit, a number is out of its range, or all counts are 0.
        """
        check_option("family", self.family, ("poisson", "binomial"))
        iterations = check_int("max_iter", self.max_iter, 1)
        columns = read_values(self, X, reset=True, categories=self.categorical_features)
        counts, size, weight = self._checked_samples(len(columns[0]), y, sample_weight, exposure)
        some = weight > 0.0
        columns = [column[some] for column in columns]
        counts, size, weight = counts[some], size[some], weight[some]
        if not weight @ counts > 0.0:
            raise ValueError("`y` must hold a count above 0. Received: none of positive weight")
        options = self.constraints, self.base, self.levels, self.family
        orders = [order_of_words(X, j) for j in range(len(columns))]
        weighted = weight * counts, weight * size
        terms = first_terms(feature_names(self), columns, self._words, orders, *options, *weighted)
        self._tariff = search(
            terms, columns, self.family, counts, size, weight, iterations=iterations
        )
        self._describe(columns, counts, size, weight)
        if not self._tariff.converged:
            warnings.warn(
                f"The factors did not converge in `max_iter`={iterations} steps. A higher limit "
                "may help.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _checked_samples(
        self,
        samples: int,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        exposure: ArrayLike | None,
    ) -> tuple[Floats, Floats, Floats]:
        """Counts, exposure and weights."""
        counts = check_target(y, samples, "the counts", np.float64)
        check_range("y", counts, 0.0)
        check_most("y", counts)
        size = self._checked_exposure(exposure, samples)
        if self.family == "binomial" and (counts > size).any():
            k = int(np.flatnonzero(counts > size)[0])
            raise ValueError(
                f"`y` must be at most the exposure. Received: {counts[k]} of {size[k]} in row {k}"
            )
        return counts, size, check_weights(sample_weight, samples)

    def _checked_exposure(self, exposure: ArrayLike | None, samples: int) -> Floats:
        if exposure is None:
            return np.ones(samples)
        size: Floats = check_range("exposure", exposure, 0.0, ends="(]").astype(np.float64)
        check_shape("exposure", size, samples)
        check_most("exposure", size)
        return size

    def _describe(
        self, columns: list[NDArray[Any]], counts: Floats, size: Floats, weight: Floats
    ) -> None:
        """Set the attributes that tell about the fit."""
        tariff: Tariff = self._tariff
        self.alpha_ = float(np.exp(-tariff.c[-1]))
        variance = tariff.covariance[-1, -1]
        self.alpha_error_ = float(np.sqrt(variance)) if variance > 0.0 else np.nan
        self.beta_ = -np.expm1(-tariff.c[:-1])
        self.factors_: dict[str, dict[Any, float]] = {}
        self.errors_: dict[str, dict[Any, float]] = {}
        self._seen: dict[str, list[tuple[float, float] | None]] = {}
        parts = zip(tariff.terms, tariff.log_factors(), columns, strict=True)
        for term, (logarithm, error), column in parts:
            self.factors_[term.name] = dict(
                zip(term.levels, np.exp(logarithm).tolist(), strict=True)
            )
            self.errors_[term.name] = dict(zip(term.levels, error.tolist(), strict=True))
            if term.numeric:
                self._seen[term.name] = [None] * len(term.levels)
                continue
            at, most = term.places(column), len(term.levels)
            seen = (np.bincount(at, weight * part, most).tolist() for part in (size, counts))
            self._seen[term.name] = list(zip(*seen, strict=True))
        mean = size * np.exp(-rate_surprisals(tariff.inputs(columns), tariff.c))
        self.deviance_ = deviance(self.family, counts, mean, size, weight)
        self.null_deviance_ = self._null_deviance(counts, size, weight)
        spread = mean if self.family == "poisson" else mean * (1.0 - mean / size)
        chi = weight @ ((counts - mean) ** 2 / np.maximum(spread, 1e-300))
        freedom = len(counts) - int(np.sum(tariff.covariance.diagonal() > 0.0))
        self.dispersion_ = float(chi / freedom) if freedom > 0 else np.nan
        self.n_iter_ = tariff.steps

    def _null_deviance(self, counts: Floats, size: Floats, weight: Floats) -> float:
        rate = (weight @ counts) / (weight @ size)
        return deviance(self.family, counts, rate * size, size, weight)

    def predict(self, X: Any, exposure: ArrayLike | None = None) -> Floats:
        """Return the expected counts; without an exposure these are the rates.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            As for `fit`. A number beyond those seen counts as the nearest of them.
        exposure : array_like, shape (samples,), optional

        Returns
        -------
        ndarray of float64, shape (samples,)

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or holds a level that `fit` has not seen.
        """
        columns = self._columns(X)
        size = self._checked_exposure(exposure, len(columns[0]))
        tariff: Tariff = self._tariff
        return size * np.exp(-rate_surprisals(tariff.inputs(columns), tariff.c))

    def _columns(self, X: Any) -> list[NDArray[Any]]:
        check_is_fitted(self)
        return read_values(self, X, reset=False)

    def explain(self, X: Any) -> Floats:
        """Return the factor of each feature, exactly: rate = `alpha_` · their product.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            As for `predict`, with the same errors.

        Returns
        -------
        ndarray of float64, shape (samples, features)
        """
        columns, tariff, start, factors = self._columns(X), self._tariff, 0, []
        for term, column in zip(tariff.terms, columns, strict=True):
            stop = start + len(term.levels) - 1
            part = np.r_[tariff.c[start:stop], 0.0]
            factors.append(np.exp(-rate_surprisals(term.inputs(column), part)))
            start = stop
        return np.stack(factors, axis=1)

    def score(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        exposure: ArrayLike | None = None,
    ) -> float:
        """Return D², the share of the deviance that the factors explain; at most 1.

        Parameters and errors are those of `fit`; the rate to compare with is that of these samples.
        """
        mean = self.predict(X, exposure)
        counts, size, weight = self._checked_samples(len(mean), y, sample_weight, exposure)
        null = self._null_deviance(counts, size, weight)
        left = deviance(self.family, counts, mean, size, weight)
        if null > 0.0:
            return 1.0 - left / null
        return 1.0 if left == 0.0 else 0.0

    def tariff(self, names: Sequence[str] | None = None) -> str:
        """Return the tariff as a table: factors with 95 % intervals, exposure and counts.

        An interval is left out for the base and for what stands at a bound.

        Parameters
        ----------
        names : sequence of str, optional
            What to call the features, where X was not a frame.

        Raises
        ------
        ValueError
            If there are not as many names as features.
        """
        check_is_fitted(self)
        known = list(self.factors_) if names is None else list(names)
        if len(known) != self.n_features_in_:
            raise ValueError(f"`names` must be {self.n_features_in_} names. Received: {known}")
        factors, errors = list(self.factors_.values()), list(self.errors_.values())
        return tariff_table(self.alpha_, known, factors, errors, list(self._seen.values()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.string = True
        tags.target_tags.positive_only = True
        return tags

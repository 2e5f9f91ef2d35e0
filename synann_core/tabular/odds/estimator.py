"""A classifier for scikit-learn: Bayes' rule on a table's findings, in log-odds one can add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from synann_core._lib.checks import check_int
from synann_core.log_odds import expit
from synann_core.models import Explanation
from synann_core.models.explanations import summed_by_feature
from synann_core.tabular.folds import Masks, fold_masks
from synann_core.tabular.odds.bayes_rule import BayesRule
from synann_core.tabular.odds.thresholds import SoftThresholds
from synann_core.tabular.tables import MISSING, feature_names, read_values
from synann_core.tabular.targets import check_known, check_several, labels_and_weights

__all__ = ["OddsNetwork"]

Floats = NDArray[np.floating[Any]]
_Columns = list[NDArray[Any]]


class OddsNetwork(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classify two classes by Bayes' rule: odds of the second, times a ratio for every finding.

    A number is a finding that it is larger (or smaller) than usual, with a probability; a category
    is the finding of its word. What is missing says nothing.

    Parameters
    ----------
    thresholds : bool
        Whether numbers are measurements, which become findings by `SoftThresholds`; columns of 0
        and 1 never do. Otherwise they must be probabilities, in [0, 1].
    cv : int, splitter, iterable of pairs of rows, or None
        Folds for the calibration of the log-odds, as scikit-learn has them. Findings that repeat
        each other make the odds too large, and the calibration takes that back; None leaves it out.
        An int is lowered to the number of samples that count in the smaller class; 1 of these
        leaves it out, too. The rows to learn from and those to judge must hold both classes.
    categorical_features : sequence of names or numbers, or of bools for all, optional
        Columns of numbers that are categories, as strings and a frame's categories always are, and
        objects unless all of them are numbers.

    Attributes
    ----------
    rule_ : BayesRule
        The findings' likelihoods, slope and shift, and the network as a graph of synapses.
    classes_ : ndarray, shape (2,)
        The odds are those of the second.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X was a frame.

    Raises
    ------
    TypeError, ValueError
        By `fit`, if a parameter or the data do not fit.

    Notes
    -----
    A weight of 2 is exactly a repeated sample with ``cv=None``, or with folds that keep repeated
    samples together. With an int it is nearly so: repeated samples fall into several folds, and
    all folds are others. Weights are numbers of samples: those far below 1 leave every finding
    near ½, for a class counts as if it had two samples more (`BayesRule.from_counts`).

    A fitted network is kept with `pickle` or `joblib`: loading such a file can execute any code, so
    load only your own.

    See Also
    --------
    BayesRule : The rule alone, which needs no scikit-learn.
    SoftThresholds : How numbers become findings.

    Examples
    --------
    >>> from synann_core.tabular import OddsNetwork
    >>> X = [["own", 1], ["own", 0], ["rent", 1], ["rent", 1], ["own", 0], ["rent", 0]]
    >>> model = OddsNetwork(cv=None).fit(X, ["good", "good", "bad", "bad", "good", "good"])
    >>> model.predict([["rent", 1], [None, 0]])
    array(['bad', 'good'], dtype='<U4')
    >>> model.explain([["rent", 1]]).names
    ('x0', 'x1')
    """

    rule_: BayesRule

    def __init__(
        self,
        *,
        thresholds: bool = True,
        cv: Any = 5,
        categorical_features: Sequence[Any] | None = None,
    ) -> None:
        self.thresholds = thresholds
        self.cv = cv
        self.categorical_features = categorical_features

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> OddsNetwork:
        """Count the findings of both classes, and calibrate the log-odds out of fold.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            Finite numbers, NaN where missing, and categories, None or NaN where missing.
        y : array_like, shape (samples,)
            Two classes, numbers or strings; ``classes_`` has them sorted.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, from 0 to 1e100.

        Returns
        -------
        OddsNetwork
            Itself.

        Raises
        ------
        TypeError, ValueError
            If shapes do not fit, a number is out of its range, or there is one class or a third.
        """
        columns = read_values(
            self, X, reset=True, categories=self.categorical_features, allow_missing=True
        )
        labels, weight = labels_and_weights(y, sample_weight, len(columns[0]))
        kind = type_of_target(labels, input_name="y")
        if kind != "binary":
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{kind}. Received: `y` of {len(np.unique(labels))} classes"
            )
        check_several(labels, weight)
        self.classes_ = np.unique(labels)
        event = (labels == self.classes_[1]).astype(np.float64)
        train_masks, test_masks = self._folds(event, weight)
        unseen, judged = np.zeros(len(event)), test_masks.any(axis=0)
        for train, rest in zip(train_masks, test_masks, strict=True):
            self._learn([column[train] for column in columns], event[train], weight[train])
            unseen[rest] = self.rule_.log_odds(self._findings([column[rest] for column in columns]))
        self._learn(columns, event, weight)
        if judged.any():
            at = np.flatnonzero(judged)
            self.rule_ = self.rule_.calibrated(unseen[at], event[at], sample_weight=weight[at])
        return self

    def _folds(self, event: Floats, weight: Floats) -> tuple[Masks, Masks]:
        """Rows to learn from and rows to judge, each of shape (folds, samples)."""
        cv, used = self.cv, np.flatnonzero(weight > 0.0)
        none = np.zeros((0, len(event)), dtype=bool)
        if cv is None:
            return none, none
        if isinstance(cv, int | np.integer):
            share = event[used]
            smaller = int(min(share.sum(), len(share) - share.sum()))
            count = min(check_int("cv", cv, 2), smaller)
            if count < 2:
                return none, none
            pairs = StratifiedKFold(count).split(used, share)
            cv = [(used[train], used[rest]) for train, rest in pairs]
        train, test = fold_masks(cv, event, weight)
        judged: Masks = np.any(test, axis=0, keepdims=True)
        for masks, what in ((train, "learn from"), (judged, "judge")):
            for k in range(len(masks)):
                if len(np.unique(event[masks[k] & (weight > 0.0)])) < 2:
                    where = f" in fold {k}" if masks is train else ""
                    raise ValueError(
                        f"`cv` must give rows of both classes to {what}. Received: one class{where}"
                    )
        return train, test

    def _learn(self, columns: _Columns, event: Floats, weight: Floats) -> None:
        """Count, without a calibration."""
        self._levels: list[tuple[str, ...] | None] = []
        self._soft: list[SoftThresholds | None] = []
        names = []
        for name, column in zip(feature_names(self), columns, strict=True):
            levels, soft = None, None
            if column.dtype == object:
                levels = tuple(sorted(set(column) - {MISSING}))
                names += [f"{name} = {level}" for level in levels]
            else:
                names.append(name)
                known = column[~np.isnan(column)]
                if self.thresholds and not np.isin(known, (0.0, 1.0)).all():
                    soft = SoftThresholds.from_training(
                        column[:, None], event, sample_weight=weight
                    )
            self._levels.append(levels)
            self._soft.append(soft)
        findings = self._findings(columns, counted=True)
        self.rule_ = BayesRule.from_counts(findings, event, names=names, sample_weight=weight)

    def _findings(self, columns: _Columns, *, counted: bool = False) -> Floats:
        """Findings with ½ for what is missing and for words beside the one that is there.

        To be counted, these are NaN and 0.
        """
        nothing, parts = np.nan if counted else 0.5, []
        for levels, soft, column in zip(self._levels, self._soft, columns, strict=True):
            if levels is not None:
                there = column[:, None] == np.array(levels, dtype=object)
                found = np.where(there, 1.0, 0.0 if counted else 0.5)
                found[column == MISSING] = nothing
                parts.append(found)
                continue
            missing = np.isnan(column)
            found = np.where(missing, 0.0, column)[:, None]
            found = found if soft is None else soft(found)
            parts.append(np.where(missing[:, None], nothing, found))
        return np.hstack(parts)

    def calibrate(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> OddsNetwork:
        """Fit slope and shift of the log-odds anew, on samples that `fit` has not seen.

        Parameters and errors are those of `fit`.

        Returns
        -------
        OddsNetwork
            Itself.
        """
        findings = self.findings(X)
        labels, weight = labels_and_weights(y, sample_weight, len(findings))
        check_known(labels, self.classes_)
        check_several(labels, weight)
        rule = self.rule_
        plain = BayesRule(rule.prior, rule.given, rule.otherwise, rule.names)
        event = (labels == self.classes_[1]).astype(np.float64)
        self.rule_ = plain.calibrated(plain.log_odds(findings), event, sample_weight=weight)
        return self

    def findings(self, X: Any) -> Floats:
        """Return what the network is told: probabilities, ½ where there is no news.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)

        Returns
        -------
        ndarray of float64, shape (samples, findings)
            In the order of ``rule_.names``.

        Raises
        ------
        TypeError, ValueError
            If X does not fit.
        """
        check_is_fitted(self)
        return self._findings(read_values(self, X, reset=False, allow_missing=True))

    def decision_function(self, X: Any) -> Floats:
        """Return the log-odds of the second class.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            As for `fit`. A word that `fit` has not seen says nothing.

        Returns
        -------
        ndarray of float64, shape (samples,)

        Raises
        ------
        TypeError, ValueError
            If X does not fit.
        """
        findings = self.findings(X)
        log_odds: Floats = self.rule_.log_odds(findings)
        return log_odds

    def predict_proba(self, X: Any) -> Floats:
        """Return the probabilities of both classes, shape (samples, 2).

        Arguments and errors are those of `decision_function`.
        """
        log_odds = self.decision_function(X)
        return np.stack([expit(-log_odds), expit(log_odds)], axis=1)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the more probable class of each sample, shape (samples,).

        Arguments and errors are those of `decision_function`.
        """
        second = self.decision_function(X) > 0.0
        classes: NDArray[Any] = self.classes_[second.astype(int)]
        return classes

    def explain(self, X: Any) -> Explanation:
        """Take the log-odds of the second class apart, exactly, by feature.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)

        Returns
        -------
        Explanation
            ``constant`` (1,), what is known without findings; ``parts`` (samples, 1, features), of
            a category the sum over its words; the features' names. ``ranked(0, 0)`` lists those
            of the first sample, the largest first.

        Raises
        ------
        TypeError, ValueError
            If X does not fit.
        """
        findings = self.findings(X)
        constant, parts = self.rule_.explain(findings)
        sizes = [1 if levels is None else len(levels) for levels in self._levels]
        whole: Any = summed_by_feature(parts, sizes)[:, None, :]
        first: Any = np.array([constant])
        return Explanation(first, whole, tuple(feature_names(self)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        tags.classifier_tags.multi_class = False
        return tags

"""A classifier for scikit-learn: Bayes' rule on a table's findings, in log-odds one can add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from synann_core._lib.checks import check_bool, check_int
from synann_core.log_odds import expit
from synann_core.models import Explanation
from synann_core.models.explanations import summed_by_feature
from synann_core.tabular.folds import Masks, fold_masks
from synann_core.tabular.odds.bayes_rule import BayesRule
from synann_core.tabular.odds.members import Member, learn
from synann_core.tabular.tables import feature_names, read_values
from synann_core.tabular.targets import check_known, check_several, labels_and_weights

__all__ = ["OddsNetwork"]

Floats = NDArray[np.floating[Any]]
_Columns = list[NDArray[Any]]


class OddsNetwork(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classify by Bayes' rule: odds of a class, times a ratio for every finding.

    A number is a finding that it is larger (or smaller) than usual, with a probability; a category
    is the finding of its word. What is missing says nothing. Of two classes the odds are those of
    the second; of several each has odds against all others, and a rule of its own.

    Parameters
    ----------
    thresholds : bool
        Whether numbers are measurements, which become findings by `SoftThresholds`; columns of 0
        and 1 never do. Otherwise they must be probabilities, in [0, 1].
    cv : int, splitter, iterable of pairs of rows, or None
        Folds for the calibration of the log-odds, as scikit-learn has them. Findings that repeat
        each other make the odds too large, and the calibration takes that back; None leaves it out.
        An int is lowered to the number of samples that count in the smallest class; 1 of these
        leaves it out, too. The rows to learn from and those to judge must hold all classes.
    categorical_features : sequence of names or numbers, or of bools for all, optional
        Columns of numbers that are categories, as strings and a frame's categories always are, and
        objects unless all of them are numbers.

    Attributes
    ----------
    rules_ : list of BayesRule
        The findings' likelihoods, slope and shift, and the network as a graph of synapses: of the
        second of two classes, or of each of several.
    rule_ : BayesRule
        The only one of two classes.
    classes_ : ndarray, shape (classes,)
        Those that count, sorted.
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

    _members: list[Member]

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
            Two classes or more, numbers or strings; ``classes_`` has them sorted.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, from 0 to 1e100.

        Returns
        -------
        OddsNetwork
            Itself.

        Raises
        ------
        TypeError, ValueError
            If shapes do not fit, a number is out of its range, or there is one class.
        """
        check_bool("thresholds", self.thresholds)
        columns = read_values(
            self, X, reset=True, categories=self.categorical_features, allow_missing=True
        )
        labels, weight = labels_and_weights(y, sample_weight, len(columns[0]))
        check_several(labels, weight)
        self.classes_ = np.unique(labels[weight > 0.0])
        code = np.searchsorted(self.classes_, labels).astype(np.float64)
        train_masks, test_masks = self._folds(code, weight)
        judged = np.flatnonzero(test_masks.any(axis=0))
        self._members = []
        for event in self._events(labels):
            member = self._learn(columns, event, weight)
            unseen = np.zeros(len(event))
            for train, rest in zip(train_masks, test_masks, strict=True):
                part = self._learn(
                    [column[train] for column in columns], event[train], weight[train]
                )
                unseen[rest] = part.log_odds([column[rest] for column in columns])
            if judged.size:
                member = member.calibrated(unseen[judged], event[judged], weight[judged])
            self._members.append(member)
        return self

    def _events(self, labels: NDArray[Any]) -> list[Floats]:
        """Whether a sample is of the class, 0 or 1, for each rule."""
        return [(labels == label).astype(np.float64) for label in self._ruled()]

    def _ruled(self) -> NDArray[Any]:
        """Classes with a rule of their own: of two the second, else each."""
        classes: NDArray[Any] = self.classes_
        return classes[1:] if len(classes) == 2 else classes

    def _learn(self, columns: _Columns, event: Floats, weight: Floats) -> Member:
        return learn(feature_names(self), columns, event, weight, thresholds=self.thresholds)

    @property
    def rules_(self) -> list[BayesRule]:
        """The rules of the classes."""
        check_is_fitted(self, "_members")
        return [member.rule for member in self._members]

    @property
    def rule_(self) -> BayesRule:
        """The rule of the second of two classes."""
        rules = self.rules_
        if len(rules) > 1:
            raise AttributeError(
                f"`rule_` is of two classes; `rules_` has those of several. Received: {len(rules)}"
            )
        return rules[0]

    def _folds(self, code: Floats, weight: Floats) -> tuple[Masks, Masks]:
        """Rows to learn from and rows to judge, each of shape (folds, samples).

        `code` has the places of the samples' classes; those that do not count may have any.
        """
        cv, used = self.cv, np.flatnonzero(weight > 0.0)
        none = np.zeros((0, len(code)), dtype=bool)
        if cv is None:
            return none, none
        if isinstance(cv, int | np.integer):
            smallest = int(np.unique(code[used], return_counts=True)[1].min())
            count = min(check_int("cv", cv, 2), smallest)
            if count < 2:
                return none, none
            pairs = StratifiedKFold(count).split(used, code[used])
            cv = [(used[train], used[rest]) for train, rest in pairs]
        train, test = fold_masks(cv, code, weight)
        judged: Masks = np.any(test, axis=0, keepdims=True)
        several = len(self.classes_)
        which = "both" if several == 2 else "all"
        for masks, what in ((train, "learn from"), (judged, "judge")):
            for k in range(len(masks)):
                found = len(np.unique(code[masks[k] & (weight > 0.0)]))
                if found < several:
                    where = f" in fold {k}" if masks is train else ""
                    classes = "one class" if found == 1 else f"{found} classes"
                    raise ValueError(
                        f"`cv` must give rows of {which} classes to {what}. "
                        f"Received: {classes}{where}"
                    )
        return train, test

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
        columns = self._columns(X)
        labels, weight = labels_and_weights(y, sample_weight, len(columns[0]))
        check_known(labels, self.classes_)
        check_several(labels, weight)
        members = []
        for member, event, label in zip(
            self._members, self._events(labels), self._ruled().tolist(), strict=True
        ):
            if not event @ weight > 0.0:
                raise ValueError(f"`y` must hold all classes. Received: no sample of {label!r}")
            plain = member.plain()
            members.append(plain.calibrated(plain.log_odds(columns), event, weight))
        self._members = members
        return self

    def _columns(self, X: Any) -> _Columns:
        check_is_fitted(self)
        return read_values(self, X, reset=False, allow_missing=True)

    def findings(self, X: Any, *, label: Any = None) -> Floats:
        """Return what the network is told: probabilities, ½ where there is no news.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
        label : object, optional
            Of more than two classes, the one whose rule is told; by default the first.

        Returns
        -------
        ndarray of float64, shape (samples, findings)
            In the order of the rule's names.

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or there is no such class.
        """
        columns, place = self._columns(X), 0
        if label is not None:
            known = self.classes_.tolist()
            if label not in known:
                raise ValueError(f"`label` must be one of {known}. Received: {label!r}")
            place = known.index(label) if len(known) > 2 else 0
        return self._members[place].findings(columns)

    def decision_function(self, X: Any) -> Floats:
        """Return the log-odds of the second class, or of each of several against all others.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            As for `fit`. A word that `fit` has not seen says nothing.

        Returns
        -------
        ndarray of float64, shape (samples,) or (samples, classes)

        Raises
        ------
        TypeError, ValueError
            If X does not fit.
        """
        columns = self._columns(X)
        log_odds = [member.log_odds(columns) for member in self._members]
        return log_odds[0] if len(log_odds) == 1 else np.stack(log_odds, axis=1)

    def predict_proba(self, X: Any) -> Floats:
        """Return the probabilities of the classes, shape (samples, classes).

        Those of several rules are divided by their sum. Arguments and errors are those of
        `decision_function`.
        """
        log_odds = self.decision_function(X)
        if log_odds.ndim == 1:
            return np.stack([expit(-log_odds), expit(log_odds)], axis=1)
        logarithms = -np.logaddexp(0.0, -log_odds)
        shares = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
        probabilities: Floats = shares / shares.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the more probable class of each sample, shape (samples,).

        Arguments and errors are those of `decision_function`.
        """
        log_odds = self.decision_function(X)
        place = log_odds.argmax(axis=1) if log_odds.ndim > 1 else (log_odds > 0.0).astype(int)
        classes: NDArray[Any] = self.classes_[place]
        return classes

    def explain(self, X: Any) -> Explanation[Floats]:
        """Take the log-odds of `decision_function` apart, exactly, by feature.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)

        Returns
        -------
        Explanation
            ``constant`` (rules,), what is known without findings; ``parts`` (samples, rules,
            features), of a category the sum over its words; the features' names. There is one rule
            for two classes, and one for each of several. ``ranked(0, 0)`` lists the parts of the
            first sample and rule, the largest first.

        Raises
        ------
        TypeError, ValueError
            If X does not fit.
        """
        columns = self._columns(X)
        constants, parts = [], []
        for member in self._members:
            constant, own = member.rule.explain(member.findings(columns))
            constants.append(constant)
            parts.append(summed_by_feature(own, member.sizes()))
        first: Any = np.array(constants)
        whole: Any = np.stack(parts, axis=1)
        return Explanation(first, whole, tuple(feature_names(self)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

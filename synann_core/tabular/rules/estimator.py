"""A classifier of soft rules, each one synapse on literals, in scikit-learn's form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from synann_core._lib.checks import check_option
from synann_core._lib.files import FilePath
from synann_core._lib.namespaces import numpy_namespace
from synann_core._lib.threads import blas_threads_for
from synann_core.log_odds import expit
from synann_core.tabular.rules.crisp_selection import choose_crisp
from synann_core.tabular.rules.files import read_rules
from synann_core.tabular.rules.inputs import counted, make_folds, read_settings, rule_sides
from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.parts import centred
from synann_core.tabular.rules.reports import RuleReports
from synann_core.tabular.rules.selection import choose, distinct_rows
from synann_core.tabular.rules.structures import Structure, log_probabilities
from synann_core.tabular.tables import feature_names, read_table
from synann_core.tabular.targets import check_several, labels_and_weights, with_class_weights

__all__ = ["SynapseRules"]


class SynapseRules(RuleReports, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier of a few rules: literals of a table, joined by synapses.

    A rule is a synapse that false literals inhibit, ``α ∏_j (1 − β_j (1 − y_j))``: a soft "and".
    Its literals are thresholds in both directions, categories, truth values and missing values.

    Parameters
    ----------
    structure : {"mix", "duel", "rrl"}
        What the rules make of the classes. "mix": the probability of a class is proportional to the
        sum of its rules. "duel": a second synapse tensor, in which rules inhibit the other classes.
        "rrl": log-odds are a sum of rules with signs.
    crisp : bool
        Hard rules (β = 1, log-odds as of "rrl", whatever `structure` is), grown one by one. They
        learn from the classes and from the probabilities of soft rules, which are trained first.
    integer_weights : bool
        Of crisp rules: weights are whole numbers of points, at most 10. Classes with as many points
        tie exactly, here and in C.
    max_rules, max_literals : int, optional
        Limits of a model's size, exact; by default 10 rules and 60 literals, of more than 1,000
        rows up to 130, and of crisp rules 20 and 40. Models of a bag have limits only if one is
        given. More than 48 rules, or 3 for each class, do not arise. Rules without literals, which
        are always true, do not count.
    bins : int, optional
        Intervals of a column of numbers, from 2 to 256: thresholds are at quantiles, or between all
        values of a column that has no more. By default half the square root of the number of rows,
        between 12 and 48, and 12 for crisp rules.
    missing : {"state", "marginal"}
        What a missing value makes true: "is missing" and no other literal of the column; or each as
        far as it is true where the value is known, on average. The latter also where no value was
        missing in training. An unseen category equals none.
    penalties : sequence of float, optional
        From 0 to 1e12, on the mean log-loss in nats: λ of λ (W/5 + W²) for every literal's weight
        W = −log(1 − β) in the models of a bag. That of a single model, λ W, has the geometric mean
        of the chosen λ and the smallest, or 5e-4 ("mix"; else 2e-3) if that is larger. Of crisp
        rules the price of each literal, which it must be worth.
    select : {"best", "one_standard_error"}
        Which penalty: with the least out-of-fold log-loss, or the largest within one standard error
        of the difference from it.
    cv : int, splitter, or iterable of pairs of int arrays, optional
        Folds of the choice; None is 4.
    n_bags : int
        Models whose scores are averaged, each of its own start and without one fold: a bag. 1 is
        one model, which learns from the classes and from the probabilities of a bag of 8 or more,
        whose scores are first multiplied by what suits those of unseen rows best.
    n_starts : int
        Of the bag's models, from how many a single model starts; the one with the least penalised
        loss is kept.
    max_iter : int
        Steps of Adam at the first penalty; at each later one it goes on for a quarter of them. A
        single model has twice as many.
    learning_rate : float, optional
        Of Adam, in (0, 1]. By default 0.05, and of more than 1,000 rows up to 0.1.
    monotone : mapping, optional
        By a feature's name or number: 1 where the probability of the second of two classes must not
        fall with it, −1 where it must not rise.
    categorical_features : sequence of names or numbers, or of bools for all, optional
        Columns of numbers that are categories. Strings, objects and pandas' categories are anyhow.
    class_weight : mapping or "balanced", optional
        Weights of the classes.
    verbose : bool or int
        Whether to show the progress: a bar, if tqdm is installed.
    random_state : int, RandomState or None

    Attributes
    ----------
    classes_ : ndarray
    rules_ : list of Rule
        The rules as they are read.
    models_ : list of RuleModel
        The same as numbers, one model or `n_bags`.
    literals_ : Literals
    penalty_ : float
        The one that was chosen.
    log_losses_ : ndarray
        Log-losses that it was chosen by: of the mean of those models of the bag that have not seen
        a row. NaN for penalties above one that is clearly worse than a smaller one, and for a
        single price of crisp rules.
    state_share_ : ndarray
        How often each state of each feature was there.
    unit_ : float
        Nats of one point of integer weights, or 0.
    n_iter_ : int
        Steps that were taken.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X was a frame.

    Raises
    ------
    TypeError, ValueError
        By `fit`, if a parameter is out of its range.

    Notes
    -----
    Where a literal y is a mean between 0 and 1, a rule takes the mean of its log-transmission over
    what the literal may be, ``(1 − y) log(1 − β)``. Rows that agree are one row with their weight:
    weights count exactly as repetitions do, and the order of rows matters only to an int `cv`.

    Of a table with more than 200 columns each soft model learns from the 60 columns whose best
    literals tell the most about the class (mutual information in the rows that it learns from), of
    more than 1,000 rows from up to 130, and from more where columns have few literals. What columns
    say only together is then not found.

    Examples
    --------
    >>> from synann_core.tabular import SynapseRules
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 100, (300, 2))
    >>> y = np.where((X[:, 0] > 54) & (X[:, 1] <= 30), "ill", "well")
    >>> model = SynapseRules(crisp=True, bins=100, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    def __init__(
        self,
        *,
        structure: Structure = "mix",
        crisp: bool = False,
        integer_weights: bool = False,
        max_rules: int | None = None,
        max_literals: int | None = None,
        bins: int | None = None,
        missing: Literal["state", "marginal"] = "state",
        penalties: Sequence[float] | None = None,
        select: Literal["best", "one_standard_error"] = "best",
        cv: int | Iterable[Any] | None = 4,
        n_bags: int = 1,
        n_starts: int = 2,
        max_iter: int = 250,
        learning_rate: float | None = None,
        monotone: Mapping[str | int, int] | None = None,
        categorical_features: Sequence[Any] | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        verbose: bool | int = False,
        random_state: Any = None,
    ) -> None:
        self.structure = structure
        self.crisp = crisp
        self.integer_weights = integer_weights
        self.max_rules = max_rules
        self.max_literals = max_literals
        self.bins = bins
        self.missing = missing
        self.penalties = penalties
        self.select = select
        self.cv = cv
        self.n_bags = n_bags
        self.n_starts = n_starts
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.monotone = monotone
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> SynapseRules:
        """Learn the rules.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            Numbers, strings, bools or categories; NaN, None or the frame's own where missing.
        y : array_like, shape (samples,)
            Classes, two or more.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, ≥ 0. Weights that sum to less than 2, or to more than 2⁵³,
            cannot be that: they are scaled to a mean of 1.

        Returns
        -------
        SynapseRules
            Itself.

        Raises
        ------
        TypeError, ValueError
            If shapes do not fit, a column cannot be used, or a parameter is out of its range.
        """
        columns = read_table(self, X, categories=self.categorical_features)
        labels, weight = labels_and_weights(y, sample_weight, len(columns[0].values))
        self.classes_, label = np.unique(labels, return_inverse=True)
        weight = counted("sample_weight", weight)
        check_several(labels, weight)
        weight = with_class_weights(self.class_weight, self.classes_, label, weight)
        weight = counted("class_weight", weight)
        left = self.classes_[np.unique(label[weight > 0.0])].tolist()
        if len(left) < 2:
            raise ValueError(f"`class_weight` must leave two classes or more. Received: {left}")
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        settings, bins = read_settings(self, float(weight.sum()))
        missing = check_option("missing", self.missing, ("state", "marginal"))
        self.literals_ = Literals.from_training(columns, weight, bins=bins, missing=missing)
        if self.crisp:
            self.literals_ = self.literals_.hardened()
        codes = self.literals_.codes(columns)
        cv = 4 if self.cv is None else self.cv
        train, test = make_folds(cv, label, weight, rng, 1 if self.crisp else settings.members)
        rows = distinct_rows(codes, label, weight, train, test)
        sides = rule_sides(self.monotone, self.literals_, len(self.classes_), feature_names(self))
        with blas_threads_for(0, numpy_namespace):  # thousands of small products
            if self.crisp:
                points = 10 if self.integer_weights else 0
                found = choose_crisp(self.literals_, rows, sides, settings, points, rng)
            else:
                found = choose(self.literals_, rows, sides, settings, rng)
        self.models_, self.penalty_ = found.models, found.penalty
        self.log_losses_, self.n_iter_, self.unit_ = found.losses, found.steps, found.unit
        self.state_share_ = self.literals_.share(codes, weight)
        return self

    def decision_function(self, X: Any) -> Floats:
        """Return log-odds of the second of two classes, or scores of more classes.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)

        Returns
        -------
        ndarray of float64, shape (samples,) or (samples, classes)
            Scores are log-probabilities less their mean over the classes.
        """
        scores = centred(self._scores(X))
        return scores[0] if len(scores) == 1 else scores.T

    def predict_proba(self, X: Any) -> Floats:
        """Return the probabilities of the classes, shape (samples, classes)."""
        scores = self._scores(X)
        if len(scores) == 2:
            p = expit(scores[1] - scores[0])
            return np.stack([1.0 - p, p], axis=1)
        return np.exp(log_probabilities(scores)).T

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row, of several the first in `classes_`."""
        best = np.argmax(self._scores(X), axis=0)
        classes: NDArray[Any] = self.classes_[best]
        return classes

    @classmethod
    def from_file(cls, path: FilePath, /) -> SynapseRules:
        """Read rules that `save` wrote: the same predictions, bit for bit.

        Safe for files from anyone. Parameters are those that the rules were learned with, but the
        default for what JSON cannot hold: a splitter, a generator of random numbers.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        SynapseRules

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it does not hold rules: one line that names the file and the place in it.
        """
        content = read_rules(path, cls._get_param_names())
        model = content.models[0]
        found = cls(**content.settings)
        found.classes_, found.models_ = content.classes, content.models
        found.literals_ = model.literals
        found.state_share_, found.unit_ = content.share, content.unit
        found.n_features_in_ = len(model.literals.features)
        if content.named:
            names = [feature.name for feature in model.literals.features]
            found.feature_names_in_ = np.array(names, dtype=object)
        return found

    def _codes(self, X: Any) -> Codes:
        check_is_fitted(self)
        kinds = [feature.kind for feature in self.literals_.features]
        return self.literals_.codes(read_table(self, X, kinds=kinds))

    def _scores(self, X: Any) -> Floats:
        codes = self._codes(X)
        scores = [model.scores(codes) for model in self.models_]
        mean = np.mean(scores, axis=0) if len(scores) > 1 else scores[0]
        # A sum of nats would tell classes with as many points apart by its rounding.
        return self.unit_ * np.rint(mean / self.unit_) if self.unit_ else mean

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

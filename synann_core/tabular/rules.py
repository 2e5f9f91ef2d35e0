"""A classifier of soft rules, each one synapse on literals, in scikit-learn's form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from synann_core._lib.checks import as_tuple, check_int, check_number, check_option
from synann_core._lib.files import FilePath
from synann_core.log_odds import expit
from synann_core.tabular.columns import Kind, as_table, is_frame, read_columns
from synann_core.tabular.crisp_selection import choose_crisp
from synann_core.tabular.literals import Codes, Floats, Literals
from synann_core.tabular.rule_files import read_rules
from synann_core.tabular.rule_parts import centred
from synann_core.tabular.rule_reports import RuleReports
from synann_core.tabular.selection import (
    PENALTIES,
    Settings,
    choose,
    distinct_rows,
    stratified,
)
from synann_core.tabular.structures import STRUCTURES, Structure, log_probabilities

__all__ = ["SynapseRules"]


class SynapseRules(RuleReports, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier of a few soft rules: literals of a table, joined by synapses."""

    def __init__(
        self,
        *,
        structure: Structure = "mix",
        crisp: bool = False,
        integer_weights: bool = False,
        max_rules: int | None = None,
        max_literals: int | None = None,
        bins: int = 12,
        missing: Literal["state", "marginal"] = "state",
        penalties: Sequence[float] | None = None,
        select: Literal["best", "one_standard_error"] = "best",
        cv: int | Iterable[Any] = 4,
        n_bags: int = 1,
        n_starts: int = 4,
        max_iter: int = 250,
        learning_rate: float = 0.05,
        monotone: Mapping[str | int, int] | None = None,
        categorical_features: Sequence[str | int] | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
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
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> SynapseRules:
        """Learn the rules."""
        settings = self._settings()
        table = self._table(X, y)
        label = self._labels(y)
        weight = _check_sample_weight(
            sample_weight, table, dtype=np.float64, ensure_non_negative=True
        )
        weight = self._weights(label, weight)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        names = self._names()
        chosen = set(self._places("categorical_features", self.categorical_features or ()))
        kinds: list[Kind | None] = ["category" if j in chosen else None for j in range(len(names))]
        columns = read_columns(table, names, kinds)
        bins = check_int("bins", self.bins, 2)
        missing = check_option("missing", self.missing, ("state", "marginal"))
        self.literals_ = Literals.from_training(columns, weight, bins=bins, missing=missing)
        if self.crisp:
            self.literals_ = self.literals_.hardened()
        codes = self.literals_.codes(columns)
        train, test = self._folds(codes, label, weight, rng)
        rows = distinct_rows(codes, label, weight, train, test)
        if self.crisp:
            points = 10 if self.integer_weights else 0
            found = choose_crisp(self.literals_, rows, self._sides(), settings, points)
        else:
            found = choose(self.literals_, rows, self._sides(), settings, rng)
        self.models_, self.penalty_ = found.models, found.penalty
        self.log_losses_, self.n_iter_, self.unit_ = found.losses, found.steps, found.unit
        self.state_share_ = self.literals_.share(codes, weight)
        return self

    def decision_function(self, X: Any) -> Floats:
        """Return log-odds of the second of two classes, or scores of more classes."""
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
        """Return the most probable class of each row."""
        best = np.argmax(self._scores(X), axis=0)
        classes: NDArray[Any] = self.classes_[best]
        return classes

    @classmethod
    def load(cls, path: FilePath) -> SynapseRules:
        """Read rules that `save` wrote: the same predictions, bit for bit.

        Safe for files from anyone: nothing in them is executed, and memory is checked before it is
        taken. Parameters are the defaults but for the structure.

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
        content = read_rules(path)
        model = content.models[0]
        found = cls(structure=model.structure)
        found.classes_, found.models_, found.literals_ = (
            content.classes,
            content.models,
            model.literals,
        )
        found.state_share_, found.unit_ = content.share, content.unit
        found.n_features_in_ = len(model.literals.features)
        if content.named:
            names = [feature.name for feature in model.literals.features]
            found.feature_names_in_ = np.array(names, dtype=object)
        return found

    def _codes(self, X: Any) -> Codes:
        check_is_fitted(self)
        table = self._table(X)
        features = self.literals_.features
        columns = read_columns(table, [f.name for f in features], [f.kind for f in features])
        return self.literals_.codes(columns)

    def _scores(self, X: Any) -> Floats:
        codes = self._codes(X)
        scores = [model.scores(codes) for model in self.models_]
        return np.mean(scores, axis=0) if len(scores) > 1 else scores[0]

    def _table(self, X: Any, y: Any = "no_validation") -> Any:
        """A frame, or an array with two axes, with the features of `fit`."""
        table = as_table(X)
        fitting = not isinstance(y, str)
        if fitting and y is None:
            raise ValueError(
                "requires y to be passed, but the target y is None: `y` must hold a class for "
                "each sample. Received: None"
            )
        if not is_frame(table):
            table = check_array(
                table, dtype=None, ensure_all_finite=False, input_name="X", estimator=self
            )
        elif 0 in table.shape:
            raise ValueError(f"`X` must have rows and columns. Received: shape {table.shape}")
        validate_data(self, table, reset=fitting, skip_check_array=True)
        return table

    def _labels(self, y: Any) -> Codes:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, label = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"`y` must hold two classes or more. Received: 1 class, {self.classes_[0]!r}"
            )
        return label

    def _weights(self, label: Codes, weight: Floats) -> Floats:
        share = np.bincount(label, weights=weight, minlength=len(self.classes_))
        if np.count_nonzero(share) < 2:
            raise ValueError(
                "`sample_weight` must leave two classes or more. Received: weights of one class"
            )
        if self.class_weight is None:
            return weight
        if isinstance(self.class_weight, str):
            check_option("class_weight", self.class_weight, ("balanced",))
            by_class = share.sum() / (len(share) * np.maximum(share, 1e-300))
        else:
            given = [self.class_weight.get(c, 1.0) for c in self.classes_.tolist()]
            by_class = np.array([check_number("class_weight", w, 0.0) for w in given])
        weights: Floats = weight * by_class[label]
        return weights

    def _names(self) -> list[str]:
        named = getattr(self, "feature_names_in_", None)
        return [f"x{j}" for j in range(self.n_features_in_)] if named is None else list(named)

    def _places(self, parameter: str, features: Iterable[Any]) -> list[int]:
        """Numbers of features given by name or number."""
        names, places = self._names(), []
        for feature in features:
            if isinstance(feature, str) and feature in names:
                places.append(names.index(feature))
            elif isinstance(feature, int | np.integer) and 0 <= feature < len(names):
                places.append(int(feature))
            else:
                raise ValueError(
                    f"`{parameter}` must name features or give their numbers, below {len(names)}. "
                    f"Received: {feature!r}"
                )
        return places

    def _sides(self) -> NDArray[np.float64]:
        """Which literals a rule for each class may have, by the monotone constraints."""
        sides = np.ones((len(self.classes_), len(self.literals_.names)))
        for feature, direction in (self.monotone or {}).items():
            (place,) = self._places("monotone", [feature])
            if direction not in (-1, 0, 1) or (direction and len(self.classes_) != 2):
                raise ValueError(
                    "`monotone` must be -1, 0 or 1 for each feature, of two classes. "
                    f"Received: {direction!r} for {feature!r}, {len(self.classes_)} classes"
                )
            asked = self.literals_.features[place]
            if direction and asked.kind == "category":
                raise ValueError(
                    f"`monotone` must be about numbers. Received: {feature!r}, of categories"
                )
            own = np.flatnonzero(self.literals_.feature_of == place)
            upward = own[: 2 * len(asked.means) : 2][: len(asked.means) // 2]
            downward = upward + 1
            if direction:
                sides[1, downward if direction > 0 else upward] = 0.0
                sides[0, upward if direction > 0 else downward] = 0.0
        return sides

    def _folds(
        self, codes: Codes, label: Codes, weight: Floats, rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        if isinstance(self.cv, int | np.integer):
            used = np.flatnonzero(weight > 0.0)
            folds = min(check_int("cv", self.cv, 2), len(used))
            parts = stratified(label[used], folds, rng)
            train, test = (np.zeros((folds, len(label)), bool) for _ in range(2))
            train[:, used], test[:, used] = parts
            return train, test
        splits = self.cv.split(codes, label) if hasattr(self.cv, "split") else self.cv
        pairs = as_tuple("cv", splits, "an int, a splitter, or pairs of rows")
        train, test = (np.zeros((len(pairs), len(label)), bool) for _ in range(2))
        for k, (learned, judged) in enumerate(pairs):
            train[k, learned], test[k, judged] = True, True
        return train, test

    def _settings(self) -> Settings:
        structure = check_option("structure", self.structure, STRUCTURES)
        penalties = self.penalties
        if penalties is None:
            penalties = PENALTIES["crisp" if self.crisp else structure]
        most = (12, 20) if self.crisp else (10, 60)
        given = as_tuple("penalties", penalties, "numbers above 0")
        return Settings(
            structure,
            tuple(sorted(check_number("penalties", p, 0.0, ends="[)") for p in given)),
            check_option("select", self.select, ("best", "one_standard_error")) != "best",
            most[0] if self.max_rules is None else check_int("max_rules", self.max_rules, 1),
            most[1]
            if self.max_literals is None
            else check_int("max_literals", self.max_literals, 1),
            check_int("max_iter", self.max_iter, 1),
            check_number("learning_rate", self.learning_rate, 0.0, ends="(]"),
            check_int("n_bags", self.n_bags, 1),
            check_int("n_starts", self.n_starts, 1),
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

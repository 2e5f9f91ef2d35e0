"""Fit the rivals of the study of tables; every choice is made inside the rows given.

A model is a function of a frame and its classes that returns a `Fitted`. Sizes are counted as

- logistic regression: no rules; one literal for each coefficient that is not 0;
- tree: one rule for each leaf; the tests on the ways to all of them;
- forest and boosting: one rule for each leaf of all trees (of boosting's, at most that many);
  literals are not counted;
- EBM: one rule for each term, one literal for each cell of its table of scores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

BINS = 8
EBM: dict[str, object] = {"n_jobs": 1}  # else its defaults
INNER_FOLDS = 5
TREES = 500  # of the forest
BOOSTING = ((3, 5), (8, 10), (24, 20))  # leaves of a tree, rows of a leaf at least
NUMBERS = make_column_selector(dtype_include="number")
CATEGORIES = make_column_selector(dtype_include="category")
NOT_COUNTED = float("nan")


class Predictor(Protocol):
    classes_: np.ndarray

    def predict_proba(self, x: pd.DataFrame) -> np.ndarray: ...


class Fitted(NamedTuple):
    """A fitted model and its size."""

    model: Predictor
    rules: float
    literals: float


def inner_folds() -> StratifiedKFold:
    return StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=1)


def one_hot() -> OneHotEncoder:
    """One column for each category and one for what is missing."""
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def scaled() -> ColumnTransformer:
    """Numbers scaled, what is missing their median with an indicator; categories one-hot."""
    filled = SimpleImputer(strategy="median", add_indicator=True)
    numbers = make_pipeline(filled, StandardScaler())
    return ColumnTransformer([("n", numbers, NUMBERS), ("c", one_hot(), CATEGORIES)])


def plain() -> ColumnTransformer:
    """Numbers as they are; categories one-hot."""
    return ColumnTransformer([("n", "passthrough", NUMBERS), ("c", one_hot(), CATEGORIES)])


class Bins:
    """Cut numbers at quantiles of the training rows, one column for each bin that they fill.

    Numbers of at most `BINS` values keep all of them apart. What is missing is a bin of its own.
    """

    def fit(self, x: pd.DataFrame) -> Bins:
        self.cuts = [self._cuts(x[name].to_numpy()) for name in NUMBERS(x)]
        self.encoder = one_hot().fit(self._places(x))
        return self

    def transform(self, x: pd.DataFrame) -> np.ndarray:
        return self.encoder.transform(self._places(x))

    @staticmethod
    def _cuts(values: np.ndarray) -> np.ndarray:
        known = np.unique(values[~np.isnan(values)])
        if len(known) <= BINS:
            return (known[1:] + known[:-1]) / 2
        return np.unique(np.nanquantile(values, np.arange(1, BINS) / BINS))

    def _places(self, x: pd.DataFrame) -> pd.DataFrame:
        columns = {name: x[name].astype(object) for name in CATEGORIES(x)}
        for name, cuts in zip(NUMBERS(x), self.cuts, strict=True):
            values = x[name].to_numpy()
            place = np.searchsorted(cuts, values, side="right")
            columns[name] = np.where(np.isnan(values), -1, place)
        return pd.DataFrame(columns, index=x.index)


class Binned(NamedTuple):
    """A model on binned features."""

    bins: Bins
    model: Predictor

    @property
    def classes_(self) -> np.ndarray:
        return self.model.classes_

    def predict_proba(self, x: pd.DataFrame) -> np.ndarray:
        return self.model.predict_proba(self.bins.transform(x))


def ridge() -> LogisticRegressionCV:
    """Logistic regression with its penalty chosen by log-loss."""
    return LogisticRegressionCV(
        Cs=np.logspace(-3, 2, 11), cv=inner_folds(), scoring="neg_log_loss", l1_ratios=(0,),
        max_iter=3000, use_legacy_attributes=False,
    )  # fmt: skip


def fit_logistic(x: pd.DataFrame, y: np.ndarray) -> Fitted:
    model = make_pipeline(scaled(), ridge()).fit(x, y)
    return Fitted(model, 0, np.count_nonzero(model[-1].coef_))


def fit_binned(x: pd.DataFrame, y: np.ndarray) -> Fitted:
    bins = Bins().fit(x)
    model = ridge().fit(bins.transform(x), y)
    return Fitted(Binned(bins, model), 0, np.count_nonzero(model.coef_))


def leaves_and_tests(tree) -> tuple[int, int]:
    """Number of leaves of a scikit-learn tree, and of tests on the ways to them."""
    depth = np.zeros(tree.node_count, int)
    for node in range(tree.node_count):  # a node comes before those below it
        for below in (tree.children_left[node], tree.children_right[node]):
            if below >= 0:
                depth[below] = depth[node] + 1
    leaf = tree.children_left < 0
    return int(leaf.sum()), int(depth[leaf].sum())


def brier(model: Predictor, x: pd.DataFrame, y: np.ndarray) -> float:
    """Minus the Brier score: a scorer."""
    return -float(np.mean((model.predict_proba(x) - (y[:, None] == model.classes_)) ** 2))


def fit_tree(x: pd.DataFrame, y: np.ndarray) -> Fitted:
    """Tree chosen by Brier score: one pure leaf that errs would decide the log-loss."""
    grid = {
        "tree__max_leaf_nodes": (2, 3, 4, 6, 8, 12, 16, 24, 32),
        "tree__min_samples_leaf": (5, 20),
    }
    tree = Pipeline([("columns", plain()), ("tree", DecisionTreeClassifier(random_state=0))])
    search = GridSearchCV(tree, grid, scoring=brier, cv=inner_folds()).fit(x, y)
    best = search.best_estimator_
    return Fitted(best, *leaves_and_tests(best[-1].tree_))


def fit_forest(x: pd.DataFrame, y: np.ndarray) -> Fitted:
    forest = RandomForestClassifier(TREES, min_samples_leaf=2, random_state=0)
    model = make_pipeline(plain(), forest).fit(x, y)
    return Fitted(model, sum(tree.get_n_leaves() for tree in forest.estimators_), NOT_COUNTED)


def fit_boosting(x: pd.DataFrame, y: np.ndarray) -> Fitted:
    """Histogram boosting: the size of the trees and their number by inner folds."""
    splits = list(inner_folds().split(x, y))
    best = np.inf, None, 0
    for leaves, rows in BOOSTING:
        model = HistGradientBoostingClassifier(
            learning_rate=0.08, max_iter=150, max_leaf_nodes=leaves, min_samples_leaf=rows,
            early_stopping=False, categorical_features="from_dtype", random_state=0,
        )  # fmt: skip
        losses = np.zeros(model.max_iter)
        for train, test in splits:
            fitted = clone(model).fit(x.iloc[train], y[train])
            staged = fitted.staged_predict_proba(x.iloc[test])
            losses += [log_loss(y[test], p, labels=fitted.classes_) for p in staged]
        if losses.min() < best[0]:
            best = losses.min(), model, int(losses.argmin()) + 1
    _, model, trees = best
    model = clone(model).set_params(max_iter=trees).fit(x, y)
    leaves = model.n_iter_ * model.n_trees_per_iteration_ * model.max_leaf_nodes
    return Fitted(model, leaves, NOT_COUNTED)


def fit_ebm(x: pd.DataFrame, y: np.ndarray) -> Fitted:
    """Explainable boosting machine of interpret-core, at its defaults.

    Where classes are separable it boosts on for hours. Fewer rounds are no way out: larger tables
    that are not separable need thousands.
    """
    try:
        from interpret.glassbox import ExplainableBoostingClassifier
    except ImportError:
        raise SystemExit("EBM needs interpret-core: pip install .[studies]") from None
    with warnings.catch_warnings():  # that pairs of several classes will not be drawn
        warnings.filterwarnings("ignore", category=UserWarning)
        model = ExplainableBoostingClassifier(**EBM).fit(x, y)
    cells = sum(np.size(scores) for scores in model.term_scores_)
    return Fitted(model, len(model.term_scores_), cells)


RIVALS: dict[str, Callable[[pd.DataFrame, np.ndarray], Fitted]] = {
    "logistic": fit_logistic,
    "logistic, binned": fit_binned,
    "tree": fit_tree,
    "forest": fit_forest,
    "boosting": fit_boosting,
    "EBM": fit_ebm,
}

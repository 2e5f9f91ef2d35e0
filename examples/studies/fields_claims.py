"""Tariffs of the claims table beside other models of counts, each group predicted by the others.

Every group of holders is left out once. A model learns the claims a holder from the other groups,
weighted by holders, which is Poisson regression with an exposure; choices are made by the deviance
in inner folds of these groups. A table is the frame of the groups' features, all of them
categories, whose order is that of risk where there is one.

- *GLM*: one factor for each level, without a penalty (scikit-learn's PoissonRegressor).
- *GLM, ridge*: the same with its penalty chosen.
- *GLM, numbers*: ordered features as numbers 0, 1, …, of log-linear effect; penalty chosen.
- *tree*, *forest*, *boosting*: with the Poisson criterion; ordered features are numbers; sizes
  chosen, but for the forest's.
- *EBM*: interpret-core's at its defaults, with the Poisson deviance.
- *tariff*: this library's LogLinkRegressor; its factors are the GLM's, beside the highest level.
- *tariff, monotone*: engines up and ages down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import xlogy
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import PoissonRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeRegressor

import tariff
from studies.tables_models import EBM, TREES
from synann.tabular import LogLinkRegressor

Predict = Callable[[pd.DataFrame], np.ndarray]  # claims a holder
INNER_FOLDS = 4
LEAST_RATE = 1e-6  # a rate of 0 would make one claim cost infinitely much
PENALTIES = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)
TREE_SIZES = ((2, 4), (4, 4), (8, 4), (16, 2))  # leaves, groups of a leaf at least
ROUNDS = 100  # of boosting, at most


def read() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Features, claims and holders of the groups that ship with the examples."""
    names, columns, totals = tariff.read(tariff.DATA, "Claims", "Holders")
    x = pd.DataFrame(dict(zip(names, columns.T, strict=True)))
    for name in names:
        levels = tariff.ORDERS.get(name, sorted(set(x[name])))
        x[name] = pd.Categorical(x[name], categories=levels, ordered=name in tariff.ORDERS)
    return x, *totals.T


def deviances(claims: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Poisson deviance of each group."""
    return 2 * (xlogy(claims, claims / expected) - claims + expected)


def weighted(pipeline, x: pd.DataFrame, rates: np.ndarray, holders: np.ndarray) -> Predict:
    """A pipeline of scikit-learn's that is fitted with weights."""
    last = pipeline.steps[-1][0]
    return pipeline.fit(x, rates, **{f"{last}__sample_weight": holders}).predict


def inner_splits(x: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(KFold(INNER_FOLDS, shuffle=True, random_state=1).split(x))


def loss(holders: np.ndarray, rates: np.ndarray, predicted: np.ndarray) -> float:
    expected = holders * np.maximum(predicted, LEAST_RATE)
    return float(deviances(holders * rates, expected).sum())


def chosen(candidates: Iterable[Callable[..., Predict]]) -> Callable[..., Predict]:
    """The candidate with the smallest deviance in inner folds, fitted to all rows."""

    def fit(x: pd.DataFrame, rates: np.ndarray, holders: np.ndarray) -> Predict:
        def total(candidate: Callable[..., Predict]) -> float:
            return sum(
                loss(
                    holders[test], rates[test],
                    candidate(x.iloc[train], rates[train], holders[train])(x.iloc[test]),
                )
                for train, test in inner_splits(x)
            )  # fmt: skip

        return min(candidates, key=total)(x, rates, holders)

    return fit


def one_hot():
    return OneHotEncoder(drop="first", sparse_output=False)


def numbers(x: pd.DataFrame):
    """Ordered features as numbers 0, 1, …, others one-hot."""
    ordered = [name for name in x if x[name].cat.ordered]
    levels = [list(x[name].cat.categories) for name in ordered]
    others = [name for name in x if name not in ordered]
    return make_column_transformer(
        (OrdinalEncoder(categories=levels), ordered), (one_hot(), others)
    )


def fit_glm(x, rates, holders, *, penalty: float = 0.0, ordinal: bool = False) -> Predict:
    glm = PoissonRegressor(alpha=penalty, tol=1e-8, max_iter=10_000)
    return weighted(make_pipeline(numbers(x) if ordinal else one_hot(), glm), x, rates, holders)


def fit_tree(x, rates, holders, *, leaves: int, rows: int) -> Predict:
    tree = DecisionTreeRegressor(
        criterion="poisson", max_leaf_nodes=leaves, min_samples_leaf=rows, random_state=0
    )
    return weighted(make_pipeline(numbers(x), tree), x, rates, holders)


def fit_forest(x, rates, holders) -> Predict:
    forest = RandomForestRegressor(TREES, criterion="poisson", min_samples_leaf=2, random_state=0)
    return weighted(make_pipeline(numbers(x), forest), x, rates, holders)


def fit_boosting(x, rates, holders) -> Predict:
    """The size of the trees and their number by inner folds, as `tables_models.fit_boosting`."""
    columns, best = numbers(x).fit(x), (np.inf, None, 0)
    z = columns.transform(x)
    for leaves, rows in TREE_SIZES[:3]:
        model = HistGradientBoostingRegressor(
            loss="poisson", learning_rate=0.08, max_iter=ROUNDS, max_leaf_nodes=leaves,
            min_samples_leaf=rows, early_stopping=False, random_state=0,
        )  # fmt: skip
        losses = np.zeros(ROUNDS)
        for train, test in inner_splits(x):
            fitted = clone(model).fit(z[train], rates[train], holders[train])
            staged = fitted.staged_predict(z[test])
            losses += [loss(holders[test], rates[test], rate) for rate in staged]
        if losses.min() < best[0]:
            best = losses.min(), model, int(losses.argmin()) + 1
    _, model, trees = best
    fitted = clone(model).set_params(max_iter=trees).fit(z, rates, holders)
    return lambda x: fitted.predict(columns.transform(x))


def fit_ebm(x, rates, holders) -> Predict:
    try:
        from interpret.glassbox import ExplainableBoostingRegressor
    except ImportError:
        raise SystemExit("EBM needs interpret-core: pip install .[studies]") from None
    model = ExplainableBoostingRegressor(objective="poisson_deviance", **EBM)
    return model.fit(x, rates, sample_weight=holders).predict


def fit_tariff(x, rates, holders, *, constraints: str | dict = "highest") -> Predict:
    """Counts with an exposure: the same likelihood."""
    model = LogLinkRegressor(constraints=constraints)
    return model.fit(x, rates * holders, exposure=holders).predict


MODELS: dict[str, Callable[..., Predict]] = {
    "GLM": fit_glm,
    "GLM, ridge": chosen([partial(fit_glm, penalty=penalty) for penalty in PENALTIES]),
    "GLM, numbers": chosen(
        [partial(fit_glm, penalty=penalty, ordinal=True) for penalty in PENALTIES]
    ),
    "tree": chosen([partial(fit_tree, leaves=k, rows=n) for k, n in TREE_SIZES]),
    "forest": fit_forest,
    "boosting": fit_boosting,
    "EBM": fit_ebm,
    "tariff": fit_tariff,
    "tariff, monotone": partial(fit_tariff, constraints=tariff.MONOTONE),
}


def left_out(
    x: pd.DataFrame, claims: np.ndarray, holders: np.ndarray, models: Sequence[str] = tuple(MODELS)
) -> dict[str, np.ndarray]:
    """Expected claims of each group by a model that has not seen it, by model."""
    expected = {model: np.zeros(len(claims)) for model in models}
    for group in range(len(claims)):
        rest = np.arange(len(claims)) != group
        given = x[rest], claims[rest] / holders[rest], holders[rest]
        for model, values in expected.items():
            rate = MODELS[model](*given)(x.iloc[[group]])[0]
            values[group] = holders[group] * max(rate, LEAST_RATE)
    return expected

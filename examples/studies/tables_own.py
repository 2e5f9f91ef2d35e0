"""Fit this library's models for the study of tables, at their defaults but for what a name says."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from studies.tables_models import NUMBERS, Fitted, inner_folds
from synann.tabular import OddsNetwork, SynapseClassifier, SynapseRules

BAGS = 8


def fit_rules(x: pd.DataFrame, y: np.ndarray, **options: object) -> Fitted:
    """Rules with literals; of several bags those of all members together."""
    model = SynapseRules(random_state=0, **options).fit(x, y)
    sizes = [len(rule.literals) for rule in model.rules_ if rule.literals]
    return Fitted(model, len(sizes), sum(sizes))


def fit_network(x: pd.DataFrame, y: np.ndarray) -> Fitted:
    """A network with a synapse tensor, its width and epochs by log-loss in inner folds.

    What is missing is the median. Literals are parameters.
    """
    fill = ColumnTransformer(
        [("n", SimpleImputer(strategy="median"), NUMBERS)], remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")  # fmt: skip
    network = Pipeline([("fill", fill), ("network", SynapseClassifier(random_state=0))])
    grid = {"network__hidden": (8, 32), "network__max_iter": (15, 60)}
    search = GridSearchCV(network, grid, scoring="neg_log_loss", cv=inner_folds()).fit(x, y)
    model = search.best_estimator_[-1]
    return Fitted(search, model.hidden, model.model_.parameter_count)


def fit_odds(x: pd.DataFrame, y: np.ndarray) -> Fitted:
    """Bayes' rule, of several classes one rule for each. Literals are likelihoods."""
    model = OddsNetwork().fit(x, y)
    return Fitted(model, len(model.rules_), sum(2 * rule.given.size for rule in model.rules_))


OWN: dict[str, Callable[[pd.DataFrame, np.ndarray], Fitted]] = {
    "rules": fit_rules,
    "rules, duel": functools.partial(fit_rules, structure="duel"),
    "rules, signed": functools.partial(fit_rules, structure="rrl"),
    "rules, bagged": functools.partial(fit_rules, n_bags=BAGS),
    "rules, crisp": functools.partial(fit_rules, crisp=True),
    "rules, signed, bagged": functools.partial(fit_rules, structure="rrl", n_bags=BAGS),
    "network": fit_network,
    "odds": fit_odds,
}

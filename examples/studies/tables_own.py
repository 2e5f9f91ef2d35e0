"""Fit this library's models for the study of tables, at their defaults but for what a name says."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd

from studies.tables_models import Fitted
from synann.tabular import SynapseRules

BAGS = 4


def fit_rules(x: pd.DataFrame, y: np.ndarray, **options: object) -> Fitted:
    """Rules with literals; of several bags those of all members together."""
    model = SynapseRules(random_state=0, **options).fit(x, y)
    sizes = [len(rule.literals) for rule in model.rules_ if rule.literals]
    return Fitted(model, len(sizes), sum(sizes))


OWN: dict[str, Callable[[pd.DataFrame, np.ndarray], Fitted]] = {
    "rules": fit_rules,
    "rules, duel": functools.partial(fit_rules, structure="duel"),
    "rules, signed": functools.partial(fit_rules, structure="rrl"),
    "rules, bagged": functools.partial(fit_rules, n_bags=BAGS),
    "rules, crisp": functools.partial(fit_rules, crisp=True),
    "rules, signed, bagged": functools.partial(fit_rules, structure="rrl", n_bags=BAGS),
}

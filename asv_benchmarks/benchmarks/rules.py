"""Learning of soft rules: a long table, and a wide one."""

from __future__ import annotations

import functools
import time

import numpy as np

from .common import SMOKE, Prepared, require
from .meters import Call

# Rows and columns of numbers.
TABLES = ("60x5", "60x230") if SMOKE else ("1000x20", "200x2000")


def learn_rules(size: str) -> Call:
    """Bind a fit to normal numbers; the class is the sign of one and of a product of two others."""
    require("sklearn")
    from synann_core.tabular import SynapseRules

    rows, columns = map(int, size.split("x"))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns))
    y = X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.standard_normal(rows) > 0.0
    return functools.partial(SynapseRules(random_state=0, max_iter=5 if SMOKE else 250).fit, X, y)


class LearnRules(Prepared):
    """Learning of a model of few rules, with the choice of the penalty."""

    make = staticmethod(learn_rules)
    param_names = ("table",)
    params = (TABLES,)
    timeout = 300
    repeat = 1
    timer = time.process_time  # of all threads: a wide table's models are on several

    def time_fit(self, table: str) -> None:
        """Time one fit."""
        self.call()

    time_fit.pretty_name = "Soft rules: learning from a table"

    def peakmem_fit(self, table: str) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_fit.pretty_name = "Soft rules: peak memory of learning"

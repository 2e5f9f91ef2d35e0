"""Say what rules have learned: tables, exact parts, pictures, and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from synann_core._lib.checks import check_option
from synann_core._lib.files import FilePath, write_whole
from synann_core.export.c.text import check_name
from synann_core.tabular.rules.c import points_source, rules_source
from synann_core.tabular.rules.files import Content, write_rules
from synann_core.tabular.rules.literals import Codes, Floats, Literals
from synann_core.tabular.rules.model import RuleModel, by_feature_on_average
from synann_core.tabular.rules.parts import (
    RuleParts,
    by_feature,
    centred,
    parts_of,
)
from synann_core.tabular.rules.plots import draw_feature, draw_rules
from synann_core.tabular.rules.table import Rule, as_text, list_rules, live_rules
from synann_core.tabular.tables import place_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 2048  # of a table that are explained together


class RuleReports:
    """What `SynapseRules` tells about itself."""

    classes_: NDArray[Any]
    literals_: Literals
    models_: list[RuleModel]
    state_share_: Floats
    unit_: float

    def _codes(self, X: Any) -> Codes:
        raise NotImplementedError

    if TYPE_CHECKING:

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Return the parameters by name."""

    @property
    def rules_(self) -> list[Rule]:
        """The rules, by model and class; those that are always true last."""
        check_is_fitted(self)
        return list_rules(self.models_, self.state_share_, self.classes_.tolist())

    def to_text(self) -> str:
        """Return the rules as a table that can be read.

        Returns
        -------
        str
            A line for each rule, folded where it is long: its literals, with strengths below 0.995
            in brackets, and its weight, the largest weights first (see `Rule`). "age > 50 (0.30),
            60 (0.80)" are two literals.
        """
        check_is_fitted(self)
        bias = [model.parameters["bias"] for model in self.models_ if "bias" in model.parameters]
        mean = np.mean(bias, axis=0) if bias else None
        return as_text(self.rules_, self.classes_.tolist(), mean)

    def explain(self, X: Any, *, background: Any = None) -> RuleParts:
        """Take the log-odds apart, by rule and by feature.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
        background : array_like or frame, shape (others, features), optional
            Rows to compare with; parts are means over them. By default the baseline is one row
            whose literals are as true as in the training data on average.

        Returns
        -------
        RuleParts
            ``constant + rules.sum(-1)`` and ``constant + features.sum(-1)`` are both
            `decision_function` (X): exact, to rounding. Printed, it is a table for each row; see
            `RuleParts.to_text` and `RuleParts.ranked`.

        Raises
        ------
        TypeError, ValueError
            If X or `background` does not fit.

        Notes
        -----
        Parts are integrated gradients in the rules' surprisals: each addend ``W_ij (1 − y_j)`` of a
        surprisal gets its change times the mean slope on the straight line from the baseline. Of
        `duel` and `rrl` a rule's part is what its own term changes. Time is proportional to
        samples · others.
        """
        codes = self._codes(X)
        others = None if background is None else self._codes(background)
        rules: list[Floats] = []
        features: Any = 0.0
        constant: Any = 0.0
        for model in self.models_:
            bases = (
                by_feature_on_average(model, self.state_share_)
                if others is None
                else by_feature(model, others)
            )
            start = model.scores_of(bases.sum(axis=0))
            constant = constant + centred(start.mean(axis=1)) / len(self.models_)
            by_rule, parts = self._parts(model, codes, bases)
            rules.append(centred(by_rule)[:, live_rules(model)] / len(self.models_))
            features = features + centred(parts) / len(self.models_)
        by_rule = np.concatenate(rules, axis=1)
        several = len(self.classes_) > 2
        if several:
            shaped = np.moveaxis(by_rule, 2, 0), np.moveaxis(features, 2, 0)
        else:
            shaped, constant = (by_rule[0].T, features[0].T), float(constant[0])
        names = [str(rule) for rule in self.rules_]
        columns = [f.name for f in self.literals_.features]
        return RuleParts(constant, *shaped, names, columns, self.classes_.tolist())

    def _parts(self, model: RuleModel, codes: Codes, bases: Floats) -> tuple[Floats, Floats]:
        """Mean parts over all baselines."""
        found = []
        for first in range(0, len(codes), _ROWS):
            own = by_feature(model, codes[first : first + _ROWS])
            total: Any = None
            for k in range(bases.shape[2]):
                pair = parts_of(model, own, bases[:, :, k : k + 1])
                total = (
                    pair
                    if total is None
                    else tuple(a + b for a, b in zip(total, pair, strict=True))
                )
            found.append(tuple(part / bases.shape[2] for part in total))
        by_rule, by_column = (np.concatenate(parts, axis=2) for parts in zip(*found, strict=True))
        return by_rule, by_column

    def plot_rules(self, ax: Axes | None = None) -> Axes:
        """Draw the rules as bars of their weights, without those that are always true.

        Parameters
        ----------
        ax : Axes of matplotlib, optional

        Returns
        -------
        Axes
        """
        return draw_rules(self.rules_, self.classes_.tolist(), ax)

    def plot_feature(
        self, feature: str | int, ax: Axes | None = None, *, label: Any = None
    ) -> Axes:
        """Draw a feature's part in the log-odds, where all others are as on average.

        Parameters
        ----------
        feature : str or int
            Name or number.
        ax : Axes of matplotlib, optional
        label : object, optional
            Of more than two classes, the one whose score, less the classes' mean, is drawn; by
            default the last.

        Returns
        -------
        Axes
            Numbers are steps at the thresholds, and a dotted line is what a missing value does.

        Raises
        ------
        ValueError
            If there is no such feature or class.
        """
        check_is_fitted(self)
        names = [f.name for f in self.literals_.features]
        place = place_of("feature", feature, names)
        classes = self.classes_.tolist()
        if label is not None and label not in classes:
            raise ValueError(f"`label` must be one of {classes}. Received: {label!r}")
        several = len(classes) > 2
        chosen = classes.index(label) if several and label is not None else len(classes) - 1
        shown = self.literals_.features[place]
        states = shown.states
        total: Any = 0.0
        for model in self.models_:
            mean = by_feature_on_average(model, self.state_share_)
            first = int(self.literals_.starts[place])
            own = np.repeat(mean, states, axis=2)
            own[place] = model.by_state[:, first : first + states]
            moved = model.scores_of(own.sum(axis=0)) - model.scores_of(mean.sum(axis=0))
            total = total + centred(moved) / len(self.models_)
        values = total[chosen] if several else total[0]
        what = "score" if several else "log-odds"
        return draw_feature(shown, values, f"{what} of {classes[chosen]}", ax)

    def save(self, path: FilePath) -> None:
        """Write the rules as JSON, whole or not at all; `from_file` gives them back, bit for bit.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        TypeError
            If the classes are neither strings nor numbers nor bools.
        """
        check_is_fitted(self)
        named = hasattr(self, "feature_names_in_")
        settings = self.get_params(deep=False)
        content = self.classes_, named, self.state_share_, self.unit_, self.models_, settings
        write_rules(path, Content(*content))

    def to_c(self, *, name: str = "model", dtype: str = "float64") -> str:
        """Return the rules as a C99 source file that needs nothing but math.h.

        Parameters
        ----------
        name : str
            Start of every name in the file.
        dtype : {"float64", "float32", "points", "int"}
            Of the features and the arithmetic; thresholds are as far as float32 can tell
            them apart, and numbers that are the same in it, or infinite, are the same to the rules.
            Crisp rules with integer weights can be written as
            "points", in which only the features are doubles, and as "int", without any
            floating-point number or header, for features that are whole numbers (C's long).

        Returns
        -------
        str
            It defines ``void NAME_scores(const double *x, double *scores)``, ``void
            NAME_probabilities(const double *x, double *p)`` and ``int NAME_predict(const double
            *x)``, the place of the class, of several that tie the first; with points ``void
            NAME_points(const double *x, long *points)`` in place of the first two. A comment says
            how features are coded.

        Raises
        ------
        ValueError
            If an option is unknown, or there are no integer weights.
        """
        check_is_fitted(self)
        check_name(name)
        check_option("dtype", dtype, ("float64", "float32", "points", "int"))
        if dtype == "float64":
            return rules_source(self.models_, name, "float64", self.unit_)
        if dtype == "float32":
            return rules_source(self.models_, name, "float32", self.unit_)
        if not self.unit_:
            raise ValueError(
                "`dtype` must be 'float64' or 'float32' without integer weights. "
                f"Received: {dtype!r}"
            )
        return points_source(self.models_[0], self.unit_, name, integers=dtype == "int")

    def save_c(self, path: FilePath, *, name: str = "model", dtype: str = "float64") -> None:
        """Write what `to_c` returns, whole or not at all."""
        write_whole(path, self.to_c(name=name, dtype=dtype).encode("ascii"))

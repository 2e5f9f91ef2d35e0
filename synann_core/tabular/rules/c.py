"""Write rules as one file of C99: comparisons, sums, and an exponential for each rule.

Crisp rules with integer weights need no floating-point number at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from synann_core.export.c.text import literal, source
from synann_core.export.checks import Precision
from synann_core.tabular.columns import Kind
from synann_core.tabular.rules.literals import Feature, Literals
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.structures import class_share
from synann_core.tabular.rules.table import live_rules

_MISSING = "(-2147483647L)"  # of integers
_LARGEST = 2147483646  # of integers that every C holds in a long, but the missing one


def rules_source(
    models: Sequence[RuleModel], name: str, dtype: Precision, unit: float = 0.0
) -> str:
    """Return a file that defines NAME_scores, NAME_probabilities and NAME_predict.

    With a `unit`, weights are whole numbers of points, and sums of these are exact.
    """
    real = "float" if dtype == "float32" else "double"
    f = "f" if dtype == "float32" else ""
    lines: list[str] = []
    classes = models[0].classes
    lines += [f"    for (int i = 0; i < {classes}; i++)", f"        scores[i] = {_zero(dtype)};"]
    part = literal(unit or 1.0 / len(models), dtype)
    for model in models:
        lines += ["    {", *_model_lines(model, part, unit, real, f, dtype), "    }"]
    literals = models[0].literals
    return source(
        f"{name}: {sum(len(live_rules(m)) for m in models)} rules of {len(models)} "
        f"{'models' if len(models) > 1 else 'model'}.",
        name,
        dtype,
        declarations=[
            "void ${name}_scores(const $real *x, $real *scores);",
            "void ${name}_probabilities(const $real *x, $real *p);",
            "int ${name}_predict(const $real *x);",
        ],
        constants={},
        pieces=["rules", "predict"],
        scored="scores",
        classes=classes,
        features=len(literals.features),
        coding=_coding(literals, "NAN where missing"),
        statements="\n".join(lines),
    )


def points_source(model: RuleModel, unit: float, name: str, *, integers: bool) -> str:
    """Return a file that defines NAME_points and NAME_predict, in whole numbers.

    With `integers`, the features are whole numbers, too; else they are doubles.
    """
    bias = np.rint(model.parameters["bias"] / unit).astype(np.int64).tolist()
    votes = np.rint(model.parameters["votes"] / unit).astype(np.int64)
    lines = [f"    points[{c}] = {value};" for c, value in enumerate(bias)]
    for i, row in enumerate(model.W):
        asked = [_test(model.literals, j, integers) for j in np.flatnonzero(row).tolist()]
        lines.append(f"    if ({' && '.join(asked) or '1'}) {{")
        lines += [
            f"        points[{c}] += {vote};" for c, vote in enumerate(votes[:, i].tolist()) if vote
        ]
        lines.append("    }")
    text = "long" if integers else "double"
    return source(
        f"{name}: {len(model.W)} rules with whole numbers of points.",
        name,
        "float64",
        declarations=[
            f"void ${{name}}_points(const {text} *x, long *points);",
            f"int ${{name}}_predict(const {text} *x);",
        ],
        constants={},
        pieces=["points", "predict"],
        header=None if integers else "math.h",
        score="long",
        scored="points",
        classes=len(bias),
        features=len(model.literals.features),
        unit=repr(unit),
        input=text,
        coding=_coding(
            model.literals, f"{_MISSING} where missing" if integers else "NAN where missing"
        ),
        statements="\n".join(lines),
    )


def _zero(dtype: Precision) -> str:
    return literal(0.0, dtype)


def _model_lines(
    model: RuleModel, part: str, unit: float, real: str, f: str, dtype: Precision
) -> list[str]:
    """Add one model's scores, or its points, times `part`."""
    rules = sorted(live_rules(model).tolist())
    lines = [f"        {real} u[{max(len(rules), 1)}] = {{{_zero(dtype)}}};"]
    for k, i in enumerate(rules):
        for j in np.flatnonzero(model.W[i]).tolist():
            lines += _literal_lines(model.literals, j, f"u[{k}]", float(model.W[i, j]), dtype)
    if model.structure == "mix":
        return lines + _mix_lines(model, rules, part, real, f, dtype)
    for k in range(len(rules)):
        lines.append(f"        u[{k}] = exp{f}(-u[{k}]);")
    votes, biases = model.parameters.get("votes"), model.parameters["bias"]
    share = None if votes is not None else class_share(model.parameters["against"])
    if votes is not None and unit:
        votes, biases = np.rint(votes / unit), np.rint(biases / unit)
    for c, bias in enumerate(biases.tolist()):
        terms = [literal(bias, dtype)]
        for k, i in enumerate(rules):
            if votes is not None and votes[c, i]:
                terms.append(f"{literal(votes[c, i], dtype)} * u[{k}]")
            if share is not None and share[c, i]:
                terms.append(f"log1p{f}(-{literal(share[c, i], dtype)} * u[{k}])")
        total = "\n            + ".join(terms)
        lines.append(f"        scores[{c}] += {part} * ({total});")
    return lines


def _mix_lines(
    model: RuleModel, rules: list[int], part: str, real: str, f: str, dtype: Precision
) -> list[str]:
    gains = model.parameters["log_alpha"]
    lines = [f"        {real} top, sum;"]
    each = gains.shape[1]
    for c in range(len(gains)):
        own = [k for k, i in enumerate(rules) if i // each == c]
        for k in own:
            lines.append(f"        u[{k}] = {literal(gains.ravel()[rules[k]], dtype)} - u[{k}];")
        lines.append(f"        top = u[{own[0]}];")
        lines += [f"        top = u[{k}] > top ? u[{k}] : top;" for k in own[1:]]
        lines.append(f"        sum = exp{f}(u[{own[0]}] - top);")
        lines += [f"        sum += exp{f}(u[{k}] - top);" for k in own[1:]]
        lines.append(f"        scores[{c}] += {part} * (top + log{f}(sum));")
    return lines


def _asked(literals: Literals, j: int) -> tuple[int, Feature, int]:
    """The feature of a literal, and the literal's place among those of the feature."""
    place = int(literals.feature_of[j])
    first = int(np.searchsorted(literals.feature_of, place))
    return place, literals.features[place], j - first


def _literal_lines(
    literals: Literals, j: int, target: str, weight: float, dtype: Precision
) -> list[str]:
    """Add a false literal's weight; or a part of it where a missing value is a mean."""
    place, feature, k = _asked(literals, j)
    test = _comparison(feature, k, f"x[{place}]", dtype)
    if not feature.missing:
        unknown = literal(weight * (1.0 - feature.means[k]), dtype)
        value = (
            f"isnan(x[{place}]) ? {unknown} : {test} ? {_zero(dtype)} : {literal(weight, dtype)}"
        )
    else:
        value = f"{test} ? {_zero(dtype)} : {literal(weight, dtype)}"
    return [f"        {target} += {value};"]


def _test(literals: Literals, j: int, integers: bool) -> str:
    """A condition that holds where a hard literal is true."""
    place, feature, k = _asked(literals, j)
    x = f"x[{place}]"
    known = f"x[{place}] != {_MISSING}" if integers else f"!isnan(x[{place}])"
    test = _comparison(feature, k, x, "int" if integers else "float64")
    if not feature.missing:  # a mean is a part of the truth, and not the whole, unless it is 1
        missing = f"x[{place}] == {_MISSING}" if integers else f"isnan(x[{place}])"
        return f"({missing} || {test})" if feature.means[k] == 1.0 else f"({known} && {test})"
    return f"({known} && {test})" if k < len(feature.means) else test


def _comparison(feature: Feature, k: int, x: str, dtype: str) -> str:
    """A literal as a comparison of C, false where x is NaN."""
    integers = dtype == "int"
    if k >= len(feature.means):
        missing = f"{x} == {_MISSING}" if integers else f"isnan({x})"
        return f"({missing})" if k == len(feature.means) else f"!({missing})"
    if feature.kind == "boolean":
        return f"({x} == 1)" if k == 0 else f"({x} == 0)"
    values = feature.values
    if feature.kind == "category":
        if len(values) == 2:
            return f"({x} == {k})"
        return f"({x} == {k // 2})" if k % 2 == 0 else f"({x} < {k // 2} || {x} > {k // 2})"
    sign = ">" if k % 2 == 0 else "<="
    threshold = float(values[k // 2])
    if integers and abs(threshold) > _LARGEST:
        raise ValueError(
            f"`dtype` must not be 'int', whose numbers are within ±{_LARGEST}, where rules ask for "
            f"more. Received: {dtype!r}, {feature.names[k]!r}"
        )
    return f"({x} {sign} {_threshold(threshold, dtype)})"


def _threshold(value: float, dtype: str) -> str:
    """A threshold t such that ``x > t`` for the same numbers x of the type."""
    if dtype == "int":
        return str(math.floor(value))
    if dtype == "float32":
        short = np.float32(value)
        if float(short) > value:
            short = np.nextafter(short, np.float32(-np.inf))
        return literal(float(short), "float32")
    return literal(value, "float64")


def _coding(literals: Literals, missing: str) -> str:
    """What each feature is, as lines of a comment."""
    kinds: dict[Kind, str] = {"number": "a number", "boolean": "1 or 0", "category": "the place in"}
    lines = [f" * Features, {missing}:"]
    for j, feature in enumerate(literals.features):
        text = f"x[{j}] is {_plain(feature.name)}, {kinds[feature.kind]}"
        if feature.kind == "category":
            text += f" {[_plain(str(value)) for value in feature.values]}, or -1"
        lines.append(f" *   {text}")
    return "\n".join(lines).replace("$", "")


def _plain(text: str) -> str:
    """A text in which nothing means something to a compiler."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in " _.-") else "?" for c in text)
    return kept[:60]

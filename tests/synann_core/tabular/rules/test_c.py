"""C files of rules: compiled without a warning by gcc, they predict what the rules predict."""

import ctypes

import numpy as np
import pytest

from synann_core.tabular import SynapseRules
from synann_core.tabular.rules.c import rules_source
from synann_core.tabular.rules.crisp_selection import CLOSED
from synann_core.tabular.rules.model import RuleModel
from synann_core.tabular.rules.structures import STRUCTURES
from tests.export_models import compiled
from tests.synann_core.tabular.rules.tables import mixed_columns, mixed_labels, mixed_literals
from tests.synann_core.tabular.rules.test_parts import model as any_model

QUICK = {"max_iter": 30, "n_starts": 1, "cv": 2, "penalties": (2e-3,), "random_state": 0}


def coded(literals, columns):
    """What the C functions take: numbers, places of categories (−1 for another), NaN."""
    parts = []
    for feature, column in zip(literals.features, columns, strict=True):
        values = column.values
        if feature.kind == "category":
            place = {v: float(k) for k, v in enumerate(feature.values)}
            values = np.array([np.nan if v is None else place.get(v, -1.0) for v in values])
        parts.append(values.astype(float))
    return np.stack(parts, axis=1)


def call(function, rows, outputs, real, whole=False):
    function.restype = None
    found = np.zeros((len(rows), outputs), np.int64 if whole else rows.dtype)
    for x, out in zip(rows, found, strict=True):
        function(x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p))
    return found


def fitted(missing="state", **options):
    columns = mixed_columns(300)
    table = np.empty((300, 4), dtype=object)
    for j, column in enumerate(columns):
        table[:, j] = column.values
    table[:, 2] = [value == 1.0 for value in columns[2].values]
    y = mixed_labels(columns)
    if options.pop("classes", 2) == 3:
        y = y + (columns[0].values > 65)
    rules = SynapseRules(missing=missing, **QUICK | options).fit(table, y)
    table[:3, 1] = ["new", None, "none"]
    table[:3, 0] = [None, 50.0, 51.0]
    columns[1].values[:3] = table[:3, 1]
    columns[0].values[:3] = [np.nan, 50.0, 51.0]
    return rules, table, coded(rules.literals_, columns)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("missing", ["state", "marginal"])
@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-12), ("float32", 1e-5)])
def test_probabilities_are_those_of_the_rules(tmp_path, structure, missing, dtype, close):
    rules, table, x = fitted(missing, structure=structure, classes=3, n_bags=2)
    rules.save_c(tmp_path / "rules.c", name="own", dtype=dtype)
    library = compiled(tmp_path / "rules.c")
    x = np.ascontiguousarray(x.astype(dtype))
    got = call(library.own_probabilities, x, 3, dtype)
    np.testing.assert_allclose(got, rules.predict_proba(table), atol=close)
    labels = [library.own_predict(row.ctypes.data_as(ctypes.c_void_p)) for row in x]
    assert labels == rules.predict(table).tolist()


@pytest.mark.parametrize("integers", [False, True])
def test_points_need_no_floating_point(tmp_path, integers):
    rules, table, x = fitted(crisp=True, integer_weights=True, penalties=(1e-3,))
    text = rules.to_c(name="own", dtype="int" if integers else "points")
    (tmp_path / "rules.c").write_text(text)
    if integers:
        assert "double" not in text
        assert "#include" not in text
        x = np.floor(x)
        table[:, 3] = x[:, 3]
        x = np.where(np.isnan(x), -2147483647, x).astype(np.int64)
    library = compiled(tmp_path / "rules.c")
    points = call(library.own_points, np.ascontiguousarray(x), 2, None, whole=True)
    odds = rules.decision_function(table)
    np.testing.assert_allclose(rules.unit_ * (points[:, 1] - points[:, 0]), odds, atol=1e-9)


def tied(unit, several=False):
    """Two columns of 0 and 1, and rules whose points tie where both are 1: 9 against 2 + 7."""
    rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 8, dtype=float)
    y = rows.sum(axis=1).astype(int) if several else (rows.sum(axis=1) > 1).astype(int)
    rules = SynapseRules(crisp=True, integer_weights=True, cv=2, random_state=0).fit(rows, y)
    one = [
        next(j for j, n in enumerate(rules.literals_.names) if n[:4] == f"x{k} >") for k in (0, 1)
    ]
    W = np.zeros((3, len(rules.literals_.names)))
    W[[0, 1, 2], [one[0], one[0], one[1]]] = CLOSED
    points = np.zeros((3 if several else 2, 3))
    points[0, 0], points[1] = 9, (0, 2, 7)
    parameters = {"votes": unit * points, "bias": np.zeros(len(points))}
    rules.models_ = [RuleModel("rrl", rules.literals_, W, parameters)]
    rules.unit_ = unit
    return rules, np.ascontiguousarray(rows[:4])


@pytest.mark.parametrize("several", [False, True])
def test_of_classes_with_as_many_points_the_first_wins(tmp_path, several):
    rules, rows = tied(0.1, several)
    assert 0.1 * 2 + 0.1 * 7 > 0.1 * 9  # in float64
    rules.save(tmp_path / "rules.json")
    for own in (rules, SynapseRules.from_file(tmp_path / "rules.json")):
        p, scores = own.predict_proba(rows), own.decision_function(rows)
        assert p[3, 0] == p[3, 1]
        assert scores[3, 0] == scores[3, 1] if several else scores[3] == 0.0
        assert own.predict(rows).tolist() == [0, 1, 0, 0]
    for dtype in ("float64", "float32", "points", "int"):
        path = tmp_path / f"{dtype}.c"
        rules.save_c(path, name="own", dtype=dtype)
        x = np.ascontiguousarray(rows.astype({"int": int, "float32": "float32"}.get(dtype, float)))
        predict = compiled(path).own_predict
        found = [predict(row.ctypes.data_as(ctypes.c_void_p)) for row in x]
        assert found == [0, 1, 0, 0], dtype


@pytest.mark.parametrize("structure", STRUCTURES)
def test_any_rules_with_strong_and_weak_links(tmp_path, structure):
    rules, _ = any_model(structure, scale=30.0)
    columns = mixed_columns(60)
    literals = mixed_literals(columns)
    (tmp_path / "rules.c").write_text(rules_source([rules], "own", "float64"))
    library = compiled(tmp_path / "rules.c")
    got = call(library.own_scores, coded(literals, columns), 2, None)
    np.testing.assert_allclose(got.T, rules.scores(literals.codes(columns)), rtol=1e-12, atol=1e-12)


def test_names_cannot_leave_their_comment(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 1))
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["*/ int $name /* ä"])
    rules = SynapseRules(**QUICK).fit(frame, (X[:, 0] > 0).astype(int))
    (tmp_path / "rules.c").write_text(rules.to_c())
    compiled(tmp_path / "rules.c")


def test_options_are_checked():
    rules, _, _ = fitted()
    with pytest.raises(ValueError, match="`dtype`"):
        rules.to_c(dtype="float16")
    with pytest.raises(ValueError, match="integer weights"):
        rules.to_c(dtype="points")
    with pytest.raises(ValueError, match="`name`"):
        rules.to_c(name="1st")


def test_numbers_beyond_a_long_of_32_bits_are_no_ints():
    X = np.array([[4 * 10**9, 3], [10**10, 3]] * 30)
    X[:, 1] += np.arange(60) % 5
    options = {"crisp": True, "cv": 2, "penalties": (1e-3,)}
    rules = SynapseRules(integer_weights=True, **options).fit(X, X[:, 0] > 5e9)
    with pytest.raises(ValueError, match=r"`dtype` .* 'x0 [>≤] \d{10}'"):
        rules.to_c(dtype="int")
    assert rules.to_c(dtype="points")
    with pytest.raises(ValueError, match="integer weights"):
        SynapseRules(**options).fit(X, X[:, 0] > 5e9).to_c(dtype="points")

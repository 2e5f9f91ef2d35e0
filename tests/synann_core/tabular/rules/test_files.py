"""Files of rules: the same bits again, and nothing else accepted."""

import copy
import json
import warnings

import numpy as np
import pytest
from sklearn.model_selection import KFold

from synann_core.tabular import SynapseRules
from synann_core.tabular.rules.structures import STRUCTURES
from tests.synann_core.tabular.rules.tables import numbers
from tests.synann_core.tabular.rules.test_c import fitted

KINDS = [{"structure": s} for s in STRUCTURES]


@pytest.mark.parametrize(
    "options",
    [*KINDS, {"n_bags": 2}, {"crisp": True, "penalties": (1e-3,), "integer_weights": True}],
    ids=str,
)
@pytest.mark.parametrize("classes", [3])
def test_predictions_have_the_same_bits(tmp_path, options, classes):
    rules, table, _ = fitted(classes=classes, **options)
    rules.save(tmp_path / "rules.json")
    again = SynapseRules.from_file(tmp_path / "rules.json")
    np.testing.assert_array_equal(again.predict_proba(table), rules.predict_proba(table))
    np.testing.assert_array_equal(again.predict(table), rules.predict(table))
    assert again.to_text() == rules.to_text()
    assert again.to_c() == rules.to_c()
    np.testing.assert_array_equal(again.explain(table[:9]).rules, rules.explain(table[:9]).rules)


def test_labels_and_names_come_back(tmp_path):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["länge", "b"])
    y = np.where(X["länge"] > 0, "ja", "nein")
    rules = SynapseRules(max_iter=9, n_starts=1, cv=2, penalties=(1e-3,)).fit(X, y)
    rules.save(tmp_path / "rules.json")
    again = SynapseRules.from_file(tmp_path / "rules.json")
    assert again.predict(X).tolist() == rules.predict(X).tolist()
    assert again.feature_names_in_.tolist() == ["länge", "b"]
    with pytest.raises(ValueError, match="feature names"):
        again.predict(X[["b", "länge"]])


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "rules.json"
    found = {}
    for structure in STRUCTURES:
        fitted(structure=structure)[0].save(path)
        found[structure] = json.loads(path.read_text())
    return found


def places(value, path=()):
    """Paths to all values of a document, of lists the first two."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value[:2])
        if isinstance(value, list)
        else ()
    )
    for key, part in items:
        yield from places(part, (*path, key))


WRONG = (None, True, -1, 1e999, "x", [], {}, [[]], 10**30, [1e9])


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_wrong_value_anywhere_is_an_error_or_harmless(tmp_path, document, structure):
    path = tmp_path / "rules.json"
    row = [[50.0, "none", True, 120.0]]
    refused = 0
    for place in list(places(document[structure]))[1:]:
        for wrong in WRONG:
            damaged = copy.deepcopy(document[structure])
            *parents, last = place
            target = damaged
            for key in parents:
                target = target[key]
            target[last] = wrong
            path.write_text(json.dumps(damaged))
            try:
                rules = SynapseRules.from_file(path)
            except ValueError as error:
                refused += str(path) in str(error)
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of names, if they are named now
                assert np.isfinite(rules.predict_proba(row)).all(), (place, wrong)
    assert refused > 100


def test_a_small_file_cannot_ask_for_much_memory(tmp_path, document):
    damaged = copy.deepcopy(document["rrl"])
    model = damaged["models"][0]
    rules = 400_000
    model["literals"] = model["weights"] = [[]] * rules
    model["votes"] = [[0.0] * rules] * 2
    (tmp_path / "rules.json").write_text(json.dumps(damaged))
    with pytest.raises(ValueError, match="at most"):
        SynapseRules.from_file(tmp_path / "rules.json")


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "[1]", "NaN", '{"a": 1, "a": 2}', "\xff", "[" * 10**5]
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "rules.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="`path` must hold rules"):
        SynapseRules.from_file(path)
    with pytest.raises(FileNotFoundError):
        SynapseRules.from_file(tmp_path / "none.json")


@pytest.mark.parametrize("unit", [-0.1, 0.07, 1e-300])
def test_a_unit_is_what_all_votes_are_multiples_of(tmp_path, document, unit):
    damaged = copy.deepcopy(document["rrl"])
    (model,) = damaged["models"]
    model["bias"] = [0.0, 0.3]
    model["votes"] = [[0.1 * k for k in range(len(row))] for row in model["votes"]]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(damaged | {"unit": 0.1}))
    assert SynapseRules.from_file(path).unit_ == 0.1
    for wrong in (damaged | {"unit": unit}, copy.deepcopy(document["mix"]) | {"unit": 0.1}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match="unit: expected 0, or what votes"):
            SynapseRules.from_file(path)


@pytest.mark.parametrize("share", [-1.0, -1e308, 1.5])
def test_shares_are_from_0_to_1(tmp_path, document, share):
    damaged = copy.deepcopy(document["duel"])
    damaged["share"][0] = share
    (tmp_path / "rules.json").write_text(json.dumps(damaged))
    with pytest.raises(ValueError, match="share"):
        SynapseRules.from_file(tmp_path / "rules.json")


def test_a_loaded_model_learns_again_as_it_did(tmp_path):
    X, y = numbers()
    options = {
        "crisp": True,
        "penalties": np.array([1e-3, 4e-3]),
        "monotone": {0: 1},
        "class_weight": {0: 1.0, np.int64(1): 2.0},
        "random_state": np.int64(3),
        "cv": KFold(3),
    }
    rules = SynapseRules(**options).fit(X, y)
    rules.save(tmp_path / "rules.json")
    again = SynapseRules.from_file(tmp_path / "rules.json")
    assert again.cv == SynapseRules().cv
    own = again.get_params()
    assert own | {"cv": options["cv"]} == rules.get_params() | {"penalties": [1e-3, 4e-3]}
    again.set_params(cv=options["cv"]).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), rules.predict_proba(X))


def test_settings_of_other_names_are_refused(tmp_path, document):
    damaged = copy.deepcopy(document["mix"])
    damaged["settings"]["depth"] = 3
    (tmp_path / "rules.json").write_text(json.dumps(damaged))
    with pytest.raises(ValueError, match=r"settings: .*'depth'"):
        SynapseRules.from_file(tmp_path / "rules.json")


def test_a_constant_column_does_not_make_a_file_unreadable(tmp_path):
    X = np.ones((45, 1))  # 45 times 1/45 is above 1 in float64
    model = SynapseRules(max_iter=3, cv=2, random_state=0).fit(X, ["yes", "no"] * 22 + ["yes"])
    assert model.state_share_.max() == 1.0
    model.save(tmp_path / "rules.json")
    again = SynapseRules.from_file(tmp_path / "rules.json")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))

"""The rivals of the study of tables."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from studies import tables_models
from studies.tables_models import RIVALS, Bins, leaves_and_tests
from tests.examples.studies.tables_files import labelled


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(tables_models, "INNER_FOLDS", 2)
    monkeypatch.setattr(tables_models, "TREES", 8)
    monkeypatch.setattr(tables_models, "BOOSTING", ((3, 5),))
    monkeypatch.setitem(tables_models.EBM, "max_rounds", 2)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", list(RIVALS))
def test_models_learn_from_numbers_categories_and_gaps(name, classes):
    train, test = labelled(classes=classes), labelled(90, classes, seed=1)
    model, rules, literals = RIVALS[name](train.x, train.y)
    p = model.predict_proba(test.x)
    assert list(model.classes_) == sorted(set(train.y))
    np.testing.assert_allclose(p.sum(axis=1), 1)
    for k, label in enumerate(model.classes_):
        assert roc_auc_score(test.y == label, p[:, k]) > 0.75
    assert not rules < 0
    assert not literals < 0


def test_an_unknown_category_is_not_an_error():
    train = labelled()
    new = train.x.iloc[:4].assign(kind=pd.Categorical(["never seen"] * 4))
    for name in ("logistic", "logistic, binned", "tree", "forest", "boosting"):
        assert np.isfinite(RIVALS[name](train.x, train.y).model.predict_proba(new)).all()


def test_bins_are_quantiles_values_and_one_for_what_is_missing():
    x = pd.DataFrame({"many": np.arange(80.0), "few": np.arange(80) % 3.0})
    x.loc[7, "few"] = np.nan
    bins = Bins().fit(x)
    found = bins.transform(x)
    assert found.shape == (80, 8 + 3 + 1)
    np.testing.assert_array_equal(found[:, :8].sum(axis=0), np.full(8, 10))
    np.testing.assert_array_equal(found[:, 8:].sum(axis=0), [1, 27, 26, 26])
    np.testing.assert_array_equal(found.sum(axis=1), np.full(80, 2))
    far = bins.transform(pd.DataFrame({"many": [-9.0, 99.0], "few": [0.0, 2.0]}))
    np.testing.assert_array_equal(far.argmax(axis=1), [0, 7])


def test_leaves_and_the_tests_on_the_ways_to_them_are_counted():
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    tree = DecisionTreeClassifier().fit(x, ["a", "b", "a", "a"])
    assert leaves_and_tests(tree.tree_) == (3, 1 + 2 + 2)
    stump = DecisionTreeClassifier().fit(x, ["a", "a", "a", "a"])
    assert leaves_and_tests(stump.tree_) == (1, 0)


def test_without_interpret_core_ebm_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "interpret.glassbox", None)
    with pytest.raises(SystemExit, match=r"\.\[studies\]"):
        RIVALS["EBM"](labelled().x, labelled().y)

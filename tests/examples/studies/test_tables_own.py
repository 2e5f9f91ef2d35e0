"""This library's models in the study of tables."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from studies.tables_own import OWN
from tests.examples.studies.tables_files import labelled


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", list(OWN))
def test_own_models_learn_from_numbers_categories_and_gaps(name, classes):
    train, test = labelled(classes=classes), labelled(90, classes, seed=1)
    model, rules, literals = OWN[name](train.x, train.y)
    p = model.predict_proba(test.x)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    for k, label in enumerate(model.classes_):
        assert roc_auc_score(test.y == label, p[:, k]) > 0.75
    assert 0 < rules <= literals


def test_bags_are_counted_together():
    train = labelled()
    _, one, few = OWN["rules"](train.x, train.y)
    _, all_of_them, many = OWN["rules, bagged"](train.x, train.y)
    assert all_of_them > one
    assert many > few

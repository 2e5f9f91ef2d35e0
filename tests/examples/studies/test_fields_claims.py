"""Models of the claims table, each group left out once."""

import numpy as np
import pytest
from sklearn.metrics import mean_poisson_deviance

import tariff
from studies import fields_claims


@pytest.fixture(scope="module")
def data():
    return fields_claims.read()


@pytest.fixture(scope="module")
def few(data):
    """The groups of two districts."""
    x, claims, holders = data
    some = np.flatnonzero(x["District"].isin(["1", "2"]))
    x = x.iloc[some].reset_index(drop=True)
    x["District"] = x["District"].cat.remove_unused_categories()
    return x, claims[some], holders[some]


def test_the_table_has_ordered_features(data):
    x, claims, holders = data
    assert (len(x), claims.sum(), holders.sum()) == (64, 3151, 23359)
    assert [name for name in x if x[name].cat.ordered] == ["Group", "Age"]
    assert tuple(x["Age"].cat.categories) == tariff.ORDERS["Age"]


def test_deviances_sum_to_scikit_learns():
    claims, expected = np.array([0.0, 3, 7]), np.array([0.5, 2.0, 8.0])
    want = 3 * mean_poisson_deviance(claims, expected)
    assert fields_claims.deviances(claims, expected).sum() == pytest.approx(want)


def test_a_group_is_predicted_by_the_others(few):
    x, claims, holders = few
    expected = fields_claims.left_out(x, claims, holders, ["GLM", "tariff"])
    np.testing.assert_allclose(expected["tariff"], expected["GLM"], rtol=1e-4)
    changed = claims.copy()
    changed[5] += 1000
    again = fields_claims.left_out(x, changed, holders, ["tariff"])["tariff"]
    assert again[5] == pytest.approx(expected["tariff"][5])
    assert (again != expected["tariff"]).sum() == len(claims) - 1


@pytest.mark.parametrize("name", fields_claims.MODELS)
def test_every_model_learns_the_rates(data, name, monkeypatch):
    monkeypatch.setattr(fields_claims, "ROUNDS", 30)
    monkeypatch.setattr(fields_claims, "TREES", 50)
    monkeypatch.setattr(fields_claims, "EBM", {"n_jobs": 1, "outer_bags": 2, "max_rounds": 300})
    x, claims, holders = data
    expected = holders * fields_claims.MODELS[name](x, claims / holders, holders)(x)
    constant = holders * claims.sum() / holders.sum()
    left = fields_claims.deviances(claims, expected).sum()
    assert left < 0.6 * fields_claims.deviances(claims, constant).sum()


def test_the_candidate_of_the_smallest_deviance_is_chosen(data):
    x, claims, holders = data

    def constant(factor):
        def fit(x, rates, holders):
            rate = factor * np.average(rates, weights=holders)
            return lambda x: np.full(len(x), rate)

        return fit

    fit = fields_claims.chosen([constant(factor) for factor in (0.5, 1.0, 3.0)])
    rate = fit(x, claims / holders, holders)(x)
    np.testing.assert_allclose(rate, claims.sum() / holders.sum())

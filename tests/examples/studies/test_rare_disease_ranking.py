"""The ranking with a model of what is reported."""

import numpy as np
import pytest
from scipy import sparse

from studies.rare_disease_model import Settings
from studies.rare_disease_ranking import (
    FEATURES,
    Ranking,
    fit_logit,
    weighted,
    with_floor,
)
from tests.examples.studies.rare_disease_world import knowledge_of, read_world

SETTINGS = Settings()


@pytest.fixture
def world(tmp_path):
    return read_world(tmp_path)


@pytest.fixture
def ranking(world):
    return Ranking(knowledge_of(world, SETTINGS))


def test_blurred_evidence_comes_from_a_sibling_too(ranking):
    names = ranking.knowledge.ontology.names
    atrial, septal = names.index("atrial defect"), names.index("septal defect")
    assert ranking.knowledge.closed.toarray()[atrial, 3] == 0  # it is the ventricular one
    blurred = ranking.blurred
    assert blurred[atrial, 3] >= SETTINGS.blur * ranking.knowledge.gain[septal, 3] > 0
    assert (blurred >= ranking.knowledge.gain).all()


def test_a_finding_that_others_tell_weighs_less(ranking):
    names = ranking.knowledge.ontology.names
    observed = np.zeros((2, len(names)), np.float32)
    observed[0, [names.index("atrial defect"), names.index("ventricular defect")]] = 1
    observed[0, names.index("seizures")] = 1
    observed[1, names.index("seizures")] = 1
    weights = ranking.overlap_weights(sparse.csr_array(observed)).toarray()
    assert weights[1, names.index("seizures")] == pytest.approx(1)
    assert weights[0, names.index("atrial defect")] < weights[0, names.index("seizures")] <= 1


def test_features_count_what_was_reported(ranking, world):
    _, _, patients = world
    x = dict(zip(FEATURES, ranking.features(patients.observed, patients.excluded), strict=True))
    # Fainting alone is all that disease 3 has, and nothing of disease 4.
    assert x["unreported findings"][3, 2] == pytest.approx(0, abs=1e-6)
    silent = np.log1p(-ranking.knowledge.direct.toarray()[:, 3]).sum()
    assert x["unreported findings"][3, 3] == pytest.approx(silent / np.sqrt(2), rel=1e-5)
    assert (x["excluded findings"] <= 0).all()


def test_fitted_weights_are_the_best_and_not_negative():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3, 200, 6)).astype(np.float32)
    true = np.array([1.5, -1.0, 0.5])
    noise = rng.gumbel(size=(200, 6))
    disease = np.argmax(weighted(x, true) + noise, axis=1)
    weight = rng.uniform(0.5, 2.0, 200)

    def loss(w):
        score = np.tensordot(w, x.astype(float), 1)
        losses = np.log(np.exp(score).sum(axis=1)) - score[np.arange(200), disease]
        return np.average(losses, weights=weight) + 1e-3 * w @ w

    w = fit_logit(x, disease, weight).weights
    assert w[1] == 0
    steps = 0.02 * np.vstack([np.eye(3), -np.eye(3)[[0, 2]]])
    for step in steps:
        assert loss(w + step) > loss(w)
    free = fit_logit(x * np.array([1, -1, 1], np.float32)[:, None, None], disease, weight).weights
    np.testing.assert_allclose(free, np.abs(true), atol=0.4)


def test_parts_add_up_to_the_log_odds(ranking, world):
    _, _, patients = world
    weights = np.linspace(0.3, 1.2, len(FEATURES))
    scores = weighted(ranking.features(patients.observed, patients.excluded), weights)
    for k in range(len(patients)):
        one = patients[[k]]
        parts = ranking.parts(one.observed, one.excluded, weights, 0, 3)
        assert sum(parts.values()) == pytest.approx(scores[k, 0] - scores[k, 3], abs=1e-4)
        assert len(parts) == one.observed.sum() + 2


@pytest.mark.parametrize("seed", range(3))
def test_few_products_give_the_weighted_sum(ranking, world, seed):
    _, _, patients = world
    weights = np.random.default_rng(seed).normal(size=len(FEATURES))
    weights[seed] = 0.0
    got = ranking.scorer(weights)(patients.observed, patients.excluded)
    expected = weighted(ranking.features(patients.observed, patients.excluded), weights)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_the_floor_is_the_share_that_nothing_explains():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(1, 4000, 50)).astype(np.float32)
    noise = rng.gumbel(size=(4000, 50))
    disease = np.argmax(6 * x[0] + noise, axis=1)
    disease[:480] = rng.integers(0, 50, 480)
    fitted = fit_logit(x, disease, np.ones(4000))
    assert 0.05 <= fitted.floor <= 0.16
    p = np.exp(with_floor(np.log(np.full(50, 0.02)), 0.3, 50))
    np.testing.assert_allclose(p, 0.02)
    assert with_floor(np.log(0.5), 0.0, 50) == np.log(0.5)

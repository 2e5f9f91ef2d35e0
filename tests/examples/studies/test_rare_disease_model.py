"""The network of the rare diseases."""

import numpy as np
import pytest
from scipy import sparse

from studies.rare_disease_model import Settings, spread
from tests.examples.studies.rare_disease_world import knowledge_of, read_world

SETTINGS = Settings()


@pytest.fixture
def world(tmp_path):
    return read_world(tmp_path)


@pytest.fixture
def knowledge(world):
    return knowledge_of(world, SETTINGS)


def value(knowledge, array, name, column):
    return array.toarray()[knowledge.ontology.names.index(name), column]


def test_frequencies_are_shrunk_by_count_and_class(knowledge):
    def direct(name, column):
        return value(knowledge, knowledge.direct, name, column)

    assert direct("atrial defect", 0) == pytest.approx((3 + 8 * 0.05) / (4 + 8))
    assert direct("septal defect", 1) == pytest.approx((5 * 0.895 + 8 * 0.05) / (5 + 8))
    assert direct("fainting", 0) == pytest.approx(SETTINGS.unknown)


def test_a_finding_is_told_by_what_lies_below_and_above(knowledge):
    def beta(name, column):
        return value(knowledge, knowledge.network.beta, name, column)

    def background(name):
        return knowledge.background[knowledge.ontology.names.index(name)]

    # Disease 2 has septal defects: all defects of the heart, and a share of the atrial ones.
    assert beta("heart", 1) == beta("septal defect", 1) == pytest.approx(4.875 / 13)
    share = background("atrial defect") / background("septal defect")
    assert 0 < share < 1
    assert beta("atrial defect", 1) == pytest.approx(share * 4.875 / 13)
    # Disease 1 has both defects: the larger frequency counts.
    assert beta("septal defect", 0) == beta("atrial defect", 0)
    assert background("all") == pytest.approx(
        np.mean([value(knowledge, knowledge.closed, "all", k) for k in range(4)])
    )


def test_spreading_takes_the_largest_product():
    rng = np.random.default_rng(1)
    values, links = (sparse.random_array(s, density=0.4, rng=rng).tocsr() for s in ((6, 5), (6, 7)))
    products = links.toarray()[:, :, None] * values.toarray()[:, None, :]
    np.testing.assert_allclose(spread(values, links).toarray(), products.max(axis=0))


def test_scores_are_the_networks_log_likelihood_ratios(knowledge, world):
    _, _, patients = world
    network = knowledge.network
    present = 1 - (1 - network.leak[:, None]) * (1 - network.beta.toarray())
    gain = np.log(present / network.leak[:, None])
    absent = np.log((1 - present) / (1 - network.leak[:, None]))
    observed, excluded = patients.observed, patients.excluded
    got = knowledge.single(observed, root=False) + knowledge.excluded(excluded, root=False)
    np.testing.assert_allclose(got, observed @ gain + excluded @ absent, rtol=1e-5, atol=1e-6)
    root = np.sqrt(observed.sum(axis=1))[:, None]
    expected = observed @ gain / root
    np.testing.assert_allclose(knowledge.single(observed), expected, rtol=1e-5, atol=1e-6)

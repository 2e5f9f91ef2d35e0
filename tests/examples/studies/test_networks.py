"""The worlds that the diagnosis example draws its data from."""

import numpy as np
import pytest

from studies.networks import draw_diseases, draw_symptoms, random_network


@pytest.mark.parametrize("protecting", [0.0, 0.5, 1.0])
def test_a_share_of_the_links_protects(protecting):
    network = random_network(np.random.default_rng(0), diseases=40, protecting=protecting)
    causing = (network.beta > 0).sum()
    blocking = 0 if network.protection is None else (network.protection > 0).sum()
    assert blocking / (causing + blocking) == pytest.approx(protecting, abs=0.15)
    if protecting == 0.5:
        assert not ((network.beta > 0) & (network.protection > 0)).any()


def test_people_are_drawn_from_the_network():
    rng = np.random.default_rng(1)
    network = random_network(rng, diseases=6, symptoms=8, protecting=0.3)
    y = draw_diseases(network, 20_000, rng)
    s = draw_symptoms(network, y, rng)
    np.testing.assert_allclose(y.mean(axis=0), network.prior, atol=0.015)
    np.testing.assert_allclose(s.mean(axis=0), network.predict(y).mean(axis=0), atol=0.02)


def test_networks_are_drawn_as_announced():
    network = random_network(np.random.default_rng(3))
    links = network.beta
    parents = (links > 0).sum(axis=1)
    assert links.shape == (60, 20)
    assert (parents.min(), parents.max()) == (2, 5)
    assert links[links > 0].min() >= 0.3
    assert links.max() <= 0.95
    assert ((network.prior >= 0.02) & (network.prior <= 0.2)).all()
    assert ((network.leak >= 0.005) & (network.leak <= 0.1)).all()

"""The worlds that the diagnosis example draws its data from."""

import numpy as np
import pytest

from studies.networks import random_network


def by_hand(network, y):
    """Probability of each symptom of one person, from the definition."""
    absent = [
        (1 - leak) * np.prod([1 - b * v for b, v in zip(row, y, strict=True)])
        for leak, row in zip(network.causes.leak, network.causes.beta, strict=True)
    ]
    kept = [np.prod([1 - d * v for d, v in zip(row, y, strict=True)]) for row in network.protection]
    return (1 - np.array(absent)) * kept


@pytest.mark.parametrize("protecting", [0.0, 0.5])
def test_probabilities_are_those_of_the_definition(protecting):
    rng = np.random.default_rng(0)
    network = random_network(rng, diseases=6, symptoms=8, protecting=protecting)
    y = network.draw_diseases(20, rng)
    want = [by_hand(network, row) for row in y]
    np.testing.assert_allclose(network.predict(y), want, rtol=1e-13)
    assert (network.protection > 0).any() == (protecting > 0)


def test_networks_are_drawn_as_announced():
    network = random_network(np.random.default_rng(3))
    links = network.causes.beta
    parents = (links > 0).sum(axis=1)
    assert links.shape == (60, 20)
    assert (parents.min(), parents.max()) == (2, 5)
    assert links[links > 0].min() >= 0.3
    assert links.max() <= 0.95
    assert ((network.causes.prior >= 0.02) & (network.causes.prior <= 0.2)).all()
    assert ((network.causes.leak >= 0.005) & (network.causes.leak <= 0.1)).all()

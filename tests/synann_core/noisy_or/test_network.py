"""Samples of a network."""

import numpy as np
import pytest

from tests.synann_core.noisy_or.networks import sparse_pair


@pytest.mark.parametrize("kind", [0, 1])
def test_samples_come_as_often_as_they_should(kind):
    model = sparse_pair(protection=True)[kind]
    causes, findings = model.sample(20_000, rng=0)
    assert set(np.unique(causes)) == set(np.unique(findings)) == {0.0, 1.0}
    np.testing.assert_allclose(causes.mean(0), model.prior, atol=0.015)
    np.testing.assert_allclose(findings.mean(0), model.predict(model.prior), atol=0.015)
    again = model.sample(20_000, rng=0)
    np.testing.assert_array_equal(again[1], findings)
    assert model.sample(3, rng=1)[0].shape == (3, 6)
    with pytest.raises(ValueError, match="`n` must be at least 1"):
        model.sample(0, rng=1)

"""Two diseases at once."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from studies.rare_disease_data import Patients
from studies.rare_disease_pairs import best_pairs, merge
from synann.noisy_or import NoisyOr


@pytest.mark.parametrize("seed", range(10))
def test_the_search_finds_the_likeliest_pair(seed):
    rng = np.random.default_rng(seed)
    beta = sparse.random_array((8, 12), density=0.3, rng=rng).tocsr()
    leak = rng.uniform(0.001, 0.1, 8)
    network = NoisyOr(np.full(12, 1 / 12), leak, beta)
    findings = np.array([0, 2, 3, 5, 6])

    def likelihood(*diseases):
        return np.prod(network.predict(np.isin(np.arange(12), diseases).astype(float))[findings])

    single = np.log([likelihood(d) for d in range(12)])
    best = max(itertools.combinations(range(12), 2), key=lambda pair: likelihood(*pair))
    got = best_pairs(network, findings, single)
    assert got.searched == best
    first = int(np.argmax(single))
    second = max(set(range(12)) - {first}, key=lambda d: likelihood(first, d))
    assert got.greedy == tuple(sorted((first, second)))


def test_merged_patients_have_the_findings_of_both():
    rng = np.random.default_rng(3)
    observed = sparse.csr_array((rng.random((8, 30)) < 0.2).astype(np.float32))
    cohort = np.array(list("aabbccdd"))
    disease = np.array([0, 1, 2, 2, 2, 2, 3, 3])
    patients = Patients(cohort, cohort, disease, observed, 0 * observed)
    merged = merge(patients, 40, rng)
    assert merged.observed.shape == (40, 30)
    dense = observed.toarray()
    for row, pair in zip(merged.observed.toarray(), merged.diseases, strict=True):
        assert pair[0] < pair[1]
        one, other = (np.flatnonzero(disease == d) for d in pair)
        unions = [np.maximum(dense[a], dense[b]) for a in one for b in other]
        assert any((row == union).all() for union in unions)

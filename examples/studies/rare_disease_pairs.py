"""Two diseases at once: merge patients, and search the pair that explains all findings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from studies.rare_disease_data import Patients, indicator
from synann.noisy_or import NoisyOr

ANCHORS = 50  # of the best single diseases: one of a pair is among them


class Merged(NamedTuple):
    """Findings (count, terms) of two patients each, and their diseases (count, 2)."""

    observed: sparse.csr_array
    diseases: np.ndarray


def merge(patients: Patients, count: int, rng: np.random.Generator) -> Merged:
    """Merge patients of two cohorts and diseases, each cohort as likely as any other.

    Excluded findings are left out: what one patient lacks was not always looked for in the other.
    """
    cohorts = np.unique(patients.cohort)
    members = [np.flatnonzero(patients.cohort == cohort) for cohort in cohorts]
    pairs = []
    while len(pairs) < count:
        one, other = (rng.choice(members[k]) for k in rng.choice(len(cohorts), 2, replace=False))
        if patients.disease[one] != patients.disease[other]:
            pairs.append((one, other))
    first, second = np.array(pairs).T
    both = sparse.coo_array(patients.observed[first] + patients.observed[second])
    diseases = np.stack([patients.disease[first], patients.disease[second]], axis=1)
    return Merged(indicator(both.row, both.col, both.shape), np.sort(diseases, axis=1))


class Pairs(NamedTuple):
    """Pairs of diseases, sorted: found by search, and by taking the best one first."""

    searched: tuple[int, int]
    greedy: tuple[int, int]


def best_pairs(network: NoisyOr, findings: np.ndarray, single: np.ndarray) -> Pairs:
    """Search the pair of diseases under which the findings are most likely.

    P(absent | pair) is (1 − leak)(1 − β)(1 − β'). All pairs are looked at of which at least one is
    among the `ANCHORS` best single diseases.

    Parameters
    ----------
    network : NoisyOr
    findings : ndarray of int
        Places of the present findings in the network.
    single : ndarray, shape (diseases,)
        Log-likelihood of the findings with each disease alone, up to a constant.
    """
    silent = 1.0 - network.beta[findings].toarray().astype(float)
    anchors = np.argsort(-single, kind="stable")[:ANCHORS]
    # Relative to the leak, of which each finding has at least as much.
    evidence = np.ones((len(anchors), len(single)))
    for leak, row in zip(network.leak[findings], silent, strict=True):
        evidence *= (1.0 - np.multiply.outer((1.0 - leak) * row[anchors], row)) / leak
    evidence[np.arange(len(anchors)), anchors] = 0.0
    k, other = np.unravel_index(np.argmax(evidence), evidence.shape)
    return Pairs(_sorted(anchors[k], other), _sorted(anchors[0], np.argmax(evidence[0])))


def _sorted(one: np.integer, other: np.integer) -> tuple[int, int]:
    return min(int(one), int(other)), max(int(one), int(other))

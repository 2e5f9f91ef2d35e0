"""Rivals of the network: semantic similarity, naive Bayes, and frequencies alone.

The similarity of two terms is made of the information of what they have in common (Resnik), as a
share of their own (Lin), or as a distance (Jiang and Conrath). A patient's findings are matched to
a disease's best terms; two-sided, the disease's terms with the patient's as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import sparse

from studies.rare_disease_data import Ontology, refilled, row_of
from studies.rare_disease_model import Knowledge

KINDS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "Resnik": lambda common, one, other: common,
    "Lin": lambda common, one, other: 2.0 * common / np.maximum(one + other, 1e-6),
    "Jiang-Conrath": lambda common, one, other: 1.0 / (1.0 + one + other - 2.0 * common),
}
_ROWS = 100  # at once


def frequency_alone(knowledge: Knowledge, observed: sparse.csr_array) -> np.ndarray:
    """Sum of the findings' frequencies in each disease, without leak and background."""
    return (observed[:, knowledge.vocabulary] @ knowledge.network.beta).toarray()


def naive_bayes(
    knowledge: Knowledge, observed: sparse.csr_array, excluded: sparse.csr_array
) -> np.ndarray:
    """Log-likelihood of observed and excluded findings, the background where it is larger."""
    closed = sparse.csr_array(knowledge.closed[knowledge.vocabulary])
    base = np.minimum(knowledge.background[knowledge.vocabulary], 0.5)
    rare = np.repeat(base, np.diff(closed.indptr))
    here = np.maximum(closed.data, rare)

    def over(weights: np.ndarray, findings: sparse.csr_array) -> np.ndarray:
        array = refilled(closed, weights.astype(np.float32))
        return (findings[:, knowledge.vocabulary] @ array).toarray()

    return over(np.log(here / rare), observed) + over(np.log((1.0 - here) / (1.0 - rare)), excluded)


def similarities(
    knowledge: Knowledge, observed: sparse.csr_array
) -> Iterator[tuple[str, np.ndarray]]:
    """Names of similarities and patients' scores with all columns, (patients, columns)."""
    columns, ontology = knowledge.columns, knowledge.ontology
    findings = np.flatnonzero(observed.sum(axis=0))
    targets, place = np.unique(columns.term, return_inverse=True)
    diseases = sparse.csr_array(knowledge.closed[:, : columns.diseases])
    having = np.maximum(np.diff(diseases.indptr), 1)
    information = np.log(columns.diseases / having).astype(np.float32)
    common = common_information(ontology, findings, targets, information)
    observed = observed[:, findings]
    of_patient = _means(observed)
    shape = len(targets), columns.count
    ones = np.ones(len(place), np.float32)
    of_disease = _means(sparse.csr_array((ones, (place, columns.column)), shape=shape).T.tocsr())
    for name, kind in KINDS.items():
        alike = kind(common, information[findings, None], information[targets])
        one = of_patient @ best_matches(alike, place, columns.column, columns.count)
        yield f"{name}, one-sided", one
        best = np.array(
            [alike[row_of(observed, k)].max(axis=0, initial=0.0) for k in range(observed.shape[0])]
        )
        yield f"{name}, two-sided", 0.5 * (one + (of_disease @ best.T).T)


def common_information(
    ontology: Ontology, findings: np.ndarray, targets: np.ndarray, information: np.ndarray
) -> np.ndarray:
    """Information of the most informative term above both, (findings, targets)."""
    needed = np.flatnonzero(ontology.ancestors[findings].sum(axis=0))
    place = np.full(len(ontology.names), -1)
    place[needed] = np.arange(len(needed))
    result = np.zeros((len(needed), len(targets)), np.float32)
    below = sparse.csr_array(ontology.ancestors[targets].T)
    for term in ontology.order[place[ontology.order] >= 0]:
        row = result[place[term]]
        for parent in row_of(ontology.parents, term):
            np.maximum(row, result[place[parent]], out=row)
        shared = row_of(below, term)
        row[shared] = np.maximum(row[shared], information[term])
    return result[place[findings]]


def best_matches(
    alike: np.ndarray, term: np.ndarray, column: np.ndarray, columns: int
) -> np.ndarray:
    """Largest similarity of each finding with the terms of each column, (findings, columns)."""
    order = np.argsort(column, kind="stable")
    has, start = np.unique(column[order], return_index=True)
    result = np.zeros((len(alike), columns), np.float32)
    for k in range(0, len(alike), _ROWS):
        rows = slice(k, k + _ROWS)
        result[rows, has] = np.maximum.reduceat(alike[rows][:, term[order]], start, axis=1)
    return result


def _means(array: sparse.csr_array) -> sparse.csr_array:
    """Divide each row by its number of entries."""
    lengths = np.diff(array.indptr)
    return refilled(array, np.repeat(1.0 / np.maximum(lengths, 1), lengths).astype(np.float32))

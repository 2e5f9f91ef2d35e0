"""Take from the annotations what the patients to be diagnosed brought into them.

Most patients of the store were also counted for the annotations, so a ranking by all annotations
has seen the answers. What is left of a disease without a paper is a column of its own, which takes
the place of the disease for the patients of that paper.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from studies.rare_disease_data import Annotations, Patients, Row

ALL, SUBTRACTED, DROPPED = "all annotations", "own paper subtracted", "citing rows dropped"
PROTOCOLS = ALL, SUBTRACTED, DROPPED


@dataclass(frozen=True, eq=False)
class Columns:
    """The diseases, and behind them what is left of some without one paper.

    Attributes
    ----------
    diseases, count : int
        Number of diseases, and of all columns.
    column, term : ndarray of int, shape (links,)
        The distinct pairs that have rows.
    n, m : ndarray, shape (links,)
        Patients with the finding, and examined for it, over the rows of a pair.
    share : ndarray, shape (links,)
        Mean of the shares that rows give; NaN where none gives any.
    swaps : dict of str to list of (int, int)
        For each paper, the diseases and the columns in their place.
    """

    diseases: int
    count: int
    column: np.ndarray
    term: np.ndarray
    n: np.ndarray
    m: np.ndarray
    share: np.ndarray
    swaps: Mapping[str, list[tuple[int, int]]]

    def of_diseases(self, scores: np.ndarray, papers: Iterable[str]) -> np.ndarray:
        """Scores (patients, columns) of the diseases as they stand for each patient's paper."""
        result = scores[:, : self.diseases].copy()
        for k, paper in enumerate(papers):
            for disease, column in self.swaps.get(paper, ()):
                result[k, disease] = scores[k, column]
        return result

    def nothing_left(self, patients: Patients) -> np.ndarray:
        """True for patients whose disease has no finding left, or is not in the annotations."""
        linked = np.bincount(self.column, minlength=self.count) > 0
        left = self.of_diseases(
            np.broadcast_to(linked, (len(patients), self.count)), patients.paper
        )
        return (patients.disease < 0) | ~left[np.arange(len(patients)), patients.disease]


def make_columns(annotations: Annotations, patients: Patients, protocol: str) -> Columns:
    """Make the columns for one of `PROTOCOLS`; `patients` are all that the papers describe.

    With `SUBTRACTED`, a paper's patients are taken out of the counts of the rows that cite it; a
    row falls when nobody is left in its count, or when it has no count and no other source. With
    `DROPPED`, all rows that cite the paper fall, also where others stand beside it.
    """
    diseases = len(annotations.diseases)
    rows = list(annotations.rows)
    swaps: dict[str, list[tuple[int, int]]] = defaultdict(list)
    count = diseases
    if protocol != ALL:
        of_disease: list[list[Row]] = [[] for _ in range(diseases)]
        for row in rows:
            of_disease[row.disease].append(row)
        change = _subtracted(patients) if protocol == SUBTRACTED else _dropped
        papers = set(patients.paper.tolist())
        citing = {(paper, row.disease) for row in rows for paper in row.references & papers}
        for paper, disease in sorted(citing):
            kept = [change(row, paper) for row in of_disease[disease]]
            rows += [row._replace(disease=count) for row in kept if row is not None]
            swaps[paper].append((disease, count))
            count += 1
    return _pooled(rows, diseases, count, swaps)


def _dropped(row: Row, paper: str) -> Row | None:
    return None if paper in row.references else row


def _subtracted(patients: Patients) -> Callable[[Row, str], Row | None]:
    seen, examined = (
        _counts(patients, kinds) for kinds in (("observed",), ("observed", "excluded"))
    )

    def change(row: Row, paper: str) -> Row | None:
        if paper not in row.references:
            return row
        if row.m == 0:
            return row if len(row.references) > 1 else None
        key = paper, row.disease, row.term
        m = row.m - examined[key]
        return row._replace(n=min(max(row.n - seen[key], 0), m), m=m) if m > 0 else None

    return change


def _counts(patients: Patients, kinds: tuple[str, ...]) -> Counter[tuple[str, int, int]]:
    """Patients with a finding, by paper, disease and term."""
    counts: Counter[tuple[str, int, int]] = Counter()
    for kind in kinds:
        places = sparse.coo_array(getattr(patients, kind))
        counts.update(
            zip(
                patients.paper[places.row].tolist(),
                patients.disease[places.row].tolist(),
                places.col.tolist(),
                strict=True,
            )
        )
    return counts


def _pooled(rows: list[Row], diseases: int, count: int, swaps: Mapping) -> Columns:
    column, term = (np.array([row[k] for row in rows], int) for k in (0, 1))
    n, m, share = (np.array([row[k] for row in rows], float) for k in (3, 4, 5))
    terms = term.max() + 1
    pairs, place = np.unique(column * terms + term, return_inverse=True)
    shares = np.bincount(place, ~np.isnan(share))
    with np.errstate(invalid="ignore"):
        share = np.bincount(place, np.nan_to_num(share)) / shares
    n, m = np.bincount(place, n), np.bincount(place, m)
    # None of those examined had it, and no row says otherwise.
    unknown = np.bincount(place, np.array([row.m == 0 for row in rows], float)) > 0
    keep = (n > 0) | unknown
    column, term = np.divmod(pairs[keep], terms)
    return Columns(diseases, count, column, term, n[keep], m[keep], share[keep], swaps)

"""Check what a network learns from, and count equal samples once.

Samples become rows: the sets of causes that occur, each with how often it was seen in all, with
each finding, and without knowing the finding. Of definite causes there are many equal samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import as_numbers, check_number, check_pair, check_range
from synann_core.noisy_or.parameters import Floats, is_sparse

_SPARSE = 0.25  # share of present causes up to which rows are kept sparse
_MOST_UNKNOWN = 12  # causes of one sample: it has 2^unknown sets


@dataclass(frozen=True)
class Samples:
    """Rows of causes with their counts; the last row, without any cause, is the leak's prior's.

    `rows` are float64, shape (rows, causes), dense or CSR. `total` has the shape (rows,), `present`
    and `unknown`, both CSC, (rows, findings).
    """

    rows: Any
    total: NDArray[np.float64]
    present: Any
    unknown: Any
    definite: bool  # all causes are 0 or 1

    def column(self, counts: Any, finding: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Rows with a count of this finding, and the counts."""
        part = slice(counts.indptr[finding], counts.indptr[finding + 1])
        return counts.indices[part], counts.data[part]


def check_findings(name: str, findings: Any) -> Any:
    """Findings as CSC: stored are the present ones, 1, and those that were not examined, NaN."""
    from scipy.sparse import csc_array

    values = findings if is_sparse(findings) else as_numbers(name, findings)
    check_shape(name, values, "samples", "findings")
    own = csc_array(values, copy=True)
    own.sum_duplicates()
    own.data = as_numbers(name, own.data).astype(np.float64)
    own.eliminate_zeros()
    other = own.data[~((own.data == 1.0) | np.isnan(own.data))]
    if other.size:
        raise ValueError(f"`{name}` must be 0, 1 or NaN to be learned from. Received: {other[0]}")
    return own


def check_weight(weight: Any, samples: int) -> NDArray[np.float64]:
    """How much each sample counts, ≥ 0; by default 1."""
    if weight is None:
        return np.ones(samples)
    own = check_range("sample_weight", weight, 0.0).astype(np.float64)
    check_shape("sample_weight", own, samples)
    if not own.sum() > 0.0:
        raise ValueError("`sample_weight` must not be 0 everywhere. Received: zeros")
    return own


def check_prior(name: str, prior: Any, bounds: tuple[float, float], ends: str) -> Any:
    """(a, b) of a Beta prior, a in the bounds and b at least 1."""
    a, b = check_pair(name, prior, "(a, b)")
    return check_number(f"{name}[0]", a, *bounds, ends), check_number(f"{name}[1]", b, 1.0)


def group(
    causes: Any,
    findings: Any,
    weight: NDArray[np.float64],
    leak_prior: tuple[float, float],
) -> Samples:
    """Count equal samples once. The arguments are what the checks returned."""
    from scipy.sparse import csr_array, vstack

    values = causes.data if is_sparse(causes) else causes
    definite = bool(((values == 0.0) | (values == 1.0)).all())
    if definite:
        causes = csr_array(causes)
        first, which = _equal_rows(causes)
        rows = causes[first]
        rows = vstack([rows, csr_array((1, rows.shape[1]))], format="csr")
        if rows.nnz > _SPARSE * rows.shape[0] * rows.shape[1]:
            rows = rows.toarray()
    else:
        dense = causes.toarray() if is_sparse(causes) else causes
        unique, which = np.unique(dense, axis=0, return_inverse=True)
        which = which.ravel()
        rows = np.r_[unique, np.zeros((1, dense.shape[1]))]
    # The imagined samples of the leak's prior: with the finding a − 1, without b − 1.
    total = np.bincount(which, weight, rows.shape[0]).astype(np.float64)
    total[-1] = sum(leak_prior) - 2.0
    gone = np.isnan(findings.data)
    present = _counts(findings, ~gone, which, weight, rows.shape[0], leak_prior[0] - 1.0)
    unknown = _counts(findings, gone, which, weight, rows.shape[0], 0.0)
    return Samples(rows, total, present, unknown, definite)


def _equal_rows(causes: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first of all equal rows of a CSR array of ones, and the number of each row's first."""
    causes.sort_indices()
    ends = causes.indptr.tolist()
    seen: dict[bytes, int] = {}
    which = np.empty(causes.shape[0], np.intp)
    first: list[int] = []
    for k in range(len(which)):
        number = seen.setdefault(causes.indices[ends[k] : ends[k + 1]].tobytes(), len(seen))
        which[k] = number
        if number == len(first):
            first.append(k)
    return np.array(first, np.intp), which


def _counts(
    findings: Any,
    chosen: NDArray[np.bool_],
    which: NDArray[np.intp],
    weight: NDArray[np.float64],
    rows: int,
    imagined: float,
) -> Any:
    """Weight of the chosen entries of the findings, by row and finding; the last row's is given."""
    from scipy.sparse import csc_array

    counts = findings.shape[1]
    before = np.r_[0, np.cumsum(chosen)][findings.indptr]  # chosen entries ahead of each column
    at, data = which[findings.indices[chosen]], weight[findings.indices[chosen]]
    if imagined:
        ends = before[1:]
        at, data = np.insert(at, ends, rows - 1), np.insert(data, ends, imagined)
        before = before + np.arange(counts + 1)
    found = csc_array((data, at, before), shape=(rows, counts))
    found.sum_duplicates()
    return found


def prior_of(causes: Any, weight: NDArray[np.float64]) -> Floats:
    """Mean of each cause, as if one sample with it and one without had been seen beside them."""
    prior: Floats = (weight @ causes + 1.0) / (weight.sum() + 2.0)
    return prior


def has_missing(causes: Any) -> bool:
    """Whether a cause is not known; of a sparse array every one is."""
    return not is_sparse(causes) and bool(np.isnan(causes).any())


def check_missing_causes(name: str, causes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Causes that are 0, 1 or NaN, each known in some sample."""
    unknown = np.isnan(causes)
    known = check_range(name, np.where(unknown, 0.0, causes), 0.0, 1.0).astype(np.float64)
    other = known[(known != 0.0) & (known != 1.0)]
    if other.size:
        raise ValueError(f"`{name}` must be 0, 1 or NaN, with NaN in it. Received: {other[0]}")
    most = int(unknown.sum(axis=1).max())
    if most > _MOST_UNKNOWN:
        raise ValueError(
            f"`{name}` must have at most {_MOST_UNKNOWN} unknown causes in a sample. "
            f"Received: {most}"
        )
    if unknown.all(axis=0).any():
        column = int(np.flatnonzero(unknown.all(axis=0))[0])
        raise ValueError(
            f"`{name}` must know each cause in some sample (NoisyOrFactors finds hidden ones). "
            f"Received: column {column} of NaN"
        )
    known[unknown] = np.nan
    return known

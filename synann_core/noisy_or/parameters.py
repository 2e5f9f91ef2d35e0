"""Hold the parameters of a noisy-OR network, dense or sparse, and predict its findings.

A finding is absent if its leak and the links of all present causes stay silent, each on its own:
``P(absent_i | y) = (1 − leak_i) ∏_j (1 − β_ij y_j)``. That is a synapse tensor whose last input is
always 1; its logarithm is the log-transmission. A present cause may also protect: it blocks the
finding with probability δ_ij, whatever brought it about.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import as_tuple, check_range
from synann_core._lib.typing import NumpyArray
from synann_core.noisy_or.frames import Names, by_name, column_names, numbers_of, row_names
from synann_core.transmission import log_transmission

Reals = NDArray[np.float64]
Floats = NDArray[np.floating]  # float32 or float64

_PAIRS_AT_A_TIME = 1 << 22  # (sample, link) pairs of a sparse network with uncertain causes


class Parameters:
    """Priors, leaks, links and names, checked; a base of `NoisyOr`, which documents them."""

    prior: NDArray[np.float64]
    leak: NDArray[np.float64]
    beta: Any  # float64, dense or a CSR array of SciPy's without zeros
    protection: Any  # like beta, or None
    causes: Names
    findings: Names

    def __init__(
        self,
        prior: ArrayLike,
        leak: ArrayLike,
        beta: Any,
        *,
        protection: Any = None,
        causes: Any = None,
        findings: Any = None,
    ) -> None:
        # Frames' names, where there are no others; then all frames are taken by the names.
        causes = _first(causes, column_names(beta), row_names(prior))
        findings = _first(findings, row_names(beta), row_names(leak))
        own = _as_names("causes", causes), _as_names("findings", findings)
        prior, leak = _ordered("prior", prior, own[0]), _ordered("leak", leak, own[1])
        beta = _ordered_links("beta", beta, *own)
        protection = _ordered_links("protection", protection, *own)
        self.prior = check_range("prior", prior, 0.0, 1.0).astype(np.float64)
        self.leak = check_range("leak", leak, 0.0, 1.0, "[)").astype(np.float64)
        self.beta = unit_matrix("beta", beta)
        self.protection = None if protection is None else unit_matrix("protection", protection)
        shape = self.leak.size, self.prior.size
        shapes = self.prior.shape, self.leak.shape, self.beta.shape
        if shapes != (shape[1:], shape[:1], shape):
            raise ValueError(
                "`prior`, `leak` and `beta` must have the shapes (causes,), (findings,) and "
                f"(findings, causes). Received: {shapes[0]}, {shapes[1]} and {shapes[2]}"
            )
        if not (shape[0] and shape[1]):
            raise ValueError(
                "`beta` must have at least one finding and one cause. "
                f"Received: shape {self.beta.shape}"
            )
        if self.protection is not None:
            check_shape("protection", self.protection, *shape)
            if is_sparse(self.beta) != is_sparse(self.protection):
                raise TypeError(
                    "`beta` and `protection` must both be dense or both be sparse. Received: "
                    f"{type(self.beta).__name__} and {type(self.protection).__name__}"
                )
        self.causes = _check_count("causes", own[0], shape[1])
        self.findings = _check_count("findings", own[1], shape[0])

    def __repr__(self) -> str:
        links = self.beta.nnz if is_sparse(self.beta) else np.count_nonzero(self.beta)
        protecting = "" if self.protection is None else ", protection"
        counts = (self.prior.size, "cause"), (self.leak.size, "finding"), (int(links), "link")
        text = ", ".join(counted(*pair) for pair in counts)
        return f"{type(self).__name__}({text}{protecting})"

    def absence_surprisal(self, causes: ArrayLike, /) -> Floats:
        """Return the surprisal of each finding's absence, −log P(absent | causes).

        Exact for known causes (0 or 1) and for independent uncertain ones (their probabilities):
        every cause occurs once in the product, so that its factor takes the mean.

        Parameters
        ----------
        causes : array_like, shape (..., causes)
            In [0, 1].

        Returns
        -------
        ndarray of float64 (float32 where `causes` is), shape (..., findings)
            In nats, ≥ 0; infinite where a link of strength 1 makes the finding certain.

        Raises
        ------
        TypeError, ValueError
            If `causes` is not such an array.
        """
        return self._absence_surprisal(self._known_causes(causes))

    def predict(self, causes: ArrayLike, /) -> Floats:
        """Return the probability of each finding.

        Parameters
        ----------
        causes : array_like, shape (..., causes)
            As for `absence_surprisal`, with the same errors.

        Returns
        -------
        ndarray of float64 (float32 where `causes` is), shape (..., findings)
            In [0, 1].
        """
        y = self._known_causes(causes)
        if self.protection is None:
            present: Floats = -np.expm1(-link_surprisal(self.beta, self.leak, y))
            return present
        # P(brought about, and not blocked). Of definite causes the two are independent; an
        # uncertain one is in both products, so that the mean is that of their product.
        spared = np.exp(-link_surprisal(self.protection, None, y))
        apart = spared * -np.expm1(-link_surprisal(self.beta, self.leak, y))
        definite = ((y == 0.0) | (y == 1.0)).all(axis=-1, keepdims=True)
        if definite.all():
            return apart
        silent = np.exp(-link_surprisal(_either(self.beta, self.protection), self.leak, y))
        return np.where(definite, apart, np.maximum(spared - silent, 0.0))

    def protected(self) -> NDArray[np.bool_]:
        """Tell which findings some cause protects from, shape (findings,)."""
        if self.protection is None:
            return np.zeros(self.leak.size, bool)
        return np.asarray((self.protection > 0.0).sum(axis=1)).ravel() > 0

    def _known_causes(self, causes: ArrayLike) -> Floats:
        y: Floats = check_range("causes", causes, 0.0, 1.0)
        check_shape("causes", y, ..., self.prior.size)
        return y

    def _absence_surprisal(self, y: Floats) -> Floats:
        if self.protection is None:
            return link_surprisal(self.beta, self.leak, y)
        with np.errstate(divide="ignore"):
            return 0.0 - np.log1p(-self.predict(y))


def counted(count: int, noun: str) -> str:
    """So many of them, for instance "1 cause"."""
    return f"{count} {noun}{'s' if count != 1 else ''}"


def is_sparse(links: Any) -> bool:
    """Whether these links are a sparse array of SciPy's, which is not imported for the answer."""
    return type(links).__module__.startswith("scipy.sparse")


def dense_rows(links: Any, findings: NDArray[np.int64]) -> NDArray[np.float64]:
    """The links of some findings, dense, shape (findings, causes)."""
    rows: NDArray[np.float64] = links[findings].toarray() if is_sparse(links) else links[findings]
    return rows


def with_leak(y: Floats) -> Floats:
    """Append a cause that is always present: the leak is the strength of its link."""
    return np.concatenate([y, np.ones((*y.shape[:-1], 1), y.dtype)], axis=-1)


def unit_matrix(name: str, values: Any) -> Any:
    """Numbers in [0, 1] as float64: a dense array, or CSR without zeros and with sorted columns."""
    if not is_sparse(values):
        return check_range(name, values, 0.0, 1.0).astype(np.float64, copy=False)
    from scipy.sparse import csr_array

    own = csr_array(values, copy=True)
    own.sum_duplicates()
    own.data = check_range(name, own.data, 0.0, 1.0).astype(np.float64, copy=False)
    own.eliminate_zeros()
    return own


def _first(*choices: Any) -> Any:
    return next((names for names in choices if names is not None), None)


def _as_names(name: str, names: Any) -> Names:
    if names is None:
        return None
    own = as_tuple(name, names, "strings")
    odd = [n for n in own if not isinstance(n, str)]
    if odd or isinstance(names, set | frozenset):  # which has no order
        raise TypeError(f"`{name}` must be a sequence of strings. Received: {[*odd, names][0]!r}")
    return own


def _check_count(name: str, names: Names, count: int) -> Names:
    if names is not None and (len(names) != count or len(set(names)) != count):
        twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
        what = f"{twice!r} twice" if len(names) == count else f"{len(names)} names"
        raise ValueError(f"`{name}` must hold {count} different names. Received: {what}")
    return names


def _ordered(name: str, values: Any, names: Names) -> Any:
    """A series in the order of the names; anything else as it stands."""
    return by_name(name, numbers_of(name, values), row_names(values), names)


def _ordered_links(name: str, links: Any, causes: Names, findings: Names) -> Any:
    """A frame with its rows in the order of the findings and its columns in that of the causes."""
    rows = by_name(name, numbers_of(name, links), row_names(links), findings)
    return by_name(name, rows, column_names(links), causes, axis=1)


def link_surprisal(links: Any, leak: NumpyArray | None, y: Floats) -> Floats:
    """−log of ``(1 − leak_i) ∏_j (1 − links_ij y_j)``, shape (..., findings)."""
    if not is_sparse(links):
        if leak is not None:
            y, links = with_leak(y), np.c_[links, leak]
        dense: Floats = 0.0 - log_transmission(y, links.astype(y.dtype))
        return dense
    rows = y.reshape(-1, y.shape[-1]).astype(np.float64)
    definite = bool(((rows == 0.0) | (rows == 1.0)).all())
    found = _sums_of_definite(links, rows) if definite else _sums_of_uncertain(links, rows)
    if leak is not None:
        found -= np.log1p(-leak)
    surprisal: Floats = found.reshape(*y.shape[:-1], links.shape[0]).astype(y.dtype)
    return surprisal


def _sums_of_definite(links: Any, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ_j −log(1 − links_ij) over the present causes: a matrix product, certain links apart."""
    certain = links.data == 1.0
    sums = links.copy()
    sums.data = -np.log1p(-np.where(certain, 0.0, links.data))
    found: NDArray[np.float64] = np.asarray((sums @ y.T).T)
    if certain.any():
        sums.data = certain.astype(np.float64)
        found[np.asarray((sums @ y.T).T) > 0.0] = np.inf
    return found


def _sums_of_uncertain(links: Any, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ_j −log(1 − links_ij y_j), a few samples at a time: (samples, links) numbers."""
    found = np.zeros((len(y), links.shape[0]))
    full = np.flatnonzero(np.diff(links.indptr))  # reduceat has no empty sums
    step = max(1, _PAIRS_AT_A_TIME // max(1, links.nnz))
    for first in range(0, len(y) if full.size else 0, step):
        block = slice(first, first + step)
        with np.errstate(divide="ignore"):
            terms = np.log1p(-links.data * y[block][:, links.indices])
        found[block, full] = 0.0 - np.add.reduceat(terms, links.indptr[full], axis=1)
    return found


def _either(beta: Any, protection: Any) -> Any:
    """1 − (1 − β)(1 − δ): a cause alone brings the finding about, blocks it, or both."""
    either = beta + protection - beta * protection
    values = either.data if is_sparse(either) else either
    np.minimum(values, 1.0, out=values)
    return either

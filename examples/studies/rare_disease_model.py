"""Build the noisy-OR network of the rare diseases, and rank single diseases with it.

The link of a disease to a finding is the largest of what its annotations imply: those of the
finding and of what lies below it in full, those of what lies above it by the finding's share of
them in the background. The leak is a share of the background, the mean over all diseases.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from studies.rare_disease_data import Ontology, refilled
from studies.rare_disease_protocols import Columns
from synann.noisy_or import NoisyOr


@dataclass(frozen=True)
class Settings:
    """How annotations become a network; the study chooses four of them on the first cohorts."""

    unknown: float = 0.2  # of an annotation without any frequency
    pseudo: float = 8.0  # patients that were added to each count, of whom
    mean: float = 0.05  # this share had the finding
    class_weight: float = 5.0  # patients that a class of frequencies stands for
    most: float = 0.985
    least_leak: float = 1e-4
    leak_share: float = 2.0  # of the background
    most_leak: float = 0.5
    blur: float = 0.9  # what is left of the evidence at a parent


@dataclass(frozen=True, eq=False)
class Knowledge:
    """The network over the terms that patients have, and what it was made from.

    Attributes
    ----------
    columns : Columns
    ontology : Ontology
    vocabulary : ndarray of int, shape (findings,)
        The terms that are findings of the network.
    direct, closed : csr_array, shape (terms, columns)
        Frequencies of the annotated terms; of all that these are kinds of, too.
    network : NoisyOr
        Its causes are the columns, each as likely as any other.
    background : ndarray, shape (terms,)
        Mean frequency over the diseases, of a term or of anything below it.
    settings : Settings
    """

    columns: Columns
    ontology: Ontology
    vocabulary: np.ndarray
    direct: sparse.csr_array
    closed: sparse.csr_array
    network: NoisyOr
    background: np.ndarray
    settings: Settings

    @functools.cached_property
    def gain(self) -> np.ndarray:
        """Evidence of each finding for each disease alone, shape (findings, columns)."""
        return gain_over_leak(self.network.beta, self.network.leak).toarray()

    @functools.cached_property
    def absent(self) -> sparse.csr_array:
        """log P(no finding | disease)/P(no finding | none)."""
        beta = self.network.beta
        return refilled(beta, np.log1p(-beta.data).astype(np.float32))

    @functools.cached_property
    def information(self) -> np.ndarray:
        """Information of the terms in nats, shape (terms,)."""
        return -np.log(self.background).astype(np.float32)

    def single(self, observed: sparse.csr_array, *, root: bool = True) -> np.ndarray:
        """Evidence of the findings for each disease alone, (patients, columns).

        Divided by the root of the number of findings unless told not to.
        """
        observed = observed[:, self.vocabulary]
        return (tempered(observed) if root else observed) @ self.gain

    def excluded(self, excluded: sparse.csr_array, *, root: bool = True) -> np.ndarray:
        """Evidence of the excluded findings, in the same way."""
        excluded = excluded[:, self.vocabulary]
        return ((tempered(excluded) if root else excluded) @ self.absent).toarray()


def build(
    columns: Columns, ontology: Ontology, vocabulary: np.ndarray, settings: Settings
) -> Knowledge:
    """Build the network over the terms of `vocabulary`."""
    shape = len(ontology.names), columns.count
    no_class = np.isnan(columns.share)
    unknown = no_class & (columns.m == 0)
    weight = np.where(no_class, 0.0, settings.class_weight)
    count = columns.n + settings.pseudo * settings.mean + weight * np.nan_to_num(columns.share)
    frequency = count / (columns.m + settings.pseudo + weight)
    frequency = np.minimum(np.where(unknown, settings.unknown, frequency), settings.most)
    direct = sparse.csr_array(
        (frequency.astype(np.float32), (columns.term, columns.column)), shape=shape
    )
    closed = spread(direct, ontology.ancestors)
    mean = closed[:, : columns.diseases].sum(axis=1) / columns.diseases
    background = np.maximum(mean, 0.05 / columns.diseases)
    below = ontology.ancestors.T.tocsr()[:, vocabulary].tocoo()
    part = np.minimum(background[vocabulary][below.col] / background[below.row], 1.0)
    strict = vocabulary[below.col] != below.row
    down = sparse.csr_array(
        (part[strict].astype(np.float32), (below.row[strict], below.col[strict])), below.shape
    )
    beta = sparse.csr_array(closed[vocabulary].maximum(spread(direct, down)))
    leak = leak_of(background[vocabulary], settings)
    names = [ontology.names[term] for term in vocabulary]
    prior = np.full(columns.count, 1.0 / columns.diseases)
    network = NoisyOr(prior, leak, beta, findings=names)
    return Knowledge(columns, ontology, vocabulary, direct, closed, network, background, settings)


def spread(values: sparse.csr_array, links: sparse.csr_array) -> sparse.csr_array:
    """Largest product over the sources: ``[t, c] = max_s links[s, t] · values[s, c]``."""
    links = sparse.csr_array(links)
    source = sparse.coo_array(values)
    lengths = np.diff(links.indptr)[source.row]
    ends = np.cumsum(lengths)
    place = np.arange(ends[-1] if len(ends) else 0) - np.repeat(
        ends - lengths - links.indptr[source.row], lengths
    )
    product = np.repeat(source.data, lengths) * links.data[place]
    columns = values.shape[1]
    key = links.indices[place].astype(np.int64) * columns + np.repeat(source.col, lengths)
    order = np.lexsort((product, key))
    key = key[order]
    last = np.flatnonzero(np.diff(key, append=-1))  # the largest of each key comes last
    row, column = np.divmod(key[last], columns)
    shape = links.shape[1], columns
    return sparse.csr_array((product[order][last], (row, column)), shape=shape)


def leak_of(background: np.ndarray, settings: Settings) -> np.ndarray:
    """Leak of findings: a share of the background, and a little."""
    leak = settings.least_leak + settings.leak_share * background
    return np.minimum(leak, settings.most_leak)


def gain_over_leak(beta: sparse.csr_array, leak: np.ndarray) -> sparse.csr_array:
    """log P(finding | disease)/P(finding | none) where there is a link."""
    odds = ((1.0 - leak) / leak).astype(np.float32)
    gain = np.log1p(beta.data.astype(np.float32) * np.repeat(odds, np.diff(beta.indptr)))
    return refilled(beta, gain)


def tempered(findings: sparse.csr_array) -> sparse.csr_array:
    """Divide each row by the root of its sum: findings are not independent."""
    root = np.sqrt(np.maximum(findings.sum(axis=1), 1e-9)).astype(np.float32)
    return refilled(findings, findings.data / np.repeat(root, np.diff(findings.indptr)))

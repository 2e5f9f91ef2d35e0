"""Search for hidden causes: simulated annealing over which samples have them, and what they cause.

While it searches, a link is there or not, and a cell that no cause covers, one, or more, is empty
with one of three probabilities, which are counted. Given the samples' causes the findings are
independent of each other, and given the links the samples are. So a cause's bits of all samples,
and then of all findings, are drawn at once, and all restarts side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.progress import Progress
from synann_core.log_odds import expit

Floats = NDArray[np.float32]

_WARM, _COLD = 2.0, 1.0  # temperatures: a new cause is looked for at the first
_ALONE, _ADDED, _AGAIN = 6, 3, 24  # sweeps: of a new cause, of all after some new ones, of all
_GENERATIONS = 4
_SPARE = 1.3  # causes in the search, of those wanted: the redundant ones go afterwards
_MORE = 2  # causes that cover a cell, and more, are counted together
# Of the cells beside the data: what is empty, and how many there are.
_EXPECTED, _IMAGINED = (0.95, 0.1, 0.05), 10.0
_DROPPED = 0.3  # share of the found causes that a recombination does not see
_KEPT = 100  # sweeps whose mean is the answer


@dataclass
class Bits:
    """Restarts side by side: who has a cause, what it is linked to, and what is empty all the same.

    `empty` holds the probabilities that a cell is empty which no cause covers, one, and more.
    """

    has: Floats  # (restarts, samples, causes)
    links: Floats  # (restarts, causes, findings)
    empty: NDArray[np.float64]  # (restarts, 3)

    def score(self, cells: NDArray[np.int8]) -> NDArray[np.float64]:
        """Log-probability of all bits, those of the data too, by restart."""
        tables = _tables(self)
        covers = np.minimum(_covers(self), _MORE)
        data = np.array([t[cells, n].sum() for t, n in zip(tables, covers, strict=True)])
        on, share = self.has.sum(axis=1), _shares(self.has, 1)
        own = on * np.log(share) + (self.has.shape[1] - on) * np.log1p(-share)
        linked, density = self.links.sum(axis=(1, 2)), _shares(self.links, (1, 2))
        all_links = self.links[0].size
        of_links = linked * np.log(density) + (all_links - linked) * np.log1p(-density)
        total: NDArray[np.float64] = data + own.sum(axis=1) + of_links
        return total

    def best(self, cells: NDArray[np.int8]) -> Bits:
        """The most probable restart alone."""
        k = int(np.argmax(self.score(cells)))
        return Bits(self.has[k : k + 1], self.links[k : k + 1], self.empty[k : k + 1])


def search(
    findings: NDArray[np.floating],
    causes: int,
    rng: np.random.Generator,
    *,
    restarts: int,
    verbose: bool | int = False,
) -> tuple[Floats, Floats, float, float]:
    """Return the causes found: (samples, causes), (causes, findings), leak, strength.

    The first two are probabilities, means over draws around the most probable bits.

    Parameters
    ----------
    findings : ndarray, shape (samples, findings)
        0, 1 or NaN.
    causes : int
        How many to find.
    rng : numpy.random.Generator
    restarts : int
        Searches side by side.
    verbose : bool or int
        Whether to show the progress.
    """
    more = int(np.ceil(_SPARE * causes))
    # Of all sweeps, the causes that they draw anew.
    grown = more * (_ALONE + more // 4 * _ADDED + _AGAIN)
    total = grown + causes * (_GENERATIONS * (_AGAIN + _ADDED) + _KEPT)
    with Progress("hidden causes", total, shown=verbose, unit="draw") as bar:
        return _search(findings, causes, rng, restarts, bar)


def _search(
    findings: NDArray[np.floating],
    causes: int,
    rng: np.random.Generator,
    restarts: int,
    bar: Progress,
) -> tuple[Floats, Floats, float, float]:
    cells = np.where(np.isnan(findings), 2, findings).astype(np.int8)
    state = _grow(cells, int(np.ceil(_SPARE * causes)), rng, restarts, bar)
    for _ in range(_GENERATIONS):
        best = state.best(cells)
        state = _recombine(state, cells, causes, restarts, rng)
        _sweep(state, cells, np.geomspace(_WARM, _COLD, _AGAIN), rng, bar)
        _sweep(state, cells, np.full(_ADDED, 0.1), rng, bar)
        if best.has.shape[2] == causes:  # nothing found is lost
            state = _joined(state, best)
    best = state.best(cells)
    has, links = np.zeros_like(best.has), np.zeros_like(best.links)
    empty = best.empty
    for _ in range(_KEPT):
        _sweep(best, cells, np.ones(1), rng, bar)
        has += best.has / np.float32(_KEPT)
        links += best.links / np.float32(_KEPT)
    none, one, _ = empty[0]
    return has[0], links[0], 1.0 - none, max(0.0, 1.0 - one / none)


def _joined(first: Bits, second: Bits) -> Bits:
    return Bits(
        np.concatenate([first.has, second.has]),
        np.concatenate([first.links, second.links]),
        np.concatenate([first.empty, second.empty]),
    )


def _grow(
    cells: NDArray[np.int8], causes: int, rng: np.random.Generator, restarts: int, bar: Progress
) -> Bits:
    """Add causes one by one: each begins with what two samples share and nothing explains yet."""
    samples, findings = cells.shape
    state = Bits(
        np.zeros((restarts, samples, causes), np.float32),
        np.zeros((restarts, causes, findings), np.float32),
        np.tile(_EXPECTED, (restarts, 1)),
    )
    for k in range(causes):
        left = ((_covers(state) == 0) & (cells == 1)).astype(np.float32)
        for r in range(restarts):
            weight = left[r].sum(axis=1) ** 2
            if not weight.any():
                continue
            first = rng.choice(samples, p=weight / weight.sum())
            shared = left[r] @ left[r, first]
            shared[first] = 0.0
            weight = np.where(shared > 0, shared**2, 0.0)
            second = rng.choice(samples, p=weight / weight.sum()) if weight.any() else first
            state.has[r, [first, second], k] = 1.0
            state.links[r, k] = left[r, first] * left[r, second]
        _sweep(state, cells, np.geomspace(_WARM, _COLD, _ALONE), rng, bar, only=k, learn=False)
        if k % 4 == 3:
            _sweep(state, cells, np.full(_ADDED, _COLD), rng, bar, learn=k > causes // 2)
    _sweep(state, cells, np.geomspace(_WARM, _COLD, _AGAIN), rng, bar)
    return state


def _sweep(
    state: Bits,
    cells: NDArray[np.int8],
    temperatures: NDArray[np.floating],
    rng: np.random.Generator,
    bar: Progress,
    *,
    only: int | None = None,
    learn: bool = True,
) -> None:
    """Draw all bits (or those of one cause) at each temperature in turn, in place."""
    causes = state.has.shape[2]
    # Where a cell's gains begin in the tables: by restart, and by what the cell holds.
    base = 3 * np.arange(len(state.empty))[:, None, None] + cells
    base = (base * (causes + 1)).astype(np.int32)
    at = base + _covers(state)
    for temperature in temperatures:
        gains = (_gains(state, causes) / temperature).astype(np.float32).ravel()
        for k in rng.permutation(causes) if only is None else [only]:
            has, links = state.has[:, :, k], state.links[:, k]
            at -= (has[:, :, None] * links[:, None]).astype(np.int32)
            gain = gains[at]
            prior = _logit(_shares(has, 1)) / temperature
            has[:] = _draw((gain @ links[:, :, None])[..., 0] + prior[:, None], rng)
            prior = _logit(_shares(state.links, (1, 2))) / temperature
            links[:] = _draw((has[:, None] @ gain)[:, 0] + prior[:, None], rng)
            at += (has[:, :, None] * links[:, None]).astype(np.int32)
            bar.advance()
        if learn:
            _count(state, cells, at - base)


def _covers(state: Bits) -> NDArray[np.int32]:
    """How many causes cover each cell."""
    return (state.has @ state.links).astype(np.int32)


def _tables(state: Bits) -> NDArray[np.float64]:
    """Log-probability of a cell that no cause covers, one, and more, shape (restarts, 3, 3).

    Of empty cells, filled ones, and those not known.
    """
    unknown = np.zeros_like(state.empty)
    return np.stack([np.log(state.empty), np.log1p(-state.empty), unknown], axis=1)


def _gains(state: Bits, causes: int) -> NDArray[np.float64]:
    """What one more cause adds to it, shape (restarts, 3, causes + 1)."""
    return np.diff(_tables(state)[..., np.minimum(np.arange(causes + 2), _MORE)], axis=2)


def _count(state: Bits, cells: NDArray[np.int8], covers: NDArray[np.int32]) -> None:
    """Count what is empty, of the cells that no cause covers, one, and more."""
    known = cells < 2
    for n in range(_MORE + 1):
        these = known & ((covers >= n) if n == _MORE else (covers == n))
        empty = (these & (cells == 0)).sum(axis=(1, 2)) + _IMAGINED * _EXPECTED[n]
        state.empty[:, n] = empty / (these.sum(axis=(1, 2)) + _IMAGINED)


def _recombine(
    state: Bits, cells: NDArray[np.int8], causes: int, restarts: int, rng: np.random.Generator
) -> Bits:
    """Put together new restarts from the causes that all have found, the most useful one first.

    Each sees a part of them only, so that they differ.
    """
    has = np.moveaxis(state.has, 2, 1).reshape(-1, cells.shape[0])
    links = state.links.reshape(-1, cells.shape[1])
    useful = (has.sum(axis=1) > 0) & (links.sum(axis=1) > 0)
    has, links = has[useful], links[useful]
    best = int(np.argmax(state.score(cells)))
    new = Bits(
        np.zeros((restarts, cells.shape[0], causes), np.float32),
        np.zeros((restarts, causes, cells.shape[1]), np.float32),
        np.tile(state.empty[best], (restarts, 1)),
    )
    gains = _gains(new, causes)[0]
    bits = _logit(_shares(state.links, (1, 2)))[best]
    cost = bits * links.sum(axis=1) + (_logit(_shares(has, 1)) * has.sum(axis=1))
    for restart in range(restarts):
        seen = np.flatnonzero(rng.random(len(has)) >= (_DROPPED if restart else 0.0))
        covers = np.zeros(cells.shape, np.int64)
        for k in range(causes):
            gain = gains[cells, covers].astype(np.float32)
            worth = ((has[seen] @ gain) * links[seen]).sum(axis=1) + cost[seen]
            if not len(seen) or worth.max() <= 0.0:
                break
            one = seen[np.argmax(worth)]
            new.has[restart, :, k], new.links[restart, k] = has[one], links[one]
            covers += np.outer(has[one], links[one]).astype(np.int64)
    return new


def _shares(bits: Floats, axes: int | tuple[int, ...]) -> NDArray[np.float64]:
    """Share of ones along some axes, as if one more had been 1 and one 0."""
    count = np.prod([bits.shape[a] for a in np.atleast_1d(axes)])
    share: NDArray[np.float64] = (bits.sum(axis=axes, dtype=np.float64) + 1.0) / (count + 2.0)
    return share


def _logit(p: NDArray[np.float64]) -> Floats:
    return (np.log(p) - np.log1p(-p)).astype(np.float32)


def _draw(log_odds: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    return rng.random(log_odds.shape, dtype=np.float32) < expit(log_odds)

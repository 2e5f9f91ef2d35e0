"""Split the patients by cohort, and score rankings of diseases on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp
from tabulate import tabulate

from studies.rare_disease_data import Patients
from studies.rare_disease_ranking import with_floor

BATCH = 200
DRAWS = 2000  # of the bootstrap
BINS = 10  # of probabilities


class Outcome(NamedTuple):
    """Of each patient: the rank of the right disease, its loss, and the first one's probability."""

    rank: np.ndarray
    loss: np.ndarray
    probability: np.ndarray


def for_settings(cohorts: np.ndarray) -> np.ndarray:
    """True for cohorts that settings are chosen on: two fifths, by a hash of their names."""
    return np.array([hashlib.sha256(c.encode()).digest()[0] % 5 < 2 for c in cohorts.tolist()])


def at_most(patients: Patients, most: int, rng: np.random.Generator) -> Patients:
    """At most so many patients of each cohort."""
    kept = []
    for cohort in np.unique(patients.cohort):
        members = np.flatnonzero(patients.cohort == cohort)
        kept.append(rng.permutation(members)[:most])
    return patients[np.sort(np.concatenate(kept))]


def cohort_weights(patients: Patients) -> np.ndarray:
    """Let a cohort weigh as the root of its size."""
    _, place, sizes = np.unique(patients.cohort, return_inverse=True, return_counts=True)
    return 1.0 / np.sqrt(sizes[place])


def batches(patients: Patients) -> Iterator[Patients]:
    for k in range(0, max(len(patients), 1), BATCH):  # one of nobody, if there is nobody
        yield patients[np.arange(k, min(k + BATCH, len(patients)))]


def outcome(
    scores: np.ndarray, disease: np.ndarray, missed: np.ndarray, floor: float = 0.0
) -> Outcome:
    """Score log-probabilities up to a constant, (patients, diseases).

    A disease ranks behind those that are level with it, and last for patients that are `missed`.
    The `floor` is that of `Fitted`.
    """
    true = scores[np.arange(len(disease)), disease]
    rank = (scores >= true[:, None]).sum(axis=1)
    rank[missed] = scores.shape[1]
    total = logsumexp(scores, axis=1)
    right, first = (
        with_floor(best - total, floor, scores.shape[1]) for best in (true, scores.max(axis=1))
    )
    return Outcome(rank, -right, np.exp(first))


def over_cohorts(values: np.ndarray, cohorts: np.ndarray) -> tuple[float, float, float]:
    """Mean over cohorts, and the 95 % interval of the pooled mean over resampled cohorts."""
    _, place = np.unique(cohorts, return_inverse=True)
    sums, sizes = np.bincount(place, values), np.bincount(place)
    share = np.full(len(sizes), 1.0 / len(sizes))
    draws = np.random.default_rng(0).multinomial(len(sizes), share, DRAWS)
    low, high = np.percentile(draws @ sums / (draws @ sizes), (2.5, 97.5))
    return float((sums / sizes).mean()), float(low), float(high)


def binned(probability: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, ...]:
    """Patients in each bin of the probability that has any, its mean there, and the share right."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    sizes = np.bincount(place)
    some = sizes > 0
    means = (np.bincount(place, values)[some] / sizes[some] for values in (probability, right))
    return sizes[some], *means


def show(outcomes: Mapping[str, Outcome], cohorts: np.ndarray) -> None:
    """Print a row for each method: shares in per cent, losses in nats."""
    rows = []
    for name, (rank, loss, probability) in outcomes.items():
        cells = [name]
        for top in (1, 3, 10):
            mean, low, high = (100 * v for v in over_cohorts(rank <= top, cohorts))
            cells.append(f"{100 * np.mean(rank <= top):.1f}")
            cells += {1: [f"{low:.1f}–{high:.1f}", f"{mean:.1f}"], 3: [], 10: [f"{mean:.1f}"]}[top]
        sizes, mean, share = binned(probability, rank == 1)
        error = sizes @ np.abs(mean - share) / sizes.sum()
        cells += [f"{loss.mean():.2f}", f"{over_cohorts(loss, cohorts)[0]:.2f}", f"{error:.3f}"]
        rows.append(cells)
    each = "a cohort"
    headers = "method", "top 1", "95 %", each, "top 3", "top 10", each, "log-loss", each, "error"
    print(tabulate(rows, headers, disable_numparse=True))


def show_differences(
    outcomes: Mapping[str, Outcome], names: tuple[str, ...], rivals: list[str], cohorts: np.ndarray
) -> None:
    """Print how methods differ from the rival that is best here, with paired intervals."""
    rows = []
    for top in (1, 10):
        best = max(rivals, key=lambda name: np.mean(outcomes[name].rank <= top))
        for name in names:
            gain = 1.0 * (outcomes[name].rank <= top) - (outcomes[best].rank <= top)
            mean, low, high = (100 * v for v in over_cohorts(gain, cohorts))
            interval = f"{low:+.1f} to {high:+.1f}"
            rows.append(
                (f"top {top}", name, best, f"{100 * gain.mean():+.1f}", interval, f"{mean:+.1f}")
            )
    headers = "", "method", "best similarity", "difference", "95 %", "a cohort"
    print(tabulate(rows, headers, disable_numparse=True))

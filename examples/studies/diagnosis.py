"""Diseases and symptoms: what one synapse layer learns from data that are really noisy-OR.

    python examples/studies/diagnosis.py                   5 seeds, 300, 1,000 and 10,000 samples
    python examples/studies/diagnosis.py --quick           a small network, for a look at the output
    python examples/studies/diagnosis.py --seeds 2 --sizes 1000
    python examples/studies/diagnosis.py --ebm             EBM beside them (interpret-core)

Data are drawn from known networks (20 diseases, 60 symptoms with 2 to 5 parents), so that the true
model can be compared with: *excess* is the held-out log-loss of a symptom minus the true model's,
its mean over the symptoms' true probabilities taken exactly. Pictures go to --output.

Makes tables, diagnosis-learning.png and diagnosis-links.png.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed, parallel_config
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

import synann as syn
from shared.options import make_folder, make_parser, number
from shared.tables import plus_minus
from studies import diagnosis_plots
from studies.diagnosis_rivals import cross_entropies, fit_ebm, fit_logistic, fit_network
from studies.networks import draw_diseases, draw_symptoms, random_network
from synann.noisy_or import NoisyOr, NoisyOrClassifier

LAYER, SPARSER, PROTECTIVE = "layer", "layer, sparser", "layer, protective"
LASSO, RIDGE, MLP, EBM = "logistic L1", "logistic L2", "MLP", "EBM"
MIDDLE = 1000  # samples where one size must do
SPARSER_LINKS = (0.5, 2.0)  # chosen, as the usual prior, on networks of other seeds
FOUND = 0.1  # a link is said to be found from this strength on
Scores = dict[tuple, tuple[float, ...]]
Table = dict[tuple, list[tuple[float, ...]]]


def draw(
    rng: np.random.Generator, options: argparse.Namespace, *, protecting: float = 0.0
) -> NoisyOr:
    return random_network(
        rng, diseases=options.diseases, symptoms=options.symptoms, protecting=protecting
    )


def excess(network: NoisyOr, y: np.ndarray, predict: Callable) -> float:
    """Log-loss above the true model's, a symptom, in thousandths of a nat."""
    truth = network.predict(y)
    return 1e3 * float(np.mean(cross_entropies(truth, predict(y)) - cross_entropies(truth, truth)))


def implied_links(predict: Callable, diseases: int) -> np.ndarray:
    """Link strengths that a model implies: 1 − P(absent | one disease)/P(absent | none).

    For a noisy-OR they are its β.
    """
    healthy = 1.0 - predict(np.zeros((1, diseases)))
    return np.clip(1.0 - (1.0 - predict(np.eye(diseases))) / healthy, 0.0, 1.0).T


def link_scores(network: NoisyOr, links: np.ndarray) -> tuple[float, float, float]:
    """Mean error of the true links' strengths, share of false ones among those found, of missed."""
    real, found = network.beta > 0, links > FOUND
    error = np.abs(links - network.beta)[real].mean()
    return error, (found & ~real).sum() / max(found.sum(), 1), (real & ~found).sum() / real.sum()


def compare(seed: int, options: argparse.Namespace, *, protecting: float = 0.0) -> Scores:
    """Excess and link scores by (size, model), and the links themselves, for the picture."""
    rng = np.random.default_rng(seed)
    network = draw(rng, options, protecting=protecting)
    held_out = draw_diseases(network, options.held_out, rng)
    y, s = network.sample(max(options.sizes), rng=rng)
    scores: Scores = {}
    for size in options.sizes:
        models = fitted_models(y[:size], s[:size], seed, everything=protecting == 0)
        if options.ebm:
            models[EBM] = fit_ebm(y[:size], s[:size], seed=seed)
        for name, model in models.items():
            links = implied_links(model.predict, y.shape[1])
            row = excess(network, held_out, model.predict), *link_scores(network, links)
            scores[size, name] = row
    return scores


def learned(y: np.ndarray, s: np.ndarray, **options) -> NoisyOr:
    """The network learned from people whose diseases are known."""
    return NoisyOrClassifier(**options).fit(s, y).network_


def fitted_models(y: np.ndarray, s: np.ndarray, seed: int, *, everything: bool) -> dict:
    """Models by name; the slow ones with `everything`, a sparser prior where data are few."""
    models: dict = {LAYER: learned(y, s)}
    if everything and len(y) <= MIDDLE:
        models[SPARSER] = learned(y, s, penalty=SPARSER_LINKS)
    models[PROTECTIVE] = learned(y, s, penalty=SPARSER_LINKS, protective=True)
    models[LASSO] = fit_logistic(y, s, lasso=True)
    models[RIDGE] = fit_logistic(y, s, lasso=False)
    if everything:
        models[MLP] = fit_network(y, s, seed=seed)
    return models


def links_for_picture(options: argparse.Namespace) -> dict[str, np.ndarray]:
    """True and learned strengths of all links, in one network."""
    rng = np.random.default_rng(0)
    network = draw(rng, options)
    y, s = network.sample(MIDDLE, rng=rng)
    models = {
        LAYER: learned(y, s),
        SPARSER: learned(y, s, penalty=SPARSER_LINKS),
        LASSO: fit_logistic(y, s, lasso=True),
    }
    links = {name: implied_links(model.predict, y.shape[1]) for name, model in models.items()}
    return {"truth": network.beta, **links}


def uncertain(seed: int, options: argparse.Namespace) -> Scores:
    """Excess and microseconds a patient where findings are probabilities, by (fitted to, method).

    Every disease was tested: its log-odds are those of its prevalence plus the test's, normal with
    mean ±2 and variance 4, which is calibrated by Bayes' rule.
    """
    rng = np.random.default_rng(1000 + seed)
    network = draw(rng, options)
    y, q = _tested(network, MIDDLE, rng)
    s = draw_symptoms(network, y, rng)
    _, patients = _tested(network, options.held_out // 10, rng)
    scores: Scores = {}

    def add(fitted_to: str, method: str, predict: Callable) -> None:
        start = time.perf_counter()
        predict(patients)
        seconds = time.perf_counter() - start
        row = excess(network, patients, predict), 1e6 * seconds / len(patients)
        scores[fitted_to, method] = row

    add("known findings", "layer, closed form", learned(y, s).predict)
    logistic = fit_logistic(y, s, lasso=True)
    add("known findings", f"{LASSO}, probabilities as inputs", logistic.predict)
    for draws in options.draws:
        mean = functools.partial(averaged, logistic.predict, draws=draws, rng=rng)
        add("known findings", f"{LASSO}, mean of {draws} draws", mean)
    add("uncertain findings", "layer, closed form", learned(q, s).predict)
    for name, lasso in ((LASSO, True), (RIDGE, False)):
        model = fit_logistic(q, s, lasso=lasso)
        add("uncertain findings", f"{name}, probabilities as inputs", model.predict)
    return scores


def _tested(
    network: NoisyOr, samples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Diseases, and their probabilities after a test of each."""
    y = draw_diseases(network, samples, rng)
    evidence = rng.normal(4.0 * y - 2.0, 2.0)
    return y, syn.expit(syn.logit(network.prior) + evidence)


def averaged(predict: Callable, q: np.ndarray, *, draws: int, rng: np.random.Generator):
    """Mean prediction over draws of the uncertain findings."""
    return sum(predict((rng.random(q.shape) < q).astype(float)) for _ in range(draws)) / draws


def diagnose(seed: int, options: argparse.Namespace) -> Scores:
    """Log-loss and Brier score a disease of P(disease | all symptoms), by (method,)."""
    rng = np.random.default_rng(2000 + seed)
    network = draw(rng, options)
    y, s = network.sample(MIDDLE, rng=rng)
    patients, symptoms = network.sample(options.patients, rng=rng)
    layer = NoisyOrClassifier().fit(s, y)
    rivals = {
        LASSO: fit_logistic(s, y, lasso=True),
        RIDGE: fit_logistic(s, y, lasso=False),
        MLP: fit_network(s, y, seed=seed),
    }
    if options.ebm:
        rivals[EBM] = fit_ebm(s, y, seed=seed)
    predictions = {
        "true network and Bayes": network.posterior(symptoms).probability,
        "layer and Bayes": layer.predict_proba(symptoms),
        **{f"direct {name}": model.predict(symptoms) for name, model in rivals.items()},
        "prevalence alone": np.broadcast_to(layer.network_.prior, patients.shape),
    }
    return {
        (name,): (cross_entropies(patients, p).mean(), np.mean((p - patients) ** 2))
        for name, p in predictions.items()
    }


def over_seeds(one: Callable, options: argparse.Namespace, **more) -> Table:
    """Rows of scores over seeds, which run side by side, on a thread each: the arrays are small."""
    jobs = min(options.seeds, cpu_count())
    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
        results = Parallel()(delayed(one)(seed, options, **more) for seed in range(options.seeds))
    return {key: [scores[key] for scores in results] for key in results[0]}


def show(
    scores: Table, keys: tuple[str, ...], columns: tuple[str, ...], formats: tuple[str, ...]
) -> None:
    """Print the mean ± standard deviation over seeds of the first columns."""
    rows = [(*key, *plus_minus(values, formats)) for key, values in scores.items()]
    print(tabulate(rows, (*keys, *columns), disable_numparse=True), flush=True)


def show_ratios(scores: Table, sizes: list[int], model: str) -> None:
    """Print a model's mean excess in parts of that of the better logistic regression."""
    means = {key: np.mean(values, axis=0)[0] for key, values in scores.items()}
    for size in sizes:
        best = min(means[size, LASSO], means[size, RIDGE])
        print(f"{model} / best logistic model at {size} samples: {means[size, model] / best:.2f}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=number(int, 1), default=5)
    parser.add_argument("--sizes", type=number(int, 50), nargs="+", default=[300, 1000, 10000])
    parser.add_argument("--held-out", type=number(int, 100), default=10000)
    parser.add_argument("--patients", type=number(int, 10), default=200, help="to be diagnosed")
    parser.add_argument("--draws", type=number(int, 1), nargs="+", default=[10, 100, 1000])
    parser.add_argument("--ebm", action="store_true", help="EBM beside the others, an hour")
    parser.add_argument("--quick", action="store_true", help="1 seed, 5 diseases, 6 symptoms")
    options = parser.parse_args(arguments)
    options.diseases, options.symptoms = 20, 60
    if options.quick:
        options.seeds, options.sizes, options.held_out, options.draws = 1, [300], 1000, [10]
        options.diseases, options.symptoms, options.patients = 5, 6, 50
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    make_folder(options.output)
    start = time.perf_counter()
    print(f"Learning: excess log-loss in thousandths of a nat, {options.seeds} seeds")
    scores = over_seeds(compare, options)
    columns = ("excess", "link error", "false links", "missed links")
    show(scores, ("samples", "model"), columns, (".2f", ".3f", ".3f", ".3f"))
    show_ratios(scores, options.sizes, LAYER)

    print(f"\nDiagnosis, {MIDDLE} samples: log-loss and Brier score a disease")
    diagnoses = over_seeds(diagnose, options)
    show(diagnoses, ("method",), ("log-loss", "Brier score"), (".4f", ".4f"))

    print(f"\nUncertain findings, {MIDDLE} samples: excess, and microseconds a patient")
    columns = ("excess", "µs")
    show(over_seeds(uncertain, options), ("fitted to", "method"), columns, (".2f", ".1f"))

    print("\nThe limit: 3 of 10 links protect, which causes alone cannot say")
    limit = over_seeds(compare, options, protecting=0.3)
    show(limit, ("samples", "model"), ("excess",), (".2f",))
    show_ratios(limit, options.sizes, PROTECTIVE)

    pictures = [options.output / f"diagnosis-{name}.png" for name in ("learning", "links")]
    panels = {"noisy-OR": scores, "3 of 10 links protect": limit}
    diagnosis_plots.learning(panels, diagnoses, pictures[0])
    diagnosis_plots.links(links_for_picture(options), (LAYER, SPARSER, LASSO), pictures[1])
    print(f"\npictures: {', '.join(map(str, pictures))}")
    print(f"{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    main()

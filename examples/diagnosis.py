"""Diseases and symptoms: what one synapse layer learns from data that are really noisy-OR.

    python examples/diagnosis.py                   5 seeds, 300, 1,000 and 10,000 samples
    python examples/diagnosis.py --quick           a small network, for a look at the output
    python examples/diagnosis.py --seeds 2 --sizes 1000

Data are drawn from known networks (20 diseases, 60 symptoms with 2 to 5 parents), so that the true
model can be compared with: *excess* is the held-out log-loss of a symptom minus the true model's,
its mean over the symptoms' true probabilities taken exactly. Pictures go to --output.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for `examples` as a package

import synann_core as syn
from examples import diagnosis_plots
from examples.diagnosis_rivals import cross_entropies, fit_logistic, fit_network
from examples.digits import number
from examples.noisy_or import SPARSER_PRIOR, Network, fit, posterior, random_network

LAYER, SPARSER, LASSO, RIDGE, MLP = "layer", "layer, sparser", "logistic L1", "logistic L2", "MLP"
MIDDLE = 1000  # samples where one size must do
FOUND = 0.1  # a link is said to be found from this strength on
Table = dict[tuple, list[tuple[float, ...]]]


def excess(network: Network, y: np.ndarray, predict: Callable) -> float:
    """Log-loss above the true model's, a symptom, in thousandths of a nat."""
    truth = network.predict(y)
    return 1e3 * float(np.mean(cross_entropies(truth, predict(y)) - cross_entropies(truth, truth)))


def implied_links(predict: Callable, diseases: int) -> np.ndarray:
    """Link strengths that a model implies: 1 − P(absent | one disease)/P(absent | none).

    For a noisy-OR they are its β.
    """
    healthy = 1.0 - predict(np.zeros((1, diseases)))
    return np.clip(1.0 - (1.0 - predict(np.eye(diseases))) / healthy, 0.0, 1.0).T


def link_scores(network: Network, links: np.ndarray) -> tuple[float, float, float]:
    """Mean error of the true links' strengths, share of false ones among those found, of missed."""
    real, found = network.causes.beta > 0, links > FOUND
    error = np.abs(links - network.causes.beta)[real].mean()
    return error, (found & ~real).sum() / max(found.sum(), 1), (real & ~found).sum() / real.sum()


def compare(draw: Callable, options: argparse.Namespace) -> tuple[Table, dict[str, np.ndarray]]:
    """Excess and link scores by (size, model); and the links of the last seed, for the picture."""
    scores: Table = {}
    links: dict[str, np.ndarray] = {}
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        network = draw(rng)
        held_out = network.draw_diseases(options.held_out, rng)
        y = network.draw_diseases(max(options.sizes), rng)
        s = network.draw_symptoms(y, rng)
        for size in options.sizes:
            for name, model in fitted_models(y[:size], s[:size], seed).items():
                strengths = implied_links(model.predict, y.shape[1])
                row = excess(network, held_out, model.predict), *link_scores(network, strengths)
                scores.setdefault((size, name), []).append(row)
                if size == min(options.sizes, key=lambda n: abs(n - MIDDLE)):
                    links["truth"], links[name] = network.causes.beta, strengths
    return scores, links


def fitted_models(y: np.ndarray, s: np.ndarray, seed: int) -> dict:
    return {
        LAYER: fit(y, s),
        SPARSER: fit(y, s, prior=SPARSER_PRIOR),
        LASSO: fit_logistic(y, s, lasso=True),
        RIDGE: fit_logistic(y, s, lasso=False),
        MLP: fit_network(y, s, seed=seed),
    }


def uncertain(draw: Callable, options: argparse.Namespace) -> Table:
    """Excess and microseconds a patient where findings are probabilities, by (fitted to, method).

    Every disease was tested: its log-odds are those of its prevalence plus the test's, normal with
    mean ±2 and variance 4, which is calibrated by Bayes' rule.
    """
    scores: Table = {}
    for seed in range(options.seeds):
        rng = np.random.default_rng(1000 + seed)
        network = draw(rng)
        y, q = _tested(network, MIDDLE, rng)
        s = network.draw_symptoms(y, rng)
        _, patients = _tested(network, options.held_out // 10, rng)

        def add(row: tuple[str, str], predict: Callable, network=network, patients=patients):
            start = time.perf_counter()
            predict(patients)
            seconds = time.perf_counter() - start
            row_scores = excess(network, patients, predict), 1e6 * seconds / len(patients)
            scores.setdefault(row, []).append(row_scores)

        layer = fit(y, s)
        logistic = min(
            (fit_logistic(y, s, lasso=lasso) for lasso in (True, False)),
            key=lambda model: excess(network, network.draw_diseases(5000, rng), model.predict),
        )
        add(("known findings", "layer, closed form"), layer.predict)
        add(("known findings", "logistic, probabilities as inputs"), logistic.predict)
        for draws in options.draws:
            mean = functools.partial(averaged, logistic.predict, draws=draws, rng=rng)
            add(("known findings", f"logistic, mean of {draws} draws"), mean)
        add(("uncertain findings", "layer, closed form"), fit(q, s).predict)
        for name, lasso in ((LASSO, True), (RIDGE, False)):
            model = fit_logistic(q, s, lasso=lasso)
            add(("uncertain findings", f"{name}, probabilities as inputs"), model.predict)
    return scores


def _tested(
    network: Network, samples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Diseases, and their probabilities after a test of each."""
    y = network.draw_diseases(samples, rng)
    evidence = rng.normal(4.0 * y - 2.0, 2.0)
    return y, syn.expit(syn.logit(network.prevalence) + evidence)


def averaged(predict: Callable, q: np.ndarray, *, draws: int, rng: np.random.Generator):
    """Mean prediction over draws of the uncertain findings."""
    return sum(predict((rng.random(q.shape) < q).astype(float)) for _ in range(draws)) / draws


def diagnose(draw: Callable, options: argparse.Namespace) -> Table:
    """Log-loss a disease of P(disease | all symptoms), by (method,)."""
    scores: Table = {}
    for seed in range(options.seeds):
        rng = np.random.default_rng(2000 + seed)
        network = draw(rng)
        y = network.draw_diseases(MIDDLE, rng)
        s = network.draw_symptoms(y, rng)
        patients = network.draw_diseases(options.patients, rng)
        symptoms = network.draw_symptoms(patients, rng)
        prevalence = (y.sum(axis=0) + 1.0) / (len(y) + 2.0)
        predictions = {
            "true network and Bayes": posterior(network.causes, network.prevalence, symptoms),
            "layer and Bayes": posterior(fit(y, s), prevalence, symptoms),
            f"direct {LASSO}": fit_logistic(s, y, lasso=True).predict(symptoms),
            f"direct {RIDGE}": fit_logistic(s, y, lasso=False).predict(symptoms),
            f"direct {MLP}": fit_network(s, y, seed=seed).predict(symptoms),
            "prevalence alone": np.broadcast_to(prevalence, patients.shape),
        }
        for name, p in predictions.items():
            brier = np.mean((p - patients) ** 2)
            scores.setdefault((name,), []).append((cross_entropies(patients, p).mean(), brier))
    return scores


def show(scores: Table, keys: tuple[str, ...], columns: tuple[str, ...], formats: tuple) -> None:
    """Print the mean ± standard deviation over seeds of every column."""
    rows = []
    for key, values in scores.items():
        mean = np.mean(values, axis=0)
        spread = np.std(values, axis=0, ddof=1) if len(values) > 1 else np.zeros_like(mean)
        cells = (f"{m:{f}} ± {d:{f}}" for m, d, f in zip(mean, spread, formats, strict=True))
        rows.append((*key, *cells))
    print(tabulate(rows, (*keys, *columns), disable_numparse=True))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=number(int, 1), default=5)
    parser.add_argument("--sizes", type=number(int, 50), nargs="+", default=[300, 1000, 10000])
    parser.add_argument("--held-out", type=number(int, 100), default=10000)
    parser.add_argument("--patients", type=number(int, 10), default=200, help="to be diagnosed")
    parser.add_argument("--draws", type=number(int, 1), nargs="+", default=[10, 100, 1000])
    parser.add_argument("--quick", action="store_true", help="1 seed, 6 diseases, 8 symptoms")
    parser.add_argument("--output", type=Path, default=Path("outputs"))
    options = parser.parse_args(arguments)
    options.diseases, options.symptoms = 20, 60
    if options.quick:
        options.seeds, options.sizes, options.held_out, options.draws = 1, [300], 1000, [10]
        options.diseases, options.symptoms, options.patients = 6, 8, 50
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"--output: {error}") from None
    start = time.perf_counter()
    draw = functools.partial(random_network, diseases=options.diseases, symptoms=options.symptoms)

    print(f"Learning: excess log-loss in thousandths of a nat, {options.seeds} seeds")
    scores, links = compare(draw, options)
    columns = ("excess", "link error", "false links", "missed links")
    show(scores, ("samples", "model"), columns, (".2f", ".3f", ".3f", ".3f"))
    means = {key: np.mean(values, axis=0)[0] for key, values in scores.items()}
    for size in options.sizes:
        best = min(means[size, LASSO], means[size, RIDGE])
        print(f"layer / best logistic model at {size} samples: {means[size, LAYER] / best:.2f}")

    print(f"\nUncertain findings, {MIDDLE} samples: excess, and microseconds a patient")
    show(uncertain(draw, options), ("fitted to", "method"), ("excess", "µs"), (".2f", ".1f"))

    print(f"\nDiagnosis, {MIDDLE} samples: log-loss and Brier score a disease")
    diagnoses = diagnose(draw, options)
    show(diagnoses, ("method",), ("log-loss", "Brier score"), (".4f", ".4f"))

    print("\nThe limit: 3 of 10 links protect, which no noisy-OR can say")
    limit, _ = compare(functools.partial(draw, protecting=0.3), options)
    show(
        {k: [v[:1] for v in row] for k, row in limit.items()},
        ("samples", "model"),
        ("excess",),
        (".2f",),
    )

    pictures = [options.output / f"diagnosis-{name}.png" for name in ("learning", "links")]
    curves = {"noisy-OR": scores, "3 of 10 links protect": limit}
    diagnosis_plots.learning(curves, diagnoses, pictures[0])
    diagnosis_plots.links(links, (LAYER, SPARSER, LASSO), pictures[1])
    print(f"\npictures: {', '.join(map(str, pictures))}")
    print(f"{time.perf_counter() - start:.0f} s, of processor time {time.process_time():.0f} s")


if __name__ == "__main__":
    main()

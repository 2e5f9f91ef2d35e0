"""Health, finance and insurance: this library's models beside others, by field and table.

    python examples/studies/tables.py --data FOLDER --tables heart … --predictions KEPT
    python examples/studies/fields.py --data FOLDER --predictions KEPT
    python examples/studies/fields.py --fields insurance --predictions KEPT --readings

The first command fits (hours); this one scores the out-of-fold probabilities that it keeps, with
intervals, and draws how well they are calibrated. What is missing is said, with the command that
makes it. The claims table ships with the examples: its models are fitted here, each group of
holders left out once (minutes), and kept in the same folder. --readings prints a model of each
field as its user would read it, in place of the scores.

Makes tables of scores with intervals, and fields-FIELD.png: how well models are calibrated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared.options import make_folder, make_parser
from studies import fields_claims, fields_plots
from studies.fields_data import FIELDS, Gathered, Subject, gather, ranges
from studies.fields_readings import READ, show_rules, show_tariff
from studies.fields_scores import Scores, best, cell, draw_weights, score
from studies.tables import MODELS
from studies.tables_data import read_table
from studies.tables_results import keep_predictions, read_predictions
from studies.tables_summary import BINNED, EBM

CLAIMS, LOGISTIC = "claims", ("logistic", BINNED)
COMPARED = [model for model in MODELS if model != "rules, duel"]
DRAWN = ("logistic", EBM, "rules", "rules, bagged")
DRAWN_CLAIMS = ("GLM", EBM, "boosting", "tariff, monotone")


def show_missing(found: Gathered, table: str, options: argparse.Namespace) -> None:
    """Say which folds have no predictions, and how to make them."""
    alike: dict[str, list[str]] = {}
    for model, folds in found.missing.items():
        alike.setdefault(ranges(folds), []).append(model)
    for folds, models in alike.items():
        print(f"no predictions in folds {folds}: {'; '.join(models)}")
    if found.missing:
        models = " ".join(f'"{m}"' if " " in m else m for m in found.missing)
        print(
            f"python examples/studies/tables.py --data {options.data} --tables {table} "
            f"--models {models} --predictions {options.predictions}"
        )


def show(scores: dict[str, Scores]) -> None:
    """Print two tables: what counts most, with differences in log-loss, and what else there is.

    Differences are paired: of the same rows, to EBM and to the logistic regression with the smaller
    log-loss.
    """
    rivals = [r for r in (EBM if EBM in scores else None, best(LOGISTIC, scores)) if r]

    def differences(model: str, measure: str) -> list[str]:
        own = getattr(scores[model], measure)
        return [
            "" if model == rival else cell(own - getattr(scores[rival], measure), "+.0f", 1000)
            for rival in rivals
        ]

    first, second = [], []
    for model, s in scores.items():
        calibrated = cell(s.slope, ".2f"), cell(s.excess, "+.1f", 100)
        losses = differences(model, "log_loss")
        first.append((model, cell(s.auc), cell(s.log_loss), *losses, calibrated[0]))
        second.append((model, cell(s.brier), *differences(model, "auc"), calibrated[1]))
    beside = [f"− {rival}, ‰" for rival in rivals]
    _print(first, ("model", "AUC", "log-loss", *beside, "slope"))
    beside = [f"AUC − {rival}, ‰" for rival in rivals]
    _print(second, ("model", "Brier score", *beside, "observed − predicted, %"))


def _print(rows: list[tuple[str, ...]], header: tuple[str, ...]) -> None:
    print(tabulate(rows, header, disable_numparse=True), end="\n\n")


def show_table(
    name: str, subject: Subject, options: argparse.Namespace
) -> dict[str, fields_plots.Calibration]:
    """Print all of a table; what is drawn of it."""
    table = read_table(name, options.data)
    found = gather(options.predictions, table, subject.event, options.models)
    print(f"{name}: {subject.what}; {table.size} classes")
    show_missing(found, name, options)
    if not found.p:
        print()
        return {}
    events = int(found.event.sum())
    print(f"{len(found.event)} rows of folds {ranges(found.folds)}, {events} with the event")
    weights = draw_weights(len(found.event))
    scores = {model: score(found.event, p, weights) for model, p in found.p.items()}
    show(scores)
    shown = [model for model in DRAWN if model in found.p]
    return {model: fields_plots.of_events(found.event, found.p[model]) for model in shown}


def expected_claims(data: tuple, folder: Path, models: list[str]) -> dict[str, np.ndarray]:
    """Expected claims by model; those that are not kept yet are made, and kept."""
    expected = {}
    for model in models:
        kept = read_predictions(folder, CLAIMS, model)
        if not kept:
            print(f"fitting {model}", flush=True)
            (made,) = fields_claims.left_out(*data, [model]).values()
            keep_predictions(folder, (CLAIMS, model, 0), np.arange(len(made)), made)
            kept = read_predictions(folder, CLAIMS, model)
        expected[model] = kept[0][1]
    return expected


def show_claims(folder: Path, models: list[str]) -> dict[str, fields_plots.Calibration]:
    """Print deviances of the claims table; what is drawn of it."""
    data = fields_claims.read()
    _, claims, holders = data
    print(f"{CLAIMS}: {len(claims)} groups, each left out once, of {holders.sum():.0f} holders")
    expected = expected_claims(data, folder, models)
    weights = draw_weights(len(claims))
    deviance = {m: weights @ fields_claims.deviances(claims, e) for m, e in expected.items()}
    rivals = [rival for rival in ("GLM", EBM) if rival in models]
    rows = [
        (
            model, cell(d, ".1f"),
            *("" if model == r else cell(d - deviance[r], "+.1f") for r in rivals),
        )
        for model, d in deviance.items()
    ]  # fmt: skip
    header = ("model", "deviance", *(f"− {rival}" for rival in rivals))
    _print(rows, header)
    return {
        m: fields_plots.of_rates(claims, expected[m], holders) for m in DRAWN_CLAIMS if m in models
    }


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--data", type=Path, help="folder with keel/ and tables/")
    parser.add_argument("--predictions", type=Path, metavar="FOLDER", default=Path("predictions"))
    parser.add_argument("--fields", nargs="+", choices=FIELDS, default=list(FIELDS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=COMPARED, metavar="MODEL")
    claims = list(fields_claims.MODELS)
    parser.add_argument(
        "--claims", nargs="+", choices=claims, default=claims, metavar="MODEL",
        help="models of the claims table",
    )  # fmt: skip
    parser.add_argument("--readings", action="store_true", help="print models, not scores")
    return parser.parse_args(arguments)


def show_readings(options: argparse.Namespace) -> None:
    for field in options.fields:
        for name in set(FIELDS[field]) & set(READ):
            show_rules(read_table(name, options.data), FIELDS[field][name])
        if field == "insurance":
            show_tariff(*fields_claims.read())


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    if options.readings:
        show_readings(options)
        return
    make_folder(options.output)
    for field in options.fields:
        print(f"{field.capitalize()}\n")
        drawn = {name: show_table(name, what, options) for name, what in FIELDS[field].items()}
        units = dict.fromkeys(drawn, "%")
        if field == "insurance":
            drawn[CLAIMS] = show_claims(options.predictions, options.claims)
            units[CLAIMS] = "claims of 100"
        drawn = {name: models for name, models in drawn.items() if models}
        if drawn:
            path = options.output / f"fields-{field}.png"
            fields_plots.draw(drawn, units, path)
            print(f"picture: {path}\n")


if __name__ == "__main__":
    main()

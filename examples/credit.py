"""Risk odds of a loan: what each fact about an applicant does to the odds of default.

    python examples/credit.py                    a simulated portfolio of 2,000 loans
    python examples/credit.py --data credit.arff --event bad      a table in OpenML's format

The table's last column is the outcome; nominal columns give a finding a value, numeric ones a
finding "high". An odds network of synapses (`synann.OddsNetwork`, Bayes' rule) and a noisy-OR of
risks learn on 7 of 10 rows and are tested on the rest, beside logistic regression.

Makes tables of accuracy, log-loss and odds ratios, and the sum of reasons of one applicant.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import arff

from odds import show_ratios, show_update
from shared.options import make_parser
from studies.odds_comparison import compare

# Risk: (share of applicants that have it, probability that it alone leads to default)
RISKS = {"missed payments": (0.2, 0.25), "high use": (0.3, 0.12), "no income": (0.05, 0.4),
         "short history": (0.25, 0.06), "late tax": (0.1, 0.15), "moved": (0.3, 0.0)}  # fmt: skip


def simulate(loans: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Findings, defaults and names; risks act independently, and 2 % default without any."""
    share, strength = np.array(list(RISKS.values())).T
    x = (rng.random((loans, len(RISKS))) < share).astype(float)
    event = rng.random(loans) > 0.98 * np.prod(1.0 - strength * x, axis=1)
    return x, event.astype(float), list(RISKS)


def read(path: Path, event: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Findings, events and names from an ARFF file; one clear line if that is not possible."""
    try:
        rows, meta = arff.loadarff(path)
        *features, outcome = meta.names()
    except (OSError, ValueError, NotImplementedError, StopIteration, arff.ArffError) as error:
        raise SystemExit(f"--data {path}: {error or 'no table in it'}") from None
    if meta[outcome][0] != "nominal" or event not in meta[outcome][1]:
        raise SystemExit(f"--event {event}: no value of the last column, {outcome} {meta[outcome]}")
    columns: dict[str, np.ndarray] = {}
    for name in features:
        kind, values = meta[name]
        if kind == "numeric":
            columns[f"{name} high"] = rows[name] > np.nanmedian(rows[name])
        else:
            columns |= {f"{name} = {value}": rows[name] == value.encode() for value in values}
    # A column that never changes says nothing.
    columns = {name: column for name, column in columns.items() if 0 < column.mean() < 1}
    x = np.array(list(columns.values()), float).T
    return x, (rows[outcome] == event.encode()).astype(float), list(columns)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, output=False)
    parser.add_argument("--data", type=Path, help="ARFF file; otherwise loans are simulated")
    parser.add_argument("--event", default="bad", help="the outcome that is a risk")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    x, event, names = read(options.data, options.event) if options.data else simulate(2000, rng)
    if min(event.sum(), (1 - event).sum()) < 10 or not names:
        raise SystemExit("--data: needs 10 rows of either outcome, and a column that differs")
    print(f"{len(event)} loans, {event.sum():.0f} defaults\n")
    compare(x, event, 5, measured=False)
    print("\nOdds ratios")
    show_ratios(x, event, names)
    print("\nOne applicant, the riskiest by number of findings")
    show_update(x, event, names, int(np.argmax(x.sum(axis=1))))


if __name__ == "__main__":
    main()

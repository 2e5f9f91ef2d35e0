"""From a CSV file to a few soft rules and the reasons of one row.

    python examples/rules.py                                    tumours that come with scikit-learn
    python examples/rules.py --csv patients.csv --target died   a table of your own

The file has a line of names and a row for each case. Numbers, words and gaps may stand in it as
they are. A quarter of the rows is held out. Pictures and the model go to --output.

Makes the rules and the reasons of one row as text, rules.png, and the model as rules.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from shared import plots
from shared.options import make_folder, make_parser, number
from synann import SynapseRules

TARGET = "tumour"
MEMBERS = 4  # of each class, of which one is held out


def tumours() -> pd.DataFrame:
    """Measurements of 569 tumours of the breast, as a table with words in the last column."""
    data = load_breast_cancer(as_frame=True)
    return data.data.assign(**{TARGET: data.target_names[data.target]})


def read(path: Path | None, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """Features and classes of a file, or of the tumours."""
    try:
        table = tumours() if path is None else pd.read_csv(path)
        X, y = table.drop(columns=target), table[target]
    except (OSError, ValueError) as error:
        raise SystemExit(f"--csv {path}: {error}") from None
    except KeyError:
        raise SystemExit(
            f"--target {target}: no such column; there are {', '.join(table)}"
        ) from None
    if y.isna().any():
        raise SystemExit(
            f"--target {target}: {y.isna().sum()} rows have a gap there; leave them out"
        )
    if (counts := y.value_counts()).min() < MEMBERS:
        rare = f"{counts.index[-1]} is there {counts.iloc[-1]} times"
        numbers = "; classes, not numbers to predict" if len(counts) > len(y) / 2 else ""
        raise SystemExit(
            f"--target {target}: at least {MEMBERS} rows of each class{numbers}; {rare}"
        )
    return X, y


@plots.styled
def draw(model: SynapseRules, feature: str, path: Path) -> None:
    """The rules, and what one feature does."""
    figure = Figure(figsize=(1.25 * plots.WIDTH, 4.2))
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    model.plot_rules(ax=left)
    model.plot_feature(feature, ax=right)
    plots.save(figure, path)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--csv", type=Path, help="a table; by default the tumours")
    parser.add_argument("--target", help="name of the table's column with the classes")
    parser.add_argument("--literals", type=number(int, 1), default=12, help="most of them")
    options = parser.parse_args(arguments)
    if options.target is None and options.csv is not None:
        parser.error("--csv needs --target, the column with the classes")
    options.target = options.target or TARGET
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    make_folder(options.output)
    X, y = read(options.csv, options.target)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    model = SynapseRules(max_literals=options.literals, random_state=0).fit(X, y)
    print(model.to_text())
    loss = log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)
    print(
        f"\n{len(y_test)} new rows: accuracy {model.score(X_test, y_test):.3f}, log-loss {loss:.3f}"
    )

    why = model.explain(X_test[:1])
    print(f"\nwhy the first of them is {model.predict(X_test[:1])[0]}:")
    print(why.to_text(by="features"))

    model.save(options.output / "rules.json")
    again = SynapseRules.from_file(options.output / "rules.json")
    same = (again.predict_proba(X_test) == model.predict_proba(X_test)).all()
    print(f"\nsaved and loaded again: {options.output}/rules.json, the same bits: {same}")
    parts = why.ranked(by="features")
    if not parts:
        raise SystemExit("no picture: no column says anything about the classes")
    draw(model, parts[0][0], options.output / "rules.png")
    print(f"picture: {options.output}/rules.png")


if __name__ == "__main__":
    main()

"""Take a decision about named features apart: which one added how much surprisal.

    python examples/studies/explain_table.py

The layer of `examples/explain.py` on the Wisconsin breast-cancer data that scikit-learn ships.

Makes a table of one decision's parts; no file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import QuantileTransformer
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from explain import fit
from shared.options import make_parser, number


def explain_table(steps: int, rows: int = 8) -> None:
    """Named features: a table for the test sample that was decided by the narrowest margin."""
    data = load_breast_cancer()
    split = train_test_split(data.data, data.target, test_size=0.3, random_state=0)
    train_x, test_x, train_y, test_y = split
    ranks = QuantileTransformer(n_quantiles=100).fit(train_x)  # to [0, 1]: shares of the samples
    train_x, test_x = ranks.transform(train_x), ranks.transform(test_x)
    model = fit(train_x, train_y, steps=steps)
    rival = LogisticRegression(max_iter=5000).fit(train_x, train_y)
    print(
        f"breast cancer, {len(test_y)} test samples: accuracy of the synapse layer "
        f"{100 * model.accuracy(test_x, test_y):.1f} %, of logistic regression "
        f"{100 * rival.score(test_x, test_y):.1f} %"
    )
    whole = model.surprisal(test_x)
    one = int(np.argmin(np.abs(whole[:, 0] - whole[:, 1])))
    parts = model.parts(test_x[one])
    evidence = parts[0] - parts[1]  # what speaks against class 0 speaks for class 1
    order = np.argsort(-np.abs(evidence))[:rows]
    table = [(data.feature_names[j], test_x[one, j], *parts[:, j], evidence[j]) for j in order]
    rest = np.setdiff1d(np.arange(len(evidence)), order)
    table.append((f"{len(rest)} others", None, *parts[:, rest].sum(axis=1), evidence[rest].sum()))
    table.append(("before anything is seen", None, *model.theta, np.subtract(*model.theta)))
    table.append(("sum", None, *whole[one], np.subtract(*whole[one])))
    names = list(data.target_names)
    print(
        f"test sample {one}, truth: {names[test_y[one]]}; "
        f"nats that each feature adds to the surprisal of each class"
    )
    headers = ["feature", "rank", *names, f"for {names[1]}"]
    print(tabulate(table, headers, floatfmt=(None, ".2f", ".3f", ".3f", "+.3f")))


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, output=False)
    parser.add_argument("--steps", type=number(int, 1), default=400, help="of training")
    explain_table(parser.parse_args(arguments).steps)


if __name__ == "__main__":
    main()

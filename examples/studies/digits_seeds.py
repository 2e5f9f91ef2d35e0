"""Compare the layers of `examples/digits.py` over several seeds, or over folds.

    python examples/studies/digits_seeds.py                mean and spread over seeds 0 to 4
    python examples/studies/digits_seeds.py --validate     4-fold validation in the training part

Makes a table; no file.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from sklearn.model_selection import StratifiedKFold
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from digits import train
from shared.backends import backend_array
from shared.datasets import Dataset, load_digits
from shared.options import make_parser, number, override
from shared.syna_mlp import Settings, add_options, announce
from shared.tables import known, mean_and_spread


def validate(data: Dataset, settings: Settings, layers: list[str], to_backend) -> None:
    """Accuracy by 4-fold validation inside the training part."""
    rows = []
    for layer in layers:
        scores = []
        folds = StratifiedKFold(4, shuffle=True, random_state=0).split(data.train_x, data.train_y)
        for seed, (a, b) in enumerate(folds):
            part = replace(
                data,
                train_x=data.train_x[a],
                train_y=data.train_y[a],
                test_x=data.train_x[b],
                test_y=data.train_y[b],
            )
            label = f"{layer}, fold {seed + 1} of 4"
            model, _, _ = train(part, layer, settings, seed, to_backend, curve=False, label=label)
            scores.append(100 * model.score(to_backend(part.test_x), part.test_y))
        rows.append((layer, *mean_and_spread(scores)))
    print(tabulate(rows, ("layer", "validation accuracy %", "± folds"), floatfmt=".2f"))


def compare_seeds(
    data: Dataset, settings: Settings, layers: list[str], seeds: int, to_backend
) -> None:
    """Mean test accuracy over seeds 0, 1, …"""
    rows = []
    for layer in layers:
        scores, times = [], []
        for seed in range(seeds):
            label = f"{layer}, seed {seed}"
            model, _, seconds = train(
                data, layer, settings, seed, to_backend, curve=False, label=label
            )
            scores.append(100 * model.score(to_backend(data.test_x), data.test_y))
            times.append(seconds)
        each = " ".join(f"{score:.2f}" for score in scores)
        mean, spread = mean_and_spread(scores)
        rows.append((layer, mean, known(spread, ".2f"), each, max(times)))
    header = ("layer", "mean test accuracy %", "± seeds", "each", "longest run, s")
    print(tabulate(rows, header, floatfmt=("", ".2f", ".2f", "", ".0f")))


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, output=False)
    add_options(parser)
    parser.add_argument("--seeds", type=number(int, 1), default=5)
    parser.add_argument("--validate", action="store_true", help="4-fold validation instead")
    options = parser.parse_args(arguments)
    to_backend = backend_array(options.backend)
    data, settings = load_digits(), override(Settings(), options)
    announce(data, settings, options.backend)
    if options.validate:
        validate(data, settings, options.layers, to_backend)
    else:
        compare_seeds(data, settings, options.layers, options.seeds, to_backend)


if __name__ == "__main__":
    main()

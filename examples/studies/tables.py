"""Small and large models of tables side by side: stratified 10 folds, all choices inside the folds.

    python examples/studies/tables.py --data FOLDER              all of it takes many hours of CPU
    python examples/studies/tables.py --models tree EBM --tables iris wine --folds 0 1
    python examples/studies/tables.py --summary                  the tables of docs/tables_study.md

FOLDER holds ``keel/NAME.dat.gz`` and ``tables/NAME.csv.gz``; scikit-learn's own tables need none.
Each fold of each model is a line that is appended to the file of --output when it is done. What
is there already is not done again, so that the study can be stopped, continued, and run in parts.
--predictions FOLDER keeps the probabilities of the test rows, too, for other studies.
One fit uses one thread where OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1 say so.

Makes lines of results in --output, or with --summary tables of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared.options import make_folder, make_parser, number
from studies.tables_data import FOLDS, MOST_ROWS, Table, by_size, folds, read_table, table_names
from studies.tables_models import RIVALS
from studies.tables_own import OWN
from studies.tables_results import (
    Result,
    append,
    keep_predictions,
    predictions_path,
    read_results,
)
from studies.tables_summary import summarise

MODELS = RIVALS | OWN
LEAST = 1e-6  # a probability of 0 would make one error cost infinitely many nats


def measure(y: np.ndarray, p: np.ndarray, classes: np.ndarray) -> tuple[float, float, float]:
    """AUC, accuracy and log-loss; of several classes the mean AUC of one against the rest.

    Parameters
    ----------
    y : ndarray of str, shape (rows,)
    p : ndarray of floats, shape (rows, classes)
    classes : ndarray of str, shape (classes,)
        The columns of `p`, sorted.
    """
    several = len(classes) > 2
    auc = (
        roc_auc_score(y, p, multi_class="ovr")
        if several
        else roc_auc_score(y == classes[1], p[:, 1])
    )
    p = np.clip(p, LEAST, 1 - LEAST)
    p = p / p.sum(axis=1, keepdims=True)
    return auc, accuracy_score(y, classes[p.argmax(axis=1)]), log_loss(y, p, labels=classes)


def run_fold(
    table: Table, model: str, fold: int, train: np.ndarray, test: np.ndarray, keep: Path | None
) -> Result:
    """Fit a model on the training rows of a fold and measure it on the others.

    Parameters
    ----------
    keep : Path or None
        Folder for the probabilities of the test rows.
    """
    start = time.process_time()
    fitted, rules, literals = MODELS[model](table.x.iloc[train], table.y[train])
    seconds = time.process_time() - start
    p = np.asarray(fitted.predict_proba(table.x.iloc[test]), float)
    measured = measure(table.y[test], p, np.asarray(fitted.classes_))
    if keep is not None:
        keep_predictions(keep, (table.name, model, fold), test, p)
    return Result(table.name, model, fold, *measured, float(rules), float(literals), seconds)


def run(
    tables: list[Table], models: list[str], some: set[int], path: Path, keep: Path | None
) -> None:
    """Append what is missing in the file, table after table and fold after fold.

    Where predictions are kept, a fold without them is missing as well.
    """
    for table in tables:
        for fold, train, test in folds(table):
            for model in models if fold in some else ():
                done = {(r.table, r.model, r.fold) for r in read_results([path])}
                case = table.name, model, fold
                if case not in done or (keep and not predictions_path(keep, case).exists()):
                    result = run_fold(table, model, fold, train, test, keep)
                    append(path, result)
                    print(
                        f"{table.name}, fold {fold}, {model}: AUC {result.auc:.3f}, "
                        f"log-loss {result.log_loss:.3f}, {result.seconds:.1f} s",
                        flush=True,
                    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, output=False)
    parser.add_argument("--data", type=Path, help="folder with keel/ and tables/")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="MODEL"
    )
    parser.add_argument(
        "--tables", nargs="+", metavar="TABLE", help="those of the folder, if not given"
    )
    parser.add_argument(
        "--folds", nargs="+", type=int, choices=range(FOLDS), default=list(range(FOLDS))
    )
    parser.add_argument(
        "--rows", type=number(int, 100), default=MOST_ROWS, help="of a table, at most"
    )
    parser.add_argument("--output", type=Path, default=Path("outputs/tables.csv"))
    parser.add_argument("--predictions", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--summary", nargs="*", type=Path, metavar="FILE",
        help="only print the tables, of the file of --output or of these",
    )  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    names = options.tables or table_names(options.data)
    tables = [read_table(name, options.data, most=options.rows) for name in names]
    if options.summary is None:
        make_folder(options.output.parent)
        tables = tables if options.tables else by_size(tables)
        run(tables, options.models, set(options.folds), options.output, options.predictions)
    chosen = [
        r
        for r in read_results(options.summary or [options.output])
        if r.model in options.models and r.fold in options.folds
        if not options.tables or r.table in options.tables
    ]
    order = list(MODELS)
    chosen.sort(key=lambda r: (order.index(r.model), r.table, r.fold))
    summarise(chosen, {table.name: table.size for table in tables})


if __name__ == "__main__":
    main()

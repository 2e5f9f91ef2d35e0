"""Keep the results of the study of tables: lines of a file, one for each fit, and predictions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from synann.extending import write_whole


class Result(NamedTuple):
    """What a model did on the test rows of a fold of a table.

    Rules and literals are NaN where they are not counted; seconds are those of the fit.
    """

    table: str
    model: str
    fold: int
    auc: float
    accuracy: float
    log_loss: float
    rules: float
    literals: float
    seconds: float


KINDS = (str, str, int, *[float] * 6)


def append(path: Path, result: Result) -> None:
    """Append one line, and the names of the columns before the first.

    Lines go to the file in one piece, so that several processes may append. One that broke off
    when the study was stopped is ended first.
    """
    cells = [f"{value:.6g}" if isinstance(value, float) else value for value in result]
    before = path.read_bytes() if path.exists() else b""
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not before:
            writer.writerow(Result._fields)
        elif not before.endswith(b"\n"):
            file.write("\n")
        writer.writerow(cells)


def read_results(paths: Iterable[Path]) -> list[Result]:
    """Read all results, of one done twice the last; lines that broke off are left out."""
    found: dict[tuple[str, str, int], Result] = {}
    for path in paths:
        if not path.exists():
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = next(csv.reader([line]))  # by itself: a quote may have lost its end
            if len(cells) == len(KINDS) and tuple(cells) != Result._fields:
                result = Result(*(kind(cell) for kind, cell in zip(KINDS, cells, strict=True)))
                found[result[:3]] = result
    return list(found.values())


def predictions_path(folder: Path, case: tuple[str, str, int]) -> Path:
    """File of the predictions of a table's model in a fold."""
    table, model, fold = case
    return folder / table / model.replace(", ", "-") / f"{fold}.npz"


def keep_predictions(
    folder: Path, case: tuple[str, str, int], rows: np.ndarray, p: np.ndarray
) -> None:
    """Write the test rows of a fold and their probabilities, shape (rows, classes), to a file."""
    path = predictions_path(folder, case)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    np.savez_compressed(file, rows=rows, p=p)
    write_whole(path, file.getvalue())


def read_predictions(folder: Path, table: str, model: str) -> dict[int, tuple[np.ndarray, ...]]:
    """Rows and probabilities by fold, as far as they are there."""
    found = {}
    for path in sorted(predictions_path(folder, (table, model, 0)).parent.glob("*.npz")):
        with np.load(path) as file:
            found[int(path.stem)] = file["rows"], file["p"]
    return found

"""Read the tables of the study: classes to predict from numbers and categories.

Files are those of the KEEL repository (``keel/NAME.dat.gz``: no header, last column the class) and
tables with a header whose first column is a row number (``tables/NAME.csv.gz``). Three more ship
with scikit-learn. A column is of numbers where all of it parses, else of categories; what is
missing stays missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import StratifiedKFold

MOST_ROWS = 6000
FOLDS = 10


@dataclass(frozen=True)
class Source:
    """Columns of a table with a header: what is predicted, left out, and not a number."""

    target: str
    without: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


WITH_HEADER = {
    "birthwt": Source("low", without=("bwt",), categories=("race",)),  # `low` is bwt < 2500
    "caravan": Source("Purchase"),
    "credit": Source("Status"),
    "penguins": Source("species"),
}
SHIPPED = {
    "breast_cancer": datasets.load_breast_cancer,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with classes.

    Attributes
    ----------
    name : str
    x : DataFrame
        Columns are float64 with NaN, or categories with missing values.
    y : ndarray of str, shape (rows,)
    all_rows : int
        Rows of the file; more than those of `x` where a sample was taken.
    """

    name: str
    x: pd.DataFrame
    y: np.ndarray
    all_rows: int

    @property
    def size(self) -> str:
        """Rows, of how many if that differs, columns and classes."""
        rows, columns = self.x.shape
        sampled = f" of {self.all_rows:,}" if self.all_rows > rows else ""
        return f"{rows:,}{sampled} × {columns}, {len(np.unique(self.y))}"


def read_table(name: str, folder: Path | None, *, most: int = MOST_ROWS) -> Table:
    """Read a table by name; of more than `most` rows a sample, always the same."""
    if name in SHIPPED:
        loaded = SHIPPED[name](as_frame=True)
        x, y = loaded.data, loaded.target_names[loaded.target]
    elif name in WITH_HEADER:
        source = WITH_HEADER[name]
        frame = pd.read_csv(_path(folder, f"tables/{name}.csv.gz"), index_col=0)
        y = frame[source.target]
        x = frame.drop(columns=[source.target, *source.without])
        x = x.astype(dict.fromkeys(source.categories, str))
    else:
        path = _path(folder, f"keel/{name}.dat.gz")
        frame = pd.read_csv(path, header=None, skipinitialspace=True)
        x, y = frame.iloc[:, :-1], frame.iloc[:, -1]
        x.columns = [f"x{j + 1}" for j in range(x.shape[1])]
    kinds = {c: float if pd.api.types.is_numeric_dtype(x[c]) else "category" for c in x.columns}
    x, y = x.astype(kinds).reset_index(drop=True), np.asarray(y).astype(str).astype(object)
    rows = len(y)
    if rows > most:
        chosen = np.sort(np.random.default_rng(0).permutation(rows)[:most])
        x, y = x.iloc[chosen].reset_index(drop=True), y[chosen]
    return Table(name, x, y, rows)


def _path(folder: Path | None, name: str) -> Path:
    if folder is None or not (folder / name).exists():
        raise SystemExit(f"--data: a folder with {name} is needed. Received: {folder}")
    return folder / name


def table_names(folder: Path | None) -> list[str]:
    """Names of all tables: scikit-learn's, and those of the folder."""
    names = list(SHIPPED)
    if folder is not None:
        names += [n for n in WITH_HEADER if (folder / f"tables/{n}.csv.gz").exists()]
        names += [p.name.removesuffix(".dat.gz") for p in (folder / "keel").glob("*.dat.gz")]
    return sorted(names)


def by_size(tables: Iterable[Table]) -> list[Table]:
    """Tables, those with few cells first: what is quick is complete early."""
    return sorted(tables, key=lambda table: (table.x.size, table.name))


def folds(table: Table) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Number, training rows and test rows of each of the stratified folds."""
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(table.x, table.y)
    for fold, (train, test) in enumerate(splits):
        yield fold, train, test

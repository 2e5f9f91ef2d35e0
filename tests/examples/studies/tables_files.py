"""Small made-up tables in the folders and forms that the study of tables reads."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from studies.tables_data import Table


def labelled(rows: int = 120, classes: int = 2, seed: int = 0) -> Table:
    """A number that says much, one that says little, and a category; some are missing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows)
    x = pd.DataFrame(
        {
            "much": y + 0.4 * rng.standard_normal(rows),
            "little": rng.standard_normal(rows),
            "kind": pd.Categorical(np.where(rng.random(rows) < 0.7, y, 0).astype(str)),
        }
    )
    x.loc[x.index % 11 == 3, "much"] = np.nan
    x.loc[x.index % 13 == 5, "kind"] = None
    return Table("made up", x, np.array([f"class {k}" for k in y], object), rows)


def write_files(folder: Path) -> None:
    """A two-class table of KEEL's form, and one with a header and missing values."""
    for name in ("keel", "tables"):
        (folder / name).mkdir()
    table = labelled()
    rows = zip(table.x.little, "ab" * 60, table.y, strict=True)
    lines = [", ".join(map(str, row)) for row in rows]
    with gzip.open(folder / "keel/first.dat.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    frame = table.x.assign(Status=table.y)
    frame.index += 1
    frame.to_csv(folder / "tables/credit.csv.gz")

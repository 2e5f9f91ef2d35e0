"""The table of named features."""

import numpy as np

from studies import explain_table


def test_the_rows_of_the_table_add_up(capsys):
    explain_table.main(["--steps", "30"])
    printed = capsys.readouterr().out
    table = [line.split() for line in printed.splitlines() if line.startswith(("sum", "22", "bef"))]
    assert len(table) == 3
    rows = [line for line in printed.splitlines() if len(line) > 60 and line[40:].strip()]
    numbers = [row.split()[-3:] for row in rows if row[0].isalnum() and row.split()[-1][0] in "+-"]
    values = np.array([[float(n) for n in row] for row in numbers])
    np.testing.assert_allclose(values[:-1].sum(axis=0), values[-1], atol=0.0005 * len(values))
    assert abs(values[-1, 2]) < 0.2  # the narrowest margin

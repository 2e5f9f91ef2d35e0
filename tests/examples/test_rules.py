"""From a CSV file to rules."""

import numpy as np
import pandas as pd
import pytest

import rules


def table(rows=120):
    """The event comes with age, but not in the south; some ages are missing."""
    rng = np.random.default_rng(0)
    age, place = rng.integers(20, 80, rows).astype(float), rng.choice(["north", "south"], rows)
    event = np.where((age > 50) & (place == "north"), "yes", "no")
    age[:5] = np.nan
    return pd.DataFrame({"age": age, "place": place, "event": event})


def test_a_file_of_ones_own_is_learned_and_explained(tmp_path, capsys):
    path = tmp_path / "own.csv"
    table().to_csv(path, index=False)
    rules.main(["--csv", str(path), "--target", "event", "--output", str(tmp_path)])
    out = capsys.readouterr().out
    assert "log-odds of 'yes':" in out
    assert "place = north" in out
    accuracy = float(out.split("accuracy ")[1].split(",")[0])
    assert accuracy > 0.9
    assert "the same bits: True" in out
    assert (tmp_path / "rules.png").read_bytes()[:4] == b"\x89PNG"


def test_the_table_that_comes_along():
    X, y = rules.read(None, rules.TARGET)
    assert X.shape == (569, 30)
    assert set(y) == {"benign", "malignant"}


def test_what_is_not_there_gives_one_line(tmp_path, capsys):
    path = tmp_path / "own.csv"
    with pytest.raises(SystemExit):
        rules.main(["--csv", str(path), "--output", str(tmp_path)])
    assert "--csv needs --target" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"--csv .*own\.csv: .*No such file"):
        rules.main(["--csv", str(path), "--target", "died", "--output", str(tmp_path)])
    table(4).to_csv(path, index=False)
    with pytest.raises(
        SystemExit, match="--target died: no such column; there are age, place, event"
    ):
        rules.main(["--csv", str(path), "--target", "died", "--output", str(tmp_path)])


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (["yes", None] * 6, "--target event: 6 rows have a gap there"),
        (
            range(12),
            r"--target event: at least 4 rows of each class; classes, not numbers to predict; "
            r"\d+ is there 1 times",
        ),
        (
            ["yes"] * 10 + ["no"] * 2,
            "--target event: at least 4 rows of each class; no is there 2 times",
        ),
    ],
)
def test_classes_that_cannot_be_learned_give_one_line(events, message, tmp_path):
    path = tmp_path / "own.csv"
    table(12).assign(event=events).to_csv(path, index=False)
    with pytest.raises(SystemExit, match=message):
        rules.main(["--csv", str(path), "--target", "event", "--output", str(tmp_path)])


def test_a_table_that_says_nothing_has_no_picture(tmp_path, capsys):
    path = tmp_path / "own.csv"
    table(60).assign(age=1.0, place="north", event=["yes", "no"] * 30).to_csv(path, index=False)
    with pytest.raises(SystemExit, match="no picture"):
        rules.main(["--csv", str(path), "--target", "event", "--output", str(tmp_path)])
    assert "why the first of them is" in capsys.readouterr().out

"""The study by field as a whole, on made-up tables and predictions."""

import numpy as np
import pytest

from studies import fields, fields_claims
from studies.fields_data import Subject
from studies.tables_data import folds, read_table
from studies.tables_results import keep_predictions, read_predictions
from tests.examples.studies.tables_files import write_files


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Two tables of finance; of the second only some predictions are there."""
    subjects = {"first": Subject("class 1", "a bad debt"), "credit": Subject("class 1", "default")}
    monkeypatch.setitem(fields.FIELDS, "finance", subjects)
    monkeypatch.setattr(fields, "READ", ("first",))
    write_files(tmp_path)
    rng = np.random.default_rng(0)
    kept = tmp_path / "kept"
    for name, models in (("first", ("logistic", "EBM", "rules")), ("credit", ("rules",))):
        table = read_table(name, tmp_path)
        for model in models:
            for fold, _, test in list(folds(table))[: 10 if name == "first" else 4]:
                p = np.clip(0.5 + 0.3 * (table.y[test] == "class 1") - 0.4 * rng.random(12), 0, 1)
                p = np.stack([1 - p, p], axis=1)
                keep_predictions(kept, (name, model, fold), test, p)
    folders = ["--data", str(tmp_path), "--predictions", str(kept), "--output", str(tmp_path)]
    return [*folders, "--fields", "finance", "--models", "logistic", "EBM", "rules"]


def rows_of(out, title):
    return [line for line in out.split(title)[1].split("\n\n")[0].splitlines() if "(" in line]


def test_scores_differences_and_a_picture(arguments, tmp_path, capsys):
    fields.main(arguments)
    out = capsys.readouterr().out
    assert "first: a bad debt; 120 × 2, 2 classes\n120 rows of folds 0–9" in out
    header = out.split("with the event\n")[1].splitlines()[0]
    assert header.split("  ")[-1].strip() == "slope"
    assert "− EBM, ‰" in header
    assert "− logistic, ‰" in header
    logistic, ebm, rules = rows_of(out, "with the event\n")
    assert logistic.count("(") == 4  # no difference to itself
    assert ebm.count("(") == 4
    assert rules.count("(") == 5
    losses = [float(row.split(")")[1].split("(")[0]) for row in (logistic, rules)]
    difference = float(rules.split(")")[3].split("(")[0].replace("−", "-"))
    assert difference == pytest.approx(1000 * (losses[1] - losses[0]), abs=1.1)
    assert (tmp_path / "fields-finance.png").stat().st_size > 10_000


def test_what_is_missing_is_said(arguments, tmp_path, capsys):
    fields.main(arguments)
    out = capsys.readouterr().out.split("credit: default")[1]
    assert "no predictions in folds 0–9: logistic; EBM\n" in out
    assert "no predictions in folds 4–9: rules\n" in out
    assert "--tables credit --models logistic EBM rules --predictions" in out
    assert "48 rows of folds 0–3" in out
    fields.main([*arguments, "--models", "rules, signed"])
    out = capsys.readouterr().out
    assert '--models "rules, signed" --predictions' in out
    assert "picture" not in out


def test_claims_are_fitted_once_and_kept(tmp_path, capsys, monkeypatch):
    models = dict.fromkeys((*fields.DRAWN_CLAIMS, "tree"), fields_claims.fit_tariff)
    monkeypatch.setattr(fields_claims, "MODELS", models)
    found = fields.show_claims(tmp_path, list(models))
    out = capsys.readouterr().out
    assert out.count("fitting ") == len(models)
    assert set(found) == set(fields.DRAWN_CLAIMS)
    row = next(line for line in out.splitlines() if line.startswith("tree "))
    assert "+0.0 (+0.0 to +0.0)" in row.replace("−0.0", "+0.0")
    expected = read_predictions(tmp_path, "claims", "tree")[0][1]
    _, claims, _ = fields_claims.read()
    assert f" {fields_claims.deviances(claims, expected).sum():.1f} (" in row
    fields.show_claims(tmp_path, list(models))
    assert "fitting" not in capsys.readouterr().out


def test_readings_print_models(arguments, capsys):
    fields.main([*arguments, "--readings"])
    out = capsys.readouterr().out
    assert "first: a bad debt, class 'class 1'; the model of the first fold" in out
    assert "picture" not in out
    fields.main(["--fields", "insurance", "--readings"])
    assert "claims: the tariff of all groups" in capsys.readouterr().out

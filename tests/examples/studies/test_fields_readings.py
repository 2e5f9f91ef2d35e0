"""Models read as their users would."""

import numpy as np
import pytest

from studies import fields_claims, fields_readings
from studies.fields_data import Subject
from tests.examples.studies.tables_files import labelled


def test_rules_and_reasons_of_a_new_row_are_printed(capsys):
    subject = Subject("class 1", "an illness", ("dose", "noise", "ward"))
    fields_readings.show_rules(labelled(), subject)
    out = capsys.readouterr().out
    assert "made up: an illness, class 'class 1'" in out
    assert "log-odds of 'class 1':\n" in out
    assert "dose" in out
    assert "much" not in out
    assert "12 new rows: AUC " in out
    reasons = out.split("constant: ")[1].splitlines()
    parts = [float(line.split(": ")[-1]) for line in (f"constant: {reasons[0]}", *reasons[1:-2])]
    total = next(line for line in reasons if line.startswith("  = log-odds"))
    total = float(total.split(": ")[1])
    assert sum(parts) == pytest.approx(total, abs=0.05)
    shown = float(out.split("probability of an illness: ")[1].split(";")[0])
    assert shown == pytest.approx(1 / (1 + np.exp(-total)), abs=0.01)
    assert "what came: 'class" in out


@pytest.mark.parametrize(
    ("value", "text"), [(2.50, "2.5"), (np.nan, "missing"), (None, "missing"), ("own", "own")]
)
def test_facts_are_short(value, text):
    assert fields_readings.fact(value) == text


def test_the_tariff_of_the_largest_group_is_printed(capsys):
    fields_readings.show_tariff(*fields_claims.read())
    out = capsys.readouterr().out
    assert "District 4       1.000" in out
    assert "the largest group, District 1, Group 1-1.5l, Age >35: 0.359 · 0.791" in out
    assert "observed: " in out

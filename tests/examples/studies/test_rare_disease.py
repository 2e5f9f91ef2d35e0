"""The rare-disease study as a whole, in a made-up world."""

import numpy as np
import pytest

from studies import rare_disease
from tests.examples.studies.rare_disease_world import PATIENTS, write_files

MORE = [(f"{cohort}{k}", *rest) for k in range(12) for cohort, *rest in PATIENTS]


@pytest.fixture
def arguments(tmp_path):
    path = write_files(tmp_path, MORE)
    return ["--patients", str(path), "--hpo", str(tmp_path), "--output", str(tmp_path / "out")]


def test_the_study_prints_three_protocols_side_by_side(arguments, tmp_path, capsys):
    rare_disease.main([*arguments, "--merged", "5"])
    out = capsys.readouterr().out
    assert "4 diseases, annotations of made up; 84 patients, 72 with a disease" in out
    for title in ("All annotations", "Own paper subtracted", "Citing rows dropped", "Two patients"):
        assert f"\n{title}" in out
    for method in (rare_disease.PLAIN, rare_disease.FITTED, "naive Bayes", "Lin, two-sided"):
        assert out.count(f"\n{method} ") >= 3
    assert "milliseconds a patient" in out
    assert (tmp_path / "out" / "rare-disease-reliability.png").exists()


def test_a_quick_look_leaves_choices_and_similarities_out(arguments, capsys):
    rare_disease.main([*arguments, "--merged", "2", "--quick"])
    out = capsys.readouterr().out
    assert "Settings and their" not in out
    assert "-sided" not in out
    assert "\nCiting rows dropped" not in out


def test_no_patient_of_the_reported_cohorts_chooses_settings(arguments, monkeypatch):
    seen = []
    original = rare_disease.compare

    def compare(knowledge, tuning, reported, **options):
        seen.append((set(tuning.cohort.tolist()), set(reported.cohort.tolist())))
        return original(knowledge, tuning, reported, **options)

    monkeypatch.setattr(rare_disease, "compare", compare)
    rare_disease.main([*arguments, "--merged", "1", "--quick"])
    for first, second in seen:
        assert first
        assert second
        assert first.isdisjoint(second)
    assert len(seen) == 2


def test_the_patients_are_needed(capsys):
    with pytest.raises(SystemExit):
        rare_disease.main([])
    assert "--patients" in capsys.readouterr().err


def test_the_picture_of_one_patient_shows_the_sum(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rare_disease, "SHOWN_FINDINGS", (1, 12))
    monkeypatch.setattr(rare_disease, "SHOWN_PROBABILITY", (0.0, 1.0))
    drawn = []
    why = rare_disease.rare_disease_plots.why

    def keep(labels, values, *more):
        drawn.append(values)
        why(labels, values, *more)

    monkeypatch.setattr(rare_disease.rare_disease_plots, "why", keep)
    rare_disease.main([*arguments, "--merged", "1", "--quick"])
    assert (tmp_path / "out" / "rare-disease-why.png").exists()
    printed = capsys.readouterr().out.split("log-odds ")[1].split()[0]
    assert float(printed) == pytest.approx(np.sum(drawn[0]), abs=0.006)
    assert np.sum(drawn[0]) >= 0

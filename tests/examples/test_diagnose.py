"""The patient of the README: posteriors, and parts that add up."""

import itertools
import re

import numpy as np
from matplotlib.figure import Figure

import diagnose


def test_it_prints_what_it_draws(tmp_path, capsys, monkeypatch):
    figures = []
    save = diagnose.plots.save
    monkeypatch.setattr(
        diagnose.plots, "save", lambda figure, path: (figures.append(figure), save(figure, path))
    )
    diagnose.main(["--output", str(tmp_path)])
    assert [p.name for p in tmp_path.iterdir()] == ["diagnosis.png"]
    out = capsys.readouterr().out
    assert "made-up" in out.splitlines()[0]
    assert float(out.split("to the log-odds: error ")[1].split()[0]) < 1e-13
    likely, why = figures[0].axes
    printed = re.findall(r"^(\w[\w ]*?) {2,}(\d+\.\d) +(\d+\.\d)$", out, re.MULTILINE)
    assert [row[0] for row in printed] == [t.get_text() for t in likely.get_yticklabels()]
    assert [row[2] + " %" for row in printed] == [t.get_text() for t in likely.texts]
    before, now = re.search(r"log-odds (.\d\.\d\d) before, (.\d\.\d\d) now", out).groups()
    parts = re.findall(r"^(\w[\w ]*?) {2,}([+-]\d\.\d\d) .*\d$", out, re.MULTILINE)
    drawn = [text.get_text().replace("−", "-") for text in why.texts]
    assert drawn == [before, *(part for _, part in parts), now]
    labels = [label.get_text().removeprefix("no ") for label in why.get_yticklabels()]
    assert labels[1:-1] == [what for what, _ in parts]


def test_posteriors_are_those_of_all_sets_of_causes():
    model = diagnose.network()
    present = np.array(list(itertools.product((0.0, 1.0), repeat=6)))
    weight = np.prod(np.where(present == 1, model.prior, 1 - model.prior), axis=1)
    seen = model.predict(present)
    for name, value in diagnose.PATIENT.items():
        p = seen[:, model.findings.index(name)]
        weight = weight * (p if value else 1 - p)
    expected = weight @ present / weight.sum()
    got = model.posterior(diagnose.PATIENT).probability[0]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_picture_is_drawn_without_pyplot():
    assert not hasattr(diagnose, "pyplot")
    assert diagnose.Figure is Figure

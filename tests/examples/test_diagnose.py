"""The patient of the README: posteriors, and parts that add up."""

import itertools
import re

import numpy as np
import pytest
from matplotlib.figure import Figure

import diagnose
import synann as syn


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
    assert float(out.split("the log-odds: error ")[1].split()[0]) < 1e-13
    likely, why = figures[0].axes
    printed = re.findall(r"^(\w[\w ]*?) {2,}(\d+\.\d) +(\d+\.\d)$", out, re.MULTILINE)
    assert [row[0] for row in printed] == [t.get_text() for t in likely.get_yticklabels()]
    assert [row[2] + " %" for row in printed] == [t.get_text() for t in likely.texts]
    parts = re.findall(r"^(\w[\w ]*?) {2,}([+-]\d\.\d\d)$", out, re.MULTILINE)
    assert [part.replace("-", "−") for _, part in parts] == [t.get_text() for t in why.texts]
    assert [what for what, _ in parts[:-1]] == [t.get_text() for t in why.get_yticklabels()[:-1]]


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


@pytest.mark.parametrize("cause", ["pneumonia", "common cold"])
def test_parts_are_means_over_all_orders(cause):
    model = diagnose.network()
    patient = {"fever": 1, "aching muscles": 1, "wheezing": 0, "short of breath": 1}
    prior, parts = diagnose.parts_of(model, patient, cause)

    def log_odds(known):
        told = {name: patient[name] for name in known}
        p = model.posterior(told).probability[0] if told else model.prior
        return float(syn.logit(p[model.causes.index(cause)]))

    expected = dict.fromkeys(patient, 0.0)
    orders = list(itertools.permutations(patient))
    for order in orders:
        for k, name in enumerate(order):
            expected[name] += (log_odds(order[: k + 1]) - log_odds(order[:k])) / len(orders)
    assert parts == pytest.approx(expected, abs=1e-12)
    assert prior == pytest.approx(log_odds(()), abs=1e-14)


def test_the_picture_is_drawn_without_pyplot():
    assert not hasattr(diagnose, "pyplot")
    assert diagnose.Figure is Figure

"""The pages that ask back, as far as a file tells; tests/browser opens such pages."""

import numpy as np
import pytest

import ask


def test_the_car_is_what_the_table_says():
    network = ask.car()
    assert network.causes == tuple(ask.CAR)
    beta = dict(zip(network.findings, network.beta[:, 0], strict=True))
    assert {f: b for f, b in beta.items() if b} == ask.CAR["flat battery"][1]
    p = network.posterior({"engine does not turn": 1, "lamps are dim": 0}).probability[0]
    assert network.causes[int(p.argmax())] == "faulty starter"


def test_a_learned_network_is_near_the_true_one():
    truth, network = ask.learned(3000)
    assert np.abs(network.beta - truth.beta).mean() < 0.02
    assert network.findings[0] == "symptom 1"


def test_it_writes_its_pages(tmp_path, capsys):
    ask.main(["--output", str(tmp_path), "--patients", "200"])
    said = capsys.readouterr().out
    for name in ("ask-car.html", "ask-diagnosis.html"):
        assert (tmp_path / name).read_text("utf-8").startswith("<!doctype html>")
        assert name in said
    ask.car().save(tmp_path / "mine.safetensors")
    ask.main(["--output", str(tmp_path), "--network", str(tmp_path / "mine.safetensors")])
    page = (tmp_path / "mine.html").read_text("utf-8")
    assert "<title>mine</title>" in page
    assert '"flat battery"' in page


@pytest.mark.parametrize("arguments", [["--patients", "0"], ["--network", "absent"]])
def test_what_is_refused(tmp_path, arguments):
    with pytest.raises(SystemExit):
        ask.main(["--output", str(tmp_path), *arguments])

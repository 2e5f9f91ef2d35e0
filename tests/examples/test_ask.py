"""The pages that ask back, as far as a file tells; tests/browser opens such pages."""

from pathlib import Path

import numpy as np
import pytest

import ask
import diagnose


def test_a_learned_network_is_near_the_true_one():
    truth, network = ask.learned(3000)
    assert np.abs(network.beta - truth.beta).mean() < 0.02
    assert network.findings[0] == "symptom 1"


def test_a_patient_is_in_the_address():
    case = {"runny nose": 0, "fever": 1}
    assert ask.address(Path("/a b.html"), case) == (
        "file:///a%20b.html#absent=runny+nose&present=fever"
    )


def test_it_writes_its_pages(tmp_path, capsys):
    ask.main(["--output", str(tmp_path), "--patients", "200"])
    said = capsys.readouterr().out
    for name in ("ask-diagnosis.html", "ask-learned.html"):
        assert (tmp_path / name).read_text("utf-8").startswith("<!doctype html>")
        assert name in said
    assert ask.address(tmp_path / "ask-diagnosis.html", diagnose.PATIENT) in said
    diagnose.network().save(tmp_path / "mine.safetensors")
    ask.main(["--output", str(tmp_path), "--network", str(tmp_path / "mine.safetensors")])
    page = (tmp_path / "mine.html").read_text("utf-8")
    assert "<title>mine</title>" in page
    assert '"heart failure"' in page


@pytest.mark.parametrize("arguments", [["--patients", "0"], ["--network", "absent"]])
def test_what_is_refused(tmp_path, arguments):
    with pytest.raises(SystemExit):
        ask.main(["--output", str(tmp_path), *arguments])

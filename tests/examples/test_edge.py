"""The digits network in C, on a network that has hardly been trained."""

import edge
import synann_core as syn


def test_c_and_python_agree(tmp_path, capsys):
    model = syn.SynaMLP(64, 8, 10)
    model.save(tmp_path / "model.safetensors")
    edge.main(["--model", str(tmp_path / "model.safetensors"), "--output", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    assert "C and Python agree on 100.00 % of 360 test images" in printed
    share = float(printed.split("as in Python on ")[1].split()[0])
    assert share > 95.0  # of a network that is not sure of anything
    assert {p.name for p in (tmp_path / "new").iterdir()} == {
        "digits.c",
        "digits.o",
        "digits.so",
        "digits.onnx",
        "digits.json",
        "digits-int16.c",
        "digits-int16.o",
        "digits-int16.so",
    }

"""The digits network in C, on a network that has hardly been trained."""

import edge
import synann_core as syn


def test_c_and_python_agree(tmp_path, capsys):
    model = syn.SynaMLP(64, 8, 10)
    model.save(tmp_path / "model.safetensors")
    edge.main(["--model", str(tmp_path / "model.safetensors"), "--output", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    assert "C and Python agree on 100.00 % of 360 test images" in printed
    # A network that is not sure of anything.
    shares = [float(part.split()[0]) for part in printed.split("the same class on ")[1:]]
    assert len(shares) == 2
    assert min(shares) > 90.0
    own = {f"digits-{dtype}.{kind}" for dtype in ("int8", "int16") for kind in ("c", "o", "so")}
    assert {p.name for p in (tmp_path / "new").iterdir()} == {
        "digits.c",
        "digits.o",
        "digits.so",
        "digits.onnx",
        "digits.json",
        *own,
    }

"""A spiking network trained on a few drawings, out of Python in every format."""

import pytest

from mnist import spiking_export, spiking_mnist
from synann.spiking import LIF, Layer, SpikingNetwork


@pytest.mark.parametrize(
    ("layer", "reset"), [("linear", "subtract"), ("linear", "zero"), ("synapse", "subtract")]
)
def test_every_format_agrees(drawings, tmp_path, capsys, layer, reset, monkeypatch):
    path = tmp_path / "net.safetensors"
    data = ["--data-dir", str(drawings), "--output", str(tmp_path)]
    train = [
        "--layer",
        layer,
        "--reset",
        reset,
        "--hidden",
        "12",
        "--epochs",
        "3",
        "--batch-size",
        "25",
    ]
    spiking_mnist.main([*train, "--learning-rate", "0.01", "--save", str(path), *data])
    if layer == "synapse":  # NIR has no such layer, and tracing it takes long
        names = ("NIR", "ONNX, float64", "ONNX, float32")
        few = {name: run for name, run in spiking_export.FORMATS.items() if name not in names}
        monkeypatch.setattr(spiking_export, "FORMATS", few)
    rows = spiking_export.main([str(path), "--images", "25", *data])
    peer = {"NIR, by snnTorch"} if reset == "zero" else set()
    assert rows.keys() == spiking_export.FORMATS.keys() | peer
    for name, (classes, clear, every) in rows.items():
        assert clear == 100.0, name
        if "float32" not in name and name not in peer:
            assert (classes, every) == (100.0, 100.0), name
    printed = capsys.readouterr().out
    assert "25 test images" in printed
    assert "same spikes, clear ones" in printed


def test_what_cannot_be_compared_is_one_line(tmp_path):
    neuron = LIF(order="immediate")
    SpikingNetwork(4, [Layer(2, neuron)]).save(tmp_path / "net")
    with pytest.raises(SystemExit, match="known after their reset alone"):
        spiking_export.main([str(tmp_path / "net")])
    SpikingNetwork(4, [Layer(2)]).save(tmp_path / "net")
    with pytest.raises(SystemExit, match="file not found"):
        spiking_export.main([str(tmp_path / "net"), "--data-dir", str(tmp_path)])

"""The spiking network, on a few drawings in place of MNIST."""

import pytest

from mnist import spiking_mnist


@pytest.mark.parametrize("layer", ["linear", "synapse"])
def test_it_learns_tests_all_images_and_leaves_a_picture(drawings, tmp_path, capsys, layer):
    options = ["--layer", layer, "--hidden", "60", "--epochs", "6", "--batch-size", "25"]
    options += ["--learning-rate", "0.01", "--data-dir", str(drawings), "--output", str(tmp_path)]
    scores = spiking_mnist.main(options)
    assert scores.keys() == {"spike count", "summed membrane"}
    assert min(scores.values()) > 0.6
    # All 40 test images count, which neither 25 nor 512 divides.
    assert all(float(40 * score).is_integer() for score in scores.values())
    output = capsys.readouterr().out
    assert "264 training and 40 test images" in output
    assert (tmp_path / f"spiking-mnist-{layer}.png").stat().st_size > 10_000


def test_every_backend_gives_the_same_accuracy(drawings, tmp_path):
    options = ["--hidden", "30", "--limit", "100", "--data-dir", str(drawings)]
    options += ["--output", str(tmp_path)]
    found = [spiking_mnist.main(["--backend", name, *options]) for name in ("numpy", "torch")]
    # float32: a sum in another order may flip a spike.
    assert found[0] == pytest.approx(found[1], abs=0.051)


def test_missing_data_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"train-images-idx3-ubyte\[.gz\]: file not found"):
        spiking_mnist.main(["--data-dir", str(tmp_path)])

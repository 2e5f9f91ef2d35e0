"""The spiking examples: on a few drawings in place of MNIST, and the membrane as an RC circuit."""

import numpy as np
import pytest

from examples import membrane, spiking_mnist
from tests.examples.test_mnist_torch import drawings  # noqa: F401 - a fixture


@pytest.mark.parametrize("layer", ["linear", "synapse"])
def test_it_learns_tests_all_images_and_leaves_a_picture(drawings, tmp_path, capsys, layer):  # noqa: F811
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


def test_every_backend_gives_the_same_accuracy(drawings, tmp_path):  # noqa: F811
    options = ["--hidden", "30", "--limit", "100", "--data-dir", str(drawings)]
    options += ["--output", str(tmp_path)]
    found = [spiking_mnist.main(["--backend", name, *options]) for name in ("numpy", "torch")]
    # float32: a sum in another order may flip a spike.
    assert found[0] == pytest.approx(found[1], abs=0.051)


def test_missing_data_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"train-images-idx3-ubyte\[.gz\]: file not found"):
        spiking_mnist.main(["--data-dir", str(tmp_path)])


def test_membranes(tmp_path, capsys):
    """A slower loss or a larger weight fires more; a charge falls to 1/e in τ."""
    fast_heavy, fast_light, slow_heavy, slow_light = membrane.main(["--output", str(tmp_path)])
    assert slow_heavy > fast_heavy > fast_light
    assert slow_heavy > slow_light > fast_light
    assert (tmp_path / "spiking-membrane.png").stat().st_size > 10_000
    assert "what is left of a charge" in capsys.readouterr().out
    for tau, steps, exact in membrane.check_decay():
        assert steps == pytest.approx(exact, rel=1 / tau)


def test_the_membrane_jumps_by_the_weight_and_falls_by_its_share():
    inputs, results = membrane.simulate(300, 3)
    for tau, weight, spikes, m in results:
        before = np.concatenate([[0.0], m[:-1]])
        want = (1 - 1 / tau) * before + weight * inputs - spikes
        np.testing.assert_allclose(m, want, atol=1e-12)

"""Stacks of synapse layers on the digits: what is measured of them, on small ones."""

import numpy as np
import pytest
import torch
from matplotlib import image as images

from shared.datasets import load_digits
from studies import depth


@pytest.fixture(scope="module")
def data():
    return load_digits()


@pytest.mark.parametrize("recipe", depth.RECIPES)
def test_a_layer_is_its_input_and_transmission(data, recipe):
    """T and the signal are those of the layer: without T's differences it computes the rest."""
    torch.manual_seed(0)
    stack = depth.Stack(data, recipe, 1).eval()
    layer = stack.layers[0]
    h = stack.first(torch.from_numpy(data.test_x[:1]))
    with torch.no_grad():
        want = layer(h)
        layer.constant = layer.transmission(h).mean(0)  # of one image: its own
        torch.testing.assert_close(layer(h), want)
    assert 0.0 <= float(layer.signal(want).min()) <= float(layer.signal(want).max()) <= 1.0


@pytest.mark.parametrize("recipe", depth.RECIPES)
def test_removed_synapses_tell_images_no_longer_apart(data, recipe):
    torch.manual_seed(0)
    stack = depth.Stack(data, recipe, 2)
    x = torch.from_numpy(data.train_x)
    depth.remove_synapses(stack, x)
    assert all(layer.constant.shape == (depth.WIDTH,) for layer in stack.layers)
    with torch.no_grad():
        stack.eval()
        # Every unit is on its own: a monotone function of what enters the stack.
        h = stack.first(x)
        order = torch.argsort(h[:, 0])
        for layer in stack.layers:
            h = layer(h)
    assert bool((h[order, 0].diff() >= 0).all())


def test_trace_counts_layers(data):
    torch.manual_seed(0)
    stack = depth.Stack(data, "odds", 3)
    depth.measure_norms(stack, torch.from_numpy(data.train_x))
    found = depth.trace(stack, torch.from_numpy(data.test_x))
    assert (len(found.spread), len(found.transmission), len(found.transmitted)) == (4, 3, 3)
    assert np.all(found.transmission < -0.5)
    assert np.all((found.transmitted > 0.2) & (found.transmitted < 0.6))
    assert np.all(found.spread > 0.05)


def test_table_and_picture(tmp_path, capsys):
    options = ["--recipes", "odds", "--layers", "2", "--seeds", "2", "--epochs", "1"]
    depth.main([*options, "--output", str(tmp_path)])
    none, odds = capsys.readouterr().out.splitlines()[2:4]
    assert none.startswith("no layers")
    name, layers, mean, _, _, *each = odds.split()[:7]
    assert (name, layers) == ("odds", "2")
    assert float(mean) == pytest.approx(np.mean([float(a) for a in each]), abs=0.01)
    assert float(mean) > 60.0
    assert images.imread(tmp_path / "depth.png").shape[1] > 1000

"""Layers, recipes and the width of a GRU, which torch and Keras share."""

import argparse
from dataclasses import replace

import pytest
import torch

from mnist import mnist_keras, mnist_torch, recipes
from mnist.models_torch import parameter_count
from mnist.recipes import HIDDEN, LAYERS, RECIPES, gru_units
from synann_torch import SynaRNN


def test_every_model_has_layers_and_a_recipe():
    assert LAYERS.keys() <= RECIPES.keys()
    assert mnist_torch.RECIPES.keys() == RECIPES.keys()
    assert set(mnist_keras.MODELS) <= LAYERS.keys()
    float32 = replace(mnist_torch.RECIPES["cnn"], precision="float32")
    assert mnist_torch.RECIPES | {"cnn": float32} == RECIPES


@pytest.mark.parametrize("columns", [4, 28])
def test_no_other_width_of_a_gru_is_nearer(columns):
    own = parameter_count(SynaRNN(columns, HIDDEN)) + HIDDEN * 12

    def difference(h):
        return abs(parameter_count(torch.nn.GRU(columns, h)) + h * 12 - own)

    h = gru_units(columns, 10)
    assert difference(h) <= min(difference(h - 1), difference(h + 1))


def test_a_layer_of_another_model_is_refused(capsys):
    parser = argparse.ArgumentParser()
    recipes.add_options(parser, ("mlp", "rnn"))
    options = parser.parse_args(["--model", "rnn", "--layer", "gru"])
    recipes.check_layer(parser, options)
    options.layer = "dense"
    with pytest.raises(SystemExit):
        recipes.check_layer(parser, options)
    assert "argument --layer: rnn has synapse, gru" in capsys.readouterr().err


@pytest.mark.parametrize(("change", "alters"), [({}, False), ({"shear": 0.1}, True)])
def test_a_recipe_alters_images_if_any_range_is_there(change, alters):
    assert replace(RECIPES["rnn"], **change).alters is alters

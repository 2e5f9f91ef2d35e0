"""Train a classifier with a synapse layer on MNIST in Keras, as mnist_torch.py does in torch.

    python examples/mnist/mnist_keras.py --model cnn --data-dir DIR [--download]
    python examples/mnist/mnist_keras.py --model cnn --layer dense    a Dense layer in its place
    python examples/mnist/mnist_keras.py --model rnn --layer gru      GRU with as many parameters
    python examples/mnist/mnist_keras.py --data cifar10 --data-dir DIR
    KERAS_BACKEND=jax python examples/mnist/mnist_keras.py --model mlp --data-dir DIR
    python examples/mnist/mnist_keras.py --recipe published --data-dir DIR

The backend is torch, or what KERAS_BACKEND names: jax, tensorflow. Keras chooses the device: the
GPU if the backend finds one; with CUDA_VISIBLE_DEVICES="" it is the CPU.

A twelfth of the training images is held out; it chooses the epoch whose weights are kept. The test
images are used once, at the end. Every epoch ends with a checkpoint: after an interruption the same
command with --resume goes on, and ends as if nothing had happened: on a CPU with as many threads to
the last bit.

--recipe published trains the published Keras network of 5.1 million parameters for 31 epochs, with
Keras' own callbacks (published_keras.py): hours for two cores, and better left to a GPU.

Makes a folder of the run: weights, results.json, predictions.csv and two pictures.

Needs: pip install -e ".[examples,keras]" and the backend, for instance ".[torch]"
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Both are read at import. Threads that spin while they wait are slow where something else needs a
# core.
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

if os.environ["KERAS_BACKEND"] not in ("torch", "jax", "tensorflow"):
    given = os.environ["KERAS_BACKEND"]
    raise SystemExit(f"KERAS_BACKEND: must be torch, jax or tensorflow. Received: {given}")
try:
    import keras

    from synann.extending import NORM_EPS, NORM_MOMENTUM
    from synann.keras import SynaCNN, SynaMLP, SynaRNNCell
except ImportError as error:
    raise SystemExit(f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}: {error}") from None

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from mnist import files, published_keras, recipes, training
from mnist.checkpoints import Arrays, RunError
from mnist.recipes import HIDDEN, PUBLISHED_KERAS, RECIPES, Recipe
from shared.options import make_parser, override

MODELS = ("mlp", "cnn", "rnn")
# Weights that decay. For a synapse's logits 0 is β = ½, for the gains of a norm it is nothing.
DECAYING = (keras.layers.Dense, keras.layers.Conv2D)


def affine(images: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """Images (N, h, w, ...), each moved, turned, scaled and sheared at random; zeros come in."""
    count, height, width, *channels = images.shape
    drawn = rng.uniform(-1, 1, (6, count, 1, 1)).astype(np.float32)
    turn = math.radians(recipe.turn) * drawn[0]
    cos, sin = np.cos(turn), np.sin(turn)
    across, down = np.exp(math.log1p(recipe.scale) * drawn[1:3])
    shear = recipe.shear * drawn[3]
    # For each new pixel the place in the old image, whose middle is (0, 0) at first.
    y, x = np.ogrid[:height, :width]
    y, x = (y - (height - 1) / 2).astype(np.float32), (x - (width - 1) / 2).astype(np.float32)
    column = across * (cos * x + (shear * cos - sin) * y) + recipe.shift * drawn[4]
    row = down * (sin * x + (shear * sin + cos) * y) + recipe.shift * drawn[5]
    # With a border of zeros every place in the image or beyond has four neighbours.
    column = np.clip(column + (width + 1) / 2, 0, width + 1)
    row = np.clip(row + (height + 1) / 2, 0, height + 1)
    left, top = np.minimum(column.astype(int), width), np.minimum(row.astype(int), height)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), *((0, 0) for _ in channels)))
    n = np.arange(count)[:, None, None]
    right, below = (
        part.reshape(*part.shape, *(1 for _ in channels)) for part in (column - left, row - top)
    )
    upper = padded[n, top, left] * (1 - right) + padded[n, top, left + 1] * right
    lower = padded[n, top + 1, left] * (1 - right) + padded[n, top + 1, left + 1] * right
    return (upper * (1 - below) + lower * below).astype(images.dtype)


def build(model: str, layer: str, shape: tuple[int, ...], classes: int) -> keras.Model:
    """An untrained model for images of the given shape; "mlp" wants each as a row of pixels."""
    if model == "mlp":
        return SynaMLP(math.prod(shape), 280, classes, layer=layer, dropout=0.25)
    if model == "cnn":
        return SynaCNN(math.prod(shape[2:]), classes, layer=layer)
    # Read an image row by row, then decide from the last state.
    columns = math.prod(shape[1:])
    inputs = keras.Input((shape[0], columns))
    recurrent = keras.layers.RNN(SynaRNNCell(HIDDEN, name="cell"), name="recurrent")
    if layer == "gru":
        recurrent = keras.layers.GRU(recipes.gru_units(columns, classes), name="recurrent")
    norm = keras.layers.BatchNormalization(
        momentum=1.0 - NORM_MOMENTUM, epsilon=NORM_EPS, name="norm"
    )
    outputs = keras.layers.Dense(classes, name="output")(norm(recurrent(inputs)))
    return keras.Model(inputs, outputs, name="rnn")


class KerasTrainer:
    """A Keras model in training: what `training.fit` asks for."""

    def __init__(
        self, model: keras.Model, recipe: Recipe, shape: tuple[int, ...], seed: int
    ) -> None:
        self.model = model
        self.recipe = recipe
        self.shape = shape
        self.parameter_count = sum(math.prod(w.shape) for w in model.trainable_variables)
        self.steps = 0
        # Whatever the backend: the same batches and the same augmentation.
        self.rng = np.random.default_rng(seed)
        self.optimizer = keras.optimizers.AdamW(
            recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        decaying = {id(m.kernel) for m in model.layers if isinstance(m, DECAYING)}
        others = [w for w in model.trainable_variables if id(w) not in decaying]
        self.optimizer.exclude_from_weight_decay(var_list=others)
        self.optimizer.build(model.trainable_variables)  # a checkpoint may come before a step
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(self.optimizer, loss, metrics=["accuracy"])

    def batches(self, images: int) -> int:
        return max(images // self.recipe.batch_size, 1)  # what is left over comes in other epochs

    def train_epoch(
        self, images: np.ndarray, labels: np.ndarray
    ) -> Iterator[tuple[int, float, int]]:
        recipe = self.recipe
        order = self.rng.permutation(len(labels))
        per_epoch = self.batches(len(labels))
        size = min(recipe.batch_size, len(labels))
        for rows in order[: per_epoch * size].reshape(per_epoch, size):
            x = images[rows]
            if recipe.alters:
                x = affine(x.reshape(-1, *self.shape), recipe, self.rng)
            share = self.steps / (recipe.epochs * per_epoch)
            self.optimizer.learning_rate = recipe.learning_rate * training.cosine_cycle(share)
            y = labels[rows].astype(np.int32)  # jax has no int64 as it comes
            logs = self.model.train_on_batch(self._shaped(x), y, return_dict=True)
            self.steps += 1
            yield size, float(logs["loss"]), round(float(logs["accuracy"]) * size)

    def predict(self, images: np.ndarray, batch: int) -> np.ndarray:
        return self.model.predict(self._shaped(images), batch_size=batch, verbose=0)

    def state(self) -> tuple[Arrays, dict]:
        arrays = {key: _array(v) for key, v in self._variables().items()}
        arrays |= {key: g.get_rng_state().numpy() for key, g in _torch_generators().items()}
        return arrays, {"steps": self.steps, "batches": self.rng.bit_generator.state}

    def load_state(self, arrays: Arrays, numbers: dict) -> None:
        _assign(self._variables(), {k: a for k, a in arrays.items() if not k.startswith("rng.")})
        for key, generator in _torch_generators().items():
            if key in arrays:  # on a GPU now, but not before
                state = keras.ops.convert_to_tensor(arrays[key])
                generator.set_rng_state(state.cpu())
        self.steps = numbers["steps"]
        self.rng.bit_generator.state = numbers["batches"]

    def weights(self) -> Arrays:
        return {w.path: _array(w) for w in self.model.weights}

    def load_weights(self, arrays: Arrays) -> None:
        _assign({w.path: w for w in self.model.weights}, arrays)

    def _shaped(self, images: np.ndarray) -> np.ndarray:
        shape = self.model.input_shape[1:]
        if None in shape:  # a convolution takes images of any size; those here are square
            side = math.isqrt(images[0].size // shape[-1])
            return images.reshape(-1, side, side, shape[-1])
        return images.reshape(-1, *shape)

    def _variables(self) -> dict[str, keras.Variable]:
        """All that training changes, and the states of Keras' own random numbers."""
        # By position: Keras numbers the seed generators of a process in their paths.
        kinds = (("model", self.model.variables), ("optimizer", self.optimizer.variables))
        return {f"{kind}.{k}.{v.name}": v for kind, vs in kinds for k, v in enumerate(vs)}


def _torch_generators() -> dict[str, Any]:
    """What dropout on the torch backend draws from: torch's own random numbers."""
    if keras.config.backend() != "torch":
        return {}
    import torch

    return {"rng.torch": torch} | ({"rng.cuda": torch.cuda} if torch.cuda.is_available() else {})


def _array(variable: keras.Variable) -> np.ndarray:
    # On the torch backend Keras gives the variable's own memory.
    return np.array(keras.ops.convert_to_numpy(variable))


def _assign(variables: dict[str, keras.Variable], arrays: Arrays) -> None:
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    found = {name: array.shape for name, array in arrays.items()}
    different = [k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)]
    if different:
        raise RunError(
            f"the checkpoint is of another model: {min(different)} is "
            f"{found.get(min(different))}, not {expected.get(min(different))}"
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, output=False)
    recipes.add_options(parser, MODELS)
    training.add_options(parser)
    parser.add_argument(
        "--recipe", choices=("published",), help="for --model cnn: its network, too"
    )
    parser.add_argument(
        "--checkpoint", choices=("keras", "h5"), default="keras", help="for --recipe published"
    )
    options = parser.parse_args(arguments)
    recipes.check_layer(parser, options)
    if options.recipe and options.model != "cnn":
        parser.error("argument --recipe: only --model cnn has a published one")
    if options.recipe and options.resume:
        parser.error("argument --resume: a run by Keras' callbacks does not go on")
    if options.seed >= 2**32:
        parser.error(f"argument --seed: Keras takes less than 2**32, not {options.seed}")
    return options


def main(arguments: list[str] | None = None) -> dict:
    """Train, or go on; then test. Returns what `results.json` holds."""
    options = parse(arguments)
    backend = keras.config.backend()
    chosen = PUBLISHED_KERAS if options.recipe else RECIPES[options.model]
    recipe = override(chosen, options)
    about = {"keras": keras.__version__, "backend": backend, "processor": platform.machine()}
    try:
        data = files.load(options)
        keras.utils.set_random_seed(options.seed)
        # In the name of the run: another backend, other random numbers and roundings.
        name = f"{options.recipe or options.model}-keras-{backend}"
        run = training.Run.of(options, {"recipe": name, **asdict(recipe)}, 1000)
        if options.recipe:
            network = published_keras.build(options.layer, data.image_shape, data.classes)
            return published_keras.train_and_test(network, data, run, options, about)
        model = build(options.model, options.layer, data.image_shape, data.classes)
        trainer = KerasTrainer(model, recipe, data.image_shape, options.seed)
        return training.train_and_test(trainer, data, run, options, about)
    except (files.DataError, RunError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()

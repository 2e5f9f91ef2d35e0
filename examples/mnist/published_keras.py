"""The published Keras network of 5.1 million parameters, trained by Keras' own callbacks.

Four convolutions, of 28, 56, 112 and 784 channels, and the largest value of each channel, which
goes into a synapse layer of 784 units. Its position, behind a ReLU, needs a gate: the published
layer took values above 1 and trained on with NaN. Sizes of the convolutions that are not published
are chosen so that the number of parameters is.

A run's folder gets `best.keras` after the best epoch by validation accuracy, and `last.keras`
after every one; with --checkpoint h5 they are `best.h5` and `last.h5`, as published. (Not both: a
model that Keras has saved as .h5 once it saves without its optimizer ever after.)
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import keras
import numpy as np

from mnist import training
from mnist.checkpoints import RunError
from mnist.recipes import Recipe
from mnist.training import Run
from shared.datasets import Dataset
from synann.extending import NORM_EPS, NORM_MOMENTUM
from synann.keras import InitialBetaLogit, Synapse, exclude_from_weight_decay

# Channels, width and stride. Images of 28 × 28 are 7 × 7 for the last one.
CONVOLUTIONS = ((28, 3, 1), (56, 5, 2), (112, 5, 2), (784, 7, 1))
# The largest of 49 normalised values behind the gate: 1 − e^−2.2.
MEAN_INPUT = 0.9
SLOWER = 0.9  # learning rate of an epoch over that of the one before
BEST, LAST = "best", "last"


def build(layer: str, shape: tuple[int, ...], classes: int) -> keras.Model:
    """The untrained network, with any of three layers before its last norm; logits."""
    layout = {"data_format": "channels_last"}
    parts = [keras.Input((*shape[:2], math.prod(shape[2:])))]
    for channels, size, stride in CONVOLUTIONS:
        parts += [
            keras.layers.Conv2D(
                channels, size, strides=stride, padding="same", use_bias=False, **layout
            ),
            _norm(),
            keras.layers.ReLU(),
        ]
    parts.append(keras.layers.GlobalMaxPooling2D(**layout))
    units = CONVOLUTIONS[-1][0]
    if layer == "synapse":
        parts.append(
            Synapse(
                units,
                gate="exp",
                alpha=False,  # the norm would subtract it again
                output="surprisal",
                beta_logit_initializer=InitialBetaLogit(MEAN_INPUT),
                name="synapse",
            )
        )
    elif layer == "dense":
        parts.append(keras.layers.Dense(units, name="dense"))
    return keras.Sequential([*parts, _norm(), keras.layers.Dense(classes, name="output")])


def train_and_test(
    model: keras.Model, data: Dataset, run: Run, options: argparse.Namespace, about: dict
) -> dict:
    """Train on a part of the training images, restore the best epoch, and test it."""
    inner = training.validation_split(data, options.seed, options.limit)
    training.new_folder(run, f"{LAST}.{options.checkpoint}")
    recipe = Recipe(**{key: run.settings[key] for key in Recipe.__dataclass_fields__})
    print(f"{model.count_params()} parameters\n{run.settings}")
    history = fit(model, inner, run, recipe, options.checkpoint)
    best = max(range(len(history)), key=lambda k: history[k]["val_accuracy"])
    known = {
        "parameters": sum(math.prod(w.shape) for w in model.trainable_variables),
        "best_epoch": best + 1,
        "validation_accuracy": history[best]["val_accuracy"],
    }
    restored = restore(run.folder / f"{BEST}.{options.checkpoint}")
    x, y = _images(data.test_x, data.image_shape), data.test_y.astype(np.int32)
    loss, accuracy = restored.evaluate(x, y, batch_size=run.test_batches[0], verbose=0)
    print(f"Keras evaluates the best epoch: loss {loss:.4f}, accuracy {100 * accuracy:.2f} %")
    logits = [restored.predict(x, batch_size=batch, verbose=0) for batch in run.test_batches]
    results = training.report(logits, data, run, history, known | about)
    training.tell(results, run)
    return results


def fit(model: keras.Model, data: Dataset, run: Run, recipe: Recipe, ending: str) -> list[dict]:
    """Compile and train; one entry an epoch, as `training.fit` returns them."""
    optimizer = keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay)
    model.compile(
        exclude_from_weight_decay(optimizer, model),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    best = {"monitor": "val_accuracy", "mode": "max", "save_best_only": True}
    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda k, rate: rate * (SLOWER if k else 1.0)),
        keras.callbacks.ReduceLROnPlateau("val_accuracy", mode="max", factor=0.5, patience=3),
        keras.callbacks.ModelCheckpoint(run.folder / f"{BEST}.{ending}", **best),
        keras.callbacks.ModelCheckpoint(run.folder / f"{LAST}.{ending}"),
        keras.callbacks.TerminateOnNaN(),
    ]
    start = time.perf_counter()
    logs = model.fit(
        _images(data.train_x, data.image_shape),
        data.train_y.astype(np.int32),  # jax has no int64 as it comes
        batch_size=recipe.batch_size,
        epochs=run.epochs,
        validation_data=(_images(data.test_x, data.image_shape), data.test_y.astype(np.int32)),
        callbacks=callbacks,
        verbose=2,
    ).history
    if not np.isfinite(logs["loss"]).all():
        raise RunError(f"{run.folder}: the loss is not finite: {logs['loss'][-1]}")
    # Keras does not say how long each of them took.
    seconds = (time.perf_counter() - start) / len(logs["loss"])
    rows = zip(*logs.values(), strict=True)
    return [{**dict(zip(logs, map(float, row), strict=True)), "seconds": seconds} for row in rows]


def restore(path: Path) -> keras.Model:
    """The network of a checkpoint, in Keras' format or the older one."""
    return keras.models.load_model(path, custom_objects={"Synapse": Synapse})


def _norm() -> keras.layers.Layer:
    return keras.layers.BatchNormalization(momentum=1.0 - NORM_MOMENTUM, epsilon=NORM_EPS)


def _images(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return rows.reshape(-1, *shape[:2], math.prod(shape[2:]))

"""Train SynaMLP on handwritten digits by hand-written backprop, and look inside one decision.

    python examples/digits.py                          the UCI digits that scikit-learn ships
    python examples/digits.py --backend torch          the same code on torch, jax or cupy arrays

Pictures and the trained model go to --output. The solid curves of the picture show the accuracy on
the test part epoch by epoch; nothing is chosen by it.

`examples/studies/digits_seeds.py` trains over several seeds; `examples/mnist/mnist_numpy.py` does
on MNIST what is done here.

Makes a table of layers, digits-learning-curves.png, digits-decision.png and the trained model as
digits-synapse.safetensors.
"""

from __future__ import annotations

import functools
import math
import time
from pathlib import Path

import numpy as np
from tabulate import tabulate

import synann as syn
from shared import plots
from shared.backends import backend_array
from shared.datasets import Dataset, load_digits, shift_and_noise
from shared.options import make_folder, make_parser, number, override
from shared.syna_mlp import Settings, add_options, announce, epoch_bar
from synann import optim


def train(
    data: Dataset, layer: str, settings: Settings, seed: int, to_backend, *, curve: bool, label: str
) -> tuple[syn.SynaMLP, dict, float]:
    """Train one model; returns it with its history and the seconds that training took."""
    model = syn.SynaMLP(
        data.train_x.shape[1], settings.hidden, data.classes, layer=layer, seed=seed
    )
    augment = functools.partial(
        shift_and_noise, image_shape=data.image_shape, shift=settings.shift, noise=settings.noise
    )
    start = time.perf_counter()
    with epoch_bar(settings.epochs, label) as show:
        history = model.fit(
            to_backend(data.train_x),
            data.train_y,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            optimizer=optim.Adam(learning_rate=settings.learning_rate),
            augment=augment if settings.shift or settings.noise else None,
            validation=(to_backend(data.test_x), data.test_y) if curve else None,
            callback=show,
            rng=seed,
        )
    return model, history, time.perf_counter() - start


def check_saved(model: syn.SynaMLP, data: Dataset, path: Path) -> None:
    """Save, load, and compare the predictions."""
    model.save(path)
    before = np.asarray(model.predict(data.test_x))
    after = np.asarray(syn.SynaMLP.from_file(path).predict(data.test_x))
    if not np.array_equal(before, after):
        raise SystemExit(f"{path}: the loaded model predicts otherwise than the saved one")
    print(f"saved and loaded again: {path}, the same {after.size} predictions")


def explain_one(model: syn.SynaMLP, data: Dataset, path: Path) -> None:
    """Picture of what each pixel adds to the least certain correct decision of the test part."""
    x = data.test_x.astype(np.float64)
    probability = np.sort(model.predict_proba(x), axis=1)
    margin = probability[:, -1] - probability[:, -2]
    margin[model.predict(x) != data.test_y] = np.inf
    one = int(np.argmin(margin))
    others = data.train_x[:100].astype(np.float64)
    why = model.explain_inputs(x[[one]], others, steps=32)
    logits = model.decision_function(x[[one]])
    error = np.abs(why.constant + why.parts.sum(-1) - logits).max()
    print(f"parts of the decision on test image {one} add up to its logits: error {error:.1e}")
    shown = {"image_shape": data.image_shape[:2], "truth": data.test_y[one]}
    channels = math.prod(data.image_shape[2:])  # a pixel's parts add up, and it is drawn grey
    image, mean = (a.reshape(-1, channels).mean(-1) for a in (x[one], others.mean(axis=0)))
    parts = why.parts[0].reshape(len(why.constant), -1, channels).sum(-1)
    plots.decision_pixels(image, why.constant, parts, mean, path, **shown)


def demonstrate(
    data: Dataset, settings: Settings, layers: list[str], seed: int, to_backend, output: Path
) -> None:
    """Train each layer once, save and explain the first, print the table."""
    make_folder(output)
    histories, rows = {}, []
    for layer in layers:
        model, histories[layer], seconds = train(
            data, layer, settings, seed, to_backend, curve=True, label=layer
        )
        accuracy = 100 * model.score(to_backend(data.test_x), data.test_y)
        rows.append((layer, model.parameter_count, accuracy, seconds))
        if layer == layers[0]:
            check_saved(model, data, output / f"{data.name}-{layer}.safetensors")
            explain_one(model, data, output / f"{data.name}-decision.png")
    curves = output / f"{data.name}-learning-curves.png"
    plots.learning_curves(histories, curves, title=f"SynaMLP on {data.name}")
    print(f"pictures: {curves}, {output / f'{data.name}-decision.png'}\n")
    header = ("layer", "parameters", "test accuracy %", "seconds")
    print(tabulate(rows, header, floatfmt=("", "", ".2f", ".1f")))


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    add_options(parser)
    parser.add_argument("--seed", type=number(int, 0), default=0)
    options = parser.parse_args(arguments)
    to_backend = backend_array(options.backend)
    data, settings = load_digits(), override(Settings(), options)
    announce(data, settings, options.backend)
    demonstrate(data, settings, options.layers, options.seed, to_backend, options.output)


if __name__ == "__main__":
    main()

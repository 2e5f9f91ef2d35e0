"""Train SynaMLP on handwritten digits by hand-written backprop, and look inside one decision.

    python examples/digits.py                          the UCI digits that scikit-learn ships
    python examples/digits.py --backend torch          the same code on torch, jax or cupy arrays
    python examples/digits.py --seeds 5                mean and spread over seeds 0 to 4
    python examples/digits.py --validate               4-fold validation inside the training part
    python examples/digits.py --data mnist --data-dir DIR [--download]

Pictures and the trained model go to --output. The solid curves of the picture show the accuracy on
the test part epoch by epoch; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for `examples` as a package

import synann_core as syn
from examples import plots
from examples.datasets import (
    DataError,
    Dataset,
    download_mnist,
    load_digits,
    load_mnist,
    shift_and_noise,
)
from examples.options import make_folder, number
from synann_core import optim

LAYERS = ("synapse", "dense", "none")


@dataclass(frozen=True)
class Settings:
    """How to train; for the digits chosen with --validate, which sees the training part only."""

    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    shift: int  # pixels
    noise: float  # standard deviation, in units of the brightest pixel


SETTINGS = {
    "digits": Settings(128, 150, 64, 0.02, shift=1, noise=0.05),
    "mnist": Settings(280, 20, 100, 0.01, shift=1, noise=0.05),
}


def backend_array(name: str):
    """Function that takes a NumPy array to the named library (on the GPU where there is one)."""
    module = {"jax": "jax.numpy"}.get(name, name)
    try:
        xp = importlib.import_module(module)
    except ImportError as error:
        raise SystemExit(
            f'--backend {name}: {error}. Install it with: pip install "synann[{name}]"'
        ) from None
    if name == "torch":
        device = "cuda" if xp.cuda.is_available() else "cpu"
        return lambda a: xp.asarray(a, device=device)
    return xp.asarray


def train(
    data: Dataset, layer: str, settings: Settings, seed: int, to_backend, *, curve: bool, label: str
) -> tuple[syn.SynaMLP, dict, float]:
    """Train one model; returns it with its history and the seconds that training took."""
    model = syn.SynaMLP(
        data.train_x.shape[1], settings.hidden, data.classes, layer=layer, seed=seed
    )
    augment = None
    if settings.shift or settings.noise:
        augment = functools.partial(
            shift_and_noise,
            image_shape=data.image_shape,
            shift=settings.shift,
            noise=settings.noise,
        )
    start = time.perf_counter()
    with tqdm(total=settings.epochs, desc=label, unit="epoch", ncols=100) as bar:
        report_every = max(1, settings.epochs // 10)

        def show(entry: dict) -> None:
            bar.update()
            text = f"loss {entry['loss']:.4f}, training accuracy {100 * entry['accuracy']:.2f} %"
            bar.set_postfix_str(text)
            if bar.n % report_every == 0:
                bar.write(f"  {label}: epoch {bar.n:3d}: {text}")

        history = model.fit(
            to_backend(data.train_x),
            data.train_y,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            optimizer=optim.Adam(learning_rate=settings.learning_rate),
            augment=augment,
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
    """Picture of the exact parts of the least certain correct decision of the test part."""
    x = data.test_x.astype(np.float64)
    probability = np.sort(model.predict_proba(x), axis=1)
    margin = probability[:, -1] - probability[:, -2]
    margin[model.predict(x) != data.test_y] = np.inf
    one = int(np.argmin(margin))
    x = x[one : one + 1]
    constant, parts = model.explain(x)
    # Measured from the average training image: the picture then shows what is special about this
    # one. What is taken from the parts goes to the constant, so that the sum stays exact.
    average = model.explain(data.train_x[:500].astype(np.float64))[1].mean(axis=0)
    constant, parts = constant + average.sum(-1), parts - average
    logits = model.decision_function(x)
    error = np.abs(constant + parts.sum(-1) - logits).max()
    print(f"parts of the decision on test image {one} add up to its logits: error {error:.1e}")
    plots.decision_parts(
        data.test_x[one],
        constant,
        parts[0],
        logits[0],
        path,
        image_shape=data.image_shape,
        classes=data.classes,
        truth=int(data.test_y[one]),
    )


def validate(data: Dataset, settings: Settings, layers: list[str], to_backend) -> None:
    """Accuracy by 4-fold validation inside the training part."""
    from sklearn.model_selection import StratifiedKFold

    rows = []
    for layer in layers:
        scores = []
        folds = StratifiedKFold(4, shuffle=True, random_state=0).split(data.train_x, data.train_y)
        for seed, (a, b) in enumerate(folds):
            part = replace(
                data,
                train_x=data.train_x[a],
                train_y=data.train_y[a],
                test_x=data.train_x[b],
                test_y=data.train_y[b],
            )
            label = f"{layer}, fold {seed + 1} of 4"
            model, _, _ = train(part, layer, settings, seed, to_backend, curve=False, label=label)
            scores.append(100 * model.score(to_backend(part.test_x), part.test_y))
        rows.append((layer, np.mean(scores), np.std(scores, ddof=1)))
    print(tabulate(rows, ("layer", "validation accuracy %", "± folds"), floatfmt=".2f"))


def compare_seeds(data: Dataset, settings: Settings, layers: list[str], seeds: int, to_backend):
    """Mean test accuracy over seeds 0, 1, …"""
    rows = []
    for layer in layers:
        scores, times = [], []
        for seed in range(seeds):
            label = f"{layer}, seed {seed}"
            model, _, seconds = train(
                data, layer, settings, seed, to_backend, curve=False, label=label
            )
            scores.append(100 * model.score(to_backend(data.test_x), data.test_y))
            times.append(seconds)
        each = " ".join(f"{score:.2f}" for score in scores)
        spread = np.std(scores, ddof=1) if seeds > 1 else 0.0
        rows.append((layer, np.mean(scores), spread, each, max(times)))
    header = ("layer", "mean test accuracy %", "± seeds", "each", "longest run, s")
    print(tabulate(rows, header, floatfmt=("", ".2f", ".2f", "", ".0f")))


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


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", choices=("numpy", "torch", "jax", "cupy"), default="numpy")
    parser.add_argument("--data", choices=tuple(SETTINGS), default="digits")
    parser.add_argument("--data-dir", type=Path, default=Path("data/mnist"))
    parser.add_argument("--download", action="store_true", help="fetch the MNIST files first")
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=list(LAYERS))
    parser.add_argument("--seed", type=number(int, 0), default=0)
    parser.add_argument("--seeds", type=number(int, 1), help="compare over this many seeds instead")
    parser.add_argument("--validate", action="store_true", help="4-fold validation instead")
    parser.add_argument("--output", type=Path, default=Path("outputs"))
    for name, least in (("hidden", 1), ("epochs", 1), ("batch-size", 2)):
        parser.add_argument(f"--{name}", type=number(int, least))
    for name in ("learning-rate", "noise"):
        parser.add_argument(f"--{name}", type=number(float, 0))
    options = parser.parse_args(arguments)
    options.layers = list(dict.fromkeys(options.layers))
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    to_backend = backend_array(options.backend)
    try:
        if options.data == "mnist":
            if options.download:
                download_mnist(options.data_dir)
            data = load_mnist(options.data_dir)
        else:
            data = load_digits()
    except DataError as error:
        raise SystemExit(str(error)) from None
    chosen = {
        k: v for k, v in vars(options).items() if v is not None and k in Settings.__annotations__
    }
    settings = replace(SETTINGS[options.data], **chosen)
    print(
        f"{data.name}: {len(data.train_y)} training and {len(data.test_y)} test images, "
        f"{options.backend} arrays\n{settings}"
    )
    if options.validate:
        validate(data, settings, options.layers, to_backend)
    elif options.seeds:
        compare_seeds(data, settings, options.layers, options.seeds, to_backend)
    else:
        demonstrate(data, settings, options.layers, options.seed, to_backend, options.output)


if __name__ == "__main__":
    main()

"""Train, validate, test and resume: shared by the training examples, whatever library trains.

A run is a folder: `last.safetensors` with all that going on needs, `best.safetensors` with the
weights of the best epoch by validation accuracy, and, when the run has ended, `results.json`,
`predictions.csv` and two pictures. A trainer (see `Trainer`) does what depends on the library.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mnist import files
from mnist.checkpoints import RunError, Trainer, load_checkpoint, save_checkpoint, write_text
from shared import plots
from shared.datasets import Dataset
from shared.options import number

LAST, BEST, RESULTS = "last.safetensors", "best.safetensors", "results.json"


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes
    ----------
    folder : path
        Made where missing.
    settings : dict
        Whatever the result depends on; a run goes on only under the settings it began with.
    epochs : int
    validation_batch : int
        Images at a time in validation.
    test_batches : tuple of int
        Images at a time in the test, which is repeated for each.
    """

    folder: Path
    settings: dict
    epochs: int
    validation_batch: int
    test_batches: tuple[int, ...]

    @classmethod
    def of(cls, options: argparse.Namespace, recipe: dict, batch: int) -> Run:
        """The run that the options ask for; evaluated with `batch` images at a time."""
        chosen = {key: getattr(options, key) for key in ("data", "model", "layer", "seed", "limit")}
        settings = {**chosen, **recipe}
        name = "-".join(str(settings[key]) for key in ("data", "recipe", "layer", "seed"))
        folder = options.output or Path("outputs") / name
        test_batches = tuple(options.eval_batch or (batch,))
        return cls(folder, settings, recipe["epochs"], batch, test_batches)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every training example has."""
    files.add_options(parser)
    parser.add_argument("--limit", type=number(int, 12), help="use only so many training images")
    parser.add_argument("--seed", type=number(int, 0), default=0)
    parser.add_argument("--epochs", type=number(int, 1))
    parser.add_argument("--batch-size", type=number(int, 2))
    parser.add_argument("--learning-rate", type=number(float, 0))
    parser.add_argument(
        "--output", type=Path, help="folder of the run; outputs/DATA-RECIPE-LAYER-SEED"
    )
    parser.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    parser.add_argument(
        "--eval-batch",
        type=number(int, 1),
        nargs="+",
        metavar="N",
        help="images at a time in the test, which is repeated for each number",
    )


def validation_split(data: Dataset, seed: int, limit: int | None = None) -> Dataset:
    """Divide the training images at random: eleven twelfths to train on, one to validate.

    Parameters
    ----------
    data : Dataset
    seed : int
    limit : int, optional
        Use only so many of the images, training and validation together.

    Returns
    -------
    Dataset
        Its test part are the images to validate on: whoever holds it cannot see the test images.

    Raises
    ------
    RunError
        If fewer than 12 images are left.
    """
    order = np.random.default_rng(seed).permutation(len(data.train_y))[:limit]
    if len(order) < 12:
        raise RunError(f"a validation split needs 12 training images or more, not {len(order)}")
    held_out, kept = np.split(order, [len(order) // 12])
    return replace(
        data,
        train_x=data.train_x[kept],
        train_y=data.train_y[kept],
        test_x=data.train_x[held_out],
        test_y=data.train_y[held_out],
    )


def cosine_cycle(progress: float, warm_up: float = 0.25) -> float:
    """Learning rate at a share of the training in [0, 1], relative to its peak.

    From 1/25 it rises along a cosine to 1 at `warm_up`, then falls along a cosine to 0: the form
    with which the accuracies in the docs were measured. `synann.optim.one_cycle` rises on a line.
    Source: Smith & Topin, "Super-convergence", 2018.
    """
    if progress < warm_up:
        return 1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * progress / warm_up))
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def train_and_test(
    trainer: Trainer, data: Dataset, run: Run, options: argparse.Namespace, about: dict
) -> dict:
    """Do what the options ask for, from the split to the pictures; returns the results."""
    inner = validation_split(data, options.seed, options.limit)
    print(
        f"{data.name}: {len(inner.train_y)} images to train on, {len(inner.test_y)} to validate, "
        f"{len(data.test_y)} to test; {trainer.parameter_count} parameters\n{run.settings}"
    )
    history = fit(trainer, inner, run, resume=options.resume)
    results = evaluate(trainer, data, run, history, about)
    tell(results, run)
    return results


def tell(results: dict, run: Run) -> None:
    """Print what `results.json` holds."""
    print(
        f"best epoch: {results['best_epoch']}, {100 * results['validation_accuracy']:.2f} % in "
        f"validation; training took {results['seconds']:.0f} s"
    )
    for score in results["test"]:
        print(
            f"test accuracy {100 * score['accuracy']:.2f} %, loss {score['loss']:.4f}, "
            f"in batches of {score['batch']}"
        )
    print(f"results, predictions and pictures: {run.folder}")


def fit(trainer: Trainer, data: Dataset, run: Run, *, resume: bool = False) -> list[dict]:
    """Train, with a checkpoint after every epoch.

    Parameters
    ----------
    trainer : Trainer
    data : Dataset
        As `validation_split` returns it.
    run : Run
    resume : bool
        Go on from the folder's last checkpoint, if there is one. The result is that of a run that
        was not interrupted.

    Returns
    -------
    list of dict
        One for each epoch: loss and accuracy in training, loss and accuracy in validation, seconds.

    Raises
    ------
    RunError
        If the folder holds a run and `resume` is not given, if that run had other settings, if a
        checkpoint is damaged, or if the loss is no longer a finite number.
    """
    history = _resumed(trainer, run) if resume else _fresh(run)
    steps = trainer.batches(len(data.train_y))
    for epoch in range(len(history) + 1, run.epochs + 1):
        start = time.perf_counter()
        seen, loss, correct = 0, 0.0, 0
        label = f"epoch {epoch}/{run.epochs}"
        # disable=None: no bar where nobody watches, in a log file.
        options = {"unit": "batch", "leave": False, "ncols": 100, "disable": None}
        with tqdm(desc=label, total=steps, **options) as bar:
            for images, mean_loss, right in trainer.train_epoch(data.train_x, data.train_y):
                seen, loss, correct = seen + images, loss + images * mean_loss, correct + right
                if bar.update():  # now and then, not at every batch
                    bar.set_postfix_str(f"loss {loss / seen:.4f}", refresh=False)
        if not math.isfinite(loss):
            raise RunError(f"{run.folder}: the loss of epoch {epoch} is not finite: {loss}")
        logits = trainer.predict(data.test_x, run.validation_batch)
        entry = {
            "loss": loss / seen,
            "accuracy": correct / seen,
            "val_loss": cross_entropy(logits, data.test_y),
            "val_accuracy": accuracy(logits, data.test_y),
            "seconds": time.perf_counter() - start,
        }
        best = max((past["val_accuracy"] for past in history), default=-1.0)
        history.append(entry)
        # The best first: a run killed between the two repeats this epoch and writes it again.
        if entry["val_accuracy"] > best:
            save_checkpoint(run.folder / BEST, trainer.weights(), {"epoch": epoch, **entry})
        arrays, numbers = trainer.state()
        progress = {"settings": run.settings, "history": history, "state": numbers}
        save_checkpoint(run.folder / LAST, arrays, progress)
        print(
            f"{label}: loss {entry['loss']:.4f}, accuracy {100 * entry['accuracy']:.2f} % in "
            f"training, {100 * entry['val_accuracy']:.2f} % in validation, "
            f"{entry['seconds']:.1f} s",
            flush=True,
        )
    return history


def evaluate(
    trainer: Trainer, data: Dataset, run: Run, history: list[dict], about: dict
) -> dict[str, object]:
    """Restore the best checkpoint, evaluate it on the test images, and write what there is to see.

    Parameters
    ----------
    trainer : Trainer
    data : Dataset
        With the test images that no one has used yet.
    run : Run
    history : list of dict
        From `fit`.
    about : dict
        What else is to be known of the run, for the results file.

    Returns
    -------
    dict
        What `results.json` holds.
    """
    arrays, best = load_checkpoint(run.folder / BEST)
    trainer.load_weights(arrays)
    logits = [trainer.predict(data.test_x, batch) for batch in run.test_batches]
    known = {
        "parameters": trainer.parameter_count,
        "best_epoch": best["epoch"],
        "validation_accuracy": best["val_accuracy"],
    }
    return report(logits, data, run, history, known | about)


def report(
    logits: list[np.ndarray], data: Dataset, run: Run, history: list[dict], known: dict
) -> dict:
    """Score the test images' logits, one array for each of the run's batches, and write it all.

    `known` is what else belongs into the results, which come back.
    """
    truth = data.test_y
    scores = [
        {"batch": batch, "accuracy": accuracy(z, truth), "loss": cross_entropy(z, truth)}
        for batch, z in zip(run.test_batches, logits, strict=True)
    ]
    predicted = logits[0].argmax(axis=1)
    results = {
        "settings": run.settings,
        **known,
        "test_accuracy": scores[0]["accuracy"],
        "test": scores,
        "seconds": sum(entry["seconds"] for entry in history),
        "history": history,
    }
    write_text(run.folder / RESULTS, json.dumps(results, indent=2) + "\n")
    pairs = zip(truth.tolist(), predicted.tolist(), strict=True)
    lines = ["image,truth,prediction", *(f"{k},{a},{b}" for k, (a, b) in enumerate(pairs))]
    write_text(run.folder / "predictions.csv", "\n".join(lines) + "\n")
    curves = {key: [entry[key] for entry in history] for key in history[0]}
    title = " ".join(str(run.settings[key]) for key in ("data", "model", "layer"))
    plots.learning_curves(
        {title: curves}, run.folder / "learning-curves.png", title=title, tested="validation"
    )
    plots.confusion_matrix(
        confusion_matrix(truth, predicted, data.classes),
        run.folder / "confusion-matrix.png",
        title=f"{title}: {100 * scores[0]['accuracy']:.2f} % of the test images",
        names=data.names,
    )
    return results


def accuracy(logits: np.ndarray, truth: np.ndarray) -> float:
    """Share of the samples whose largest logit is that of the right class, in [0, 1]."""
    return float(np.mean(logits.argmax(axis=1) == truth))


def cross_entropy(logits: np.ndarray, truth: np.ndarray) -> float:
    """Mean cross-entropy of softmax(logits), in nats."""
    logits = logits.astype(np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=1))
    return float(np.mean(log_sum - logits[np.arange(len(truth)), truth]))


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count samples by true class (row) and predicted class (column)."""
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def new_folder(run: Run, last: str = LAST) -> None:
    """Make the run's folder; RunError if it holds a run, whose file `last` tells of it."""
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"--output: {error}") from None
    if (run.folder / last).exists():
        more = "pass --resume to go on with it, or another folder"
        if last != LAST:
            more = "name another folder"
        raise RunError(f"--output: {run.folder} holds a run; {more}")


def _fresh(run: Run) -> list[dict]:
    new_folder(run)
    return []


def _resumed(trainer: Trainer, run: Run) -> list[dict]:
    if not (run.folder / LAST).exists():
        return _fresh(run)
    arrays, progress = load_checkpoint(run.folder / LAST)
    before, now = progress["settings"], json.loads(json.dumps(run.settings))
    different = [key for key in now.keys() | before.keys() if now.get(key) != before.get(key)]
    if different:
        pairs = (f"{key} {before.get(key)}, not {now.get(key)}" for key in sorted(different))
        raise RunError(f"--resume: the run in {run.folder} has {'; '.join(pairs)}")
    trainer.load_state(arrays, progress["state"])
    print(f"going on after epoch {len(progress['history'])} of {run.folder}", flush=True)
    return progress["history"]

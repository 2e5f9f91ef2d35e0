"""Train the network of SynapseClassifier: options, epochs, early stopping, progress."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from synann_core import optim
from synann_core._lib.checks import check_int, check_number, check_option, to_numpy
from synann_core.models import SynaMLP
from synann_core.tabular.classifier.encoding import SCALES
from synann_core.tabular.classifier.progress import Progress

Floats = NDArray[np.floating[Any]]


def check_options(estimator: Any) -> None:
    """Check the options that SynaMLP does not."""
    check_int("max_iter", estimator.max_iter, 1)
    check_int("batch_size", estimator.batch_size, 2)
    check_number("learning_rate", estimator.learning_rate, 0.0, ends="(]")
    check_option("schedule", estimator.schedule, ("auto", "one_cycle", "cosine", "constant"))
    check_number("validation_fraction", estimator.validation_fraction, 0.0, 1.0, "()")
    check_int("n_iter_no_change", estimator.n_iter_no_change, 1)
    check_number("tol", estimator.tol, 0.0)
    if estimator.scale not in SCALES:
        raise ValueError(f"`scale` must be one of {SCALES}. Received: {estimator.scale!r}")


class _Aside:
    """Samples that are kept aside, and the weights with which they were predicted best."""

    def __init__(self, inputs: Floats, numbers: NDArray[Any], weight: Floats) -> None:
        self.inputs, self.numbers = inputs, numbers
        self.share = weight / weight.sum()
        self.losses: list[float] = []
        self.best, self.waited = np.inf, 0
        self.weights: dict[str, Any] = {}

    def judge(self, model: SynaMLP, tol: float) -> float:
        """Log-loss of the model as it is now."""
        probability = to_numpy(model.predict_proba(self.inputs))
        chosen = probability[np.arange(len(self.numbers)), self.numbers]
        loss = float(-self.share @ np.log(np.maximum(chosen, 1e-300)))
        self.waited = 0 if loss < self.best - tol else self.waited + 1
        if loss < self.best:
            self.best, self.weights = loss, model.weights
        self.losses.append(loss)
        return loss


def train(
    estimator: Any, inputs: Floats, numbers: NDArray[Any], weight: Floats, seed: int
) -> tuple[list[float], list[float]]:
    """Train an estimator's network for all epochs, or until what is kept aside says enough.

    Returns the losses of the epochs, and of what was kept aside.
    """
    model, aside = estimator.model_, None
    if estimator.early_stopping:
        inputs, held, numbers, held_numbers, weight, held_weight = train_test_split(
            *(inputs, numbers, weight),
            test_size=estimator.validation_fraction,
            stratify=numbers,
            random_state=seed,
        )
        aside = _Aside(held, held_numbers, held_weight)
    schedule = estimator.schedule
    if schedule == "auto":
        schedule = "one_cycle" if aside is None else "constant"
    name, shown = type(estimator).__name__, bool(estimator.verbose)
    with Progress(name, estimator.max_iter, shown=shown) as progress:

        def after(entry: dict[str, float]) -> bool:
            figures = {"loss": entry["loss"]}
            if aside is not None:
                figures["validation"] = aside.judge(model, estimator.tol)
            progress.advance(**figures)
            return aside is not None and aside.waited >= estimator.n_iter_no_change

        history = model.fit(
            inputs,
            estimator.classes_[numbers],
            epochs=estimator.max_iter,
            batch_size=estimator.batch_size,
            optimizer=optim.Adam(estimator.learning_rate),
            schedule=schedule,
            callback=after,
            rng=seed,
            sample_weight=weight,
        )
    if aside is None:
        return history["loss"], []
    model.weights = aside.weights
    return history["loss"], aside.losses


def train_on(
    estimator: Any, inputs: Floats, labels: NDArray[Any], weight: Floats, seed: int
) -> list[float]:
    """Train an estimator's network for one epoch more; returns its loss in a list."""
    model: SynaMLP = estimator.model_
    history = model.fit(
        inputs,
        labels,
        epochs=1,
        batch_size=estimator.batch_size,
        optimizer=optim.Adam(estimator.learning_rate),
        schedule="constant",
        rng=seed,
        sample_weight=weight,
        resume=True,
    )
    return history["loss"]

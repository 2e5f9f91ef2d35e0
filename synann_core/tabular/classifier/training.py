"""Make and train the network of SynapseClassifier: options, epochs, early stopping."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from synann_core import optim
from synann_core._lib.checks import check_bool, check_int, check_number, check_option, to_numpy
from synann_core._lib.progress import Progress
from synann_core.models import SynaMLP
from synann_core.tabular.classifier.encoding import SCALES, encoding_of
from synann_core.tabular.tables import feature_names

Floats = NDArray[np.floating[Any]]
_BACKGROUND = 100  # rows that explanations compare with


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


def begin(
    estimator: Any, columns: list[NDArray[Any]], classes: NDArray[Any], weight: Floats
) -> None:
    """Give an estimator a new network for these classes and columns."""
    if len(columns[0]) < 2:
        raise ValueError("`X` must hold two samples or more. Received: n_samples = 1")
    if len(classes) < 2:
        raise ValueError(f"`classes` must be two or more. Received: {classes.tolist()}")
    estimator.classes_ = classes
    estimator._random = rng = check_random_state(estimator.random_state)
    encoding = encoding_of(columns, feature_names(estimator), estimator.scale, weight)
    estimator.encoding_ = encoding
    estimator.model_ = SynaMLP(
        encoding.size,
        estimator.hidden,
        len(classes),
        layer=estimator.layer,
        gate=estimator.gate,
        dropout=estimator.dropout,
        seed=int(rng.randint(2**31)),
        labels=classes.tolist(),
    )
    rows = rng.permutation(len(columns[0]))[:_BACKGROUND]
    estimator._background = encoding([column[rows] for column in columns])
    estimator.loss_curve_, estimator.validation_losses_ = [], []


def train(
    estimator: Any, inputs: Floats, numbers: NDArray[Any], weight: Floats, seed: int
) -> tuple[list[float], list[float]]:
    """Train an estimator's network for all epochs, or until what is kept aside says enough.

    Returns the losses of the epochs, and of what was kept aside.
    """
    model, aside = estimator.model_, None
    if check_bool("early_stopping", estimator.early_stopping):
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
        verbose=estimator.verbose,
    )
    return history["loss"]

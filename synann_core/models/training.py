"""Train models on labelled samples: the loop over epochs and batches that all of them share.

A model gives the loop one function, a step on the rows of a batch, and gets its weights back once
an epoch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from array_api_compat import device

from synann_core import optim
from synann_core._lib.arguments import check_shape, namespace_of
from synann_core._lib.checks import (
    as_generator,
    check_callable,
    check_int,
    check_number,
    check_option,
    to_numpy,
)
from synann_core._lib.log import logger
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.progress import Progress
from synann_core._lib.threads import blas_threads_for
from synann_core._lib.typing import Array, Namespace, NumpyArray, Shape

Weights = dict[str, Array]

# Types of NumPy's; the flexible ones are texts, bytes and structures.
_NOT_REAL = (np.complexfloating, np.flexible, np.object_, np.datetime64, np.timedelta64)
Entry = dict[str, float]
History = dict[str, list[float]]

_log = logger("training")

SCHEDULES = {"constant": optim.constant, "cosine": optim.cosine, "one_cycle": optim.one_cycle}


class Step(NamedTuple):
    """What a step on one batch gives."""

    loss: Array  # mean of the batch, shape ()
    scores: Array  # (rows, classes), as they were before the step; the largest wins
    weights: Weights
    state: optim.State


class Model(Protocol):
    """What the loop needs of a model."""

    weights: Weights


@dataclass(frozen=True)
class Options:
    """The options that every model's `fit` has, checked; their meaning is documented there.

    `least` is the size of the smallest batch that the model can be trained on.
    """

    epochs: int
    batch_size: int
    optimizer: optim.Optimizer
    schedule: optim.ScheduleName | optim.Schedule = "constant"
    callback: Callable[[Entry], object] | None = None
    progress: Callable[[int, float], object] | None = None
    rng: int | np.random.Generator = 0
    least: int = 1
    verbose: bool | int = False

    def __post_init__(self) -> None:
        check_int("epochs", self.epochs, 0)
        check_int("batch_size", self.batch_size, self.least)
        check_callable("callback", self.callback)
        check_callable("progress", self.progress)
        if not isinstance(self.optimizer, optim.Optimizer):
            raise TypeError(
                f"`optimizer` must be an SGD, an Adam or an RMaxProp. Received: {self.optimizer!r}"
            )
        if not callable(self.schedule):
            check_option("schedule", self.schedule, tuple(SCHEDULES))
        object.__setattr__(self, "rng", as_generator(self.rng))

    def rate(self, progress: float) -> float:
        """Learning rate at `progress` in [0, 1]; a plain float, as dtypes must not follow it."""
        rate = self.optimizer.learning_rate
        if not callable(self.schedule):
            return rate * SCHEDULES[self.schedule](progress)
        factor: Any = self.schedule(progress)
        if getattr(factor, "shape", None) == ():  # a number of any library
            factor = float(factor)
        return rate * check_number(f"schedule({progress:g})", factor)


def epochs(
    model: Model,
    step: Callable[[Weights, optim.State, NumpyArray, float], Step],
    weights: Weights,
    state: optim.State,
    labels: NumpyArray,
    options: Options,
    score: Callable[[], float] | None = None,
    *,
    rows_each: int = 1,
) -> tuple[History, optim.State]:
    """Train a model for all epochs, or until the callback returns True.

    Returns the history of loss and accuracy, and the optimizer's state.

    Parameters
    ----------
    model : Model
        Its weights are replaced once an epoch, whole: an interrupted call leaves those of the last
        finished epoch.
    step : callable
        ``step(weights, state, rows, rate)`` trains on the samples whose indices are `rows`.
    weights, state
        Where to start: the model's weights in the library of the data, the optimizer's state.
    labels : integer array, shape (samples,)
    options : Options
    score : callable, optional
        Gives the accuracy on validation data after an epoch.
    rows_each : int
        Rows that a sample has in the step's products of matrices: its time steps, say.
    """
    samples, history = labels.size, History()
    batches = batch_slices(samples, options.batch_size, options.least)
    steps = len(batches) * options.epochs
    xp, generator = array_namespace(*weights.values()), as_generator(options.rng)
    largest = max((w.shape[0] * w.shape[1] for w in weights.values() if w.ndim == 2), default=0)
    multiplications = min(samples, options.batch_size) * rows_each * largest
    done = 0
    with Progress(type(model).__name__, steps, shown=options.verbose, unit="batch") as bar:
        for epoch in range(1, options.epochs + 1):
            order = generator.permutation(samples)
            total = correct = 0.0
            with blas_threads_for(multiplications, xp):  # not for `score`: its products are larger
                for batch in batches:
                    rows, rate = order[batch], options.rate(done / steps)
                    loss, scores, weights, state = step(weights, state, rows, rate)
                    total += float(loss) * rows.size
                    correct += float(np.sum(to_numpy(xp.argmax(scores, axis=1)) == labels[rows]))
                    done += 1
                    if options.verbose:
                        bar.advance(epoch=epoch, loss=float(loss))
                    if options.progress is not None:
                        options.progress(rows.size, float(loss))
            check_finite(weights, options.optimizer, xp)
            model.weights = weights
            entry = {"loss": total / samples, "accuracy": correct / samples}
            if score is not None:
                entry["val_accuracy"] = score()
            if options.verbose:
                bar.advance(0, epoch=epoch, **entry)
            _log.info("%s: epoch %d of %d, %s", bar.name, epoch, options.epochs, entry)
            for key, value in entry.items():
                history.setdefault(key, []).append(value)
            if options.callback is not None and options.callback(entry) is True:
                _log.info("%s: the callback ends the training", bar.name)
                break
    return history, state


def weights_like(
    weights: Any, shapes: Mapping[str, Shape], reference: Array, xp: Namespace
) -> dict[str, Array]:
    """Return a model's weights, which a user may have changed, as arrays like `reference`.

    Other names are ignored: a state of torch's holds more.

    Raises
    ------
    TypeError, ValueError
        If they are not a dict of arrays of real numbers with these names and shapes.
    """
    if not isinstance(weights, dict):
        raise TypeError(f"`weights` must be a dict of arrays. Received: {weights!r}")
    found: dict[str, Array] = {}
    for key, wanted in shapes.items():
        if key not in weights:
            raise ValueError(
                f"`weights` must have the names {list(shapes)}. Received: missing {key!r}"
            )
        value = weights[key]
        plain = type(value) is type(reference) and value.dtype == reference.dtype
        if not plain or value.shape != wanted:  # rarely
            name = f"weights[{key!r}]"
            own = namespace_of(**{name: value})
            if own is None:
                raise TypeError(f"`{name}` must be an array. Received: {value!r}")
            if not _is_real(value.dtype, own):
                raise TypeError(f"`{name}` must hold real numbers. Received: {value.dtype}")
            check_shape(name, value, *wanted)
        found[key] = like(value, reference, xp)
    return found


def _is_real(dtype: Any, xp: Namespace) -> bool:
    """Whether a dtype is of real numbers: ml_dtypes' bfloat16 is, which `isdtype` does not know."""
    kind = getattr(dtype, "type", None)  # of NumPy's and JAX's
    return not (issubclass(kind, _NOT_REAL) if kind else xp.isdtype(dtype, "complex floating"))


def like(value: Array, reference: Array, xp: Namespace) -> Array:
    """Return `value`, by way of NumPy if of another library, as an array like `reference`."""
    if type(value) is not type(reference) and array_namespace(value) is not xp:
        value = to_numpy(value)
    return xp.asarray(value, dtype=reference.dtype, device=device(reference))


def batch_slices(samples: int, size: int, least: int = 1) -> list[slice]:
    """Slices of `size`; a last batch of fewer than `least` samples joins the one before."""
    starts = list(range(0, samples, size))
    if len(starts) > 1 and samples - starts[-1] < least:
        starts.pop()
    return [slice(a, b) for a, b in itertools.pairwise([*starts, samples])]


def check_finite(weights: Weights, optimizer: optim.Optimizer, xp: Namespace) -> None:
    """Refuse the weights of a training that diverged."""
    for weight in weights.values():
        if not bool(xp.all(xp.isfinite(weight))):
            raise ValueError(
                f"`optimizer` must keep the weights finite. Received: {optimizer}, which diverged"
            )

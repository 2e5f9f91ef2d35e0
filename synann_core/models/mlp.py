"""SynaMLP: a small classifier around one synapse tensor, trained by hand-written backprop."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import device

from synann_core import optim
from synann_core._lib.arguments import silence
from synann_core._lib.checks import (
    Samples,
    as_generator,
    check_augmented,
    check_callable,
    check_int,
    check_pair,
    check_samples,
    check_unit_matrix,
    detached,
    to_numpy,
)
from synann_core._lib.files import FilePath, read_config, read_tensors, write_tensors
from synann_core._lib.loops import runner
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.typing import Array, Namespace, NumpyArray
from synann_core.learning import _log_softmax
from synann_core.models import passes, training
from synann_core.models.architecture import Architecture, GateKind, LayerKind
from synann_core.models.explanations import Explained
from synann_core.models.training import History, Options, Step, batch_slices, like

__all__ = ["SynaMLP"]

Arrays = dict[str, Array]
Augment = Callable[[NumpyArray, "np.random.Generator"], NumpyArray]  # imported when it is used
_FORMAT = "synann.SynaMLP"


class SynaMLP(Explained):
    """Classifier Dense → batch norm → gate → synapse tensor (log output) → batch norm → Dense.

    With ``SynaMLP(784, 280, 10)`` it is the network of the SynaNN paper. It takes and returns
    arrays of any one namespace; the weights move to the namespace, dtype and device of the data
    given to `fit`.

    Parameters
    ----------
    in_features : int
        Features of a sample.
    hidden : int
        Width of the square synapse tensor.
    classes : int
        Classes, ≥ 2.
    layer : {"synapse", "dense", "none"}
        What stands between the gate and the second batch norm. "dense" is a linear layer of the
        same width and "none" nothing at all: the comparisons that show what the synapse adds.
    gate : {"sigmoid", "softmax"}
        Makes probabilities of the first layer's output.
    dropout : float
        Probability, in [0, 1), with which an input of the last layer is dropped in training.
    seed : int
        Seed of the initial weights.

    Attributes
    ----------
    weights : dict of str to array
        Trainable tensors and the running statistics of batch norm, by their names in files.
    parameter_count : int
        Number of trainable parameters.

    Raises
    ------
    TypeError
        If a size or the seed is not an int, or `dropout` not a number.
    ValueError
        If a size is too small, an option unknown, or `dropout` out of range.

    Notes
    -----
    α is left out: after the log output it would add a constant, which batch norm subtracts.

    Examples
    --------
    >>> import numpy as np
    >>> import synann_core as syn
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((200, 4))
    >>> y = (X[:, 0] > X[:, 1]).astype(int)
    >>> model = syn.SynaMLP(4, 8, 2)
    >>> history = model.fit(X, y, epochs=30, batch_size=20)
    >>> model.score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        in_features: int,
        hidden: int,
        classes: int,
        *,
        layer: LayerKind = "synapse",
        gate: GateKind = "sigmoid",
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        chosen = Architecture(in_features, hidden, classes, layer, gate, dropout)
        rng = np.random.default_rng(check_int("seed", seed, 0))
        self._become(chosen, passes.initial_weights(chosen, rng))

    def _become(self, chosen: Architecture, weights: Arrays) -> SynaMLP:
        sizes = chosen.in_features, chosen.hidden, chosen.classes
        self.in_features, self.hidden, self.classes = sizes
        self.layer, self.gate, self.dropout = chosen.layer, chosen.gate, chosen.dropout
        self.weights = weights
        return self

    @property
    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(int(np.prod(w.shape)) for k, w in self.weights.items() if passes.trainable(k))

    def fit(
        self,
        X: Array,
        y: Array,
        /,
        *,
        epochs: int = 20,
        batch_size: int = 100,
        optimizer: optim.Optimizer | None = None,
        schedule: optim.ScheduleName | optim.Schedule = "one_cycle",
        validation: tuple[Array, Array] | None = None,
        augment: Augment | None = None,
        callback: Callable[[dict[str, float]], object] | None = None,
        rng: int | np.random.Generator = 0,
    ) -> History:
        """Train on labelled samples, continuing from the present weights.

        Parameters
        ----------
        X : array, shape (samples, in_features), float32 or float64
            Features in [0, 1].
        y : integer array, shape (samples,)
            Labels 0 … classes − 1, of the library of X or NumPy.
        epochs, batch_size : int
            Passes over the data; samples per step, ≥ 2 for batch norm (the last batch of a pass
            may be smaller, or larger by one).
        optimizer : SGD or Adam
            Adam(learning_rate=0.005) by default.
        schedule : {"one_cycle", "cosine", "constant"} or callable
            Factor of the learning rate as a function of progress in [0, 1].
        validation : (X, y), optional
            Data to score after each epoch.
        augment : callable, optional
            ``augment(batch, rng)`` returns a changed copy of a NumPy batch, in [0, 1].
        callback : callable, optional
            Called after each epoch with its entry of the history.
        rng : int or numpy.random.Generator
            For the order of samples, dropout and `augment`: the same on every library.

        Returns
        -------
        dict of lists, one entry an epoch
            "loss" (nats) and "accuracy" over the epoch's batches as they were seen in training,
            and "val_accuracy" if there is validation data.

        Raises
        ------
        TypeError, ValueError
            If data or options have the wrong kind, shape or range, or hold NaN: the model is then
            as it was. If training diverges: the model is then as after the last finite epoch.
        """
        X, labels = self._check_data(X, y, least=2)
        X = detached(X)  # the gradients here are written by hand
        score = None
        if validation is not None:
            held_out = self._check_data(*check_pair("validation", validation), "validation ")
            score = functools.partial(self._hits, *held_out)
        check_callable("augment", augment)
        rule = optim.Adam(learning_rate=0.005) if optimizer is None else optimizer
        options = Options(epochs, batch_size, rule, schedule, callback, rng=rng, least=2)
        weights = self._weights_like(X)
        state = rule.init({k: w for k, w in weights.items() if passes.trainable(k)})
        step = self._step(X, labels, options, augment)
        return training.epochs(self, step, weights, state, labels, options, score)

    def _step(
        self, X: Array, labels: NumpyArray, options: Options, augment: Augment | None
    ) -> Callable[..., Step]:
        """Training step on the samples with the given indices."""
        xp, rng = array_namespace(X), as_generator(options.rng)
        one_hot, host = np.eye(self.classes), None if augment is None else to_numpy(X)
        constants = {"optimizer": options.optimizer, **self._options(xp)}
        run = functools.partial(runner(passes.train, xp), **constants)

        def step(weights: Arrays, state: optim.State, rows: NumpyArray, rate: float) -> Step:
            if augment is None or host is None:
                x = xp.take(X, xp.asarray(rows, device=device(X)), axis=0)
            else:
                x = like(check_augmented(augment(host[rows], rng), host[rows]), X, xp)
            keep = None
            if self.dropout:
                kept = rng.random((rows.size, self.hidden)) >= self.dropout
                keep = like(kept / (1.0 - self.dropout), X, xp)
            batch = passes.Batch(x, like(one_hot[labels[rows]], X, xp), keep)
            with silence(xp):
                done: Step = run(weights, state, batch, rate)
            return done

        return step

    def decision_function(self, X: Array, /) -> Array:
        """Logits, shape (samples, classes), for features X in [0, 1]."""
        return self._logits(check_unit_matrix("X", X, self.in_features))

    def _logits(self, X: Array) -> Array:
        xp = array_namespace(X)
        weights, options = self._weights_like(X), self._options(xp)
        with silence(xp):
            chunks = [
                passes.logits(weights, X[rows, :], **options)
                for rows in batch_slices(X.shape[0], 1000, least=2)
            ]
        return xp.concat(chunks, axis=0) if chunks else passes.logits(weights, X, **options)

    def predict_proba(self, X: Array, /) -> Array:
        """Class probabilities, shape (samples, classes), for features X in [0, 1]."""
        logits = self.decision_function(X)
        xp = array_namespace(X)
        probabilities: Array = xp.exp(_log_softmax(logits, xp=xp))
        return probabilities

    def predict(self, X: Array, /) -> Array:
        """Most probable class of each sample, an integer array of shape (samples,)."""
        logits = self.decision_function(X)
        labels: Array = array_namespace(X).argmax(logits, axis=1)
        return labels

    def score(self, X: Array, y: Array, /) -> float:
        """Share of samples whose most probable class is the label, in [0, 1]."""
        return self._hits(*self._check_data(X, y))

    def _hits(self, X: Array, labels: NumpyArray) -> float:
        chosen = array_namespace(X).argmax(self._logits(X), axis=1)
        return float(np.mean(to_numpy(chosen) == labels))

    def save(self, path: FilePath, /) -> None:
        """Write weights and configuration as one safetensors file, whole or not at all.

        ValueError if `load` would not take them, infinite ones for instance: the old file stays.
        """
        config, tensors = self._content("weights")
        write_tensors(path, tensors, {"format": _FORMAT, "config": json.dumps(config)})

    def _content(self, parameter: str) -> tuple[dict[str, Any], dict[str, NumpyArray]]:
        """Configuration and weights for a file, checked as if they were read from one."""
        config = {key: getattr(self, key) for key in _CONFIG}
        Architecture(**config)
        tensors = {name: to_numpy(weight) for name, weight in self.weights.items()}
        return config, passes.checked_weights(tensors, config, parameter, "a SynaMLP")

    def load(self, path: FilePath, /) -> None:
        """Read the weights of a safetensors file into this model.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, does not hold this model's tensors in their shapes, or says that
            its model had another gate; the model is then as it was.
        """
        tensors, metadata = read_tensors(path)
        config = {key: getattr(self, key) for key in _CONFIG}
        weights = passes.checked_weights(tensors, config, "path", repr(os.fspath(path)))
        # The gate has no tensors that could give it away.
        gate = read_config(path, metadata).get("gate", self.gate)
        if gate != self.gate:
            raise ValueError(
                f"`path` must hold a model with gate {self.gate!r}. "
                f"Received: {os.fspath(path)!r} with gate {gate!r}"
            )
        self.weights = weights

    @classmethod
    def from_file(cls, path: FilePath, /) -> SynaMLP:
        """Make the model that `save` wrote; raises as `load` does."""
        tensors, metadata = read_tensors(path)
        config = read_config(path, metadata, required=_CONFIG)
        # The tensors first: what a damaged configuration asks for may not fit into memory.
        weights = passes.checked_weights(tensors, config, "path", repr(os.fspath(path)))
        try:
            return cls._restored({key: config[key] for key in _CONFIG}, weights)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`path` must hold a model's configuration. "
                f"Received: {os.fspath(path)!r}, where {error}"
            ) from None

    @classmethod
    def _restored(cls, config: dict[str, Any], weights: Arrays) -> SynaMLP:
        """A model with known weights: initial ones would take thirty times the memory of a file."""
        return cls.__new__(cls)._become(Architecture(**config), weights)

    def _options(self, xp: Namespace) -> dict[str, Any]:
        return {"layer": self.layer, "gate": self.gate, "xp": xp}

    def _check_data(self, X: Array, y: Array, prefix: str = "", least: int = 1) -> Samples:
        return check_samples(X, y, self.in_features, self.classes, prefix, least)

    def _weights_like(self, X: Array) -> Arrays:
        """The weights in the namespace, dtype and device of X."""
        xp = array_namespace(X)
        return {name: like(weight, X, xp) for name, weight in self.weights.items()}


_CONFIG = tuple(field.name for field in dataclasses.fields(Architecture))

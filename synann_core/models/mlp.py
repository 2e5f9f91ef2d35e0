"""SynaMLP: a small classifier around one synapse tensor, trained by hand-written backprop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from array_api_compat import device

from synann_core import optim
from synann_core._lib.arguments import silence
from synann_core._lib.checks import (
    as_generator,
    check_augmented,
    check_bool,
    check_callable,
    check_int,
    check_pair,
    detached,
    to_numpy,
)
from synann_core._lib.loops import runner
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.typing import AnyArray, Array, ArrayT, Namespace, NumpyArray, Table
from synann_core.learning import _log_softmax
from synann_core.models import passes, training
from synann_core.models.architecture import Architecture, GateKind, LayerKind
from synann_core.models.explanations import Explained
from synann_core.models.files import Saved
from synann_core.models.samples import (
    as_features,
    as_given,
    as_labels,
    as_weights,
    checked_classes,
    classes_of,
    numbers_of,
)
from synann_core.models.training import History, Options, Step, batch_slices, like

__all__ = ["SynaMLP"]

Arrays = dict[str, Any]
Augment = Callable[[NumpyArray, "np.random.Generator"], NumpyArray]  # imported when it is used


class SynaMLP(Explained, Saved):
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
    labels : sequence, optional
        Labels of the classes: strings, say. Otherwise `fit` finds them.

    Attributes
    ----------
    labels : ndarray or None
        Labels of the classes; None where these are 0 … classes − 1 themselves.
    weights : dict of str to array
        Trainable tensors and the running statistics of batch norm, by their names in files.
    parameter_count : int
        Number of trainable parameters.

    Raises
    ------
    TypeError
        If a size or the seed is not an int, or `dropout` not a number.
    ValueError
        If a size is too small, an option unknown, or `dropout` out of range, or if there are not as
        many different labels as classes.

    Notes
    -----
    Features are numbers in [0, 1], as an array, a list or a frame: of NumPy's float64 if it is not
    an array, of the library's default float if it is one of integers or bools. 16-bit floats are
    computed in float32, and results are 16 bits again.

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
        labels: Sequence[Any] | None = None,
    ) -> None:
        chosen = Architecture(in_features, hidden, classes, layer, gate, dropout)
        rng = np.random.default_rng(check_int("seed", seed, 0))
        known = None if labels is None else checked_classes("labels", labels, classes)
        self._become(chosen, passes.initial_weights(chosen, rng), known)

    def _become(self, chosen: Architecture, weights: Arrays, labels: NumpyArray | None) -> Self:
        sizes = chosen.in_features, chosen.hidden, chosen.classes
        self.in_features, self.hidden, self.classes = sizes
        self.layer, self.gate, self.dropout = chosen.layer, chosen.gate, chosen.dropout
        self.weights, self.labels = weights, labels
        self._state: optim.State | None = None
        return self

    @property
    def parameter_count(self) -> int:
        """Number of trainable parameters."""
        return sum(int(np.prod(w.shape)) for k, w in self.weights.items() if passes.trainable(k))

    def fit(
        self,
        X: AnyArray | Table,
        y: AnyArray | Table,
        /,
        *,
        epochs: int = 20,
        batch_size: int = 100,
        optimizer: optim.Optimizer | None = None,
        schedule: optim.ScheduleName | optim.Schedule = "one_cycle",
        validation: tuple[AnyArray | Table, AnyArray | Table] | None = None,
        augment: Augment | None = None,
        callback: Callable[[dict[str, float]], object] | None = None,
        rng: int | np.random.Generator = 0,
        sample_weight: Any = None,
        resume: bool = False,
        verbose: bool | int = False,
    ) -> History:
        """Train on labelled samples, continuing from the present weights.

        Parameters
        ----------
        X : array, list or frame, shape (samples, in_features)
            Features in [0, 1].
        y : array, list or series, shape (samples,)
            Labels, of the library of X or NumPy: 0 … classes − 1, or as many different ones of any
            kind as there are classes. The first call decides which.
        epochs, batch_size : int
            Passes over the data; samples per step, ≥ 2 for batch norm (the last batch of a pass
            may be smaller, or larger by one).
        optimizer : SGD, Adam or RMaxProp
            Adam(learning_rate=0.005) by default.
        schedule : {"one_cycle", "cosine", "constant"} or callable
            Factor of the learning rate as a function of progress in [0, 1].
        validation : (X, y), optional
            Data to score after each epoch.
        augment : callable, optional
            ``augment(batch, rng)`` returns a changed copy of a NumPy batch, in [0, 1].
        callback : callable, optional
            Called after each epoch with its entry of the history. Training ends if it returns True.
        rng : int or numpy.random.Generator
            For the order of samples, dropout and `augment`: the same on every library.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, ≥ 0, in the loss and in batch norm. "accuracy" does not
            see it.
        resume : bool
            Whether to go on with the optimizer's state of the last call that had this option, on
            data of the same library and dtype.
        verbose : bool or int
            Whether to show the progress: a bar, if tqdm is installed.

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
        samples, labels, known = self._check_data(X, y, least=2, learn=True)
        samples = detached(samples)  # the gradients here are written by hand
        score = None
        if validation is not None:
            pair = check_pair("validation", validation)
            held_out = self._check_data(*pair, "validation ", known=known)
            score = functools.partial(self._hits, *held_out[:2])
        check_callable("augment", augment)
        rule = optim.Adam(learning_rate=0.005) if optimizer is None else optimizer
        options = Options(
            epochs, batch_size, rule, schedule, callback, rng=rng, least=2, verbose=verbose
        )
        weight = None
        if sample_weight is not None:
            weight = as_weights("sample_weight", sample_weight, labels.size)
            some = np.flatnonzero(weight)
            if some.size < 2:
                raise ValueError(
                    "`sample_weight` must be above 0 for 2 or more samples. "
                    f"Received: {some.size} of {labels.size}"
                )
            rows = like_rows(some, samples)
            samples = array_namespace(samples).take(samples, rows, axis=0)
            labels, weight = labels[some], weight[some] / weight[some].mean()
        weights = self._weights_like(samples)
        state = self._state if check_bool("resume", resume) else None
        if state is None:
            state = rule.init({k: w for k, w in weights.items() if passes.trainable(k)})
        step = self._step(samples, labels, weight, options, augment)
        self.labels = known
        history, state = training.epochs(self, step, weights, state, labels, options, score)
        self._state = state if resume else None
        return history

    def _step(
        self,
        X: Array,
        labels: NumpyArray,
        weight: NumpyArray | None,
        options: Options,
        augment: Augment | None,
    ) -> Callable[..., Step]:
        """Training step on the samples with the given indices."""
        xp, rng = array_namespace(X), as_generator(options.rng)
        one_hot, host = np.eye(self.classes), None if augment is None else to_numpy(X)
        constants = {"optimizer": options.optimizer, **self._options(xp)}
        run = functools.partial(runner(passes.train, xp), **constants)

        def step(weights: Arrays, state: optim.State, rows: NumpyArray, rate: float) -> Step:
            if augment is None or host is None:
                x = xp.take(X, like_rows(rows, X), axis=0)
            else:
                x = like(check_augmented(augment(host[rows], rng), host[rows]), X, xp)
            keep = None
            if self.dropout:
                kept = rng.random((rows.size, self.hidden)) >= self.dropout
                keep = like(kept / (1.0 - self.dropout), X, xp)
            counts = None if weight is None else like(weight[rows], X, xp)
            batch = passes.Batch(x, like(one_hot[labels[rows]], X, xp), keep, counts)
            with silence(xp):
                done: Step = run(weights, state, batch, rate)
            return done

        return step

    def decision_function(self, X: ArrayT | Table, /) -> ArrayT:
        """Logits, shape (samples, classes), for features X in [0, 1]."""
        return as_given(self._logits(as_features("X", X, self.in_features)), X)

    def _logits(self, X: Array) -> Array:
        xp = array_namespace(X)
        weights, options = self._weights_like(X), self._options(xp)
        with silence(xp):
            chunks = [
                passes.logits(weights, X[rows, :], **options)
                for rows in batch_slices(X.shape[0], 1000, least=2)
            ]
        return xp.concat(chunks, axis=0) if chunks else passes.logits(weights, X, **options)

    def predict_proba(self, X: ArrayT | Table, /) -> ArrayT:
        """Class probabilities, shape (samples, classes), for features X in [0, 1]."""
        logits = self._logits(as_features("X", X, self.in_features))
        xp = array_namespace(logits)
        return as_given(xp.exp(_log_softmax(logits, xp=xp)), X)

    def predict(self, X: ArrayT | Table, /) -> ArrayT:
        """Most probable class of each sample, shape (samples,).

        An integer array of the library of X, or where there are `labels` an array of them, NumPy's.
        """
        logits = self._logits(as_features("X", X, self.in_features))
        classes: Any = array_namespace(logits).argmax(logits, axis=1)
        if self.labels is not None:
            classes = self.labels[to_numpy(classes)]
        returned: ArrayT = classes
        return returned

    def score(self, X: AnyArray | Table, y: AnyArray | Table, /) -> float:
        """Share of samples whose most probable class is the label, in [0, 1]."""
        return self._hits(*self._check_data(X, y, known=self.labels)[:2])

    def _hits(self, X: Array, labels: NumpyArray) -> float:
        chosen = array_namespace(X).argmax(self._logits(X), axis=1)
        return float(np.mean(to_numpy(chosen) == labels))

    def _options(self, xp: Namespace) -> dict[str, Any]:
        return {"layer": self.layer, "gate": self.gate, "xp": xp}

    def _check_data(
        self,
        X: Any,
        y: Any,
        prefix: str = "",
        *,
        known: NumpyArray | None = None,
        least: int = 1,
        learn: bool = False,
    ) -> tuple[Array, NumpyArray, NumpyArray | None]:
        """Features, numbers of the classes, and the classes' labels, which it may `learn`."""
        X = as_features(f"{prefix}X", X, self.in_features)
        labels = as_labels(f"{prefix}y", y, X)
        if X.shape[0] < least:
            raise ValueError(
                f"`{prefix}X` must hold {least} or more samples. Received: shape {tuple(X.shape)}"
            )
        known = self.labels if learn else known
        if known is None:
            known = classes_of(f"{prefix}y", labels, self.classes)
            if known is not None and not learn:
                raise ValueError(
                    f"`{prefix}y` must hold labels 0 to {self.classes - 1}. "
                    f"Received: {known.tolist()[:10]}"
                )
        return X, numbers_of(f"{prefix}y", labels, known), known

    def _weights_like(self, X: Array) -> Arrays:
        """The weights in the namespace, dtype and device of X."""
        sizes = passes.shapes(self.in_features, self.hidden, self.classes, self.layer)
        return training.weights_like(self.weights, sizes, X, array_namespace(X))


def like_rows(rows: NumpyArray, X: Array) -> Array:
    """Indices of rows, for the library and the device of X."""
    return array_namespace(X).asarray(rows, device=device(X))

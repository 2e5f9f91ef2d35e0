"""A classifier of spiking neurons, trained by backpropagation through time written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from synann_core import optim
from synann_core._lib.arguments import namespace_of, silence
from synann_core._lib.checks import (
    check_callable,
    check_int,
    check_labels,
    check_option,
    detached,
    to_numpy,
)
from synann_core._lib.loops import runner
from synann_core._lib.typing import Array, Namespace
from synann_core.learning import as_generator
from synann_core.models.training import check_finite, like
from synann_core.spiking.network import losses, passes
from synann_core.spiking.neurons.lif import LIF, finite

__all__ = ["Layer", "SpikingNetwork"]

History = dict[str, list[float]]


@dataclass(frozen=True)
class Layer:
    """One layer: what makes currents of its inputs, and neurons.

    Parameters
    ----------
    units : int
        Neurons, ≥ 1.
    neuron : LIF
    kind : {"linear", "synapse"}
        ``I = W x + b``, or a synapse tensor's log output, ``I = gain · Σ_j log(1 − β_ij x_j) + b``,
        for inputs in [0, 1].
    recurrent : bool
        Learn weights from the layer's own spikes of the step before.
    learn : tuple of {"decay", "threshold", "synaptic_decay"}
        Numbers of the neurons to learn, one a neuron; decays are kept in [0, 1].
    mean_input : float
        Of a synapse layer: expected input, for the initial β.
    spread : float
        Of a synapse layer: initial gains are uniform in ±spread.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range.

    Examples
    --------
    >>> from synann_core.spiking import LIF, Layer
    >>> Layer(10, LIF(decay=0.9)).kind
    'linear'
    """

    units: int
    neuron: LIF = field(default_factory=LIF)
    kind: str = "linear"
    recurrent: bool = False
    learn: tuple[str, ...] = ()
    mean_input: float = 0.5
    spread: float = 1.0

    def __post_init__(self) -> None:
        check_int("units", self.units, 1)
        if not isinstance(self.neuron, LIF):
            raise TypeError(f"`neuron` must be a LIF. Received: {self.neuron!r}")
        check_option("kind", self.kind, ("linear", "synapse"))
        if not isinstance(self.recurrent, bool):
            raise TypeError(f"`recurrent` must be a bool. Received: {self.recurrent!r}")
        if self.recurrent and self.neuron.recurrent is not None:
            raise ValueError("`recurrent` must be False if the neuron has recurrent weights")
        object.__setattr__(self, "learn", tuple(self.learn))
        for name in self.learn:
            check_option("learn", name, passes.LEARNED)
            if getattr(self.neuron, name) is None:
                raise ValueError(f"`learn` must name what the neuron has. Received: {name!r}")
        for name in ("mean_input", "spread"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))


class SpikingNetwork:
    """Layers of spiking neurons, one after the other; a classifier for any array library.

    Parameters
    ----------
    in_features : int
        Inputs of the first layer.
    layers : sequence of Layer
        The last has one neuron a class.
    steps : int
        For constant inputs, (samples, features): how often they are presented. A sequence, (steps,
        samples, features), has its own number.
    loss : {"membrane", "membrane_sum", "count", "first_spike"}
        Cross-entropy of the labels and the softmax of the membranes at every step, added up (as in
        snnTorch's tutorials); of their sum over the steps; of the numbers of spikes; of minus the
        times of the first spikes, which also wakes silent neurons.
    seed : int
        For the initial weights, which are the same on every library.

    Attributes
    ----------
    weights : dict of str to array
        ``"0.weight"``, ``"0.bias"``, … (a synapse layer: ``"0.beta_logit"``, ``"0.gain"``,
        ``"0.bias"``), and what neurons learn. NumPy float64 at first, then like the training data.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.optim import Adam
    >>> from synann_core.spiking import Layer, SpikingNetwork
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((200, 8))
    >>> y = (X[:, 0] > X[:, 1]).astype(int)
    >>> net = SpikingNetwork(8, [Layer(30), Layer(2)], steps=10)
    >>> history = net.fit(X, y, epochs=20, batch_size=20, optimizer=Adam(0.01))
    >>> net.score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        in_features: int,
        layers: Any,
        *,
        steps: int = 25,
        loss: str = "membrane",
        seed: int = 0,
    ) -> None:
        self.in_features = check_int("in_features", in_features, 1)
        self.layers = tuple(layers)
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise TypeError(f"`layers` must be one or more Layers. Received: {layers!r}")
        self.steps = check_int("steps", steps, 1)
        self.loss = check_option("loss", loss, losses.LOSSES)
        seed = check_int("seed", seed, 0)
        self.weights: dict[str, Array] = passes.initial_weights(in_features, self.layers, seed)

    @property
    def classes(self) -> int:
        """Neurons of the last layer."""
        return int(self.layers[-1].units)

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers."""
        return sum(int(np.prod(w.shape)) for w in self.weights.values())

    def run(self, X: Array, /) -> list[tuple[Array, Array]]:
        """Spikes and membranes of every layer.

        Parameters
        ----------
        X : array, shape (samples, in_features) or (steps, samples, in_features)
            Constant inputs, or sequences, time first; float32 or float64.

        Returns
        -------
        list of (spikes, membranes)
            Each of shape (steps, samples, units).

        Raises
        ------
        TypeError, ValueError
            If X has the wrong kind or shape.
        """
        xp = self._check_inputs(X)
        with silence(xp):
            traces = self._forward(X, xp)
            pairs = zip(traces, self.layers, strict=True)
            return [passes.output(trace, layer, xp) for trace, layer in pairs]

    def gradients(self, X: Array, y: Array, /) -> tuple[Array, dict[str, Array]]:
        """Mean loss of a batch and its gradients by all weights.

        Parameters
        ----------
        X : array, as for `run`
        y : integer array, shape (samples,)
            Labels 0 … classes − 1.

        Returns
        -------
        loss : array, shape ()
            In nats; "membrane" adds up the steps.
        gradients : dict of str to array
            By the names of `weights`.

        Raises
        ------
        TypeError, ValueError
            If data have the wrong kind, shape or range.
        """
        xp = self._check_inputs(X)
        target = like(np.eye(self.classes)[self._labels(X, y)], X, xp)
        with silence(xp):
            loss, _, _, gradients = runner(passes.value_and_gradients, xp)(
                self._weights_like(X), X, target, **self._options(xp)
            )
        return loss, gradients

    def fit(
        self,
        X: Array,
        y: Array,
        /,
        *,
        epochs: int = 1,
        batch_size: int = 128,
        optimizer: optim.SGD | optim.Adam | None = None,
        callback: Callable[[dict[str, float]], object] | None = None,
        progress: Callable[[int, float], object] | None = None,
        rng: int | np.random.Generator = 0,
    ) -> History:
        """Train on labelled samples, continuing from the present weights.

        Parameters
        ----------
        X : array, as for `run`
        y : integer array, shape (samples,)
            Labels 0 … classes − 1, of the library of X or NumPy.
        epochs, batch_size : int
            Passes over the data; samples a step (the last batch of a pass may be smaller).
        optimizer : SGD or Adam
            ``Adam(learning_rate=5e-4)`` by default.
        callback : callable, optional
            Called after each epoch with its entry of the history.
        progress : callable, optional
            Called after each batch with its size and its mean loss.
        rng : int or numpy.random.Generator
            For the order of samples: the same on every library.

        Returns
        -------
        dict of lists, one entry an epoch
            "loss" (nats) and "accuracy" (of the summed membranes), as seen in training.

        Raises
        ------
        TypeError, ValueError
            If data or options have the wrong kind, shape or range. If training diverges: the
            network is then as after the last finite epoch.
        """
        xp = self._check_inputs(X)
        labels = self._labels(X, y)
        X = detached(X)  # the gradients here are written by hand
        check_int("epochs", epochs, 0)
        check_int("batch_size", batch_size, 1)
        check_callable("callback", callback)
        check_callable("progress", progress)
        optimizer = optim.Adam(learning_rate=5e-4) if optimizer is None else optimizer
        if not isinstance(optimizer, optim.SGD | optim.Adam):
            raise TypeError(f"`optimizer` must be an SGD or an Adam. Received: {optimizer!r}")
        rng = as_generator(rng)
        weights = self._weights_like(X)
        state = optimizer.init(weights)
        step = runner(passes.train, xp)
        one_hot, samples, axis = np.eye(self.classes), labels.size, X.ndim - 2
        history: History = {}
        for _ in range(epochs):
            order = rng.permutation(samples)
            total = correct = 0.0
            for start in range(0, samples, batch_size):
                rows = order[start : start + batch_size]
                with silence(xp):
                    loss, scores, weights, state = step(
                        weights,
                        state,
                        xp.take(X, xp.asarray(rows, device=device(X)), axis=axis),
                        like(one_hot[labels[rows]], X, xp),
                        optimizer.learning_rate,
                        optimizer=optimizer,
                        **self._options(xp),
                    )
                total += float(loss) * rows.size
                correct += float(np.sum(to_numpy(xp.argmax(scores, axis=1)) == labels[rows]))
                if progress is not None:
                    progress(rows.size, float(loss))
            check_finite(weights, optimizer, xp)
            self.weights = weights
            entry = {"loss": total / samples, "accuracy": correct / samples}
            for key, value in entry.items():
                history.setdefault(key, []).append(value)
            if callback is not None:
                callback(entry)
        return history

    def decision_function(self, X: Array, /, *, readout: str = "membrane") -> Array:
        """Scores, shape (samples, classes): summed membranes, spike counts, or −first-spike times.

        Parameters
        ----------
        X : array, as for `run`
        readout : {"membrane", "count", "first_spike"}
        """
        check_option("readout", readout, losses.READOUTS)
        xp = self._check_inputs(X)
        chunks = []
        samples = X.shape[-2]
        for start in range(0, samples, _CHUNK):
            part = X[..., start : min(start + _CHUNK, samples), :]
            with silence(xp):
                trace = self._forward(part, xp)[-1]
                spikes, membrane = passes.output(trace, self.layers[-1], xp)
                chunks.append(losses.scores(readout, spikes, membrane, xp))
        return chunks[0] if len(chunks) == 1 else xp.concat(chunks, axis=0)

    def predict(self, X: Array, /, *, readout: str = "membrane") -> Array:
        """Class of each sample, an integer array of shape (samples,)."""
        scores = self.decision_function(X, readout=readout)
        return array_namespace(scores).argmax(scores, axis=1)

    def score(self, X: Array, y: Array, /, *, readout: str = "membrane") -> float:
        """Share of samples whose predicted class is the label, in [0, 1]."""
        self._check_inputs(X)
        labels = self._labels(X, y)
        return float(np.mean(to_numpy(self.predict(X, readout=readout)) == labels))

    def _options(self, xp: Namespace) -> dict[str, Any]:
        return {"layers": self.layers, "steps": self.steps, "loss": self.loss, "xp": xp}

    def _forward(self, X: Array, xp: Namespace) -> list[Any]:
        weights = self._weights_like(X)
        return passes.forward(weights, X, layers=self.layers, steps=self.steps, xp=xp)

    def _check_inputs(self, X: Array) -> Namespace:
        xp = namespace_of(X=X)
        if xp is None:
            raise TypeError(f"`X` must be an array. Received: {X!r}")
        if X.dtype not in (xp.float32, xp.float64):
            raise TypeError(f"`X` must be float32 or float64. Received: {X.dtype}")
        shape = tuple(X.shape)
        if not (len(shape) in (2, 3) and shape[-1] == self.in_features and min(shape) > 0):
            raise ValueError(
                f"`X` must have shape (samples, {self.in_features}) or (steps, samples, "
                f"{self.in_features}), without an axis of size 0. Received: shape {shape}"
            )
        return xp

    def _labels(self, X: Array, y: Array) -> np.ndarray[Any, Any]:
        return check_labels("y", y, X if X.ndim == 2 else X[0, ...], self.classes)

    def _weights_like(self, X: Array) -> dict[str, Array]:
        xp = array_namespace(X)
        return {name: like(weight, X, xp) for name, weight in self.weights.items()}


_CHUNK = 512  # samples at a time where nothing is learned

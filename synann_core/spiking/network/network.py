"""A classifier of spiking neurons, trained by backpropagation through time written by hand.

Functions raise TypeError or ValueError for data or options of the wrong kind, shape or range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import numpy as np
from array_api_compat import device

from synann_core import optim
from synann_core._lib.arguments import namespace_of, silence
from synann_core._lib.checks import (
    as_tuple,
    check_inside,
    check_int,
    check_labels,
    check_option,
    detached,
    to_numpy,
)
from synann_core._lib.loops import runner
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.typing import AnyArray, Array, ArrayT, Namespace, NumpyArray
from synann_core.models import training
from synann_core.models.training import History, Options, Step, like, weights_like
from synann_core.spiking.network import losses, operations, passes
from synann_core.spiking.network.files import Saved
from synann_core.spiking.network.layer import Layer

Arrays = dict[str, Array]
_CHUNK = 512  # samples at a time where nothing is learned


class SpikingNetwork(Saved):
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
        layers: Sequence[Layer],
        *,
        steps: int = 25,
        loss: losses.Loss = "membrane",
        seed: int = 0,
    ) -> None:
        self.in_features = check_int("in_features", in_features, 1)
        self.layers = as_tuple("layers", layers, "a sequence of Layers")
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise TypeError(f"`layers` must be a sequence of Layers. Received: {layers!r}")
        self.steps = check_int("steps", steps, 1)
        check_option("loss", loss, get_args(losses.Loss))
        self.loss = loss
        seed = check_int("seed", seed, 0)
        self.weights: dict[str, Any] = passes.initial_weights(in_features, self.layers, seed)

    def __repr__(self) -> str:
        """Sizes and options, without the weights."""
        options = f"steps={self.steps}, loss={self.loss!r}"
        return f"{type(self).__name__}({self.in_features}, {list(self.layers)}, {options})"

    @property
    def classes(self) -> int:
        """Neurons of the last layer."""
        return int(self.layers[-1].units)

    @property
    def parameter_count(self) -> int:
        """Number of trained numbers."""
        return sum(int(np.prod(w.shape)) for w in self.weights.values())

    def run(self, X: ArrayT, /) -> list[tuple[ArrayT, ArrayT]]:
        """Run all layers: return spikes and membranes of each.

        Parameters
        ----------
        X : array, shape (samples, in_features) or (steps, samples, in_features)
            Constant inputs, or sequences, time first; float32 or float64, finite, and in [0, 1] if
            the first layer is of kind "synapse".

        Returns
        -------
        list of (spikes, membranes)
            Each of shape (steps, samples, units).
        """
        x, xp = self._check_inputs(X)
        fixed, weights = self._values(x, xp)
        with silence(xp):
            values = {**fixed, **weights}
            traces = passes.forward(values, x, architecture=self._architecture, xp=xp)
            pairs = zip(traces, self.layers, strict=True)
            results: list[Any] = [passes.output(trace, layer, xp) for trace, layer in pairs]
        return results

    def operations(
        self, X: AnyArray, /, *, inputs: operations.InputKind = "numbers"
    ) -> operations.Operations:
        """Count the spikes of an inference, and the additions and multiply-adds that it takes.

        Parameters
        ----------
        X : array, as for `run`
        inputs : {"numbers", "spikes"}
            What X holds: numbers, which are multiplied by the first layer's weights (zeros, too, as
            in a Dense network), or spikes, 0 or 1, which add them (at every step, if constant).

        Returns
        -------
        Operations
            For each sample and layer. A synapse layer's factor 1 − βx counts as one operation.

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.spiking import LIF, Layer, SpikingNetwork
        >>> net = SpikingNetwork(2, [Layer(3, LIF(0.5)), Layer(1)], steps=4)
        >>> net.weights["0.weight"][:], net.weights["0.bias"][:] = 0.7, 0.0
        >>> counts = net.operations(np.array([[1.0, 1.0], [1.0, 0.0]]))
        >>> counts.spikes[:, 0], counts.additions[:, 1], counts.multiply_adds[:, 0]
        (array([9, 3]), array([9, 3]), array([6, 6]))
        """
        x, xp = self._check_inputs(X)
        check_option("inputs", inputs, get_args(operations.InputKind))
        if inputs == "spikes" and not bool(xp.all((x == 0) | (x == 1))):
            raise ValueError(
                "`X` must hold 0 and 1 with inputs='spikes'. "
                f"Received: values from {float(xp.min(x))} to {float(xp.max(x))}"
            )
        with silence(xp):
            runs = self._runs(x, xp)
            return operations.join([operations.count(t, self.layers, inputs, xp) for t in runs])

    def gradients(self, X: ArrayT, y: Any, /) -> tuple[ArrayT, dict[str, ArrayT]]:
        """Return the mean loss of a batch and its gradients by all weights.

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
        """
        x, xp = self._check_inputs(X)
        target = self._targets(self._labels(x, y), x, xp)
        fixed, weights = self._values(x, xp)
        evaluate = runner(passes.evaluate, xp)
        with silence(xp):
            found = evaluate(weights, fixed, x, target, architecture=self._architecture, xp=xp)
        return found.loss, found.gradients

    def fit(
        self,
        X: AnyArray,
        y: Any,
        /,
        *,
        epochs: int = 1,
        batch_size: int = 128,
        optimizer: optim.Optimizer | None = None,
        callback: Callable[[dict[str, float]], object] | None = None,
        progress: Callable[[int, float], object] | None = None,
        rng: int | np.random.Generator = 0,
        verbose: bool | int = False,
    ) -> History:
        """Train on labelled samples, continuing from the present weights.

        Parameters
        ----------
        X : array, as for `run`
        y : integer array, shape (samples,)
            Labels 0 … classes − 1, of the library of X or NumPy.
        epochs, batch_size : int
            Passes over the data; samples a step (the last batch of a pass may be smaller).
        optimizer : SGD, Adam or RMaxProp
            ``Adam(learning_rate=5e-4)`` by default.
        callback : callable, optional
            Called after each epoch with its entry of the history.
        progress : callable, optional
            Called after each batch with its size and its mean loss.
        rng : int or numpy.random.Generator
            For the order of samples: the same on every library.
        verbose : bool or int
            Whether to show the progress: a bar, if tqdm is installed.

        Returns
        -------
        dict of lists, one entry an epoch
            "loss" (nats) and "accuracy" (of the summed membranes), as seen in training.

        Raises
        ------
        ValueError
            If training diverges: the network is then as after the last finite epoch.
        """
        given, xp = self._check_inputs(X)
        labels = self._labels(given, y)
        samples: Array = detached(given)  # the gradients here are written by hand
        options = Options(
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optim.Adam(learning_rate=5e-4) if optimizer is None else optimizer,
            callback=callback,
            progress=progress,
            rng=rng,
            verbose=verbose,
        )
        fixed, weights = self._values(samples, xp)
        targets, run = self._targets(labels, samples, xp), runner(passes.train, xp)
        constants = {"optimizer": options.optimizer, "architecture": self._architecture, "xp": xp}

        def step(weights: Arrays, state: optim.State, rows: NumpyArray, rate: float) -> Step:
            index = xp.asarray(rows, device=device(samples))
            x = xp.take(samples, index, axis=samples.ndim - 2)
            target = xp.take(targets, index, axis=0)
            with silence(xp):
                done: Step = run(weights, state, fixed, x, target, rate, **constants)
            return done

        state = options.optimizer.init(weights)
        steps = samples.shape[0] if samples.ndim == 3 else self.steps
        history, _ = training.epochs(self, step, weights, state, labels, options, rows_each=steps)
        return history

    def decision_function(self, X: ArrayT, /, *, readout: losses.Readout = "membrane") -> ArrayT:
        """Return scores: summed membranes, spike counts, or minus the times of the first spikes.

        Parameters
        ----------
        X : array, as for `run`
        readout : {"membrane", "count", "first_spike"}

        Returns
        -------
        array, shape (samples, classes)
        """
        scores: Any = self._scores(*self._check_inputs(X), readout)
        returned: ArrayT = scores
        return returned

    def predict(self, X: ArrayT, /, *, readout: losses.Readout = "membrane") -> ArrayT:
        """Return the class of each sample, an integer array of shape (samples,)."""
        scores = self.decision_function(X, readout=readout)
        xp: Any = array_namespace(scores)
        classes: ArrayT = xp.argmax(scores, axis=1)
        return classes

    def score(self, X: AnyArray, y: Any, /, *, readout: losses.Readout = "membrane") -> float:
        """Return the share of samples whose predicted class is the label, in [0, 1]."""
        samples, xp = self._check_inputs(X)
        labels = self._labels(samples, y)
        classes = xp.argmax(self._scores(samples, xp, readout), axis=1)
        return float(np.mean(to_numpy(classes) == labels))

    @property
    def _architecture(self) -> passes.Architecture:
        return passes.Architecture(self.layers, self.steps, self.loss)

    def _scores(self, X: Array, xp: Namespace, readout: losses.Readout) -> Array:
        check_option("readout", readout, get_args(losses.Readout))
        chunks = []
        with silence(xp):
            for traces in self._runs(X, xp):
                spikes, membrane = passes.output(traces[-1], self.layers[-1], xp)
                chunks.append(losses.scores(readout, spikes, membrane, xp))
        return chunks[0] if len(chunks) == 1 else xp.concat(chunks, axis=0)

    def _runs(self, X: Array, xp: Namespace) -> Iterator[list[passes.Trace]]:
        """Run all layers, some samples at a time."""
        fixed, weights = self._values(X, xp)
        values, architecture = {**fixed, **weights}, self._architecture
        for start in range(0, X.shape[-2], _CHUNK):
            part = X[..., start : min(start + _CHUNK, X.shape[-2]), :]
            yield passes.forward(values, part, architecture=architecture, xp=xp)

    def _values(self, X: Array, xp: Namespace) -> tuple[Arrays, Arrays]:
        """Return what is not learned, and the weights, like X."""
        weights = weights_like(self.weights, passes.shapes(self.in_features, self.layers), X, xp)
        return passes.constants(self.layers, X, xp), weights

    def _check_inputs(self, X: Any) -> tuple[Array, Namespace]:
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
        if self.layers[0].kind == "synapse":
            low, high, what = 0.0, 1.0, "values in [0, 1]"
        else:
            high, what = float(xp.finfo(X.dtype).max), "finite numbers"
            low = -high
        return check_inside("X", X, low, high, what, xp=xp), xp

    def _labels(self, X: Array, y: Any) -> NumpyArray:
        return check_labels("y", y, X if X.ndim == 2 else X[0, ...], self.classes)

    def _targets(self, labels: NumpyArray, X: Array, xp: Namespace) -> Array:
        """Return the labels one-hot, like X."""
        one_hot: Any = np.eye(self.classes)[labels]
        return like(one_hot, X, xp)

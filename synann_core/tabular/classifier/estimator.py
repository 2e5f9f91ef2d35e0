"""A classifier for scikit-learn around SynaMLP, from any table to its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from synann_core._lib.arguments import check_plain
from synann_core._lib.checks import to_numpy
from synann_core._lib.files import FilePath
from synann_core.models import Explanation, SynaMLP
from synann_core.models.architecture import GateKind, LayerKind
from synann_core.tabular.classifier.encoding import Encoding, Scale
from synann_core.tabular.classifier.files import read_classifier, write_classifier
from synann_core.tabular.classifier.training import begin, check_options, train, train_on
from synann_core.tabular.tables import feature_names, read_values
from synann_core.tabular.targets import (
    check_known,
    check_several,
    labels_and_weights,
    with_class_weights,
)

__all__ = ["SynapseClassifier"]

Floats = NDArray[np.floating[Any]]


class SynapseClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classify tables by SynaMLP's network: Dense → batch norm → gate → synapse tensor → Dense.

    Parameters
    ----------
    hidden : int
        Width of the synapse tensor, ≥ 1.
    layer : {"synapse", "dense", "none"}
        What follows the gate; the latter two are there for comparisons.
    gate : {"sigmoid", "softmax"}
        Makes probabilities of the first layer's output.
    dropout : float
        Share of the last layer's inputs to drop in training, in [0, 1).
    scale : {"minmax", "ranks"}, optional
        How numbers become inputs in [0, 1]: from the smallest to the largest, or by the share of
        smaller ones, which outliers do not compress. None takes numbers that are in [0, 1].
    categorical_features : sequence of names or numbers, or of bools for all, optional
        Columns of numbers that are categories, as strings and a frame's categories always are, and
        objects unless all of them are numbers: one input for each of their words. A missing one is
        a word; words that `fit` has not seen are none.
    max_iter : int
        Most epochs, ≥ 1. On small tables many of them overfit.
    batch_size : int
        Samples a step, ≥ 2.
    learning_rate : float
        Of Adam, > 0.
    schedule : {"auto", "one_cycle", "cosine", "constant"}
        Of the learning rate. "auto" is one cycle, with early stopping constant.
    early_stopping : bool
        Whether to end when the log-loss of samples that are kept aside no longer falls, with the
        weights that were the best.
    validation_fraction : float
        Share of the samples to keep aside, in (0, 1).
    n_iter_no_change, tol
        Epochs, ≥ 1, without an improvement of at least `tol` ≥ 0 nats a sample.
    class_weight : "balanced" or mapping from classes to float, optional
        What samples of a class count, from 0 to 1e100; 1 for a class without an entry.
    verbose : bool or int
        Whether to show the progress: a bar, if tqdm is installed.
    random_state : int, RandomState or None
        For initial weights, the order of samples, dropout and what is kept aside.

    Attributes
    ----------
    classes_ : ndarray, shape (classes,)
        Sorted, the order of the columns of `predict_proba`.
    model_ : SynaMLP
        Takes the inputs that `encoding_` makes.
    encoding_ : Encoding
        Columns as inputs in [0, 1].
    loss_curve_ : list of float
        Mean log-loss, in nats, of each epoch as it was in training.
    loss_ : float
        The last of them.
    validation_losses_ : list of float
        Log-loss of what was kept aside after each epoch; empty without early stopping.
    n_iter_ : int
        Epochs.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X was a frame.

    Raises
    ------
    TypeError, ValueError
        By `fit`, if a parameter is out of its range.

    Notes
    -----
    In whole batches a sample of weight 2 is the same as a repeated one. Missing numbers are an
    error: impute them in a pipeline.

    `save` and `from_file` keep a model without code. Pickles work too, but loading one can execute
    any code, so load only your own.

    See Also
    --------
    SynapseRules : A few rules that can be read, which takes missing numbers.

    Examples
    --------
    >>> from synann_core.tabular import SynapseClassifier
    >>> rng = np.random.default_rng(0)
    >>> size, kind = 10 * rng.random(300), rng.choice(["a", "b"], 300)
    >>> X = np.array([[s, k] for s, k in zip(size, kind)], dtype=object)
    >>> y = np.where((size > 5) == (kind == "a"), "yes", "no")
    >>> model = SynapseClassifier(max_iter=100, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> model.predict([[9.0, "a"], [9.0, "b"]])
    array(['yes', 'no'], dtype='<U3')
    """

    model_: SynaMLP
    encoding_: Encoding

    def __init__(
        self,
        hidden: int = 32,
        *,
        layer: LayerKind = "synapse",
        gate: GateKind = "sigmoid",
        dropout: float = 0.0,
        scale: Scale | None = "minmax",
        categorical_features: Sequence[Any] | None = None,
        max_iter: int = 30,
        batch_size: int = 100,
        learning_rate: float = 0.01,
        schedule: Literal["auto", "one_cycle", "cosine", "constant"] = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        verbose: bool | int = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.layer = layer
        self.gate = gate
        self.dropout = dropout
        self.scale = scale
        self.categorical_features = categorical_features
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> SynapseClassifier:
        """Learn from labelled samples, from the start.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            Finite numbers, none missing, and categories.
        y : array_like, shape (samples,)
            Classes, at least two.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, from 0 to 1e100.

        Returns
        -------
        SynapseClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            If shapes do not fit or a number is out of its range.
        """
        check_options(self)
        columns = read_values(self, X, reset=True, categories=self.categorical_features)
        labels, weight = labels_and_weights(y, sample_weight, len(columns[0]))
        classes, numbers = np.unique(labels, return_inverse=True)
        weight = with_class_weights(self.class_weight, classes, numbers, weight)
        check_several(labels, weight)
        some = weight > 0.0
        columns = [column[some] for column in columns]
        numbers, weight = numbers[some], weight[some]
        begin(self, columns, classes, weight)
        seed = int(self._random.randint(2**31))
        self.loss_curve_, self.validation_losses_ = train(
            self, self.encoding_(columns), numbers, weight, seed
        )
        return self._trained()

    def _trained(self) -> SynapseClassifier:
        self.loss_, self.n_iter_ = self.loss_curve_[-1], len(self.loss_curve_)
        return self

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> SynapseClassifier:
        """Go on for one epoch over some samples, at a constant rate.

        The first call fixes the classes, the scale of numbers and the words of categories.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`; at least two samples.
        classes : array_like, optional
            All classes; needed by the first call, if its samples do not have all of them.

        Returns and errors are those of `fit`; a class must be one of the first call's.
        """
        check_options(self)
        first = not hasattr(self, "model_")
        columns = read_values(self, X, reset=first, categories=self.categorical_features)
        labels, weight = labels_and_weights(y, sample_weight, len(columns[0]))
        if first:
            check_plain("classes", classes)
            given = labels if classes is None else np.asarray(classes)
            begin(self, columns, np.unique(given), weight)
        check_known(labels, self.classes_)
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"`classes` must be those of the first call. Received: {classes!r}")
        numbers = np.searchsorted(self.classes_, labels)
        weight = with_class_weights(self.class_weight, self.classes_, numbers, weight)
        seed = int(self._random.randint(2**31))
        self.loss_curve_ += train_on(self, self.encoding_(columns), labels, weight, seed)
        return self._trained()

    def _inputs(self, X: Any) -> Floats:
        check_is_fitted(self)
        return self.encoding_(read_values(self, X, reset=False))

    def decision_function(self, X: Any) -> Floats:
        """Return the logits, shape (samples, classes); of two classes their difference, (samples,).

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
            As for `fit`. A number beyond those seen counts as the nearest of them.

        Raises
        ------
        TypeError, ValueError
            If X does not fit.
        """
        inputs = self._inputs(X)
        logits: Any = self.model_.decision_function(inputs)
        result: Floats = logits if len(self.classes_) > 2 else logits[:, 1] - logits[:, 0]
        return result

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of every class, shape (samples, classes).

        Arguments and errors are those of `decision_function`.
        """
        inputs = self._inputs(X)
        probability: Floats = to_numpy(self.model_.predict_proba(inputs))
        return probability

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each sample, shape (samples,).

        Arguments and errors are those of `decision_function`.
        """
        numbers = np.argmax(self.predict_proba(X), axis=1)
        classes: NDArray[Any] = self.classes_[numbers]
        return classes

    def explain(self, X: Any, *, background: Any = None, steps: int = 16) -> Explanation[Floats]:
        """What each feature adds to each class' logit, against a background.

        Parameters
        ----------
        X : array_like or frame, shape (samples, features)
        background : array_like or frame, shape (others, features), optional
            Samples to compare with; otherwise up to 100 of the training's.
        steps : int
            Points of the integration, ≥ 1.

        Returns
        -------
        Explanation
            Of the features, by `SynaMLP.explain_inputs`: ``parts`` is (samples, classes, features),
            and a category's part the sum over its words. ``ranked(0, 1)`` lists those of the first
            sample for ``classes_[1]``.

        Errors are those of `decision_function`.
        """
        inputs = self._inputs(X)
        others = self._background if background is None else self._inputs(background)
        why = self.model_.explain_inputs(inputs, others, steps=steps)
        parts: Any = self.encoding_.by_column(to_numpy(why.parts))
        return Explanation(why.constant, parts, tuple(feature_names(self)))

    def save(self, path: FilePath, /) -> None:
        """Write the classifier as a safetensors file, which `SynaMLP.from_file` reads, too.

        Raises
        ------
        ValueError
            If `from_file` would not take it.
        """
        check_is_fitted(self)
        write_classifier(self, path)

    @classmethod
    def from_file(cls, path: FilePath, /) -> SynapseClassifier:
        """Make the classifier that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, or is not a classifier's.
        """
        read: SynapseClassifier = read_classifier(cls, path)
        return read

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.string = True
        return tags

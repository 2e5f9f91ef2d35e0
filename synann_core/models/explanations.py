"""Explain classifiers: logits taken apart by the synapse's inputs, and down to the features.

The logits are a sum over the synapse's inputs, so that their parts are exact, and Shapley values.
What lies before the synapse (a Linear layer, a batch norm, a gate, convolutions) is no sum: there
the parts are integrated gradients [1]_ against each sample of a background, and their mean [2]_.

.. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017.
.. [2] G. Erion et al., "Improving performance of deep learning models with axiomatic attribution
   priors and expected gradients", Nature Machine Intelligence 3, 2021.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple

import numpy as np

from synann_core._lib.arguments import namespace_of, silence
from synann_core._lib.checks import as_tuple, check_int, detached, to_numpy
from synann_core._lib.loops import mean_over_rows, runner
from synann_core._lib.namespaces import array_namespace
from synann_core._lib.typing import AnyArray, Array, ArrayT, Namespace, NumpyArray, Table
from synann_core.models import passes
from synann_core.models.samples import as_features, as_given
from synann_core.transmission import check_samples

Names = tuple[str | int, ...]
_ROWS = 256  # pairs of a sample and one of the background that are taken together


class Explanation(NamedTuple, Generic[ArrayT]):
    """What each feature adds to each logit, against a background.

    Attributes
    ----------
    constant : array, shape (classes,)
        Mean logits of the background.
    parts : array, shape (samples, classes, ...)
        By features, or by pixels: ``constant + parts.sum(...)`` are the logits, to the error of the
        integration.
    names : tuple
        Names of the features, in the order of the flattened parts; their numbers if none were
        given.
    """

    constant: ArrayT
    parts: ArrayT
    names: Names

    def __repr__(self) -> str:
        """Say what there is: the arrays are long, and `ranked` shows them."""
        shape: tuple[int, ...] = getattr(self.parts, "shape", ())
        if len(shape) < 2:  # in a tree of something else
            return tuple.__repr__(self)
        sizes = f"samples={shape[0]} classes={shape[1]} features={len(self.names)}"
        return f"<{type(self).__name__} {sizes}>"

    def ranked(self, sample: int, label: int) -> list[tuple[str | int, float]]:
        """Names and parts of one sample's logit, the largest parts of either sign first."""
        parts = to_numpy(self.parts)[sample, label].ravel()
        order = np.argsort(-np.abs(parts), kind="stable").tolist()
        return [(self.names[k], float(parts[k])) for k in order]


def summed_by_feature(parts: NumpyArray, sizes: Sequence[int]) -> NumpyArray:
    """Sums over the inputs of each feature, of which there are `sizes`, along the last axis."""
    ends = np.cumsum(sizes)
    sums = [
        parts[..., end - size : end].sum(axis=-1) for size, end in zip(sizes, ends, strict=True)
    ]
    return np.stack(sums, axis=-1)


def checked_names(names: Sequence[str] | None, features: int) -> Names:
    """One name for each feature, or the features' numbers."""
    if names is None:
        return tuple(range(features))
    given = as_tuple("names", names, "a sequence of names")
    if len(given) != features:
        raise ValueError(f"`names` must be {features} names. Received: {len(given)}")
    return given


def against_background(
    parts_of: Callable[[Array], tuple[Array, Array]], x: Array, background: Array, xp: Namespace
) -> tuple[Array, Array]:
    """Constant and parts of x by ``parts_of``, as differences from their mean over a background."""
    constant, parts = parts_of(x)
    hidden = parts.shape[-1]
    elements = hidden * max(hidden, parts.shape[1])
    mean = mean_over_rows(lambda rows: parts_of(rows)[1], background, elements, xp)
    return constant + xp.sum(mean, axis=-1), parts - mean


def expected_gradients(
    slopes: Callable[[Array], Array], x: Array, background: Array, steps: int, xp: Namespace
) -> Array:
    """Mean over the background's samples b of ``(x − b) ∫ slopes(b + t (x − b)) dt``.

    The integral over t from 0 to 1 is taken by Gauss and Legendre's rule with `steps` points.
    Slopes are (rows, classes, ...) for arguments (rows, ...); so are the results.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    others, results = background.shape[0], []
    group = max(1, _ROWS // others)
    for first in range(0, max(x.shape[0], 1), group):
        some = x[first : min(first + group, x.shape[0]), ...]
        total: Any = 0.0
        for start in range(0, others, _ROWS):
            base = background[start : min(start + _ROWS, others), ...]
            moved = some[:, None, ...] - base
            for t, weight in zip(0.5 + 0.5 * points, 0.5 * weights / others, strict=True):
                pairs = xp.reshape(base + float(t) * moved, (-1, *x.shape[1:]))
                along = slopes(pairs)
                along = xp.reshape(along, (*moved.shape[:2], *along.shape[1:]))
                total = total + float(weight) * xp.sum(along * moved[:, :, None, ...], axis=1)
        results.append(total)
    return xp.concat(results)


class Explained:
    """The explanations of `SynaMLP`."""

    in_features: int
    hidden: int
    classes: int
    weights: dict[str, Any]

    def _weights_like(self, X: Array) -> dict[str, Array]:
        raise NotImplementedError

    def _options(self, xp: Namespace) -> dict[str, Any]:
        raise NotImplementedError

    def explain(
        self, X: ArrayT | Table, /, *, background: AnyArray | Table | None = None
    ) -> tuple[ArrayT, ArrayT]:
        """Take every logit apart, exactly: a constant and one part for each input of the synapse.

        Parameters
        ----------
        X : array, shape (samples, in_features)
            Features in [0, 1].
        background : array, shape (others, in_features), optional
            Samples to compare with, the training data say. A part is then how much more the
            synapse's input adds than it does there on average: its interventional Shapley value.
            Without it the baseline is that the input is 0.

        Returns
        -------
        constant : array, shape (classes,)
            With a background its mean logits.
        parts : array, shape (samples, classes, hidden)
            ``decision_function(X) = constant + parts.sum(-1)`` to rounding. Input j's part is its
            excitation log y_j and what its inhibition adds to all outputs (`contributions`), scaled
            by batch norm and output weights. Memory O(samples·hidden²).

        Raises
        ------
        TypeError, ValueError
            As for `fit`; also if the background is of another library or holds no sample.
        """
        x = as_features("X", X, self.in_features)
        xp = array_namespace(x)
        weights, options = self._weights_like(x), self._options(xp)

        def parts_of(rows: Array) -> tuple[Array, Array]:
            return passes.parts(weights, rows, **options)

        with silence(xp):
            if background is None:
                constant, parts = parts_of(x)
            else:
                others = self._background(x, background)
                constant, parts = against_background(parts_of, x, others, xp)
            return as_given(constant, X), as_given(parts, X)

    def explain_inputs(
        self,
        X: ArrayT | Table,
        /,
        background: AnyArray | Table,
        *,
        names: Sequence[str] | None = None,
        steps: int = 16,
    ) -> Explanation[ArrayT]:
        """What each feature adds to each logit, by integrated gradients against a background.

        Parameters
        ----------
        X : array, shape (samples, in_features)
            Features in [0, 1].
        background : array, shape (others, in_features)
            Samples to compare with: some hundred of the training data, say, or one baseline.
        names : sequence of str, optional
            Names of the features.
        steps : int
            Points of the integration between a sample and one of the background, ≥ 1.

        Returns
        -------
        Explanation
            ``constant`` (classes,), the background's mean logits; ``parts`` (samples, classes,
            in_features); ``names``. ``decision_function(X)`` is their sum to the integration's
            error, which more steps make smaller.

        Raises
        ------
        TypeError, ValueError
            As for `explain`; also if there are not as many names as features.

        Notes
        -----
        The synapse is taken apart exactly (`explain`); what lies before it is not a sum, and the
        parts of the features are a method's, not the model's own. Time of samples · others · steps
        · classes backward passes of a row.

        Examples
        --------
        >>> import numpy as np
        >>> import synann_core as syn
        >>> X = np.random.default_rng(0).random((100, 2))
        >>> model = syn.SynaMLP(2, 4, 2)
        >>> _ = model.fit(X, (X[:, 0] > 0.5).astype(int))
        >>> why = model.explain_inputs(X[:5], X, names=["size", "age"])
        >>> why.ranked(0, 1)[0][0]
        'size'
        """
        x = as_features("X", X, self.in_features)
        chosen = checked_names(names, self.in_features)
        steps = check_int("steps", steps, 1)
        xp = array_namespace(x)
        others = self._background(x, background)
        x = detached(x)
        weights, options = self._weights_like(x), self._options(xp)
        run = functools.partial(runner(passes.input_gradients, xp), weights, **options)
        with silence(xp):
            parts = expected_gradients(run, x, others, steps, xp)
            logits = passes.logits(weights, others, **options)
            constant = as_given(xp.mean(logits, axis=0), X)
            return Explanation(constant, as_given(parts, X), chosen)

    def _background(self, X: Array, background: Any) -> Array:
        """A checked background, in the dtype of X."""
        background = as_features("background", background, self.in_features)
        namespace_of(X=X, background=background)
        check_samples(background)
        xp, background = array_namespace(X), detached(background)
        return background if background.dtype == X.dtype else xp.astype(background, X.dtype)

"""Hold a noisy-OR network and predict its findings.

A finding is absent if its leak and the links of all present causes stay silent, each on its own:
``P(absent_i | y) = (1 − leak_i) ∏_j (1 − β_ij y_j)``. That is a synapse tensor whose last input is
always 1; its logarithm is the log-transmission.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import check_range
from synann_core.transmission import log_transmission

__all__ = ["NoisyOr"]

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class NoisyOr:
    """Noisy-OR network of two layers: independent causes, and the findings they bring about.

    Parameters
    ----------
    prior : array_like, shape (causes,)
        Probability, in (0, 1), that a cause is present.
    leak : array_like, shape (findings,)
        Probability, in [0, 1), that a finding appears without any cause.
    beta : array_like, shape (findings, causes)
        Probability, in [0, 1], that a cause alone brings about the finding.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit or a number is out of its range.

    Notes
    -----
    The parameters are kept as float64 arrays.

    Examples
    --------
    >>> from synann_core.noisy_or import NoisyOr
    >>> model = NoisyOr(prior=[0.1, 0.2], leak=[0.0], beta=[[0.9, 0.5]])
    >>> model.predict([[1.0, 0.0], [1.0, 1.0]])
    array([[0.9 ],
           [0.95]])
    """

    prior: NDArray[np.float64]
    leak: NDArray[np.float64]
    beta: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, ends in (("prior", "()"), ("leak", "[)"), ("beta", "[]")):
            values = check_range(name, getattr(self, name), 0.0, 1.0, ends)
            object.__setattr__(self, name, values.astype(np.float64))
        shapes = self.prior.shape, self.leak.shape, self.beta.shape
        if shapes != ((self.prior.size,), (self.leak.size,), (self.leak.size, self.prior.size)):
            raise ValueError(
                "`prior`, `leak` and `beta` must have the shapes (causes,), (findings,) and "
                f"(findings, causes). Received: {shapes[0]}, {shapes[1]} and {shapes[2]}"
            )

    def absence_surprisal(self, causes: ArrayLike, /) -> Floats:
        """Return the surprisal of each finding's absence, −log P(absent | causes).

        Exact for known causes (0 or 1) and for independent uncertain ones (their probabilities):
        every cause occurs once in the product, so that its factor takes the mean.

        Parameters
        ----------
        causes : array_like, shape (..., causes)
            In [0, 1].

        Returns
        -------
        ndarray of float64 (float32 where `causes` is), shape (..., findings)
            In nats, ≥ 0; infinite where a link of strength 1 makes the finding certain.

        Raises
        ------
        TypeError, ValueError
            If `causes` is not such an array.
        """
        y = check_range("causes", causes, 0.0, 1.0)
        check_shape("causes", y, ..., self.prior.size)
        return self._absence_surprisal(y)

    def predict(self, causes: ArrayLike, /) -> Floats:
        """Return the probability of each finding.

        Parameters
        ----------
        causes : array_like, shape (..., causes)
            As for `absence_surprisal`, with the same errors.

        Returns
        -------
        ndarray of float64 (float32 where `causes` is), shape (..., findings)
            In [0, 1].
        """
        probability: Floats = -np.expm1(-self.absence_surprisal(causes))
        return probability

    def _absence_surprisal(self, y: Floats) -> Floats:
        strengths = np.c_[self.beta, self.leak].astype(y.dtype)
        surprisal: Floats = 0.0 - log_transmission(with_leak(y), strengths)
        return surprisal


def with_leak(y: Floats) -> Floats:
    """Append a cause that is always present: the leak is the strength of its link."""
    return np.concatenate([y, np.ones((*y.shape[:-1], 1), y.dtype)], axis=-1)

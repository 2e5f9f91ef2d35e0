"""Turn measurements into findings: probabilities that a value is unusual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synann_core._lib.arguments import check_shape
from synann_core._lib.checks import as_numbers, check_event, check_range
from synann_core.log_odds import expit
from synann_core.models.samples import check_weights

__all__ = ["SoftThresholds"]

Floats = NDArray[np.float64]

_LEAST = 1e-12  # of a width, relative to the measurements' range
_SMALLEST, _LARGEST = float(np.nextafter(0.0, 1.0)), float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False)
class SoftThresholds:
    """Thresholds that measurements cross gradually, by ``expit(2·(x − threshold)/width)``.

    Parameters
    ----------
    threshold : array_like, shape (measurements,)
        Where the finding has the probability ½.
    width : array_like, shape (measurements,)
        How gradual the change is, in the units of the measurement; negative where a smaller value
        is the finding, and never 0.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit or a number is not finite, or if a width is 0.

    Notes
    -----
    Both are kept as float64 arrays.

    Examples
    --------
    >>> from synann_core.tabular import SoftThresholds
    >>> found = SoftThresholds.from_training([[1.0], [3.0], [5.0], [7.0]], [0, 0, 1, 1])
    >>> found([[2.0], [4.0], [6.0]]).round(3)
    array([[0.018],
           [0.5  ],
           [0.982]])
    """

    threshold: Floats
    width: Floats

    def __post_init__(self) -> None:
        for name in ("threshold", "width"):
            values = check_range(name, getattr(self, name)).astype(np.float64)
            object.__setattr__(self, name, values)
        check_shape("threshold", self.threshold, "measurements")
        check_shape("width", self.width, self.threshold.size)
        if not self.width.all():
            raise ValueError(f"`width` must not be 0. Received: {self.width}")

    @classmethod
    def from_training(
        cls,
        measurements: ArrayLike,
        event: ArrayLike,
        /,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> SoftThresholds:
        """Place the thresholds midway between the means of the samples with and without the event.

        Parameters
        ----------
        measurements : array_like, shape (samples, measurements)
            Finite; NaN where one is missing.
        event : array_like, shape (samples,)
            0 or 1, both of them.
        sample_weight : array_like, shape (samples,), optional
            How often each sample counts, from 0 to 1e100 and not all 0.

        Returns
        -------
        SoftThresholds
            As wide as a standard deviation inside the classes, or 1e-12 of the measurements' range
            where that is more; a finding speaks for the event. A measurement that never changes has
            the width 1.

        Raises
        ------
        ValueError
            If a shape does not fit or a number is out of its range.
        """
        x: Floats = as_numbers("measurements", measurements).astype(np.float64)
        missing = np.isnan(x)
        x = check_range("measurements", np.where(missing, 0.0, x))
        check_shape("measurements", x, "samples", "measurements")
        truth = check_event("event", event, len(x))
        weight = check_weights(sample_weight, len(x))
        # Powers of two, which keep squares and differences of any measurements in range.
        unit = np.ldexp(1.0, np.frexp(np.abs(x).max(axis=0))[1] - 1)
        x = x / unit
        means, variances = [], []
        for k in (1, 0):
            share = weight[truth == k][:, None] * ~missing[truth == k]
            total = share.sum(axis=0)
            share = share / np.where(total > 0.0, total, 1.0)
            means.append((share * x[truth == k]).sum(axis=0))
            variances.append((share * (x[truth == k] - means[-1]) ** 2).sum(axis=0))
        (with_event, without), spread = means, np.sqrt(sum(variances) / 2)
        sign = np.sign(with_event - without)
        highest, lowest = (np.where(missing, end, x) for end in (-np.inf, np.inf))
        extent = highest.max(axis=0) - lowest.min(axis=0)
        width = _finite(np.maximum(spread, _LEAST * extent), unit)
        width = np.where(extent > 0.0, np.maximum(width, _SMALLEST), 1.0)
        threshold = _finite((with_event + without) / 2, unit)
        return cls(threshold, width * np.where(sign == 0, 1, sign))

    def __call__(self, measurements: ArrayLike, /) -> Floats:
        """Return the probabilities of the findings, in [0, 1], shape (..., measurements).

        Raises
        ------
        ValueError
            If `measurements` has another shape or is not finite.
        """
        x: Floats = check_range("measurements", measurements).astype(np.float64)
        check_shape("measurements", x, ..., self.threshold.size)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            gap = x - self.threshold
            half = (x / 2.0 - self.threshold / 2.0) / (self.width / 2.0)
            # (A place so far off that it is infinite makes the finding 0 or 1.)
            place = 2.0 * np.where(np.isfinite(gap), gap / self.width, half)
        findings: Floats = expit(place)
        return findings


def _finite(values: Floats, unit: Floats) -> Floats:
    """Values times their unit; those beyond the largest number are that."""
    with np.errstate(over="ignore"):
        return np.clip(values * unit, -_LARGEST, _LARGEST)

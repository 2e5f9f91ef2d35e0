"""Find the most probable links of one finding.

Definite causes make the problem convex: Newton's steps, projected on the bounds, on the links that
matter. Uncertain causes and protective links take L-BFGS.
"""

from __future__ import annotations

import numpy as np

from synann_core._lib import newton
from synann_core.noisy_or.links import SMALLEST_LEAK, STRONGEST, DefiniteLoss, Loss
from synann_core.noisy_or.parameters import Floats

_LIMIT = 1  # of steps, is met: a status of L-BFGS
# Of a prior with a < 1: its slope is infinite at β = 0, from where no link would come back.
_LASSOS, _SMOOTHING = 4, 0.02
# Of Newton's steps: the promise, in nats, below which to stop; how far a leak may fall at once.
_CLOSE, _LEAK_FALLS, _RIDGE = 1e-5, 4.0, 1e-10
# Nats that a link must bring to be looked at: at first, of many causes; for a second look; then.
_FEW, _CLEAR_GAIN, _SMALL_GAIN, _NO_GAIN = 64, 2.0, 1e-2, 1e-4


def minimise_definite(
    loss: DefiniteLoss, *, link_prior: tuple[float, float], iterations: int
) -> tuple[Floats, bool]:
    """The most probable unknowns, by Newton's steps on those that matter; and whether they met it.

    Links of the other causes stay 0. They are looked at in the end, and join if the loss falls with
    them; so the result is the minimum over all.
    """
    start = loss.start()
    c = np.r_[np.zeros(len(start) - 1), start[-1]]
    slope = _slopes(c, link_prior, 0)
    gain = loss.gain(c, loss(c)[1] + slope)
    active = gain > (0.0 if len(gain) <= _FEW else _CLEAR_GAIN)
    c[:-1][active] = start[:-1][active]
    c[-1] = loss.leak_beside(active)
    converged = True
    for lasso in range(_lassos(link_prior)):
        slope = _slopes(c, link_prior, lasso)
        while True:
            some = np.r_[np.flatnonzero(active), len(c) - 1]
            c[some], met = _newton(loss.part(some[:-1]), c[some], slope[some], iterations)
            converged &= met
            gain = np.where(active, 0.0, loss.gain(c, loss(c)[1] + slope))
            if not (gain > _SMALL_GAIN).any():
                break
            wrong = gain > _NO_GAIN
            active = active | wrong
            c[:-1][wrong] = start[:-1][wrong]
    return c, converged


class _Penalised:
    """A loss and a linear penalty, for Newton's steps on all unknowns."""

    def __init__(self, loss: DefiniteLoss, slope: Floats) -> None:
        self.loss, self.slope = loss, slope

    def __call__(self, c: Floats) -> tuple[float, Floats]:
        data, gradient = self.loss(c)
        return float(data + self.slope @ c), gradient + self.slope

    def curvature(self, c: Floats) -> Floats:
        return self.loss.information(c, np.arange(len(c)))


def _newton(loss: DefiniteLoss, c: Floats, slope: Floats, iterations: int) -> tuple[Floats, bool]:
    """The minimum of the loss and of a linear penalty, and whether it was met: Newton's steps."""

    def bounds(c: Floats) -> tuple[Floats, Floats]:
        low = np.r_[np.zeros(len(c) - 1), max(SMALLEST_LEAK, c[-1] / _LEAK_FALLS)]
        return low, np.full(len(c), STRONGEST)

    found, steps = newton.minimise(
        _Penalised(loss, slope), c, bounds, iterations=iterations, close=_CLOSE, ridge=_RIDGE
    )
    return found, steps < iterations


def minimise(
    loss: Loss, start: Floats, *, link_prior: tuple[float, float], scale: float, iterations: int
) -> tuple[Floats, bool]:
    """The most probable unknowns, or a minimum of them, by L-BFGS; and whether it was met.

    Parameters
    ----------
    loss : Loss
    start : ndarray
        Where to begin.
    link_prior : tuple of float
        (a, b) of the prior Beta(a, b) on every strength.
    scale : float
        Samples: the tolerances are of the loss of one.
    iterations : int
        Most steps at a time.
    """
    from scipy.optimize import minimize

    def penalised(c: Floats, slope: Floats) -> tuple[float, Floats]:
        value, gradient = loss(c)
        return float(value + slope @ c) / scale, (gradient + slope) / scale

    c, converged = start, True
    low = np.r_[np.zeros(len(start) - 1), SMALLEST_LEAK]
    for lasso in range(_lassos(link_prior)):
        found = minimize(
            penalised,
            c,
            (_slopes(c, link_prior, lasso),),
            jac=True,
            method="L-BFGS-B",
            bounds=np.c_[low, np.full(len(start), STRONGEST)],
            options={"maxiter": iterations, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-6},
        )
        c = found.x
        converged &= found.status != _LIMIT
    return c, converged


def _lassos(link_prior: tuple[float, float]) -> int:
    return 1 if link_prior[0] == 1 else _LASSOS


def _slopes(c: Floats, link_prior: tuple[float, float], lasso: int) -> Floats:
    """Slope of −log of the prior by each unknown: of the first lasso, and of others at c."""
    slope = np.r_[np.full(len(c) - 1, link_prior[1] - 1.0), 0.0]
    if lasso:
        beta = -np.expm1(-c[:-1])
        slope[:-1] += (1.0 - link_prior[0]) * (1.0 - beta) / (beta + _SMOOTHING)
    found: Floats = slope
    return found

"""Learn a noisy-OR network from samples whose causes are known.

In the surprisals c = −log(1 − β) ≥ 0 the problem is convex for definite causes: a generalised
linear model with a log link and coefficients of one sign. Findings share nothing: each is a small
problem of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synann_core._lib.checks import check_binary, check_int, check_number, check_pair, check_range
from synann_core.noisy_or.network import NoisyOr
from synann_core.noisy_or.parameters import Floats, with_leak
from synann_core.surprisals import bose_einstein, complement
from synann_core.transmission import log_transmission, log_transmission_vjp

__all__ = ["fit_known_causes"]

# Links that could not fail would make a single contrary sample impossible (log 0), and so would a
# leak of 0; in units of surprisal.
_STRONGEST, _SMALLEST_LEAK = 12.0, 1e-6
# Of a prior with a < 1: its slope is infinite at β = 0, from where no link would come back.
_LASSOS, _SMOOTHING = 4, 0.02


def fit_known_causes(
    causes: ArrayLike,
    findings: ArrayLike,
    /,
    *,
    link_prior: tuple[float, float] = (1.0, 2.0),
    leak_prior: tuple[float, float] = (4.0, 4.0),
    iterations: int = 500,
) -> NoisyOr:
    """Fit the most probable noisy-OR network, by full-batch L-BFGS.

    Parameters
    ----------
    causes : array_like, shape (samples, causes)
        Causes, or the probabilities of independent uncertain causes, in [0, 1].
    findings : array_like, shape (samples, findings)
        0 or 1.
    link_prior : tuple of float
        (a, b) with 0 < a ≤ 1 ≤ b of the prior Beta(a, b) on every strength β: (1, 1) is flat, a
        smaller a or a larger b is sparser.
    leak_prior : tuple of float
        (a, b), both ≥ 1, of the prior Beta(a, b) on every leak: as if a − 1 samples without a cause
        and with the finding, and b − 1 without both, had been seen beside the data.
    iterations : int
        Most steps of L-BFGS, ≥ 1.

    Returns
    -------
    NoisyOr
        Its prior is the mean of each cause, as if one sample with it and one without had been
        seen beside the data.

    Raises
    ------
    ImportError
        If SciPy is missing.
    TypeError, ValueError
        If a shape does not fit or a number is out of its range.

    Notes
    -----
    The prior Beta(1, b), whose −log density is (b − 1)·c, is a lasso: links become 0. A prior
    Beta(a, b) with a < 1 adds (1 − a)·log β, which is concave: it is solved as a few lassos, each
    with the slopes at the last solution. The default priors were chosen on networks of other seeds
    than docs/diagnosis.md reports: with less weight, false links of a few hundredths take the place
    of the leak.

    Examples
    --------
    >>> from synann_core.noisy_or import NoisyOr, fit_known_causes
    >>> rng = np.random.default_rng(0)
    >>> causes = (rng.random((5000, 2)) < 0.3).astype(float)
    >>> truth = NoisyOr([0.3, 0.3], [0.05], [[0.8, 0.0]])
    >>> findings = (rng.random((5000, 1)) < truth.predict(causes)).astype(float)
    >>> fit_known_causes(causes, findings).beta.round(1)
    array([[0.8, 0. ]])
    """
    y, s = _checked_samples(causes, findings)
    link_prior = _checked_prior("link_prior", link_prior, (0.0, 1.0), "(]")
    leak_prior = _checked_prior("leak_prior", leak_prior, (1.0, np.inf), "[]")
    check_int("iterations", iterations, 1)
    # Equal rows are counted once: of definite causes there are many.
    rows, which = np.unique(y, axis=0, return_inverse=True)
    present = np.zeros((len(rows), s.shape[1]))
    np.add.at(present, which.ravel(), s)
    absent = np.bincount(which.ravel(), minlength=len(rows))[:, None] - present
    imagined = np.zeros((1, y.shape[1]))  # the samples of the leak's prior
    inputs = with_leak(np.r_[rows, imagined])
    present = np.r_[present, np.full((1, s.shape[1]), leak_prior[0] - 1.0)]
    absent = np.r_[absent, np.full((1, s.shape[1]), leak_prior[1] - 1.0)]
    fitted = np.array(
        [
            _fit_finding(inputs, present[:, [i]], absent[:, [i]], link_prior, iterations)
            for i in range(s.shape[1])
        ]
    )
    prior = (y.sum(axis=0) + 1.0) / (len(y) + 2.0)
    return NoisyOr(prior, fitted[:, -1], fitted[:, :-1])


def _fit_finding(
    inputs: Floats,
    present: Floats,
    absent: Floats,
    link_prior: tuple[float, float],
    iterations: int,
) -> Floats:
    """Strengths for one finding that was `present` and `absent` so often, shapes (rows, 1)."""
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise ImportError('learning needs SciPy: pip install "synann[noisy-or]"') from None
    samples = present.sum() + absent.sum()

    def loss(c: Floats, slope: Floats) -> tuple[float, Floats]:
        beta = -np.expm1(-c)[None]
        w = 0.0 - log_transmission(inputs, beta)
        value = (absent * w + present * complement(w)).sum() + c @ slope
        upstream = present * bose_einstein(w) - absent  # the derivative by T = −w
        _, gbeta = log_transmission_vjp(inputs, beta, upstream)
        return value / samples, ((gbeta * (1.0 - beta))[0] + slope) / samples

    size = inputs.shape[1]
    bounds = np.c_[np.r_[np.zeros(size - 1), _SMALLEST_LEAK], np.full(size, _STRONGEST)]
    options = {"maxiter": iterations, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-6}
    c, slope = np.full(size, 0.1), np.r_[np.full(size - 1, link_prior[1] - 1.0), 0.0]
    for lasso in range(1 if link_prior[0] == 1 else _LASSOS):
        if lasso:
            beta = -np.expm1(-c[:-1])
            concave = (1.0 - link_prior[0]) * (1.0 - beta) / (beta + _SMOOTHING)
            slope[:-1] = link_prior[1] - 1.0 + concave
        found = minimize(
            loss, c, (slope,), jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        c = found.x
    strengths: Floats = -np.expm1(-c)
    return strengths


def _checked_prior(
    name: str, prior: Any, bounds: tuple[float, float], ends: str
) -> tuple[float, float]:
    """(a, b) of a Beta prior, a in the bounds and b at least 1."""
    a, b = check_pair(name, prior, "(a, b)")
    return check_number(f"{name}[0]", a, *bounds, ends), check_number(f"{name}[1]", b, 1.0)


def _checked_samples(causes: ArrayLike, findings: ArrayLike) -> tuple[Floats, Floats]:
    y: Floats = check_range("causes", causes, 0.0, 1.0).astype(np.float64)
    s: Floats = check_binary("findings", findings)
    if y.ndim != 2 or s.ndim != 2 or len(y) != len(s) or not y.size or not s.size:
        raise ValueError(
            "`causes` and `findings` must have the shapes (samples, causes) and "
            f"(samples, findings). Received: {y.shape} and {s.shape}"
        )
    return y, s

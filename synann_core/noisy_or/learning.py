"""Learn a noisy-OR network from samples whose causes are known.

In the surprisals c = −log(1 − β) ≥ 0 the problem is convex for definite causes: a generalised
linear model with a log link and coefficients of one sign. Findings share nothing: each is a small
problem of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synann_core._lib.checks import as_numbers
from synann_core.noisy_or.fits import Options, fit_findings
from synann_core.noisy_or.frames import Names, column_names
from synann_core.noisy_or.network import NoisyOr
from synann_core.noisy_or.parameters import Floats, counted, is_sparse, unit_matrix
from synann_core.noisy_or.samples import (
    check_findings,
    check_missing_causes,
    check_weight,
    group,
    has_missing,
    prior_of,
)

__all__ = ["fit_known_causes"]


@dataclass(frozen=True)
class Learned:
    """A network, and the standard errors of its links, of the same shape and kind."""

    network: NoisyOr
    link_errors: Any
    protection_errors: Any
    limits: tuple[str, ...] = ()  # that were met, in words

    def warn(self) -> None:
        """Warn of the limits that were met, as scikit-learn does."""
        category: type[Warning] = UserWarning
        if self.limits and importlib.util.find_spec("sklearn"):  # not needed to learn
            category = importlib.import_module("sklearn.exceptions").ConvergenceWarning
        for limit in self.limits:
            warnings.warn(f"{limit}. A higher limit may help.", category, stacklevel=3)


def fit_known_causes(
    causes: Any,
    findings: Any,
    /,
    *,
    link_prior: tuple[float, float] = (1.0, 2.0),
    leak_prior: tuple[float, float] = (4.0, 4.0),
    protective: bool = False,
    sample_weight: ArrayLike | None = None,
    iterations: int = 500,
    n_jobs: int | None = None,
    verbose: bool | int = False,
) -> NoisyOr:
    """Fit the most probable noisy-OR network, by full-batch Newton or L-BFGS steps.

    Parameters
    ----------
    causes : array_like, frame or SciPy sparse array, shape (samples, causes)
        Causes, or the probabilities of independent uncertain causes, in [0, 1]. Of a sparse array
        the network is sparse, too. The columns of a frame give the causes' names.
    findings : array_like, frame or SciPy sparse array, shape (samples, findings)
        0 or 1; NaN where a finding was not examined: the sample does not count for this finding.
    link_prior : tuple of float
        (a, b) with 0 < a ≤ 1 ≤ b of the prior Beta(a, b) on every strength β: (1, 1) is flat, a
        smaller a or a larger b is sparser.
    leak_prior : tuple of float
        (a, b), both ≥ 1, of the prior Beta(a, b) on every leak: as if a − 1 samples without a cause
        and with the finding, and b − 1 without both, had been seen beside the data.
    protective : bool
        Whether causes may also block findings: `NoisyOr` says how. The prior on every δ is that on
        β, and every cause must be 0 or 1.
    sample_weight : array_like, shape (samples,), optional
        How often each sample counts, ≥ 0; by default once.
    iterations : int
        Most steps for a finding at a time, ≥ 1. Where they do not suffice there is a
        ConvergenceWarning of scikit-learn's (without scikit-learn, a UserWarning).
    n_jobs : int, optional
        Processes to learn the findings in, by joblib; −1 for one a processor. By default threads,
        which wait for each other where there are many small findings.
    verbose : bool or int
        Whether to show the progress: a bar, if tqdm is installed.

    Returns
    -------
    NoisyOr
        Its prior is the mean of each cause, as if one sample with it and one without had been
        seen beside the data.

    Raises
    ------
    ImportError
        If SciPy is missing, or joblib where there is to be more than one process.
    TypeError, ValueError
        If a shape does not fit or a number is out of its range.

    Notes
    -----
    The prior Beta(1, b), whose −log density is (b − 1)·c, is a lasso: links become 0. A prior
    Beta(a, b) with a < 1 adds (1 − a)·log β, which is concave: it is solved as a few lassos, each
    with the slopes at the last solution. The default priors were chosen on networks of other seeds
    than docs/diagnosis.md reports: with less weight, false links of a few hundredths take the place
    of the leak.

    Of definite causes only the samples with a finding need more than one matrix product for all
    findings. Newton's steps are for the links that matter; at the end none of the others would
    bring a hundredth of a nat. Uncertain causes and protective links take L-BFGS; their problem is
    not convex.

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
    options = Options(link_prior, leak_prior, protective, iterations, n_jobs, verbose).checked()
    _require_scipy()
    names = column_names(causes), column_names(findings)
    y, s, weight = check_samples(causes, findings, sample_weight)
    learned = learn(y, s, weight, options, names=names)
    learned.warn()
    return learned.network


def _require_scipy() -> None:
    try:
        import scipy.optimize  # noqa: F401
    except ImportError:
        raise ImportError('learning needs SciPy: pip install "synann[noisy-or]"') from None


def check_samples(
    causes: Any,
    findings: Any,
    weight: Any,
    names: tuple[str, str] = ("causes", "findings"),
    *,
    missing: bool = False,
) -> tuple[Any, Any, NDArray[np.float64]]:
    """Causes, findings and weights as `learn` takes them; with `missing`, causes may be NaN."""
    y = causes if is_sparse(causes) else as_numbers(names[0], causes)
    s = check_findings(names[1], findings)
    if y.ndim != 2 or y.shape[0] != s.shape[0] or 0 in (*y.shape, *s.shape):
        raise ValueError(
            f"`{names[0]}` and `{names[1]}` must have the shapes (samples, causes) and "
            f"(samples, findings). Received: {tuple(y.shape)} and {tuple(s.shape)}"
        )
    if missing and has_missing(y):
        y = check_missing_causes(names[0], y)
    else:
        y = unit_matrix(names[0], y)
    return y, s, check_weight(weight, y.shape[0])


def learn(
    causes: Any,
    findings: Any,
    weight: NDArray[np.float64],
    options: Options,
    *,
    errors: bool = False,
    names: tuple[Names, Names] = (None, None),
    allowed: NDArray[np.bool_] | None = None,
) -> Learned:
    """Fit a network to what `check_samples` returned, with standard errors if they are wanted.

    `names` are those of the causes and of the findings. Definite causes that do not protect may be
    kept to the links that are `allowed`, shape (findings, causes).
    """
    samples = group(causes, findings, weight, options.leak_prior)
    if options.protective and not samples.definite:
        raise ValueError("`causes` must be 0 or 1 where links may protect. Received: probabilities")
    fitted = fit_findings(samples, options, errors=errors, allowed=allowed)
    c = np.array([finding.unknowns for finding in fitted])
    spread = np.array([finding.errors for finding in fitted])
    unconverged = sum(not finding.converged for finding in fitted)
    count = causes.shape[1]
    sparse = is_sparse(causes)
    strengths = -np.expm1(-c)
    beta, beta_errors = _links(strengths[:, :count], spread[:, :count], sparse)
    delta = delta_errors = None
    if options.protective:
        delta, delta_errors = _links(strengths[:, count:-1], spread[:, count:-1], sparse)
    network = NoisyOr(
        prior_of(causes, weight),
        strengths[:, -1],
        beta,
        protection=delta,
        causes=names[0],
        findings=names[1],
    )
    limits: tuple[str, ...] = ()
    if unconverged:
        what = f"{unconverged} of {counted(len(c), 'finding')}"
        limits = (f"{what} did not converge in `iterations`={options.iterations} steps",)
    return Learned(network, beta_errors, delta_errors, limits)


def _links(strengths: Floats, errors: Floats, sparse: bool) -> tuple[Any, Any]:
    """Strengths and their errors; sparse, with the same places stored."""
    if not sparse:
        return strengths, errors
    from scipy.sparse import csr_array

    beta = csr_array(strengths)
    spread = beta.copy()
    spread.data = errors[np.repeat(np.arange(len(errors)), np.diff(beta.indptr)), beta.indices]
    return beta, spread

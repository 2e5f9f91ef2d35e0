"""A transformer for scikit-learn: hidden causes of the findings, and what each brings about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_random_state

from synann_core._lib.checks import check_int
from synann_core._lib.log import logger
from synann_core._lib.progress import Progress
from synann_core.log_odds import expit, logit
from synann_core.noisy_or.annealing import search
from synann_core.noisy_or.classifier import check_values, posterior_of
from synann_core.noisy_or.fits import Options
from synann_core.noisy_or.learning import learn
from synann_core.noisy_or.network import NoisyOr
from synann_core.noisy_or.samples import check_findings, prior_of
from synann_core.surprisals import complement

__all__ = ["NoisyOrFactors"]

_SEARCHED = 1000  # samples in the search at most
_CELLS = 1 << 22  # of all restarts together
_DRAWS = 8  # of the hidden causes for one fit of the links
_ALONE = 3.0  # samples beside the data for each link

_log = logger("noisy_or")


class NoisyOrFactors(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Hidden causes of binary findings: a factorisation of X in which parts add up as "or".

    Parameters
    ----------
    n_causes : int
        Hidden causes, ≥ 1.
    link_prior, leak_prior : tuple of float
        As for `fit_known_causes`.
    restarts : int
        Searches side by side, ≥ 1, of which the most probable is taken; fewer if the data are
        large.
    em_iter : int
        Rounds of expectation and maximisation after the search, ≥ 1.
    iterations : int
        Most steps for a finding, ≥ 1.
    random_state : int, numpy.random.RandomState or None
        Random numbers, or the seed for them.
    verbose : bool or int
        Whether `fit` shows its progress: a bar, if tqdm is installed.

    Attributes
    ----------
    network_ : NoisyOr
        The causes and what they bring about.
    components_ : ndarray, shape (n_causes, findings)
        Its strengths β, transposed: a row is what one cause brings about.
    n_features_in_ : int
        Findings.
    feature_names_in_ : ndarray of str
        Their names, if X was a frame.

    Raises
    ------
    TypeError, ValueError
        By `fit`, if a parameter is out of its range.

    Notes
    -----
    Simulated annealing finds the causes, with links that are there or not. Restarts exchange the
    causes that they have found. Then the strengths of the links are learned by expectation and
    maximisation; the expectation is over draws of the causes by Gibbs sampling. Causes that the
    data do not need have no links. Up to 1,000 samples take part in the search.

    Examples
    --------
    >>> from synann_core.noisy_or import NoisyOrFactors
    >>> rng = np.random.default_rng(0)
    >>> parts = np.kron(np.eye(3), np.ones(4))
    >>> X = (rng.random((60, 3)) < 0.4) @ parts > 0
    >>> model = NoisyOrFactors(3, random_state=0).fit(X)
    >>> sorted((model.components_ > 0.5).astype(int).tolist())
    [[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
     [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0],
     [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]]
    """

    def __init__(
        self,
        n_causes: int = 8,
        *,
        link_prior: tuple[float, float] = (1.0, 1.0),
        leak_prior: tuple[float, float] = (1.0, 2.0),
        restarts: int = 24,
        em_iter: int = 4,
        iterations: int = 500,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.n_causes = n_causes
        self.link_prior = link_prior
        self.leak_prior = leak_prior
        self.restarts = restarts
        self.em_iter = em_iter
        self.iterations = iterations
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> NoisyOrFactors:
        """Find the causes.

        Parameters
        ----------
        X : array_like, frame or SciPy sparse array, shape (samples, findings)
            0 or 1; NaN where a finding was not examined.
        y : None
            Not used.

        Returns
        -------
        NoisyOrFactors
            Itself.

        Raises
        ------
        TypeError, ValueError
            If X is not such an array.
        """
        from scipy.sparse import csc_array, vstack

        causes = check_int("n_causes", self.n_causes, 1)
        restarts, rounds = (
            check_int("restarts", self.restarts, 1),
            check_int("em_iter", self.em_iter, 1),
        )
        options = Options(self.link_prior, self.leak_prior, False, self.iterations)
        options = options.checked()
        findings = check_findings("X", check_values(self, X, reset=True))
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        rng = np.random.default_rng(seed)
        values = findings.toarray()
        samples = len(values)
        chosen = np.sort(rng.permutation(samples)[:_SEARCHED])
        part = values[chosen]
        side_by_side = max(1, min(restarts, _CELLS // part.size))
        has, links, leak, strength = search(
            part, causes, rng, restarts=side_by_side, verbose=self.verbose
        )
        _log.info(
            "%d samples searched %d times: leak %.3g, strength %.3g",
            *(len(part), side_by_side, leak, strength),
        )
        prior = (has.sum(axis=0) + 1.0) / (len(part) + 2.0)
        names = getattr(self, "feature_names_in_", None)
        named = None if names is None else tuple(map(str, names))
        linked = links.T > 0.5
        network = NoisyOr(prior, np.full(values.shape[1], leak), strength * linked)
        y_now = np.zeros((samples, causes))
        y_now[chosen] = has > 0.5
        repeated = vstack([findings] * _DRAWS, format="csc")
        weight = np.full(samples * _DRAWS, 1.0 / _DRAWS)
        # Beside the data, samples with one cause alone, of which its findings alone are known:
        # links of which the data say little keep the strength that all have together.
        alone = np.where(linked.T, 1.0, np.nan)
        beside = vstack([repeated, csc_array(alone), csc_array(alone - 1.0)], format="csc")
        shares = _ALONE * np.array([strength, 1.0 - strength])
        heavier = np.r_[weight, np.repeat(shares, causes)]
        with Progress("links", rounds, shown=self.verbose, unit="round") as bar:
            for _ in range(rounds):
                draws = []
                for _ in range(_DRAWS):
                    y_now = draw_causes(network, values, y_now, rng)
                    draws.append(y_now)
                everyone = np.concatenate([*draws, np.eye(causes), np.eye(causes)])
                learned = learn(everyone, beside, heavier, options, allowed=linked)
                prior, fitted = prior_of(everyone[: len(weight)], weight), learned.network
                network = NoisyOr(prior, fitted.leak, fitted.beta, findings=named)
                bar.advance()
        learned.warn()
        self.network_ = network
        self.components_ = network.beta.T
        self._n_features_out = causes
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return P(cause | findings) of every hidden cause.

        Parameters
        ----------
        X : array_like, frame or SciPy sparse array, shape (samples, findings)
            1 (present), 0 (absent), NaN (not examined), or r between 0 and 1 (uncertain).

        Returns
        -------
        ndarray of float64, shape (samples, n_causes)
        """
        return posterior_of(self, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        return tags


def draw_causes(
    network: NoisyOr,
    findings: NDArray[np.float64],
    causes: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """One sweep of Gibbs sampling: each cause anew, given the findings and the other causes."""
    y = causes.copy()
    links = -np.log1p(-network.beta)
    least = -np.log1p(-network.leak)
    w = y @ links.T + least
    present, absent = findings == 1.0, findings == 0.0
    log_odds = logit(network.prior)
    for k in rng.permutation(y.shape[1]):
        hit = np.flatnonzero(links[:, k])  # the findings that it may bring about
        c = links[hit, k]
        silent = np.maximum(w[:, hit] - np.outer(y[:, k], c), least[hit])
        gain = (present[:, hit] * (complement(silent) - complement(silent + c))).sum(axis=1)
        gain -= absent[:, hit] @ c
        y[:, k] = rng.random(len(y)) < expit(gain + log_odds[k])
        w[:, hit] = silent + np.outer(y[:, k], c)
    return y

"""NoisyOr: a network of independent causes and of the findings that they bring about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import as_generator, check_int
from synann_core._lib.files import FilePath
from synann_core.noisy_or.files import read_network, write_network
from synann_core.noisy_or.inference import (
    MOST_BYTES,
    MOST_SECONDS,
    Method,
    Posterior,
    evidence,
    infer,
)
from synann_core.noisy_or.parameters import Parameters

__all__ = ["NoisyOr"]

_SAMPLED_AT_A_TIME = 1 << 22  # numbers


class NoisyOr(Parameters):
    """Noisy-OR network of two layers: independent causes, and the findings they bring about.

    Parameters
    ----------
    prior : array_like, shape (causes,)
        Probability, in [0, 1], that a cause is present.
    leak : array_like, shape (findings,)
        Probability, in [0, 1), that a finding appears without any cause.
    beta : array_like or SciPy sparse array, shape (findings, causes)
        Probability, in [0, 1], that a cause alone brings about the finding. A sparse network takes
        memory for its links only.
    protection : array_like or SciPy sparse array, shape (findings, causes), optional
        Probability δ, in [0, 1], that a present cause blocks the finding, whatever brought it
        about: ``P(present_i | y) = (1 − (1 − leak_i) ∏_j (1 − β_ij y_j)) ∏_j (1 − δ_ij y_j)``.
        Dense if `beta` is, sparse if it is.
    causes, findings : sequence of str, optional
        Their names, all different.

    Attributes
    ----------
    prior, leak : ndarray of float64
    beta, protection : ndarray of float64 or scipy.sparse.csr_array
    causes, findings : tuple of str, or None

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit, a number is out of its range, or a name occurs twice.

    Examples
    --------
    >>> from synann_core.noisy_or import NoisyOr
    >>> model = NoisyOr(prior=[0.1, 0.2], leak=[0.0], beta=[[0.9, 0.5]])
    >>> model
    NoisyOr(2 causes, 1 findings, 2 links)
    >>> model.predict([[1.0, 0.0], [1.0, 1.0]])
    array([[0.9 ],
           [0.95]])
    """

    def sample(self, n: int, /, *, rng: object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw samples of the causes and of their findings.

        Parameters
        ----------
        n : int
            Number of samples, ≥ 1.
        rng : int or numpy.random.Generator
            Random numbers, or the seed for them.

        Returns
        -------
        causes : ndarray of float64, shape (n, causes)
            0 or 1.
        findings : ndarray of float64, shape (n, findings)
            0 or 1.

        Raises
        ------
        TypeError, ValueError
            If an argument is not such a number.
        """
        check_int("n", n, 1)
        generator = as_generator(rng)
        causes = np.empty((n, self.prior.size))
        findings = np.empty((n, self.leak.size))
        step = max(1, _SAMPLED_AT_A_TIME // max(self.beta.shape))
        for first in range(0, n, step):
            block = slice(first, first + step)
            causes[block] = generator.random(causes[block].shape) < self.prior
            findings[block] = generator.random(findings[block].shape) < self.predict(causes[block])
        return causes, findings

    def posterior(
        self,
        X: Any,
        /,
        *,
        method: Method = "auto",
        most_seconds: float = MOST_SECONDS,
        most_bytes: float = MOST_BYTES,
    ) -> Posterior:
        """Return the probability of every cause, given all findings of a sample.

        The sum is over sets of findings or over sets of causes, whatever takes less time. All terms
        are positive: nothing cancels.

        Parameters
        ----------
        X : array_like, data frame or SciPy sparse array, shape (samples, findings)
            1 (present), 0 (absent), NaN (not examined), or a number r between 0 and 1 (uncertain):
            the likelihood is then r·P(present) + (1 − r)·P(absent). That is Pearl's virtual
            evidence with the likelihood ratio r/(1 − r), not a probability of the finding
            (Jeffrey's rule). So ½ gives the posterior of NaN, with a log-evidence lower by log 2.
            A frame's columns are taken by the findings' names.
        method : {"auto", "exact"}
            Today "auto" is "exact".
        most_seconds, most_bytes : float
            Limits, > 0, of the planned time for all samples and of the planned memory.

        Returns
        -------
        Posterior
            With the fields probability, log_evidence, lower, upper and method; its probabilities
            and evidence are within 1e-12, relative. If nothing is known, they are the prior and 1.

        Raises
        ------
        TypeError, ValueError
            If an argument is not such a one, if findings contradict each other (their probability
            is 0), or if the plan exceeds a limit.

        Examples
        --------
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr(prior=[0.1, 0.1], leak=[0.01], beta=[[0.9, 0.9]])
        >>> model.posterior([[1], [0], [float("nan")]]).probability.round(2)
        array([[0.5 , 0.5 ],
               [0.01, 0.01],
               [0.1 , 0.1 ]])
        """
        return infer(self, X, method=method, most_seconds=most_seconds, most_bytes=most_bytes)

    def log_evidence(
        self, X: Any, /, *, most_seconds: float = MOST_SECONDS, most_bytes: float = MOST_BYTES
    ) -> NDArray[np.float64]:
        """Return the log-probability of each sample's findings, in less time than `posterior`.

        Parameters
        ----------
        X, most_seconds, most_bytes
            As for `posterior`, with the same errors.

        Returns
        -------
        ndarray of float64, shape (samples,)
            In nats, ≤ 0; 0 if nothing is known.

        Examples
        --------
        >>> import numpy as np
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr(prior=[0.5, 0.5], leak=[0.0], beta=[[1.0, 0.5]])
        >>> np.exp(model.log_evidence([[1.0]]))
        array([0.625])
        """
        return evidence(self, X, most_seconds=most_seconds, most_bytes=most_bytes)

    def save(self, path: FilePath, /) -> None:
        """Write the network as one safetensors file, whole or not at all."""
        write_network(path, self)

    @classmethod
    def load(cls, path: FilePath, /) -> NoisyOr:
        """Make the network that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged or does not hold a network.
        """
        return cls(**read_network(path))

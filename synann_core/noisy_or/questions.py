"""Answer questions by a noisy-OR network: posteriors, reasons, sets of causes, what to examine."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.checks import check_int, check_number
from synann_core.noisy_or.evidence import check_evidence
from synann_core.noisy_or.explanation import (
    CauseSet,
    NextFinding,
    Reasons,
    explain,
    index_of,
    most_probable,
    next_findings,
)
from synann_core.noisy_or.inference import MOST_BYTES, MOST_SECONDS, Method, evidence, infer
from synann_core.noisy_or.parameters import Parameters
from synann_core.noisy_or.posteriors import Posterior


class Questions(Parameters):
    """A network's answers; the base of `NoisyOr`."""

    def posterior(
        self,
        X: Any,
        /,
        *,
        method: Method = "auto",
        width: float = 0.05,
        most_seconds: float = MOST_SECONDS,
        most_bytes: float = MOST_BYTES,
        rng: object = 0,
        verbose: bool | int = False,
    ) -> Posterior:
        """Return the probability of every cause, given all findings of a sample.

        Exact where that is within the limits: a sum over sets of findings or over sets of causes,
        whichever takes less time, of positive terms only, so that nothing cancels. Else by bounds
        from both sides, if they come close enough, or by samples with their standard errors. The
        result says which.

        Parameters
        ----------
        X : array_like, data frame, SciPy sparse array or mapping, shape (samples, findings)
            1 (present), 0 (absent), NaN (not examined), or a number r between 0 and 1 (uncertain):
            the likelihood is then r·P(present) + (1 − r)·P(absent). That is Pearl's virtual
            evidence with the likelihood ratio r/(1 − r), not a probability of the finding
            (Jeffrey's rule). So ½ gives the posterior of NaN, with a log-evidence lower by log 2.
            A frame's columns are taken by the findings' names. A sample, or each of a list, may be
            a mapping of known findings, ``{"fever": 1, "rash": 0}`` (numbers without names).
        method : {"auto", "exact", "bounds", "sampling"}
            "auto" takes the first of the others that is within the limits.
        width : float
            In (0, 1]: how wide bounds of a posterior may stay. They are refined until all are
            closer. A sampled posterior gets a standard error of at most a fifth of it.
        most_seconds, most_bytes : float
            Limits, > 0, of the time for all samples, of which each has a fair share, and of the
            planned memory.
        rng : int or numpy.random.Generator
            Random numbers for sampling, or the seed for them. How many are drawn before the time is
            over depends on the machine.
        verbose : bool or int
            Whether to show the progress, sample by sample: a bar, if tqdm is installed.

        Returns
        -------
        Posterior
            With the fields probability, log_evidence, lower, upper, log_lower, log_upper and
            method. Exact probabilities and evidence are within 1e-12, relative. If nothing is
            known, they are the prior and 1.

        Raises
        ------
        TypeError, ValueError
            If an argument is none of these, if findings contradict each other (their probability
            is 0), or if the plan of ``method="exact"`` exceeds a limit.

        Examples
        --------
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr(prior=[0.1, 0.1], leak=[0.01], beta=[[0.9, 0.9]])
        >>> model.posterior([[1], [0], [float("nan")]]).probability.round(2)
        array([[0.5 , 0.5 ],
               [0.01, 0.01],
               [0.1 , 0.1 ]])
        """
        return infer(
            self,
            X,
            method=method,
            width=width,
            most_seconds=most_seconds,
            most_bytes=most_bytes,
            rng=rng,
            verbose=verbose,
        )

    def log_evidence(
        self, X: Any, /, *, most_seconds: float = MOST_SECONDS, most_bytes: float = MOST_BYTES
    ) -> NDArray[np.float64]:
        """Return the log-probability of each sample's findings, in less time than `posterior`.

        Parameters
        ----------
        X, most_seconds, most_bytes
            As for `posterior` with ``method="exact"``, with the same errors.

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

    def with_cause(self, cause: str | int, /, value: float) -> Self:
        """Return the network with another prior of one cause: 1 and 0 make it certain.

        Raises
        ------
        TypeError, ValueError
            If there is no such cause, or if `value` is not a number in [0, 1].

        Examples
        --------
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr([0.1, 0.2], [0.01], [[0.9, 0.5]], causes=["flu", "cold"])
        >>> model.with_cause("flu", 1.0).prior
        array([1. , 0.2])
        """
        prior = self.prior.copy()
        prior[index_of("cause", cause, self.causes, prior.size)] = check_number(
            "value", value, 0.0, 1.0
        )
        return type(self)(
            prior,
            self.leak,
            self.beta,
            protection=self.protection,
            causes=self.causes,
            findings=self.findings,
        )

    def what_if(self, x: Any, /, *, cause: str | int, value: float, **options: Any) -> Posterior:
        """Return the posterior of one sample if a cause were known.

        Parameters
        ----------
        x : array_like or mapping, shape (findings,)
            As a row of X for `posterior`.
        cause : str or int
            A name, or a number.
        value : float
            In [0, 1]: 1 if the cause is present, 0 if not; else its prior is this.
        **options
            As for `posterior`.

        Returns
        -------
        Posterior
            Of one sample. Its log-evidence is that of the findings, given the cause.

        Raises
        ------
        TypeError, ValueError
            As for `posterior`, and if there is no such cause.

        Examples
        --------
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr([0.01, 0.1], [0.01], [[0.9, 0.8]], causes=["flu", "cold"])
        >>> print(model.what_if({0: 1}, cause="flu", value=1))
        sample 0: exact, log-evidence -0.0955
        cause  probability
        flu         1.0000
        cold        0.1078
        """
        own = self._one(x)
        return self.with_cause(cause, value).posterior(own[None], **options)

    def explain(
        self,
        x: Any,
        /,
        cause: str | int,
        *,
        most_seconds: float = MOST_SECONDS,
        most_bytes: float = MOST_BYTES,
    ) -> Reasons:
        """Explain the posterior of a cause by each finding's weight of evidence, exactly.

        Parameters
        ----------
        x : array_like or mapping, shape (findings,)
            As a row of X for `posterior`.
        cause : str or int
            A name, or a number.
        most_seconds, most_bytes : float
            Limits of the exact sums, as for `posterior`.

        Returns
        -------
        Reasons
            Prints as a table. It takes at most four exact evidences for each known finding.

        Raises
        ------
        TypeError, ValueError
            As for `posterior` with ``method="exact"``, and if there is no such cause.

        Examples
        --------
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr(
        ...     [0.01, 0.1], [0.01, 0.05], [[0.9, 0.8], [0.7, 0.5]],
        ...     causes=["flu", "cold"], findings=["cough", "fever"],
        ... )
        >>> print(model.explain([1, 1], "flu"))
        flu: probability 0.1361, log-odds -4.60 before, -1.85 now
        finding  in turn  weight   alone  probability without it
        cough      +2.32   +0.74   +2.32  0.07024
        fever      +0.43   +0.43   +2.01  0.09332
        """
        own = self._one(x)
        place = index_of("cause", cause, self.causes, self.prior.size)
        return explain(self, own, place, most_seconds=most_seconds, most_bytes=most_bytes)

    def most_probable(
        self,
        x: Any,
        /,
        *,
        at_most: int = 3,
        count: int = 10,
        most_sets: int = 100_000,
        most_seconds: float = MOST_SECONDS,
        most_bytes: float = MOST_BYTES,
    ) -> list[CauseSet]:
        """Find the most probable sets of causes, exactly.

        Parameters
        ----------
        x : array_like or mapping, shape (findings,)
            As a row of X for `posterior`.
        at_most : int
            Largest number of causes in a set, ≥ 1; causes of prior 1 are in every set and do not
            count.
        count : int
            Number of sets, ≥ 1.
        most_sets : int
            Sets to extend at most, ≥ 1; the search (branch and bound) ends far earlier where the
            findings speak clearly.
        most_seconds, most_bytes : float
            Limits of the exact sums, as for `posterior`.

        Returns
        -------
        list of CauseSet
            The best first; fewer than `count` where there are no more that are possible. Their
            probabilities are exact, and relative to all sets, larger ones too.

        Raises
        ------
        TypeError, ValueError
            As for `posterior` with ``method="exact"``; if an option is not such a number; and if
            `most_sets` is not enough.

        Examples
        --------
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr([0.01, 0.1], [0.01, 0.05], [[0.9, 0.8], [0.7, 0.5]])
        >>> model.most_probable([1, 1], count=1)
        [CauseSet((1,), probability=0.8547, alone=(+4.54), together=(+4.54))]
        """
        own = self._one(x)
        check_int("at_most", at_most, 1)
        check_int("count", count, 1)
        check_int("most_sets", most_sets, 1)
        limits = {"most_seconds": most_seconds, "most_bytes": most_bytes}
        return most_probable(self, own, at_most, count, most_sets, **limits)

    def next_findings(
        self,
        x: Any,
        /,
        *,
        count: int = 5,
        cause: str | int | None = None,
        screened: int = 50,
        most_seconds: float = MOST_SECONDS,
        most_bytes: float = MOST_BYTES,
    ) -> list[NextFinding]:
        """Rank the findings not yet known by the information to expect of them.

        Parameters
        ----------
        x : array_like or mapping, shape (findings,)
            As a row of X for `posterior`.
        count : int
            Number of findings, ≥ 1.
        cause : str or int, optional
            The one cause to ask about; by default all of them.
        screened : int
            Findings that are looked at exactly, ≥ 1: those that would tell most if the causes
            were independent given x. Where no more are unknown the ranking is exact.
        most_seconds, most_bytes : float
            Limits of the exact sums, as for `posterior`.

        Returns
        -------
        list of NextFinding
            The most informative first; none of those whose outcome is certain.

        Raises
        ------
        TypeError, ValueError
            As for `posterior` with ``method="exact"``, and if an option is not such a number.

        Examples
        --------
        >>> from synann_core.noisy_or import NoisyOr
        >>> model = NoisyOr([0.01, 0.1], [0.01, 0.05], [[0.9, 0.8], [0.7, 0.5]])
        >>> model.next_findings({0: 1})
        [NextFinding(1, information=0.01891, probability=0.5007)]
        """
        own = self._one(x)
        check_int("count", count, 1)
        check_int("screened", screened, 1)
        one = None if cause is None else index_of("cause", cause, self.causes, self.prior.size)
        limits = {"most_seconds": most_seconds, "most_bytes": most_bytes}
        return next_findings(self, own, count, one, max(count, screened), **limits)

    def _one(self, x: Any) -> NDArray[np.float64]:
        """One sample's findings, checked."""
        return check_evidence("x", x, self.leak.size, self.findings, one=True)

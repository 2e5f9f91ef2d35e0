"""Hold posteriors of causes with their bounds, and print them as tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synann_core.noisy_or.frames import Names
from synann_core.noisy_or.parameters import Reals, counted

__all__ = ["Posterior"]

METHODS = "exact", "bounds", "sampling"
_PRINTED_SAMPLES, _PRINTED_CAUSES = 5, 10


@dataclass(frozen=True, repr=False)
class Posterior:
    """What the findings of some samples say about the causes. Prints as tables.

    Attributes
    ----------
    probability : ndarray of float64, shape (samples, causes)
        P(cause | findings), in [0, 1].
    log_evidence : ndarray of float64, shape (samples,)
        Log-probability of the findings, in nats, ≤ 0.
    lower, upper : ndarray of float64, shape (samples, causes)
        Bounds of the probability; the probability itself where it is exact.
    log_lower, log_upper : ndarray of float64, shape (samples,)
        Likewise of the log-evidence.
    method : tuple of str
        How each sample was computed: ``"exact"``, to 1e-12 relative; ``"bounds"``, which hold the
        exact values for sure, and the probability is in their middle; or ``"sampling"``, where they
        are two standard errors either way.
    causes : tuple of str, or None
        Names of the causes.
    """

    probability: Reals
    log_evidence: Reals
    lower: Reals
    upper: Reals
    log_lower: Reals
    log_upper: Reals
    method: tuple[str, ...]
    causes: Names = None

    def __repr__(self) -> str:
        samples, causes = self.probability.shape
        how = ", ".join(f"{self.method.count(m)} {m}" for m in METHODS if m in self.method)
        size = f"{counted(samples, 'sample')}, {counted(causes, 'cause')}"
        return f"Posterior({size}{': ' if how else ''}{how})"

    def __str__(self) -> str:
        samples = len(self.method)
        tables = [self._table(sample) for sample in range(min(samples, _PRINTED_SAMPLES))]
        if samples > _PRINTED_SAMPLES:
            tables.append(f"… and {counted(samples - _PRINTED_SAMPLES, 'more sample')}")
        return "\n\n".join(tables) or repr(self)

    def _table(self, sample: int) -> str:
        """The most probable causes of a sample."""
        p, exact = self.probability[sample], self.method[sample] == "exact"
        order = np.argsort(-p, kind="stable")[:_PRINTED_CAUSES].tolist()
        labels = [str(j if self.causes is None else self.causes[j]) for j in order]
        width = max([5, *map(len, labels)])
        log = self.log_evidence[sample]
        lines = [
            f"sample {sample}: {self.method[sample]}, log-evidence {log:.4f}",
            f"{'cause':{width}}  probability" + ("" if exact else "   lower   upper"),
        ]
        for j, label in zip(order, labels, strict=True):
            ends = "" if exact else f"  {self.lower[sample, j]:6.4f}  {self.upper[sample, j]:6.4f}"
            lines.append(f"{label:{width}}  {p[j]:11.4f}{ends}")
        if p.size > len(order):
            lines.append(f"… and {counted(p.size - len(order), 'cause')} less probable")
        return "\n".join(lines)

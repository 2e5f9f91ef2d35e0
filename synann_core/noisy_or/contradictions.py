"""Name the findings of a sample that cannot be together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synann_core.noisy_or.parameters import Parameters, Reals, dense_rows

_NAMED = 8  # findings in an error


def check_possible(network: Parameters, x: Reals, logs: Reals) -> None:
    """Refuse a sample of probability 0, and name its findings that cannot be together."""
    if not np.isneginf(logs).any():
        return
    sample = int(np.argmin(logs))
    culprits = _contradiction(network, x[sample])
    names = [_stated(network, i, x[sample, i]) for i in culprits[:_NAMED].tolist()]
    more = f" and {culprits.size - _NAMED} more" if culprits.size > _NAMED else ""
    raise ValueError(
        "`X` must have findings that the network can bring about. "
        f"Received: sample {sample}, of probability 0 with {', '.join(names)}{more}"
    )


def _stated(network: Parameters, finding: int, x: float) -> str:
    name = f"finding {finding}" if network.findings is None else repr(network.findings[finding])
    return f"{name} {'present' if x == 1.0 else 'absent'}"


def _contradiction(network: Parameters, x: Reals) -> NDArray[np.intp]:
    """The findings of a contradiction: a present one and those that rule out its causes, or all."""
    absent, present = np.flatnonzero(x == 0.0), np.flatnonzero(x == 1.0)
    beta = np.zeros((x.size, network.prior.size))
    known = np.concatenate([absent, present])
    beta[known] = dense_rows(network.beta, known)
    forced = (beta[absent] == 1.0) & (network.prior == 1.0)
    if network.protection is None:
        if forced.any():
            return np.asarray(absent[forced.any(axis=1)])
        possible = (network.prior > 0.0) & ~(beta[absent] == 1.0).any(axis=0)
        for i in present:
            causes = (beta[i] > 0.0) & (network.prior > 0.0)
            if network.leak[i] == 0.0 and not (causes & possible).any():
                ruling = absent[(beta[absent][:, causes] == 1.0).any(axis=1)]
                return np.concatenate([[i], ruling])
    return np.flatnonzero((x == 0.0) | (x == 1.0))

"""Learning of noisy-OR networks: a simulated QMR, missing causes, and hidden ones."""

from __future__ import annotations

import functools
import warnings

import numpy as np

from synann_core.noisy_or import NoisyOr, fit_known_causes

from .common import SMOKE, Prepared, require
from .meters import Call

# Patients, diseases and findings.
SIZES = ("200x20x30",) if SMOKE else ("10000x600x400", "100000x600x4000")
MIDDLE = (100, 5, 6) if SMOKE else (1000, 20, 60)
METHODS = ("known", "protective", "missing", "hidden")


def learn_qmr(size: str) -> Call:
    """Bind the learning of a network of two linked causes in a hundred, from sparse samples."""
    require("scipy.sparse")
    from .qmr import draw_patients, make_qmr

    patients, causes, findings = map(int, size.split("x"))
    samples = draw_patients(make_qmr(causes, findings), patients)
    return functools.partial(fit_known_causes, *samples)


def learn_middle(method: str) -> Call:
    """Bind the learning of a network as in docs/diagnosis.md."""
    require("sklearn")
    from synann_core.noisy_or import NoisyOrClassifier, NoisyOrFactors

    samples, causes, findings = MIDDLE
    rng = np.random.default_rng(0)
    beta = np.where(
        rng.random((findings, causes)) < 0.2, rng.uniform(0.3, 0.95, (findings, causes)), 0.0
    )
    truth = NoisyOr(rng.uniform(0.02, 0.2, causes), rng.uniform(0.005, 0.1, findings), beta)
    Y, X = truth.sample(samples, rng=rng)
    if method == "hidden":
        model = NoisyOrFactors(causes, restarts=4, random_state=0)
        return functools.partial(model.fit, X)
    if method == "missing":
        Y = np.where(rng.random(Y.shape) < 0.1, np.nan, Y)
    model = NoisyOrClassifier(protective=method == "protective", em_iter=3)
    return functools.partial(_in_few_rounds, model.fit, X, Y)


def _in_few_rounds(fit: Call, X: np.ndarray, Y: np.ndarray) -> None:
    """Fit; three rounds are too few where causes are missing, and are meant to be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Missing causes did not converge")
        fit(X, Y)


class LearnQMR(Prepared):
    """Learning from patients whose diseases are known."""

    param_names = ("size",)
    params = (SIZES,)
    timeout = 900
    repeat = 1

    def setup(self, size: str) -> None:
        """Make the patients."""
        self.call = learn_qmr(size)

    def time_learn(self, size: str) -> None:
        """Time one fit."""
        self.call()

    time_learn.pretty_name = "Noisy-OR: learning from many patients"

    def peakmem_learn(self, size: str) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_learn.pretty_name = "Noisy-OR: peak memory of learning"


class Learn(Prepared):
    """Learning of 60 findings from 1,000 samples of 20 causes."""

    make = staticmethod(learn_middle)
    param_names = ("method",)
    params = (METHODS,)

    def time_fit(self, method: str) -> None:
        """Time one fit."""
        self.call()

    time_fit.pretty_name = "Noisy-OR: learning from 1,000 samples"

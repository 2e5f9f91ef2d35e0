"""Rivals of the noisy-OR layer: logistic regressions, a small neural network, EBM."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import synann as syn

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # scikit-learn's C: larger is weaker
DECAYS = (0.3, 3.0)  # its alpha of neural networks: larger is stronger
_NEVER_CERTAIN = 1e-9


@dataclass(frozen=True)
class Logistic:
    """One logistic regression a target: weights (targets, inputs) and biases (targets,)."""

    weights: np.ndarray
    bias: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        return syn.expit(x @ self.weights.T + self.bias)


def cross_entropies(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Log-loss, in nats, of predicted probabilities where the truth is 0, 1 or a probability."""
    q = np.clip(predicted, _NEVER_CERTAIN, 1.0 - _NEVER_CERTAIN)
    return -(truth * np.log(q) + (1.0 - truth) * np.log1p(-q))


def fit_logistic(x: np.ndarray, targets: np.ndarray, *, lasso: bool) -> Logistic:
    """Logistic regressions with an L1 (`lasso`) or L2 penalty, chosen on a fifth of the samples.

    One penalty for all targets, which is steadier than one each; then fitted to all samples.

    Parameters
    ----------
    x : ndarray, shape (samples, inputs)
    targets : ndarray, shape (samples, targets)
        0 or 1.
    """

    def fitted(rows: slice, strength: float) -> Logistic:
        one = _fit_lasso if lasso else _fit_ridge
        parts = [one(x[rows], t, strength) for t in targets[rows].T]
        return Logistic(np.array([w for w, _ in parts]), np.array([b for _, b in parts]))

    return _chosen(fitted, x, targets, PENALTIES)


def _fit_lasso(x: np.ndarray, target: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    model = LogisticRegression(C=strength, l1_ratio=1, solver="liblinear", random_state=0)
    return _fit_one(model, x, target)


def _fit_ridge(x: np.ndarray, target: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    return _fit_one(LogisticRegression(C=strength, solver="newton-cholesky"), x, target)


def _fit_one(model, x: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    if 0 < target.sum() < len(target):
        model.fit(x, target)
        return model.coef_[0], model.intercept_[0]
    rate = (target.sum() + 0.5) / (len(target) + 1.0)  # scikit-learn refuses a single class
    return np.zeros(x.shape[1]), float(syn.logit(rate))


def fit_network(x: np.ndarray, targets: np.ndarray, *, seed: int) -> _Network:
    """One neural network for all targets: 64 hidden units, weight decay chosen as the penalty."""
    epochs = int(np.clip(400_000 / len(x), 40, 200))

    def fitted(rows: slice, decay: float) -> _Network:
        model = MLPClassifier((64,), alpha=decay, max_iter=epochs, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return _Network(model.fit(x[rows], targets[rows].astype(int)))

    return _chosen(fitted, x, targets, DECAYS)


@dataclass(frozen=True)
class _Network:
    model: MLPClassifier

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(x)


def fit_ebm(x: np.ndarray, targets: np.ndarray, *, seed: int) -> _Boosted:
    """One explainable boosting machine a target, at the defaults of interpret-core.

    It is the generalised additive model with pairs of inputs of Nori et al. (2019).
    """
    return _Boosted([_boosted(x, target, seed) for target in targets.T], np.mean(targets, axis=0))


def _boosted(x: np.ndarray, target: np.ndarray, seed: int):
    # Its bags each hold out a part with both classes.
    if min(target.sum(), len(target) - target.sum()) < 2:
        return None
    # Imported here: `--ebm` alone needs it, and it takes two seconds.
    from interpret.glassbox import ExplainableBoostingClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns with a single value
        return ExplainableBoostingClassifier(random_state=seed, n_jobs=1).fit(x, target)


@dataclass(frozen=True)
class _Boosted:
    models: list
    rates: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        columns = [
            np.full(len(x), rate) if model is None else model.predict_proba(x)[:, 1]
            for model, rate in zip(self.models, self.rates, strict=True)
        ]
        return np.stack(columns, axis=1)


def _chosen(fitted: Callable, x: np.ndarray, targets: np.ndarray, choices: tuple[float, ...]):
    """Fit with the choice that is best on the last fifth of the samples, to all samples."""
    last = len(x) - len(x) // 5
    losses = [
        cross_entropies(targets[last:], fitted(slice(0, last), c).predict(x[last:])).mean()
        for c in choices
    ]
    return fitted(slice(None), choices[int(np.argmin(losses))])

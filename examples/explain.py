"""Take decisions apart, exactly: which pixel added how much surprisal.

    python examples/explain.py                    a picture in outputs/

One synapse layer stands on the features themselves: every class starts with a surprisal θ, and each
feature y_j adds −log(1 − β_ij y_j) ≥ 0 to it. The least surprising class is the decision. There is
nothing else in the model, so that the parts are the decision: no sampling and no approximation.
They are compared with features of 0; docs/explanations.md has other backgrounds. A feature and its
opposite, 1 − y, are both inputs: ink and the lack of ink.
`examples/studies/explain_table.py` does the same for named features.

Makes explained-pixels.png, and a line of accuracy and of how exactly the parts add up.

Needs: pip install -e ".[examples]"
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import synann as syn
from shared import plots
from shared.datasets import load_digits
from shared.options import make_parser, number
from synann import optim


@dataclass(frozen=True, eq=False)
class Explained:
    """A synapse layer on features and their opposites.

    Attributes
    ----------
    theta : ndarray, shape (classes,)
        Surprisal of each class before anything is seen, up to a constant.
    beta : ndarray, shape (classes, 2·features)
        How strongly each input speaks against each class.
    """

    theta: np.ndarray
    beta: np.ndarray

    def surprisal(self, x: np.ndarray) -> np.ndarray:
        """(..., classes) for features in [0, 1], (..., features)."""
        return self.theta - syn.log_transmission(both(x), self.beta)

    def parts(self, x: np.ndarray) -> np.ndarray:
        """What each feature, by being there or not, adds to the surprisals, in nats.

        (..., classes, features); ``theta + parts.sum(-1) = surprisal`` to rounding.
        """
        parts = syn.contributions(both(x), self.beta)
        return parts.reshape(*parts.shape[:-1], 2, -1).sum(axis=-2)

    def accuracy(self, x: np.ndarray, labels: np.ndarray) -> float:
        """Share of right decisions."""
        return float(np.mean(self.surprisal(x).argmin(axis=-1) == labels))


def both(x: np.ndarray) -> np.ndarray:
    """Features and their opposites, in float64."""
    x = np.asarray(x, dtype=np.float64)
    return np.concatenate([x, 1.0 - x], axis=-1)


def fit(x: np.ndarray, labels: np.ndarray, *, steps: int = 400, seed: int = 0) -> Explained:
    """Minimise the cross-entropy of softmax(−surprisal), with the library's own gradients."""
    y, target = both(x), np.eye(labels.max() + 1)[labels]
    logit = np.random.default_rng(seed).normal(-3.0, 0.3, (target.shape[1], y.shape[1]))
    weights = {"theta": np.zeros(target.shape[1]), "beta_logit": logit}
    rule = optim.Adam()
    state = rule.init(weights)
    for step in range(steps):
        beta = syn.expit(weights["beta_logit"])
        logits = syn.log_transmission(y, beta) - weights["theta"]
        grad, _ = syn.cross_entropy_vjp(logits, target, 1.0)
        _, gbeta = syn.log_transmission_vjp(y, beta, grad)
        gradients = {"theta": -grad.sum(axis=0), "beta_logit": gbeta * beta * (1.0 - beta)}
        weights, state = rule.update(weights, gradients, state, 0.05 * optim.cosine(step / steps))
    return Explained(weights["theta"], syn.expit(weights["beta_logit"]))


def check(model: Explained, x: np.ndarray) -> float:
    """Largest difference between a surprisal and the sum of its parts, relative to it."""
    whole = model.surprisal(x)
    return float(np.abs((model.theta + model.parts(x).sum(axis=-1) - whole) / whole).max())


def explain_digits(output: Path, steps: int) -> None:
    """Pixels: a picture for three test images, the clearest and the two least certain."""
    data = load_digits()
    model = fit(data.train_x, data.train_y, steps=steps)
    rival = LogisticRegression(max_iter=5000).fit(data.train_x, data.train_y)
    print(
        f"digits, {len(data.test_y)} test images: accuracy of the synapse layer on the pixels "
        f"{100 * model.accuracy(data.test_x, data.test_y):.2f} %, of logistic regression "
        f"{100 * rival.score(data.test_x, data.test_y):.2f} %"
    )
    print(f"the parts add up to the surprisals: relative error {check(model, data.test_x):.1e}")
    ordered = np.sort(model.surprisal(data.test_x), axis=1)
    by_margin = np.argsort(ordered[:, 1] - ordered[:, 0])
    chosen = by_margin[[-1, 0, 1]]
    path = output / "explained-pixels.png"
    plots.explained_pixels(
        model, data.test_x[chosen], data.test_y[chosen], path, image_shape=data.image_shape
    )
    print(f"picture: {path}")


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--steps", type=number(int, 1), default=400, help="of training")
    options = parser.parse_args(arguments)
    explain_digits(options.output, options.steps)


if __name__ == "__main__":
    main()

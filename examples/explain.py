"""Take decisions apart, exactly: which pixel, which named feature, added how much surprisal.

    python examples/explain.py                    both parts, pictures in outputs/

One synapse layer stands on the features themselves: every class starts with a surprisal θ, and each
feature y_j adds −log(1 − β_ij y_j) ≥ 0 to it. The least surprising class is the decision. There is
nothing else in the model, so that the parts are the decision: no sampling, no baseline, no
approximation. A feature and its opposite, 1 − y, are both inputs: ink and the lack of ink.

Needs: pip install "synann[examples,fast]"
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for `examples` as a package

import synann_core as syn
from examples import plots
from examples.datasets import load_digits
from synann_core import optim, plot


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
    from sklearn.linear_model import LogisticRegression

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
    draw(model, data.test_x[chosen], data.test_y[chosen], data.image_shape, path)
    print(f"picture: {path}")


def draw(model, x, truth, image_shape, path: Path) -> None:
    """An image a row: itself, what spoke against the decision and the next best, the difference."""
    figure = Figure(figsize=(9.4, 2.6 * len(x)), dpi=120, layout="constrained")
    surprisal, parts = model.surprisal(x), model.parts(x)
    for row, z, c, label, axes in zip(
        x, surprisal, parts, truth, figure.subplots(len(x), 4, squeeze=False), strict=True
    ):
        first, second = np.argsort(z)[:2]
        limit = np.abs(c[[first, second]]).max()
        axes[0].imshow(row.reshape(image_shape), cmap="gray_r", vmin=0, vmax=1)
        axes[0].set(xticks=[], yticks=[], title=f"truth: {label}")
        for axis, k in zip(axes[1:], (first, second), strict=False):
            plot.pixels(c[k], image_shape, axis, limit=limit)
            axis.set(title=f"against {k}", xlabel=_sum(model.theta[k], z[k]))
        plot.pixels(c[first] - c[second], image_shape, axes[3], limit=limit)
        difference = model.theta[first] - model.theta[second]
        total = _sum(difference, z[first] - z[second])
        axes[3].set(title=f"against {first} − against {second}", xlabel=total)
    plots.save(figure, path)


def _sum(constant: float, whole: float) -> str:
    sign = "+" if whole >= constant else "−"
    text = f"{constant:.2f} {sign} {abs(whole - constant):.2f} = {whole:.2f} nats"
    return text.replace("-", "−")


def explain_table(steps: int, rows: int = 8) -> None:
    """Named features: a table for the test sample that was decided by the narrowest margin."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import QuantileTransformer

    data = load_breast_cancer()
    split = train_test_split(data.data, data.target, test_size=0.3, random_state=0)
    train_x, test_x, train_y, test_y = split
    ranks = QuantileTransformer(n_quantiles=100).fit(train_x)  # to [0, 1]: shares of the samples
    train_x, test_x = ranks.transform(train_x), ranks.transform(test_x)
    model = fit(train_x, train_y, steps=steps)
    rival = LogisticRegression(max_iter=5000).fit(train_x, train_y)
    print(
        f"\nbreast cancer, {len(test_y)} test samples: accuracy of the synapse layer "
        f"{100 * model.accuracy(test_x, test_y):.1f} %, of logistic regression "
        f"{100 * rival.score(test_x, test_y):.1f} %"
    )
    whole = model.surprisal(test_x)
    one = int(np.argmin(np.abs(whole[:, 0] - whole[:, 1])))
    parts = model.parts(test_x[one])
    evidence = parts[0] - parts[1]  # what speaks against class 0 speaks for class 1
    order = np.argsort(-np.abs(evidence))[:rows]
    table = [(data.feature_names[j], test_x[one, j], *parts[:, j], evidence[j]) for j in order]
    rest = np.setdiff1d(np.arange(len(evidence)), order)
    table.append((f"{len(rest)} others", None, *parts[:, rest].sum(axis=1), evidence[rest].sum()))
    table.append(("before anything is seen", None, *model.theta, np.subtract(*model.theta)))
    table.append(("sum", None, *whole[one], np.subtract(*whole[one])))
    names = list(data.target_names)
    print(
        f"test sample {one}, truth: {names[test_y[one]]}; "
        f"nats that each feature adds to the surprisal of each class"
    )
    headers = ["feature", "rank", *names, f"for {names[1]}"]
    print(tabulate(table, headers, floatfmt=(None, ".2f", ".3f", ".3f", "+.3f")))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, default=Path("outputs"), help="folder of the picture"
    )
    parser.add_argument("--steps", type=int, default=400, help="of training")
    options = parser.parse_args(arguments)
    if options.steps < 1:
        parser.error(f"argument --steps: must be 1 or more. Received: {options.steps}")
    explain_digits(options.output, options.steps)
    explain_table(options.steps)


if __name__ == "__main__":
    main()

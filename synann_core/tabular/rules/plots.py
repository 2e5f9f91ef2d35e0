"""Draw the rules of a model, and what a feature does to its log-odds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synann_core._lib.style import COLOURS, TEXT, drawn_into
from synann_core.tabular.rules.literals import Feature, Floats
from synann_core.tabular.rules.table import Rule, folded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 44  # characters of a line beside the bars
_LINES = 6  # of a rule at most


def draw_rules(rules: Sequence[Rule], classes: Sequence[Any], ax: Axes | None) -> Axes:
    """Draw a bar for each rule's weight, the largest above; rules that are always true have none.

    Colours are those of the classes that rules speak for or, of more than two, move most.
    """
    chosen = sorted((r for r in rules if r.literals), key=lambda rule: abs(rule.weight))
    texts = [_wrapped(str(rule)) for rule in chosen]
    lines = sum(text.count("\n") + 1 for text in texts)
    ax = drawn_into(ax, 9.0, 1.6 + 0.17 * lines + 0.12 * len(texts))
    several = len(classes) > 2
    owner = [r.label if several else classes[int(r.weight > 0.0)] for r in chosen]
    for k, label in enumerate(classes):
        places = [i for i, own in enumerate(owner) if own == label]
        if places:
            bars = ax.barh(
                places,
                [chosen[i].weight for i in places],
                color=COLOURS[(k if several else 1 - k) % len(COLOURS)],
                label=f"score of {label}" if several else f"for {label}",
            )
            numbers = [f"{chosen[i].weight:+.2f}".replace("-", "−") for i in places]
            ax.bar_label(bars, numbers, padding=3, fontsize="small")
    ax.set_yticks(range(len(chosen)), texts, fontsize="small")
    ax.margins(x=0.18)
    ax.grid(False, axis="y")
    ax.axvline(0.0, color=TEXT, lw=0.8)
    ax.set(xlabel="weight in the score [nats]" if several else f"log-odds of {classes[1]} [nats]")
    ax.set(title="What each rule adds where it is true" if chosen else "No rule but a constant")
    if chosen:
        ax.legend(loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=min(3, len(classes)))
    return ax


def draw_feature(feature: Feature, values: Floats, what: str, ax: Axes | None) -> Axes:
    """Draw a feature's part in each of its states: steps at thresholds, bars for categories.

    Parameters
    ----------
    feature : Feature
    values : ndarray, shape (states,)
        The last one of missing values, drawn if they are a state of their own.
    what : str
        What it is a part of.
    ax : Axes, optional
    """
    ax = drawn_into(ax)
    if feature.kind == "number":
        thresholds = [float(value) for value in feature.values]
        low, high = (thresholds[0], thresholds[-1]) if thresholds else (0.0, 0.0)
        margin = 0.15 * (high - low or abs(low) or 1.0)
        known = values[: len(thresholds) + 1]
        edges = [low - margin, *thresholds, high + margin]
        ax.step(edges, [*known, known[-1]], where="post", color=COLOURS[0])
        if feature.missing:
            ax.axhline(values[-1], color=COLOURS[1], ls=":", label="missing")
            ax.legend(fontsize="small")
    else:
        names = ["false", "true"]
        if feature.kind == "category":
            names = [*map(str, feature.values), "any other"]
        names += ["missing"] * feature.missing
        ax.bar(range(len(names)), values[: len(names)], color=COLOURS[0])
        ax.set_xticks(range(len(names)), [_wrapped(name) for name in names])
    ax.axhline(0.0, color=TEXT, lw=0.8)
    ax.set(xlabel=feature.name, ylabel=f"part in the {what} [nats]")
    ax.set_title(f"What {feature.name} adds".replace("$", r"\$"))
    return ax


def _wrapped(text: str) -> str:
    """A text in lines; its dollars are no mathematics."""
    return "\n".join(folded(text, width=_WIDTH, lines=_LINES)).replace("$", r"\$")

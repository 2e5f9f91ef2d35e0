"""Draw the rules of a model, and what a feature does to its log-odds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synann_core.tabular.literals import Feature, Floats
from synann_core.tabular.rule_table import Rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of the colours of Okabe and Ito, which colour-blind readers can tell apart.
_FOR, _AGAINST = "#0072B2", "#D55E00"


def draw_rules(rules: Sequence[Rule], label: Any, ax: Axes | None) -> Axes:
    """Draw a bar for each rule's weight, the largest above."""
    ax = _axes() if ax is None else ax
    chosen = sorted(rules, key=lambda rule: abs(rule.weight))
    weights = [rule.weight for rule in chosen]
    ax.barh(range(len(chosen)), weights, color=[_FOR if w > 0.0 else _AGAINST for w in weights])
    ax.set_yticks(range(len(chosen)), [_short(str(rule)) for rule in chosen])
    ax.axvline(0.0, color="black", lw=0.8)
    ax.set(xlabel=f"weight in the log-odds of {label}  [nats]")
    return ax


def draw_feature(
    feature: Feature, positions: Floats, values: Floats, label: Any, ax: Axes | None
) -> Axes:
    """Draw a feature's part at each of its values: steps for numbers, bars for categories."""
    ax = _axes() if ax is None else ax
    if feature.kind == "number":
        ax.step(positions, values, where="mid", color=_FOR)
        ax.set(xlabel=feature.name)
    else:
        names = ["false", "true"] if feature.kind == "boolean" else list(map(str, feature.values))
        ax.bar(range(len(names)), values, color=_FOR)
        ax.set_xticks(range(len(names)), [_short(name) for name in names])
        ax.set(xlabel=feature.name)
    ax.axhline(0.0, color="black", lw=0.8)
    ax.set(ylabel=f"part in the log-odds of {label}  [nats]")
    return ax


def _short(text: str) -> str:
    return text if len(text) <= 70 else f"{text[:67]}..."


def _axes() -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "synann[plot]"') from None
    axes: Axes = pyplot.subplots(layout="constrained")[1]
    return axes

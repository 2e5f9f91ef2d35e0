"""Hold the style of all pictures: its colours, matplotlib's settings, and new axes in it.

matplotlib is imported where axes are made, so that the library does without it.
"""

from __future__ import annotations

from typing import Any

#: Of Okabe and Ito (2008), which colour-blind readers can tell apart; the first two are for what
#: speaks for something and against it.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: Colours of words and numbers, and of what is only there to compare with, in this order.
TEXT, QUIET = "#333333", "#A0A0A0"

#: Settings for ``matplotlib.rc_context`` or ``matplotlib.style.use``.
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": TEXT,
    "axes.grid": True,
    "axes.labelcolor": TEXT,
    "axes.prop_cycle": f"cycler('color', {list(COLOURS)})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "figure.dpi": 130,
    "font.size": 10,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.8,
    "image.cmap": "cividis",
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": "figure",
    "text.color": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def drawn_into(ax: Any, width: float = 6.4, height: float = 4.2) -> Any:
    """The axes that a caller gives, or without any new ones of so many inches."""
    if ax is None:
        return new_axes(width, height)
    if not hasattr(ax, "transAxes"):  # which all axes have, and neither an array of them nor pyplot
        kind = type(ax).__name__
        raise TypeError(f"`ax` must be Axes of matplotlib, one of them. Received: {kind}")
    return ax


def new_axes(width: float = 6.4, height: float = 4.2, **options: Any) -> Any:
    """Axes of pyplot in the style, alone in a figure of so many inches; `options` of the axes.

    ImportError, with what to install, if there is no matplotlib.
    """
    try:
        import matplotlib
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "synann[plot]"') from None
    with matplotlib.rc_context(STYLE):
        return pyplot.figure(figsize=(width, height)).add_subplot(**options)

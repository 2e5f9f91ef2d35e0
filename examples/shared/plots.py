"""Pictures for the examples, drawn without pyplot: no window, no global state, no clean-up.

All have the style of `synann.plot.STYLE`: a function that draws has the decorator `styled`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from synann import plot
from synann.extending import write_whole

COLOURS, QUIET, TEXT = plot.COLOURS, plot.QUIET, plot.TEXT
WIDTH = 9.0  # inches of a picture as wide as a page
styled = matplotlib.rc_context(plot.STYLE)


@styled
def learning_curves(
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    path: str | Path,
    *,
    title: str,
    tested: str = "the test",
) -> None:
    """Draw loss and accuracy by epoch, one colour for each model.

    Parameters
    ----------
    histories : dict of label to dict
        Each with the lists ``"loss"``, ``"accuracy"`` and, if there was a test, ``"val_accuracy"``
        and perhaps ``"val_loss"``: one number per epoch, accuracies in [0, 1].
    path : path
        Image file; its ending names the format.
    title : str
        Title of the figure.
    tested : str
        What the numbers with "val_" were measured in.
    """
    if not histories:
        raise ValueError("`histories` must hold at least one history. Received: none")
    for label, history in histories.items():
        missing = {"loss", "accuracy"} - set(history)
        if missing:
            raise ValueError(
                f"`histories[{label!r}]` must hold 'loss' and 'accuracy'. "
                f"Received: {sorted(history)}"
            )
        lengths = {len(values) for values in history.values()}
        if len(lengths) != 1:
            raise ValueError(
                f"`histories[{label!r}]` must hold lists of one length. Received: "
                + ", ".join(f"{key} {len(values)}" for key, values in history.items())
            )

    figure = Figure(figsize=(WIDTH, 4.2))
    figure.suptitle(title)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    solid = any("val_accuracy" in history for history in histories.values())
    losses = any("val_loss" in history for history in histories.values())
    colours = [COLOURS[k % len(COLOURS)] for k in range(len(histories))]
    for colour, history in zip(colours, histories.values(), strict=True):
        epochs = np.arange(1, len(history["loss"]) + 1)
        # A line through a single point is invisible.
        style = {"color": colour, "linewidth": 1.4, "marker": "o" if len(epochs) == 1 else None}
        loss_axes.plot(epochs, history["loss"], "--" if losses else "-", **style)
        if "val_loss" in history:
            loss_axes.plot(epochs, history["val_loss"], **style)
        accuracy_axes.plot(
            epochs, 100 * np.asarray(history["accuracy"]), "--", fillstyle="none", **style
        )
        if "val_accuracy" in history:
            accuracy_axes.plot(epochs, 100 * np.asarray(history["val_accuracy"]), **style)

    longest = max(len(history["loss"]) for history in histories.values())
    loss_axes.set(title="loss" if losses else "training loss", xlabel="epoch", ylabel="nats")
    # Where all curves fall or rise alike, ratios and the last tenths tell them apart.
    if longest > 10 and min(min(history["loss"]) for history in histories.values()) > 0:
        loss_axes.set(yscale="log")
    accuracy_axes.set(title="accuracy", xlabel="epoch", ylabel="%")
    if longest > 10:
        late = [line.get_ydata()[longest // 5 :].min(initial=100) for line in accuracy_axes.lines]
        low = min(*late, 99.0)  # else the axis would have no length where all is right
        accuracy_axes.set_ylim(low - 0.05 * (100 - low), 100 + 0.03 * (100 - low))
    for axes in (loss_axes, accuracy_axes):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if longest == 1:
            axes.set_xlim(0.5, 1.5)

    # One legend for both panels, outside them: inside, it would cover curves sooner or later.
    handles = [
        Line2D([], [], color=colour, linewidth=2.5, label=label)
        for colour, label in zip(colours, histories, strict=True)
    ]
    what = "" if losses else "accuracy "
    handles.append(Line2D([], [], color=TEXT, linestyle="--", label=f"{what}in training"))
    if solid:
        handles.append(Line2D([], [], color=TEXT, label=f"{what}in {tested}"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(handles)))
    save(figure, path)


@styled
def confusion_matrix(
    counts: np.ndarray, path: str | Path, *, title: str, names: Sequence[str]
) -> None:
    """Draw how often each class was taken for each other.

    Parameters
    ----------
    counts : ndarray of int, shape (classes, classes)
        Samples by true class (row) and predicted class (column).
    path : path
        Image file; its ending names the format.
    title : str
        Title of the figure.
    names : sequence of str
        Names of the classes.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape != (len(names), len(names)):
        raise ValueError(
            f"`counts` must have the shape {(len(names), len(names))} for {len(names)} `names`. "
            f"Received: {counts.shape}"
        )
    size = 2.5 + 0.48 * len(names)
    figure = Figure(figsize=(size, size))
    axes = figure.subplots()
    axes.grid(False)
    # The errors are what one looks for: they alone have colours, or the diagonal outshines them.
    errors = np.where(np.eye(len(names), dtype=bool), 0, counts)
    most = max(errors.max(), 1)
    axes.imshow(errors, cmap="Oranges", vmin=0, vmax=most)
    for row, column in np.argwhere(counts):
        weight = "bold" if row == column else "normal"
        colour = "white" if errors[row, column] > 0.6 * most else TEXT
        text = str(counts[row, column])
        axes.text(
            column, row, text, ha="center", va="center", color=colour, weight=weight, size="small"
        )
    ticks = np.arange(len(names))
    turned = 45 if max(map(len, names)) > 2 else 0
    axes.set_xticks(ticks, names, rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(ticks, names)
    axes.set(xlabel="prediction", ylabel="truth", title=title)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    save(figure, path)


@styled
def decision_pixels(
    image: np.ndarray,
    constant: np.ndarray,
    parts: np.ndarray,
    average: np.ndarray,
    path: str | Path,
    *,
    image_shape: tuple[int, int],
    truth: int,
) -> None:
    """Draw why one image got its class and not the next best: pixel by pixel, and summed up.

    The logits are ``constant + parts.sum(axis=1)``.

    Parameters
    ----------
    image : ndarray, shape (h·w,)
        The image, in [0, 1].
    constant : ndarray, shape (classes,)
        Mean logits of the images that this one is compared with.
    parts : ndarray, shape (classes, h·w)
        What each pixel adds to each logit.
    average : ndarray, shape (h·w,)
        Mean of the images that this one is compared with.
    path : path
        Image file; its ending names the format.
    image_shape : tuple of int
        (h, w).
    truth : int
        The right class.
    """
    image, constant, parts, average = (
        np.asarray(a, dtype=np.float64) for a in (image, constant, parts, average)
    )
    if parts.shape != (constant.size, image.size) or constant.size < 2:
        raise ValueError(
            f"`parts` must have the shape ({constant.size}, {image.size}), of 2 or more classes. "
            f"Received: {parts.shape}"
        )
    logits = constant + parts.sum(axis=1)
    first, second = np.argsort(-logits, kind="stable")[:2].tolist()  # ties as argmax
    difference, ink = parts[first] - parts[second], image > average
    probability = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    figure = Figure(figsize=(WIDTH, 3.3))
    figure.get_layout_engine().set(wspace=0.06)
    shown, pixels, sums = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1, 1, 1.25]})
    draw_image(shown, image.reshape(image_shape))
    shown.set_title(f"a handwritten {truth}")
    shown.set_xlabel(
        f"the network says {first} ({100 * probability[first]:.0f} %),\n"
        f"or else {second} ({100 * probability[second]:.0f} %)"
    )
    plot.pixels(-difference, image_shape, pixels)
    pixels.set_title(f"what each pixel says: {first} or {second}?")
    most = np.abs(difference).max()
    pixels.set_xlabel(
        f"blue: for {first}, orange: for {second}\n(at most {most:.1f} nats); dots: ink"
    )
    for row, column in np.argwhere(ink.reshape(image_shape)):
        pixels.plot(column, row, ".", color=TEXT, markersize=3)
    rows = {
        "in an average image": constant[first] - constant[second],
        f"ink, for {first}": difference[ink & (difference > 0)].sum(),
        f"blank paper, for {first}": difference[~ink & (difference > 0)].sum(),
        f"ink, for {second}": difference[ink & (difference <= 0)].sum(),
        f"blank paper, for {second}": difference[~ink & (difference <= 0)].sum(),
    }
    waterfall(sums, list(rows), list(rows.values()), total=f"sum: {first}")
    sums.set_title(f"why {first}: the sums of these pixels")
    sums.set_xlabel(f"log-odds of {first} over {second}, nats")
    save(figure, path)


def sheet(fields: np.ndarray, image_shape: tuple[int, int]) -> np.ndarray:
    """Images (k, h·w) side by side on one sheet, as square as can be, with NaN between them."""
    height, width = image_shape
    columns = int(np.ceil(np.sqrt(len(fields))))
    lines = -(-len(fields) // columns)
    result = np.full((lines * (height + 1), columns * (width + 1)), np.nan)
    for k, field in enumerate(fields):
        top, left = k // columns * (height + 1), k % columns * (width + 1)
        result[top : top + height, left : left + width] = field.reshape(image_shape)
    return result


def draw_image(axes, image: np.ndarray) -> None:
    """Draw an image in [0, 1], ink black, in a frame without ticks."""
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.grid(False)


def waterfall(axes, labels: Sequence[str], values: Sequence[float], *, total: str) -> None:
    """Draw bars that each begin where the one above ends, and their sum below.

    The first bar, what there is to begin with, is grey. Of the others, blue ones lead to the right
    and orange ones to the left. Each has its number.
    """
    values = [float(value) for value in values]
    ends = np.cumsum(values)
    starts = np.append(0.0, ends[:-1])
    y = np.arange(len(values) + 1)
    colours = [COLOURS[0] if value > 0 else COLOURS[1] for value in values]
    colours[0] = QUIET
    axes.barh(y[:-1], values, left=starts, color=colours, height=0.7)
    axes.barh(y[-1], ends[-1], color=TEXT, height=0.7)
    for k, end in enumerate(ends):
        axes.plot([end, end], [k, k + 1], color=TEXT, linewidth=0.8)
    starts, ends = np.append(starts, 0.0), np.append(ends, ends[-1])
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        right = end > start
        axes.annotate(
            signed(end - start), (end, k), (4 if right else -4, 0), textcoords="offset points",
            ha="left" if right else "right", va="center", fontsize="small",
            bbox={"fc": "white", "ec": "none", "pad": 0.6},
        )  # fmt: skip
    axes.axvline(0, color=TEXT, linewidth=0.8)
    low, high = min(starts.min(), ends.min()), max(starts.max(), ends.max())
    share = 0.03 * max(len(signed(end - start)) for start, end in zip(starts, ends, strict=True))
    room = share / (1 - 2 * share) * (high - low or 1.0)  # for the numbers
    axes.set(yticks=y, yticklabels=[*labels, total], xlim=(low - room, high + room))
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()


@styled
def explained_pixels(
    model, x: np.ndarray, truth: np.ndarray, path: str | Path, *, image_shape: tuple[int, int]
) -> None:
    """Draw what each pixel of a few images spoke against the decision and the next best class.

    Parameters
    ----------
    model : object
        With `theta`, `surprisal` and `parts` as those of `explain.Explained`.
    x : ndarray, shape (N, h·w)
        Images in [0, 1]; each gets a row, the difference between the two classes at its end.
    truth : ndarray of int, shape (N,)
        The right classes.
    path : path
        Image file; its ending names the format.
    image_shape : tuple of int
        (h, w).
    """
    figure = Figure(figsize=(WIDTH, 2.85 * len(x)))
    surprisal, parts = model.surprisal(x), model.parts(x)
    grid = figure.subplots(len(x), 4, squeeze=False)
    for row, z, c, label, axes in zip(x, surprisal, parts, truth, grid, strict=True):
        first, second = np.argsort(z)[:2]
        limit = np.abs(c[[first, second]]).max()
        draw_image(axes[0], row.reshape(image_shape))
        axes[0].set(title=f"a handwritten {label}", xlabel=f"{first} is decided")
        for axis, k in zip(axes[1:], (first, second), strict=False):
            plot.pixels(c[k], image_shape, axis, limit=limit)
            axis.set(title=f"what speaks against {k}", xlabel=_sum(model.theta[k], z[k]))
        plot.pixels(c[first] - c[second], image_shape, axes[3], limit=limit)
        difference = model.theta[first] - model.theta[second]
        total = _sum(difference, z[first] - z[second])
        axes[3].set(title=f"blue: for {first}, orange: for {second}", xlabel=total)
    save(figure, path)


def _sum(constant: float, whole: float) -> str:
    """What a class has before anything is seen, what pixels add, and the sum."""
    added = signed(whole - constant)
    return f"{constant:.2f} {added[0]} {added[1:]} = {whole:.2f} nats".replace("-", "−")


def signed(value: float, decimals: int = 2) -> str:
    """A number with its sign, a real minus; 0 has a plus."""
    return f"{round(value, decimals) + 0.0:+.{decimals}f}".replace("-", "−")


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure so that `path` never holds half a picture; PNG files with 256 colours."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind, picture = path.suffix[1:] or "png", io.BytesIO()
    figure.savefig(picture, format=kind)
    if kind == "png":  # a third of the bytes
        few = Image.open(picture).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        picture = io.BytesIO()
        few.save(picture, "png", optimize=True)
    write_whole(path, picture.getvalue())

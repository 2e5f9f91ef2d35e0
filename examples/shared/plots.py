"""Pictures for the examples, drawn without pyplot: no window, no global state, no clean-up."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from synann import plot
from synann.extending import write_whole

# The colours of Okabe and Ito, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
(_FOR, _AGAINST), _CONSTANT, TEXT = COLOURS[:2], "#A0A0A0", "#333333"
_SHOWN = 12  # bars that can be read at a glance


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

    figure = Figure(figsize=(10, 4.6), dpi=120, layout="constrained")
    figure.suptitle(title, fontsize=13)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    solid = any("val_accuracy" in history for history in histories.values())
    losses = any("val_loss" in history for history in histories.values())
    colours = [COLOURS[k % len(COLOURS)] for k in range(len(histories))]
    for colour, history in zip(colours, histories.values(), strict=True):
        epochs = np.arange(1, len(history["loss"]) + 1)
        # A line through a single point is invisible.
        style = {"color": colour, "linewidth": 1.8, "marker": "o" if len(epochs) == 1 else None}
        loss_axes.plot(epochs, history["loss"], "--" if losses else "-", **style)
        if "val_loss" in history:
            loss_axes.plot(epochs, history["val_loss"], **style)
        accuracy_axes.plot(
            epochs, 100 * np.asarray(history["accuracy"]), "--", fillstyle="none", **style
        )
        if "val_accuracy" in history:
            accuracy_axes.plot(epochs, 100 * np.asarray(history["val_accuracy"]), **style)

    longest = max(len(history["loss"]) for history in histories.values())
    loss_axes.set(title="loss" if losses else "training loss", xlabel="epoch")
    accuracy_axes.set(title="accuracy in %", xlabel="epoch")
    for axes in (loss_axes, accuracy_axes):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if longest == 1:
            axes.set_xlim(0.5, 1.5)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)

    # One legend for both panels, outside them: inside, it would cover curves sooner or later.
    handles = [
        Line2D([], [], color=colour, linewidth=1.8, label=label)
        for colour, label in zip(colours, histories, strict=True)
    ]
    what = "" if losses else "accuracy "
    handles.append(Line2D([], [], color=TEXT, linestyle="--", label=f"{what}in training"))
    if solid:
        handles.append(Line2D([], [], color=TEXT, label=f"{what}in {tested}"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False
    )
    save(figure, path)


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
    figure = Figure(figsize=(size, size), dpi=120, layout="constrained")
    axes = figure.subplots()
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


def decision_parts(
    image: np.ndarray,
    constant: np.ndarray,
    parts: np.ndarray,
    logits: np.ndarray,
    path: str | Path,
    *,
    image_shape: tuple[int, int],
    classes: int,
    truth: int,
) -> None:
    """Draw why one image got its class, from the exact parts of its logits.

    The parts must add up: ``logits[k] = constant[k] + parts[k].sum()``.

    Parameters
    ----------
    image : ndarray, shape (h·w,)
        The image, in [0, 1].
    constant : ndarray, shape (classes,)
        What each logit has whatever the hidden inputs are.
    parts : ndarray, shape (classes, hidden)
        What each hidden input adds to each logit.
    logits : ndarray, shape (classes,)
        The logits that the model gave.
    path : path
        Image file; its ending names the format.
    image_shape : tuple of int
        (h, w).
    classes : int
        Number of classes, at least 2.
    truth : int
        The right class.
    """
    constant, parts, logits = _checked(constant, parts, logits, classes)
    predicted, runner_up = np.argsort(-logits, kind="stable")[:2].tolist()  # ties as argmax

    figure = Figure(figsize=(13, 4.8), dpi=120, layout="constrained")
    image_axes, logit_axes, margin_axes = figure.subplots(
        1, 3, gridspec_kw={"width_ratios": [0.75, 1.15, 1.2]}
    )
    figure.get_layout_engine().set(wspace=0.06)
    image_axes.imshow(np.asarray(image).reshape(image_shape), cmap="gray_r", vmin=0, vmax=1)
    image_axes.set(xticks=[], yticks=[], title=f"truth: {truth}, prediction: {predicted}")
    _draw_logits(logit_axes, constant, parts, logits, predicted)
    _draw_margin(margin_axes, constant, parts, logits, predicted, runner_up)
    for axes in (logit_axes, margin_axes):
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def _checked(
    constant: np.ndarray, parts: np.ndarray, logits: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the three arrays in float64 once they fit together and add up."""
    constant, parts, logits = (np.asarray(a, dtype=np.float64) for a in (constant, parts, logits))
    if classes < 2:
        raise ValueError(f"`classes` must be 2 or more. Received: {classes}")
    if parts.ndim != 2 or len(parts) != classes:
        raise ValueError(
            f"`parts` must have the shape ({classes}, hidden). Received: {parts.shape}"
        )
    for name, values in (("constant", constant), ("logits", logits)):
        if values.shape != (classes,):
            raise ValueError(f"`{name}` must have the shape ({classes},). Received: {values.shape}")
    gap = np.abs(constant + parts.sum(axis=1) - logits)
    # Wide enough for the rounding of a float32 model, too narrow to be seen in the picture.
    allowed = 1e-3 * (np.abs(constant) + np.abs(parts).sum(axis=1))
    if not np.all(gap <= allowed):  # written so that NaN is refused too
        raise ValueError(
            "`constant` and `parts` must add up to `logits`. "
            f"Received: differences up to {gap.max():.3g}"
        )
    return constant, parts, logits


def _draw_logits(axes, constant, parts, logits, predicted):
    """Draw each logit as a stack: what speaks for it above zero, what speaks against below."""
    x = np.arange(len(logits))
    positive = np.where(parts > 0, parts, 0).sum(axis=1)
    negative = np.where(parts < 0, parts, 0).sum(axis=1)
    axes.bar(x, constant, color=_CONSTANT, label="constant")
    axes.bar(x, positive, bottom=np.maximum(constant, 0), color=_FOR, label="positive parts")
    axes.bar(x, negative, bottom=np.minimum(constant, 0), color=_AGAINST, label="negative parts")
    axes.plot(
        x, logits, "D", color="white", markeredgecolor="black", markersize=6, label="sum = logit"
    )
    axes.axhline(0, color=TEXT, linewidth=0.8)
    axes.use_sticky_edges = False  # else a marker at zero sits on the frame, cut in half
    axes.margins(x=0.03, y=0.06)
    axes.set(title="logit of each class", xlabel="class", xticks=x)
    axes.get_xticklabels()[predicted].set_fontweight("bold")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False, fontsize="small"
    )


def _draw_margin(axes, constant, parts, logits, predicted, runner_up):
    """Draw what decides between the two best classes, largest hidden inputs first."""
    difference = parts[predicted] - parts[runner_up]
    order = np.argsort(-np.abs(difference), kind="stable")
    labels = [f"hidden {j}" for j in order[:_SHOWN]]
    values = difference[order[:_SHOWN]].tolist()
    rest = order[_SHOWN:]
    if len(rest):
        labels.append(f"all {len(rest)} others")
        values.append(difference[rest].sum())
    labels.append("constants")
    values.append(constant[predicted] - constant[runner_up])

    y = np.arange(len(values))
    colours = [_FOR if value > 0 else _AGAINST for value in values]
    bars = axes.barh(y, values, color=colours)
    largest = max(map(abs, values)) or 1.0
    decimals = int(np.clip(2 - np.floor(np.log10(largest)), 0, 9))  # three digits of the largest

    def signed(value):
        return f"{value:+.{decimals}f}".replace("-", "−")

    numbers = [signed(value) for value in values]
    axes.bar_label(bars, numbers, padding=3, fontsize="small", color=TEXT)
    axes.margins(x=0.035 * max(map(len, numbers)))  # room for them at the ends of the bars
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.axvline(0, color=TEXT, linewidth=0.8)
    axes.axhline(y[len(order[:_SHOWN])] - 0.5, color=TEXT, linewidth=0.6, linestyle=":")
    axes.set(yticks=y, yticklabels=labels, xlabel=f"←  for {runner_up}          for {predicted}  →")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    margin = logits[predicted] - logits[runner_up]
    claim = f"the bars add up to\nthe logit margin {signed(margin)}"
    axes.set_title(f"why {predicted} and not {runner_up}: {claim}")


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
    save(figure, path)


def _sum(constant: float, whole: float) -> str:
    sign = "+" if whole >= constant else "−"
    text = f"{constant:.2f} {sign} {abs(whole - constant):.2f} = {whole:.2f} nats"
    return text.replace("-", "−")


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure so that `path` never holds half a picture."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:] or "png")
    write_whole(path, picture.getvalue())

"""One signal, one set of values and one film through every spike code, and back.

    python examples/studies/encoders.py       what the decoders give back, and a picture in outputs/

Each code of the signal has the threshold that suits it, and HSA and BSA a Hamming window of 8 taps.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared import plots
from shared.options import make_parser
from synann.spiking import (
    bsa_encode,
    burst_decode,
    burst_encode,
    contrast_decode,
    convolution_decode,
    counts_to_events,
    delta_encode,
    deterministic_rate_encode,
    event_camera,
    event_camera_decode,
    hsa_encode,
    latency_decode,
    latency_encode,
    moving_window_encode,
    phase_decode,
    phase_encode,
    poisson_encode,
    population_decode,
    population_encode,
    rank_order_decode,
    rank_order_encode,
    rate_decode,
    rate_encode,
    step_forward_encode,
    temporal_contrast_encode,
    ttfs_decode,
    ttfs_encode,
)

STEPS, NEURONS = 50, 8
(UP, DOWN), SIGNAL = plots.COLOURS[:2], "#A0A0A0"


def signal() -> np.ndarray:
    """200 steps in [0, 1]: the sum of two waves."""
    t = np.linspace(0.0, 1.0, 200)
    wave = np.sin(2 * np.pi * 2 * t) + 0.5 * np.sin(2 * np.pi * 5 * t + 1.0)
    return (wave - wave.min()) / (wave.max() - wave.min())


def film(frames: int = 24, size: int = 48) -> np.ndarray:
    """A bright disc on a dim gradient, moving from left to right."""
    y, x = np.mgrid[:size, :size]
    background = 0.2 + 0.1 * y / size
    centres = np.linspace(0.2, 0.8, frames) * size
    distance = np.hypot(x - centres[:, None, None], y - size / 2)
    return background + 0.7 / (1.0 + np.exp(distance - size / 6))


def code_values(values: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Spikes (steps, neurons) and decoded values of each code of numbers in [0, 1]."""
    linear = {"linear": True, "normalise": True}
    log = {"normalise": True, "threshold": 0.05, "epsilon": 0.01}
    codes = {}
    codes["rate"] = rate_encode(values, STEPS, key=0), rate_decode
    codes["rate, signed"] = (
        rate_encode(2.0 * values - 1.0, STEPS, key=0, signed=True),
        lambda s: (1.0 + rate_decode(s)) / 2.0,
    )
    codes["Poisson, 2 a step"] = (
        poisson_encode(values, STEPS, key=0, max_rate=2.0),
        lambda s: rate_decode(s, max_rate=2.0),
    )
    codes["deterministic rate"] = deterministic_rate_encode(values, STEPS), rate_decode
    codes["phase"] = phase_encode(values, STEPS), phase_decode
    codes["burst"] = burst_encode(values, STEPS), burst_decode
    codes["latency, linear"] = (
        latency_encode(values, STEPS, **linear),
        lambda s: latency_decode(s, **linear),
    )
    codes["latency, logarithmic"] = (
        latency_encode(values, STEPS, **log),
        lambda s: latency_decode(s, **log),
    )
    codes["first spike, linear"] = (
        ttfs_encode(values, STEPS, linear=True),
        lambda s: ttfs_decode(s, linear=True),
    )
    codes["first spike, exponential"] = ttfs_encode(values, STEPS), ttfs_decode
    codes["rank order"] = rank_order_encode(values), rank_order_decode
    codes["population"] = population_encode(values, STEPS, NEURONS), population_decode
    return {name: (spikes, decode(spikes)) for name, (spikes, decode) in codes.items()}


def code_signal(x: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Spikes and decoded signal of each code of a signal in [0, 1]."""
    codes = {
        "delta": (delta_encode(x, 0.025, first="repeat"), 0.025),
        "temporal contrast": temporal_contrast_encode(x, 0.0, of="absolute"),
        "step forward": (step_forward_encode(x, 0.05), 0.05),
        "moving window": (moving_window_encode(x, 0.03, 2), 0.03),
    }
    results = {
        name: (spikes, contrast_decode(spikes, threshold, start=x[0]))
        for name, (spikes, threshold) in codes.items()
    }
    kernel = np.hamming(8) / np.hamming(8).sum()  # a spike at every step is a signal of 1
    for name, spikes in (
        ("HSA", hsa_encode(x, kernel, end="partial")),
        ("modified HSA", hsa_encode(x, kernel, threshold=0.2, end="partial")),
        ("BSA", bsa_encode(x, kernel, 0.7, end="partial")),
    ):
        results[name] = spikes, convolution_decode(spikes, kernel)
    return results


def main(arguments: list[str] | None = None) -> None:
    path = make_parser(__doc__).parse_args(arguments).output / "encoders.png"

    values, x, frames = np.linspace(0.0, 1.0, 21), signal(), film()
    of_values, of_signal = code_values(values), code_signal(x)
    counts = event_camera(frames, 0.2)
    decoded = event_camera_decode(counts, frames[0], 0.2)

    rows = [
        (name, int(np.abs(spikes).sum()), np.sqrt(np.mean((back - want) ** 2)))
        for codes, want in ((of_values, values), (of_signal, x))
        for name, (spikes, back) in codes.items()
    ]
    rows.append(
        ("event camera", int(np.abs(counts).sum()), np.sqrt(np.mean((decoded - frames) ** 2)))
    )
    print(tabulate(rows, ("code", "spikes", "rms error of the decoder"), floatfmt=".3f"))
    draw(values, of_values, x, of_signal, frames, counts, decoded, path)
    print(f"picture: {path}")


def draw(values, of_values, x, of_signal, frames, counts, decoded, path) -> None:
    """Rasters of the codes of values, the signal beside what is decoded, events of a film."""
    figure = Figure(figsize=(13, 12.5), dpi=100, layout="constrained")
    grid = figure.add_gridspec(3, 1, height_ratios=(2.0, 1.5, 1.2))
    above = grid[0].subgridspec(2, 6)
    for k, (name, (spikes, _)) in enumerate(of_values.items()):
        axes = figure.add_subplot(above[k // 6, k % 6])
        axes.set_title(name, fontsize=11)
        if spikes.ndim == 3:  # the population's, a colour for each neuron
            axes.set_title(f"{name} of {NEURONS}", fontsize=11)
        t, value, *neuron = np.nonzero(spikes)
        darker = spikes[np.nonzero(spikes)] < 0.0
        colours = {"color": np.where(darker, DOWN, UP)}
        if neuron:
            colours = {"c": neuron[0], "cmap": "turbo"}
        axes.scatter(t, values[value], marker="|", s=25, **colours)
        axes.set(xlim=(-1, len(spikes)), ylim=(-0.03, 1.03))
        if k >= 6:
            axes.set_xlabel("step")
        if k % 6 == 0:
            axes.set_ylabel("value")

    below = grid[1].subgridspec(2, 4, hspace=0.02)
    for k, (name, (spikes, back)) in enumerate(of_signal.items()):
        axes = figure.add_subplot(below[k // 4, k % 4])
        axes.plot(x, color=SIGNAL, linewidth=3, label="signal")
        axes.plot(back, color="black", linewidth=1, label="decoded")
        for sign, colour, height, label in ((1, UP, -0.15, "spike up"), (-1, DOWN, -0.3, "down")):
            at = np.flatnonzero(spikes == sign)
            axes.plot(at, np.full(len(at), height), "|", color=colour, markersize=6, label=label)
        axes.set_title(name, fontsize=11)
        axes.tick_params(labelbottom=k >= 3)
        axes.set(ylim=(-0.45, 1.2))
        if k >= 3:
            axes.set_xlabel("step")
    key = figure.add_subplot(below[1, 3])
    key.legend(*axes.get_legend_handles_labels(), loc="center", frameon=False, markerscale=2)
    key.set_axis_off()

    last = grid[2].subgridspec(1, 4)
    middle = len(frames) // 2
    pictures = (("frame 12", frames[middle]), ("decoded from events", decoded[middle]))
    for k, (name, picture) in enumerate(pictures):
        axes = figure.add_subplot(last[0, (0, 2)[k]])
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes.set_title(name, fontsize=11)
        axes.set(xticks=[], yticks=[])
    axes = figure.add_subplot(last[0, 1])
    axes.imshow(np.clip(counts[middle], -3, 3), cmap="RdBu", vmin=-3, vmax=3)
    axes.set_title("events since frame 11: blue up, red down", fontsize=11)
    axes.set(xticks=[], yticks=[])
    axes = figure.add_subplot(last[0, 3])
    row = frames.shape[1] // 2
    events = counts_to_events(counts[:, row : row + 1, :])
    for polarity, colour in ((1, UP), (-1, DOWN)):
        at = events.p == polarity
        axes.plot(events.x[at], events.t[at], "s", color=colour, markersize=3)
    axes.set(xlabel="x", ylabel="frame", xlim=(0, frames.shape[2]))
    axes.set_title("events of the middle row", fontsize=11)
    plots.save(figure, path)


if __name__ == "__main__":
    main()

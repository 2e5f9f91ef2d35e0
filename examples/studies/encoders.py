"""One signal, one set of values and one film through every spike code, and back.

    python examples/studies/encoders.py       what the decoders give back, and a picture in outputs/

Each code of the signal has the threshold that suits it, and HSA and BSA a Hamming window of 8 taps.

Makes a table of codes with what comes back, and encoders.png.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
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
(UP, DOWN), SIGNAL = plots.COLOURS[:2], plots.QUIET


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


@plots.styled
def draw(values, of_values, x, of_signal, frames, counts, decoded, path) -> None:
    """Rasters of the codes of values, the signal beside what is decoded, events of a film."""
    figure = Figure(figsize=(1.25 * plots.WIDTH, 12.5))
    top, centre, bottom = figure.subfigures(3, 1, height_ratios=(1.8, 1.3, 1.1))
    _draw_values(top, values, of_values)
    _draw_signal(centre, x, of_signal)
    _draw_film(bottom, frames, counts, decoded)
    plots.save(figure, path)


def _draw_values(figure, values: np.ndarray, of_values: dict) -> None:
    figure.suptitle("A value as spikes: each row is one value, each mark a spike (orange: −1)")
    grid = figure.subplots(2, len(of_values) // 2, sharey=True)
    for axes, (name, (spikes, _)) in zip(grid.ravel(), of_values.items(), strict=True):
        axes.set_title(name.replace(", ", ",\n"))
        if spikes.ndim == 3:  # the population's, a shade for each neuron
            axes.set_title(f"{name} of {NEURONS}\n(shade: which)")
        t, value, *neuron = np.nonzero(spikes)
        colours = {"color": np.where(spikes[np.nonzero(spikes)] < 0.0, DOWN, UP)}
        if neuron:
            colours = {"c": neuron[0], "cmap": "cividis"}
        axes.scatter(t, values[value], marker="|", s=22, **colours)
        axes.set(xlim=(-1, len(spikes)), ylim=(-0.03, 1.03))
    for axes in grid[-1]:
        axes.set_xlabel("step")
    for axes in grid[:, 0]:
        axes.set_ylabel("value")


def _draw_signal(figure, x: np.ndarray, of_signal: dict) -> None:
    figure.suptitle("A signal as spikes, and back")
    grid = figure.subplots(2, 4, sharex=True, sharey=True)
    for axes, (name, (spikes, back)) in zip(grid.ravel(), of_signal.items(), strict=False):
        axes.plot(x, color=SIGNAL, linewidth=3, label="signal")
        axes.plot(back, color="black", linewidth=1, label="decoded")
        for sign, colour, height, label in ((1, UP, -0.15, "spike up"), (-1, DOWN, -0.3, "down")):
            at = np.flatnonzero(spikes == sign)
            axes.plot(at, np.full(len(at), height), "|", color=colour, markersize=6, label=label)
        axes.set(title=name, ylim=(-0.45, 1.1), yticks=[0, 0.5, 1])
    for axes in grid[-1]:
        axes.set_xlabel("step")
    for axes in grid[:, 0]:
        axes.set_ylabel("signal")
    key = grid[-1, -1]
    key.legend(*grid[0, 0].get_legend_handles_labels(), loc="center", markerscale=2)
    key.set_axis_off()


def _draw_film(figure, frames: np.ndarray, counts: np.ndarray, decoded: np.ndarray) -> None:
    figure.suptitle("A film as events: blue where it got brighter, orange where darker")
    first, second, third, fourth = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.2))
    middle = len(frames) // 2
    for axes, name, picture in (
        (first, f"frame {middle}", frames[middle]),
        (third, "decoded from events", decoded[middle]),
    ):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes.set_title(name)
    colours = LinearSegmentedColormap.from_list("events", (DOWN, "white", UP))
    second.imshow(np.clip(counts[middle], -3, 3), cmap=colours, vmin=-3, vmax=3)
    second.set_title(f"events since frame {middle - 1}")
    for axes in (first, second, third):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
    row = frames.shape[1] // 2
    events = counts_to_events(counts[:, row : row + 1, :])
    for polarity, colour in ((1, UP), (-1, DOWN)):
        at = events.p == polarity
        fourth.plot(events.x[at], events.t[at], "s", color=colour, markersize=2.5)
    fourth.set(xlabel="x, pixels", ylabel="frame", xlim=(0, frames.shape[2]))
    fourth.set_title("events of the middle row")


if __name__ == "__main__":
    main()

"""Train the article's spiking network on MNIST by backpropagation through time, without autograd.

    python examples/mnist/spiking_mnist.py --data-dir DIR [--download]
    python examples/mnist/spiking_mnist.py --layer synapse   a synapse tensor as the hidden layer
    python examples/mnist/spiking_mnist.py --backend torch   the same code on other arrays
    python examples/mnist/spiking_mnist.py --epochs 5 --loss count
    python examples/mnist/spiking_mnist.py --save net.safetensors   for spiking_export.py

784 inputs, 1000 hidden and 10 output neurons, decay 0.95, every image shown for 25 steps, batches
of 128, Adam with 5e-4. The test uses all test images, the last smaller batch included, with two
readouts: the class whose neuron fires most often, and the one with the largest summed membrane.

Makes the test accuracy by each readout, and spiking-DATA-LAYER.png: one image's spikes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from mnist import files
from shared import plots
from shared.backends import add_backend, backend_array
from shared.datasets import Dataset
from shared.options import make_folder, make_parser, number
from synann.optim import Adam
from synann.spiking import LIF, Layer, SpikingNetwork, arctan

DECAY, STEPS, HIDDEN = 0.95, 25, 1000
SHOWN = 100  # hidden neurons in the raster
MEAN_PIXEL = 0.13  # of the training images
READOUTS = {"spike count": "count", "summed membrane": "membrane"}


def build(data: Dataset, options: argparse.Namespace) -> SpikingNetwork:
    """The article's network, or one with a synapse tensor in front of the hidden neurons."""
    neuron = LIF(DECAY, reset=options.reset, surrogate=arctan())
    first = Layer(options.hidden, neuron, kind=options.layer, mean_input=MEAN_PIXEL)
    layers = [first, Layer(data.classes, neuron)]
    features, seed = data.train_x.shape[1], options.seed
    return SpikingNetwork(features, layers, steps=STEPS, loss=options.loss, seed=seed)


def train(network: SpikingNetwork, data: Dataset, options: argparse.Namespace, to_backend) -> float:
    """Train with a progress bar; returns the seconds it took."""
    images, labels = data.train_x[: options.limit], data.train_y[: options.limit]
    batches = -(-len(labels) // options.batch_size)
    start = time.perf_counter()
    # disable=None: no bar where nobody watches, in a log file.
    with tqdm(total=options.epochs * batches, unit="batch", ncols=100, disable=None) as bar:
        epoch = 0

        def show(size: int, loss: float) -> None:
            bar.update()
            bar.set_postfix_str(f"loss {loss / STEPS:.3f} a step", refresh=False)

        def report(entry: dict) -> None:
            nonlocal epoch
            epoch += 1
            bar.write(
                f"epoch {epoch}: loss {entry['loss']:.3f}, accuracy {100 * entry['accuracy']:.2f} "
                f"% in training, {time.perf_counter() - start:.0f} s"
            )

        network.fit(
            to_backend(images),
            labels,
            epochs=options.epochs,
            batch_size=options.batch_size,
            optimizer=Adam(options.learning_rate),
            callback=report,
            progress=show,
            rng=options.seed,
        )
    return time.perf_counter() - start


@plots.styled
def draw(network: SpikingNetwork, image: np.ndarray, truth: int, path: Path) -> None:
    """Raster of the hidden spikes, membranes and spikes of the output, for one image."""
    hidden, last = network.run(image[None].astype(np.float64))
    figure = Figure(figsize=(plots.WIDTH, 5.6))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 3), height_ratios=(3, 2))
    shown = figure.add_subplot(grid[:, 0])
    side = int(image.size**0.5)
    plots.draw_image(shown, image.reshape(side, side))
    shown.set_title(f"a {truth}, shown for {STEPS} steps")
    raster = figure.add_subplot(grid[0, 1])
    step, neuron = np.nonzero(hidden[0][:, 0, :SHOWN])
    raster.plot(step + 1, neuron, "o", color=plots.TEXT, markersize=2)
    rate = 100 * hidden[0].mean()
    raster.set(
        ylabel="hidden neuron",
        title=f"spikes of {SHOWN} hidden neurons ({rate:.0f} % of all fire in a step)",
        xlim=(0.5, STEPS + 0.5),
        ylim=(-1, SHOWN),
    )
    membranes = figure.add_subplot(grid[1, 1], sharex=raster)
    steps = np.arange(1, STEPS + 1)
    for k in range(last[1].shape[-1]):
        style = {"color": plots.COLOURS[1], "zorder": 3} if k == truth else {"color": plots.QUIET}
        name = f"the neuron of {truth}" if k == truth else "the others" if not k else None
        membranes.plot(steps, last[1][:, 0, k], label=name, **style)
        fired = last[0][:, 0, k] > 0
        membranes.plot(steps[fired], last[1][fired, 0, k], "o", markersize=4, **style)
    membranes.axhline(1.0, color=plots.TEXT, linewidth=0.8, linestyle="--", label="threshold")
    membranes.set(
        xlabel="step", ylabel="potential, thresholds", title="output neurons; dots: spikes"
    )
    membranes.legend(loc="lower left")
    plots.save(figure, path)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_backend(parser)
    files.add_options(parser)
    parser.add_argument("--layer", choices=("linear", "synapse"), default="linear")
    parser.add_argument(
        "--loss", choices=("membrane", "membrane_sum", "count", "first_spike"), default="membrane"
    )
    parser.add_argument("--reset", choices=("subtract", "zero"), default="subtract")
    parser.add_argument("--seed", type=number(int, 0), default=0)
    parser.add_argument("--epochs", type=number(int, 1), default=1)
    parser.add_argument("--hidden", type=number(int, 1), default=HIDDEN)
    parser.add_argument("--batch-size", type=number(int, 1), default=128)
    parser.add_argument("--learning-rate", type=number(float, 0), default=5e-4)
    parser.add_argument("--save", type=Path, help="write the trained network to this file")
    parser.add_argument("--limit", type=number(int, 1), help="use only so many training images")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train and test; returns the test accuracy of each readout."""
    options = parse(arguments)
    make_folder(options.output)  # before the training, not after it
    to_backend = backend_array(options.backend)
    try:
        data = files.load(options)
    except files.DataError as error:
        raise SystemExit(str(error)) from None
    network = build(data, options)
    print(
        f"{data.name}: {len(data.train_y)} training and {len(data.test_y)} test images, "
        f"{options.backend} arrays, {options.layer} hidden layer, "
        f"{network.parameter_count} parameters"
    )
    seconds = train(network, data, options, to_backend)
    if options.save:
        network.save(options.save)
    test = to_backend(data.test_x)
    scores = {k: network.score(test, data.test_y, readout=v) for k, v in READOUTS.items()}
    rows = [(name, 100 * score) for name, score in scores.items()]
    print(tabulate(rows, ("readout", "test accuracy %"), floatfmt=".2f"))
    picture = options.output / f"spiking-{data.name}-{options.layer}.png"
    draw(network, data.test_x[0], int(data.test_y[0]), picture)
    print(f"{len(data.test_y)} test images; training took {seconds:.0f} s; picture: {picture}")
    return scores


if __name__ == "__main__":
    main()

"""Train SynaMLP as all examples do: settings, options and progress."""

from __future__ import annotations

import argparse
import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tqdm import tqdm

from shared.backends import add_backend
from shared.datasets import Dataset
from shared.options import number

LAYERS = ("synapse", "dense", "none")


@dataclass(frozen=True)
class Settings:
    """How to train; for the digits chosen with `digits_seeds.py --validate`."""

    hidden: int = 128
    epochs: int = 150
    batch_size: int = 64
    learning_rate: float = 0.02
    shift: int = 1  # pixels
    noise: float = 0.05  # standard deviation, in units of the brightest pixel


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every training, those that replace settings among them."""
    add_backend(parser)
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=list(LAYERS), action=_Unique)
    for name, least in (("hidden", 1), ("epochs", 1), ("batch-size", 2)):
        parser.add_argument(f"--{name}", type=number(int, least))
    for name in ("learning-rate", "noise"):
        parser.add_argument(f"--{name}", type=number(float, 0))


class _Unique(argparse.Action):
    """Keep the first of equal values."""

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, list(dict.fromkeys(values)))


def announce(data: Dataset, settings: Settings, backend: str) -> None:
    """Print what is trained on, and how."""
    print(
        f"{data.name}: {len(data.train_y)} training and {len(data.test_y)} test images, "
        f"{backend} arrays\n{settings}"
    )


@contextlib.contextmanager
def epoch_bar(epochs: int, label: str) -> Iterator[Callable[[dict], None]]:
    """Progress bar; gives the callback that moves it on, and prints ten lines in all."""
    report_every = max(1, epochs // 10)
    with tqdm(total=epochs, desc=label, unit="epoch", ncols=100, disable=None) as bar:
        done = itertools.count(1)  # a bar that is not shown, in a file, does not count

        def show(entry: dict) -> None:
            epoch = next(done)
            bar.update()
            text = f"loss {entry['loss']:.4f}, training accuracy {100 * entry['accuracy']:.2f} %"
            bar.set_postfix_str(text)
            if epoch % report_every == 0:
                bar.write(f"  {label}: epoch {epoch:3d}: {text}")

        yield show

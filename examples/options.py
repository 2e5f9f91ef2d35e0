"""Command-line options: what the examples share of them."""

from __future__ import annotations

import argparse
from pathlib import Path


def number(kind: type, least: float):
    """Argument type: a finite number of at least `least`, or one line that says so."""

    def convert(text: str):
        value = kind(text)
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a number of {least} or more")
        return value

    convert.__name__ = kind.__name__  # argparse shows it when `kind` refuses the text
    return convert


def make_folder(path: Path) -> None:
    """Make the folder that --output names, or end with one line that says why not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"--output: {error}") from None

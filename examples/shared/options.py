"""Command-line options: what the examples share of them."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

_Settings = TypeVar("_Settings")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose options tell their defaults."""

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        default = options.get("default")
        if not (default is None or default is False or default == argparse.SUPPRESS):
            shown = " ".join(map(str, default)) if isinstance(default, list) else default
            own = options.get("help")
            options["help"] = f"{own}; {shown} by default" if own else f"{shown} by default"
        return super().add_argument(*names, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help says what there is)\n")


def make_parser(description: str | None, *, output: bool = True) -> argparse.ArgumentParser:
    """Parser that shows a script's docstring as it is written, with --output unless told not to."""
    parser = _Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if output:
        parser.add_argument(
            "--output", type=Path, default=Path("outputs"), help="folder of what is written"
        )
    return parser


def number(kind: type, least: float):
    """Argument type: a finite number of at least `least`, or one line that says so."""

    def convert(text: str):
        value = kind(text)
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be {least} or more. Received: {text}")
        return value

    convert.__name__ = kind.__name__  # argparse shows it when `kind` refuses the text
    return convert


def make_folder(path: Path) -> None:
    """Make the folder that --output names, or end with one line that says why not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"--output: {error}") from None


def override(settings: _Settings, options: argparse.Namespace) -> _Settings:
    """The settings (a dataclass) with the options that were given in place of their own."""
    names = {field.name for field in fields(settings)}
    given = {k: v for k, v in vars(options).items() if k in names and v is not None}
    return replace(settings, **given)

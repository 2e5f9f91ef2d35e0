"""What the examples share of their options."""

import argparse
from dataclasses import dataclass

import pytest

from shared.options import make_folder, make_parser, number, override


@dataclass(frozen=True)
class Settings:
    epochs: int = 3
    noise: float = 0.5


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (int, "0", "argument --size: must be 1 or more. Received: 0"),
        (int, "1.5", "argument --size: invalid int value: '1.5'"),
        (float, "nan", "argument --size: must be 1 or more. Received: nan"),
        (float, "inf", "argument --size: must be 1 or more. Received: inf"),
    ],
)
def test_numbers_out_of_range_are_named(kind, text, message, capsys):
    parser = make_parser("Title.\n\n    python it.py")
    parser.add_argument("--size", type=number(kind, 1))
    with pytest.raises(SystemExit):
        parser.parse_args(["--size", text])
    assert message in capsys.readouterr().err
    assert "Title.\n\n    python it.py" in parser.format_help()


def test_only_what_is_given_overrides():
    options = argparse.Namespace(epochs=7, noise=None, seed=1)
    assert override(Settings(), options) == Settings(epochs=7)


def test_a_folder_that_cannot_be_made_gives_one_line(tmp_path):
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match=r"--output: .*file") as caught:
        make_folder(tmp_path / "file" / "c")
    assert "\n" not in str(caught.value)

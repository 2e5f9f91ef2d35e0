"""What the examples share of their options."""

import argparse
import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.options import make_folder, make_parser, number, override

EXAMPLES = Path(__file__).parents[3] / "examples"


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


@pytest.mark.parametrize("arguments", [["--sise", "3"], ["--size", "many"], ["more"]])
def test_what_is_not_an_option_gives_one_line(arguments, capsys):
    parser = make_parser("Title.")
    parser.add_argument("--size", type=number(int, 1))
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert arguments[0] in err
    assert err.endswith("(--help says what there is)\n")


def test_help_tells_defaults(capsys):
    parser = make_parser("Title.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 10])
    parser.add_argument("--seed", type=int, default=0, help="of the data")
    parser.add_argument("--quick", action="store_true", help="a small network")
    text = " ".join(parser.format_help().split())
    assert "--sizes SIZES [SIZES ...] 3 10 by default" in text
    assert "--seed SEED of the data; 0 by default" in text
    assert "--quick a small network" in text
    assert "folder of what is written; outputs by default" in text


SCRIPTS = sorted(
    path
    for path in EXAMPLES.rglob("*.py")
    if "make_parser" in (text := path.read_text(encoding="utf-8")) and "__main__" in text
)


def test_scripts_are_found():
    assert len(SCRIPTS) > 20


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_help_says_how_to_run_it_and_what_it_makes(path):
    """The parser shows the docstring."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert f"\n    python {path.relative_to(EXAMPLES.parent)}" in said
    assert "\nMakes " in said

"""Loaders and exporters on random inputs, for a moment, and a harness that sees every fault."""

import functools
import itertools
import time
import types
import warnings

import numpy as np
import pytest

from tests.fuzz import __main__ as command
from tests.fuzz import harness
from tests.fuzz.harness import MOST_BYTES, MOST_SECONDS, MOST_WAIT, generator, run
from tests.fuzz.targets import TARGETS

# Of each; `python -m tests.fuzz --seconds 600` tries some ten thousand.
INPUTS = {"json": 60, "onnx-models": 20}


def clock(monkeypatch, seconds, of_processor=None):
    """Let every call take so many seconds: what a machine has to do beside is not of interest."""
    times = types.SimpleNamespace(monotonic=time.monotonic)
    steps = seconds if of_processor is None else of_processor
    for name, step in (("perf_counter", seconds), ("process_time", steps)):
        setattr(times, name, functools.partial(next, itertools.count(0.0, step)))
    monkeypatch.setattr(harness, "time", times)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_a_fault(name, tmp_path, monkeypatch):
    clock(monkeypatch, 0.0)
    found = run(TARGETS[name], tmp_path, name=name, seed=0, inputs=INPUTS.get(name, 40))
    assert not found.faults
    assert found.accepted > 0
    assert found.refused > 0 or "models" in name


def warn():
    warnings.warn("a warning is a fault as well", RuntimeWarning, stacklevel=1)


def refuse():
    raise ValueError("in the loader's own words")


class Given:
    """A target with one input."""

    def __init__(self, call):
        self.call = call

    def prepare(self, rng, folder):
        return self.call, 1000

    def is_own(self, error):
        return "own words" in str(error)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: {}["key"], "KeyError"),
        (warn, "RuntimeWarning"),
        (lambda: np.ones(MOST_BYTES + 20_000, np.uint8), "a peak of 16"),
        (lambda: np.ones(MOST_BYTES, np.uint8), None),
        (refuse, None),
    ],
)
def test_faults_are_seen(call, message, tmp_path, monkeypatch):
    clock(monkeypatch, 0.0)
    found = run(Given(call), tmp_path, name="given", seed=0, first=5, inputs=1)
    assert [number for number, _ in found.faults] == ([] if message is None else [5])
    assert message is None or message in found.faults[0][1]


def test_what_takes_long_is_a_fault(tmp_path, monkeypatch):
    long, short = 1.1 * MOST_SECONDS, 0.9 * MOST_SECONDS
    # Of the processor more where it has several threads, and less where others have it.
    for seconds, of_processor, faults in (
        *((long, long, 1), (long, 2 * long, 1)),
        *((short, short, 0), (short, long, 0), (long, short, 0)),
        (1.1 * MOST_WAIT, 0.0, 1),
    ):
        clock(monkeypatch, seconds, of_processor)
        found = run(Given(lambda: None), tmp_path, name="given", seed=0, inputs=1)
        assert [text[-16:] for _, text in found.faults] == ["s for 1000 bytes"] * faults


def test_inputs_are_made_from_the_seed_and_their_number(tmp_path):
    def content(number, seed=0):
        TARGETS["json"].prepare(generator("json", seed, number), tmp_path)
        return (tmp_path / "input").read_bytes()

    files = [content(number) for number in range(20)]
    assert [content(number) for number in range(20)] == files
    assert len(set(files)) > 15
    assert content(3, seed=1) != files[3]


def test_the_command(monkeypatch, capsys):
    monkeypatch.setattr(command, "TARGETS", {"given": Given(lambda: None), "other": Given(warn)})
    assert command.main(["--target", "given", "--inputs", "3"]) == 0
    assert command.main(["--inputs", "1", "--first", "7", "--seed", "2"]) == 1
    printed = capsys.readouterr().out
    assert "given: 3 inputs, 3 taken, 0 refused" in printed
    assert "--target other --seed 2 --first 7 --inputs 1" in printed

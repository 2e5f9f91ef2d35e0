"""Two small checkouts, of which one is slower: what is said of it, and with which exit status."""

import math
import re

import pytest

from asv_benchmarks.reports import compare
from asv_benchmarks.reports.compare import Pair

SUITE = """
import os
import time
import synann_core

print("a library prints")

class Sleep:
    params = (("same", "other", "unknown", "dies"),)

    def setup(self, name):
        if name == "unknown":
            raise NotImplementedError("not here")

    def time_it(self, name):
        if name == "dies" and synann_core.DIES:
            os._exit(3)
        time.sleep(synann_core.SECONDS if name == "other" else 0.002)
"""


@pytest.fixture
def checkout(tmp_path):
    def make(name, core="", suite=SUITE):
        core = f"SECONDS, DIES = 0.002, False\n{core}"
        for file, text in {
            "synann_core/__init__.py": core,
            "asv_benchmarks/benchmarks/__init__.py": "",
            "asv_benchmarks/benchmarks/sleep.py": suite,
        }.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path / name)

    return make


def run(capsys, *arguments):
    status = compare.main([*arguments, "--repeat", "2"])
    return status, capsys.readouterr().out


def test_a_checkout_beside_itself(checkout, capsys, tmp_path):
    old, new = checkout("old"), checkout("new", suite=SUITE.replace('"same"', '"same", "added"'))
    status, out = run(capsys, old, new, "--limit", "5", "--output", str(tmp_path / "out.md"))
    assert status == 0
    assert out == (tmp_path / "out.md").read_text(encoding="utf-8")
    assert "takes the branch unknown in OLD, unknown in NEW" in out
    assert "- sleep.Sleep.time_it('unknown'): skipped: not here, skipped: not here" in out
    assert f"- sleep.Sleep.time_it('added'): only in {new}" in out
    assert out.endswith("0 of 4 slower, 0 broken\n")


def test_a_slower_one_is_measured_twice_and_comes_first(checkout, capsys):
    old, new = checkout("old"), checkout("new", core="SECONDS = 0.04")
    status, out = run(capsys, old, new, "--limit", "5", "--only", "same|other")
    assert status == 1
    rows = [line.split("|") for line in out.splitlines() if line.startswith("| sleep")]
    assert "'other'" in rows[0][1]
    assert all(float(ratio) > 5 for ratio in rows[0][4:6])
    assert not rows[1][5].strip()
    assert "- sleep.Sleep.time_it('other'): above 5.0" in out
    assert run(capsys, new, old, "--limit", "5", "--only", "same|other")[0] == 0


def test_the_report_says_where_there_are_no_kernels(checkout, capsys):
    variant = "def log_transmission_variant(y, beta):\n    return '{} ' + str(y.dtype)"
    old = checkout("old", core=variant.format("array-api"))
    new = checkout("new", core=variant.format("native"))
    out = run(capsys, old, new, "--limit", "5", "--only", "same")[1]
    assert "takes the branch array-api float32 in OLD, native float32 in NEW" in out


def test_a_process_that_dies_is_a_failure_and_not_the_end(checkout, capsys):
    suite = SUITE.replace('"dies")', '"dies", "last")')
    old, new = checkout("old", suite=suite), checkout("new", suite=suite, core="DIES = True")
    status, out = run(capsys, old, new, "--limit", "5", "--only", "dies|last")
    assert status == 1
    assert re.search(r"\('dies'\): 0\.\d+, failed: the process ended", out)
    assert "| sleep.Sleep.time_it('last')" in out
    assert out.endswith("0 of 2 slower, 1 broken\n")
    assert run(capsys, new, old, "--limit", "5", "--only", "dies")[0] == 0


def test_a_folder_without_the_package_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no benchmarks"):
        compare.main([str(tmp_path), str(tmp_path)])


class Fake:
    """A checkout that answers from a list, and writes down when."""

    def __init__(self, name, answers, asked):
        self.name, self.answers, self.asked = name, iter(answers), asked

    def seconds(self, name):
        self.asked.append(self.name)
        return next(self.answers)


def test_turns_alternate_and_the_first_does_not_count():
    asked = []
    old, new = Fake("old", [9.0, 1.0, 2.0, 3.0], asked), Fake("new", [9.0, 4.0, 8.0, 5.0], asked)
    assert compare.measure(old, new, "x", 3) == Pair(2.0, 5.0)
    assert asked == ["old", "new", "new", "old"] * 2


def test_no_time_in_one_is_the_end_of_the_turns():
    asked = []
    old, new = Fake("old", [1.0] * 3, asked), Fake("new", [1.0, "failed: x"], asked)
    pair = compare.measure(old, new, "x", 9)
    assert pair == Pair(1.0, "failed: x")
    assert math.isnan(pair.ratio)
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        ("transmission.Forward.time_forward('numpy', 'uniform', 1, '64x64')", True),
        ("graph.Graph.time_call(10000, 'float64', 'forward')", True),
        ("graph.Graph.time_call(10000, 'float64', 'csr')", False),
        ("controls.Rival.time_rival('nn.Linear', 1, '64x64')", False),
        ("adapters.KerasLayer.time_call('Dense', 512, '64x64')", False),
        ("adapters.KerasLayer.time_call('synapse', 512, '64x64')", True),
    ],
)
def test_rivals_are_left_out(name, compared):
    assert bool(re.search(compare.LIBRARY, name)) is compared

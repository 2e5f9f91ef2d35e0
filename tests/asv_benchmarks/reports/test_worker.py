"""The process that times a checkout: which benchmarks it finds, and what it answers."""

import json
import sys
import types

import pytest

from asv_benchmarks.reports import worker


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Return a package with the text of one module."""

    def make(text):
        (tmp_path / "suite").mkdir()
        (tmp_path / "suite" / "__init__.py").touch()
        (tmp_path / "suite" / "things.py").write_text(text)
        package = types.ModuleType("suite")
        package.__path__ = [str(tmp_path / "suite")]
        monkeypatch.setitem(sys.modules, "suite", package)
        monkeypatch.setattr(sys, "path", list(sys.path))
        found = worker.discover(package)
        monkeypatch.delitem(sys.modules, "suite.things")
        return found

    return make


THINGS = """
from fractions import Fraction

class Base:
    def setup(self, *params):
        self.params_seen = params

class Thing(Base):
    params = (("a", "b"), (1, 2))
    skip_params = (("b", 2),)

    def time_it(self, *params):
        assert params == self.params_seen
        if params == ("a", 2):
            raise NotImplementedError("no twos")
        if params == ("b", 1):
            raise ArithmeticError("wrong")

    def peakmem_it(self, *params):
        raise AssertionError

class Plain(Base):
    def time_one(self):
        pass

class Single(Base):
    params = ((10,),)
    def time_one(self, number):
        pass
"""


def test_names_are_those_of_asv(suite):
    assert list(suite(THINGS)) == [
        "things.Thing.time_it('a', 1)",
        "things.Thing.time_it('a', 2)",
        "things.Thing.time_it('b', 1)",
        "things.Plain.time_one",
        "things.Single.time_one(10)",
    ]


def test_every_real_benchmark_has_a_name_of_its_own():
    import asv_benchmarks.benchmarks as package

    names = list(worker.discover(package))
    assert len(names) == len(set(names)) > 30
    assert any(name.startswith("transmission.Vjp.time_vjp('numpy', ") for name in names)
    assert not any("peakmem" in name or "track" in name for name in names)


def test_answers_are_seconds_or_reasons(suite, capsys, monkeypatch):
    monkeypatch.setattr(worker.gc, "collect", lambda: 0)  # slow among the tests of all libraries
    benchmarks = suite(THINGS)
    names = list(benchmarks)
    asked = [names[0], names[0], names[1], names[2], names[3], "things.None.time_it"]
    first, again, skipped, failed, plain, unknown = worker.answer(
        map(json.dumps, asked), benchmarks
    )
    assert all(0 < seconds < 1 for seconds in (first, again, plain))
    assert skipped == "skipped: no twos"
    assert failed == "failed: ArithmeticError('wrong')"
    assert unknown.startswith("failed: KeyError")
    assert "wrong" in capsys.readouterr().err


def test_a_turn_lasts_a_burst_and_a_slow_call_is_made_once():
    made = []
    turns = worker.Turns(lambda: made.append(1))
    for seconds, calls in ((worker.BURST / 4, 1 + 4), (2 * worker.BURST, 1 + 1), (1.0, 1)):
        turns.first = seconds
        made.clear()
        turns.seconds()
        assert len(made) == calls


def test_another_clock_may_time_the_calls(monkeypatch):
    ticks = iter(range(0, 100, 3))
    monkeypatch.setattr(worker, "CLOCK", lambda: next(ticks))
    turns = worker.Turns(lambda: None)
    assert turns.first == turns.seconds() == 3

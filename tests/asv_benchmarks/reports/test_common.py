"""Options, files, fresh processes and versions, as all reports share them."""

import re

import pytest

from asv_benchmarks.benchmarks.common import Size
from asv_benchmarks.reports import common


def parser():
    made = common.make_parser("One line.\n\nAnd more.", "--only", "--limit", "--picture")
    common.add_sizes(made, "--sizes", "1x2x3,4x5x6")
    return made


def test_defaults():
    options = common.parse(parser(), [])
    assert parser().description == "One line."
    assert (options.limit, options.picture, options.quick) == (4.0, None, False)
    assert options.sizes == [Size(1, 2, 3), Size(4, 5, 6)]
    assert common.select(["a", "b"], options.only) == ["a", "b"]


def test_quick_replaces_what_was_given():
    assert common.parse(parser(), ["--limit", "2"], limit=1.0).limit == 2.0
    assert common.parse(parser(), ["--limit", "2", "--quick"], limit=1.0).limit == 1.0


@pytest.mark.parametrize("text", ["", "3x", "1x2", "1x2x0", "1x2x3x4", "1x2x3,", "-1x2x3"])
def test_what_is_not_a_size(text, capsys):
    with pytest.raises(SystemExit):
        common.parse(parser(), ["--sizes", text])
    assert "--sizes" in capsys.readouterr().err


def test_alone_prints_what_is_measured_and_exits(capsys):
    def measure(name, count):
        return {"name": name, "count": int(count)}

    with pytest.raises(SystemExit) as caught:
        common.parse(parser(), ["--alone", "x", "3"], measure)
    assert not caught.value.code
    assert capsys.readouterr().out == '{"name": "x", "count": 3}\n'


def test_select_keeps_the_order_and_what_is_always_wanted():
    names = ["first", "second", "third"]
    assert common.select(names, re.compile("thi|sec"), "first") == names
    assert common.select(names, re.compile("^s")) == ["second"]
    with pytest.raises(SystemExit, match=re.escape("Received: 'none'")):
        common.select(names, re.compile("none"))


def test_publish_prints_and_writes(tmp_path, capsys):
    common.publish(tmp_path / "new" / "report.md", "one", "β")
    assert capsys.readouterr().out == "one\n\nβ\n"
    assert (tmp_path / "new" / "report.md").read_text(encoding="utf-8") == "one\n\nβ\n"


SCRIPT = """
import json, os, sys
print("a library prints")
if sys.argv[2] == "fail":
    sys.exit("it failed")
print(json.dumps([*sys.argv[1:], os.environ.get("MARK"), os.getpid()]))
"""


def test_apart_runs_a_fresh_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ask = common.apart(str(script), list, quick=False, environment={"MARK": "here"})
    first, second = ask("x", 2.5), ask("x", 2.5)
    assert first[:-1] == ["--alone", "x", "2.5", "here"]
    assert first[-1] != second[-1]
    with pytest.raises(RuntimeError, match=r"^it failed$"):
        ask("fail")


def test_apart_stays_in_this_process_to_be_quick():
    def measure(*words):
        return words

    assert common.apart("none.py", measure, quick=True)("x", Size(1, 2, 3)) == ("x", "1x2x3")


def test_times_hold_within_15_per_cent():
    assert [common.holds(t, 1.0) for t in (0.86, 1.0, 1.14)] == ["holds"] * 3
    assert [common.holds(t, 1.0) for t in (0.84, 1.16)] == ["does not hold"] * 2


def test_machine_names_versions():
    text = common.machine("no-such-package")
    assert re.search(r"\d cores?, .*; Python 3\.\d+\.\d+, synann \S+, numpy \S+, no no-such", text)

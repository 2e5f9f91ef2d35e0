"""The dashboard: names for people, a history in the repository, and pages that need no network."""

import ast
import base64
import hashlib
import json
import re
import sys
from pathlib import Path

import asv
import pytest

from asv_benchmarks import dashboard

ROOT = Path(__file__).resolve().parents[2]
ASV = Path(asv.__file__).parent / "www"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
COLUMNS = ["result", "params", "version"]


def benchmarks():
    """Each benchmark, and the text that is assigned to its `pretty_name`."""
    for path in sorted((ROOT / "asv_benchmarks" / "benchmarks").glob("*.py")):
        for owner in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(owner, ast.ClassDef):
                names = {
                    ast.unparse(node.targets[0]): ast.unparse(node.value)
                    for node in owner.body
                    if isinstance(node, ast.Assign)
                }
                for method in owner.body:
                    if re.match(r"(time|timeraw|peakmem|track)_", getattr(method, "name", "")):
                        pretty = names.get(f"{method.name}.pretty_name")
                        yield f"{path.stem}.{owner.name}.{method.name}", pretty


@pytest.fixture
def results(tmp_path):
    """Two commits on a machine, one of them without the yardstick."""
    folder = tmp_path / "results" / "epyc"
    folder.mkdir(parents=True)
    (folder / "machine.json").write_text('{"machine": "epyc", "version": 1}')
    for commit, date, seconds in (("b" * 40, 2e12, (0.3, 0.1)), ("a" * 40, 1e12, (0.4, None))):
        measured = dict(zip((dashboard.OURS, dashboard.YARDSTICK), seconds, strict=True))
        given = {
            "commit_hash": commit,
            "date": date,
            "env_name": "existing-py_home_me_venv_bin_python",
            "python": "/home/me/venv/bin/python3.11",
            "params": {"python": "/home/me/venv/bin/python3.11", "machine": "epyc"},
            "durations": {"<build>": 1.0},
            "result_columns": COLUMNS,
            "results": {name: [[value], [], "1"] for name, value in measured.items()}
            | {"other.A.time_b": [[1.0], [], "1"]},
        }
        path = folder / f"{commit[:8]}-existing-py_home_me_venv_bin_python.json"
        path.write_text(json.dumps(given))
    (tmp_path / "results" / "benchmarks.json").write_text(
        json.dumps(
            {
                dashboard.OURS: {"pretty_name": "Our <step>"},
                dashboard.YARDSTICK: {"pretty_name": "Theirs"},
                "version": 2,
            }
        )
    )
    return tmp_path / "results"


def test_every_benchmark_has_a_name_for_people():
    names = dict(benchmarks())
    assert len(names) > 30
    assert [name for name, pretty in names.items() if not pretty] == []
    assert len(set(names.values())) == len(names)
    assert {dashboard.OURS, dashboard.YARDSTICK} <= set(names)


def test_the_files_are_those_that_asv_asks_for():
    page = (ASV / "index.html").read_text()
    asked = re.findall(r'(https://\S+?)" integrity="(sha\d+)-([^"]+)"', page)
    assert len(asked) == 10
    same = set()
    for url, algorithm, digest in asked:
        name = url.rpartition("/")[2]
        path = dashboard.WWW / name
        if path.exists():
            own = hashlib.new(algorithm, path.read_bytes()).digest()
            if base64.b64encode(own).decode() == digest:
                same.add(name)
    # Flot is there as it is written, and the table sorter in a later version.
    assert len(same) == 5


def outside(page):
    """What a page loads from, or links to, elsewhere."""
    return re.findall(r"""(?:src|href|action)\s*=\s*["']?\s*(?:https?:)?//[^"'\s>]+""", page)


def test_pages_ask_no_other_server(results, tmp_path):
    pages = tmp_path / "html"
    pages.mkdir()
    asv_page = (ASV / "index.html").read_text()
    assert len(outside(asv_page)) > 10
    (pages / "index.html").write_text(asv_page)
    (pages / "graphs" / "summary").mkdir(parents=True)
    (pages / "graphs" / "summary" / f"{dashboard.OURS}.json").write_text("[]")
    listed = {"benchmarks": {dashboard.OURS: {}, dashboard.YARDSTICK: {}}, "project": "synann"}
    (pages / "index.json").write_text(json.dumps(listed))
    dashboard.finish(pages, results)
    explorer = (pages / "explore.html").read_text()
    dashboard.finish(pages, results)  # once more changes nothing
    assert (pages / "explore.html").read_text() == explorer != (pages / "index.html").read_text()
    # No link to a graph that is not there.
    index = json.loads((pages / "index.json").read_text())
    assert index == {"benchmarks": {dashboard.OURS: {}}, "project": "synann"}
    wanted = {"index.html", "explore.html", "headline.png", "jquery-3.3.1.min.js", "LICENSES.txt"}
    assert wanted <= {p.name for p in pages.iterdir()}
    for page in pages.glob("*.html"):
        text = page.read_text()
        assert not outside(text), page.name
        assert "integrity" not in text
        for name in re.findall(r'src="([^"]+\.js)"', text):
            assert (pages / name).exists() or (ASV / name).exists(), name
    for sheet in pages.glob("*.css"):
        assert not re.findall(r"(?:url\(|@import)[\"' ]*(?:https?:)?//", sheet.read_text())


def test_the_licence_of_every_file_is_there():
    text = (dashboard.WWW / "LICENSES.txt").read_text()
    assert "Permission is hereby granted" in text
    assert [p.name for p in dashboard.WWW.glob("*.[jc]s*") if p.name not in text] == []


def test_a_file_that_is_missing_is_an_error():
    with pytest.raises(ValueError, match=r"Received: https://x\.org/new\.js"):
        dashboard.localise('<script src="https://x.org/new.js" crossorigin="anonymous"></script>')


def test_the_first_page_says_which_figure_matters(results):
    found = dashboard.read(results)
    assert [r.commit[0] for r in found] == ["a", "b"]
    assert dashboard.ratio(found[0]) is None
    assert dashboard.ratio(found[1]) == pytest.approx(3.0)
    page = dashboard.first_page(found, {dashboard.OURS: "Our <step>", dashboard.YARDSTICK: "T"})
    assert "<strong>3.0 ×</strong>" in page
    assert "Our &lt;step&gt;" in page
    assert "<td>400 ms</td><td>300 ms</td>" in page
    assert "<td>–</td><td>100 ms</td>" in page
    assert "There are no results yet." in dashboard.first_page([], {})


def test_kept_results_name_no_folder(results, tmp_path):
    assert dashboard.keep(results, tmp_path / "history") == 2
    kept = sorted((tmp_path / "history" / "epyc").iterdir())
    assert [p.name for p in kept] == [
        f"aaaaaaaa-existing-py{VERSION}.json",
        f"bbbbbbbb-existing-py{VERSION}.json",
        "machine.json",
    ]
    for path in kept[:2]:
        text = path.read_text()
        assert "/home" not in text
        assert "home_me" not in text
        assert "other.A" not in text
    again = tmp_path / "again"
    assert dashboard.gather(tmp_path / "history", again) == 3
    assert dashboard.gather(tmp_path / "history", again) == 0
    assert [r.commit[0] for r in dashboard.read(again)] == ["a", "b"]


def test_the_history_is_small_and_shows_several_commits():
    found = dashboard.read(dashboard.HISTORY)
    assert len({r.commit for r in found}) >= 4
    paths = list(dashboard.HISTORY.rglob("*"))
    assert sum(p.stat().st_size for p in paths if p.is_file()) < 1_000_000
    assert not any(
        "/tmp" in p.read_text() or "_tmp_" in p.read_text() for p in paths if p.is_file()
    )


def test_seconds_in_words():
    shown = [dashboard.in_words(s) for s in (None, 2.0, 0.0591, 4.2e-5, 1e-9)]
    assert shown == ["–", "2 s", "59.1 ms", "42 µs", "0.001 µs"]

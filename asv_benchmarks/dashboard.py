"""Keep results in the repository, and turn asv's site into one that needs no network.

    python asv_benchmarks/dashboard.py gather   results of the history to where asv looks for them
    python asv_benchmarks/dashboard.py keep     the headline's results into the history
    python asv_benchmarks/dashboard.py finish   asv's pages in html/: local files, a first page

`make dashboard` and `make history` call these between asv's own commands.
"""

from __future__ import annotations

import argparse
import datetime
import html
import json
import re
import shutil
import string
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure

from synann_core import plot

HERE = Path(__file__).resolve().parent
HISTORY, RESULTS, WWW, PAGES = (HERE / name for name in ("history", "results", "www", "html"))
HEADLINE = "headline."
OURS, YARDSTICK = "headline.LayerStep.time_synapse", "headline.LinearStep.time_linear"
EXPLORER = "explore.html"  # asv's own page
_LINK = re.compile(
    r'(src|href)="(https?://[^"]+)"((?:\s(?:integrity|crossorigin|referrerpolicy)="[^"]*")*)'
)


class Result(NamedTuple):
    """A commit's headline on one machine."""

    machine: str
    commit: str
    date: datetime.datetime
    seconds: dict[str, float]  # by benchmark


def gather(history: Path = HISTORY, results: Path = RESULTS) -> int:
    """Copy the history's results to asv's, where asv has none of its own; return how many."""
    copied = 0
    for source in sorted(history.glob("*/*.json")):
        target = results / source.relative_to(history)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
            copied += 1
    return copied


def keep(results: Path = RESULTS, history: Path = HISTORY) -> int:
    """Keep the headline of results of this Python, without names of folders; return how many."""
    kept = 0
    for source in sorted(results.glob("*/*.json")):
        if source.name == "machine.json":
            continue
        given = json.loads(source.read_text(encoding="utf-8"))
        headline = {k: v for k, v in given["results"].items() if k.startswith(HEADLINE)}
        if not any(value and value[0] and value[0][0] is not None for value in headline.values()):
            continue
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        given |= {"results": headline, "env_name": f"existing-py{python}", "python": python}
        given["params"] |= {"python": python}
        given["durations"] = {}
        folder = history / source.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{given['commit_hash'][:8]}-existing-py{python}.json"
        (folder / name).write_text(json.dumps(given) + "\n", encoding="utf-8")
        shutil.copy(source.parent / "machine.json", folder / "machine.json")
        kept += 1
    return kept


def localise(page: str) -> tuple[str, list[str]]:
    """A page of asv's with files of `www/` in the place of those on other servers; their names.

    ValueError if the page loads one that is not there.
    """
    names = []

    def local(found: re.Match[str]) -> str:
        attribute, url, _ = found.groups()
        name = url.rpartition("/")[2]
        here = [n for n in (name, name.replace(".min.", ".")) if n and (WWW / n).exists()]
        if here:
            names.append(here[0])
            return f'{attribute}="{here[0]}"'
        if name.endswith((".js", ".css")):
            raise ValueError(f"asv's page needs a file that www/ lacks. Received: {url}")
        return f'{attribute}="index.html"'  # a link to asv's home page

    return _LINK.sub(local, page), names


def read(results: Path = RESULTS) -> list[Result]:
    """The headline of all results, the oldest first."""
    found = []
    for path in sorted(results.glob("*/*.json")):
        if path.name == "machine.json":
            continue
        given = json.loads(path.read_text(encoding="utf-8"))
        column = given["result_columns"].index("result")
        seconds = {
            name: row[column][0]
            for name, row in given["results"].items()
            if name.startswith(HEADLINE) and row and row[column] and row[column][0] is not None
        }
        if seconds:
            date = datetime.datetime.fromtimestamp(given["date"] / 1000, datetime.UTC)
            found.append(Result(path.parent.name, given["commit_hash"], date, seconds))
    return sorted(found, key=lambda result: result.date)


def ratio(result: Result) -> float | None:
    """What a training step costs, in steps of nn.Linear."""
    ours, theirs = (result.seconds.get(name) for name in (OURS, YARDSTICK))
    return None if ours is None or theirs is None else ours / theirs


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw the figure that matters, commit by commit."""
    with matplotlib.rc_context(plot.STYLE):
        figure = Figure(figsize=(9.0, 3.2))
        axes = figure.subplots()
        by_machine: dict[str, list[Result]] = {}
        for result in results:
            if ratio(result) is not None:
                by_machine.setdefault(result.machine, []).append(result)
        commits = list(dict.fromkeys(r.commit for r in results))
        for machine, rows in by_machine.items():
            places = [commits.index(r.commit) for r in rows]
            axes.plot(places, [ratio(r) for r in rows], "o-", label=machine)  # type: ignore[arg-type]
        axes.set_xticks(range(len(commits)), [commit[:7] for commit in commits], rotation=30)
        most = max((ratio(r) or 0.0 for r in results), default=0.0)
        axes.set(ylabel="× nn.Linear", ylim=(0, 1.2 * (most or 1.0)), xlabel="commit, oldest first")
        axes.set_title("Processor time of a training step, over that of nn.Linear")
        if by_machine:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="machine")
        figure.savefig(path)


def in_words(seconds: float | None) -> str:
    """Seconds with a unit that fits."""
    if seconds is None:
        return "–"
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * factor >= 1.0:
            return f"{seconds * factor:.3g} {unit}"
    return f"{1e6 * seconds:.3g} µs"


def first_page(results: list[Result], names: dict[str, str]) -> str:
    """The page that says which figure matters; `names` of the benchmarks."""
    latest = next((r for r in reversed(results) if ratio(r) is not None), None)
    headline = "There are no results yet."
    if latest is not None:
        headline = (
            f"<strong>{ratio(latest):.1f} ×</strong> the processor time of PyTorch’s "
            f"<code>nn.Linear</code>, for one step of training (batch 512, 768 → 768, float32, "
            f"forward and backward). Lower is better. Commit {latest.commit[:7]}, "
            f"machine {html.escape(latest.machine)}."
        )
    tables = "".join(
        _table(machine, results, names) for machine in dict.fromkeys(r.machine for r in results)
    )
    page = string.Template((WWW / "first.html").read_text(encoding="utf-8"))
    return page.substitute(headline=headline, tables=tables, explorer=EXPLORER)


def _table(machine: str, results: list[Result], names: dict[str, str], most: int = 5) -> str:
    rows = [r for r in results if r.machine == machine][-most:]
    used = [name for name in names if any(name in r.seconds for r in rows)]
    head = "".join(f"<th>{r.commit[:7]}<br><small>{r.date:%Y-%m-%d}</small></th>" for r in rows)
    body = "".join(
        f'<tr><td><a href="{EXPLORER}#{name}">{html.escape(names[name])}</a></td>'
        + "".join(f"<td>{in_words(r.seconds.get(name))}</td>" for r in rows)
        + "</tr>\n"
        for name in used
    )
    return (
        f"<h2>{html.escape(machine)}</h2>\n<div class='wide'><table>\n"
        f"<tr><th>processor time of one call</th>{head}</tr>\n{body}</table></div>\n"
    )


def leave_out_empty(pages: Path) -> None:
    """Take benchmarks without any result out of asv's index: their graphs do not exist."""
    path = pages / "index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    summaries = pages / "graphs" / "summary"
    index["benchmarks"] = {
        name: given
        for name, given in index["benchmarks"].items()
        if (summaries / f"{name}.json").exists()
    }
    path.write_text(json.dumps(index), encoding="utf-8")


def finish(pages: Path = PAGES, results: Path = RESULTS) -> None:
    """Make asv's pages local, and put the first page before them."""
    # Where this has run before, the first page stands in the place of asv's.
    source = next(pages / name for name in (EXPLORER, "index.html") if (pages / name).exists())
    page, names = localise(source.read_text(encoding="utf-8"))
    for name in (*names, "LICENSES.txt"):  # whoever passes the site on passes on their texts
        shutil.copy(WWW / name, pages / name)
    (pages / EXPLORER).write_text(page, encoding="utf-8")
    leave_out_empty(pages)
    benchmarks: dict[str, Any] = json.loads(
        (results / "benchmarks.json").read_text(encoding="utf-8")
    )
    pretty = {
        name: given.get("pretty_name") or name
        for name, given in benchmarks.items()
        if name.startswith(HEADLINE)
    }
    pretty = {OURS: pretty[OURS], YARDSTICK: pretty[YARDSTICK], **pretty}
    found = read(results)
    draw(found, pages / "headline.png")
    (pages / "index.html").write_text(first_page(found, pretty), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Do one of the three things."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("gather", "keep", "finish"))
    what = parser.parse_args(arguments).what
    if what == "gather":
        print(f"{gather()} results of the history")
    elif what == "keep":
        print(f"{keep()} results kept in {HISTORY.relative_to(HERE.parent)}")
    else:
        finish()
        print(f"open {PAGES / 'index.html'}")


if __name__ == "__main__":
    main()

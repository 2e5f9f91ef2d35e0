"""The dashboard in a browser that may speak to the machine alone."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from asv_benchmarks import dashboard

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.browser


def commits_are_here():
    """Whether git has the commits of the history: a shallow clone, or an archive, does not."""
    asked = ["git", "-C", str(ROOT), "cat-file", "-e"]
    commits = {result.commit for result in dashboard.read(dashboard.HISTORY)}
    return bool(shutil.which("git")) and not any(
        subprocess.run([*asked, commit], capture_output=True).returncode for commit in commits
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of the history, as asv publishes it."""
    if not commits_are_here():
        pytest.skip("the history's commits are not here")
    folder = tmp_path_factory.mktemp("dashboard")
    results, pages = folder / "results", folder / "html"
    dashboard.gather(results=results)
    found = dashboard.read(results)
    given = {"code": "", "param_names": [], "params": [], "timeout": 60, "type": "time"}
    given |= {"unit": "seconds", "version": "1"}
    measured = sorted({name for result in found for name in result.seconds})
    names = {name: given | {"name": name, "pretty_name": f"Call {name}"} for name in measured}
    names["other.A.time_b"] = given | {"name": "other.A.time_b", "pretty_name": "No result"}
    (results / "benchmarks.json").write_text(json.dumps(names | {"version": 2}))
    told = {"version": 1, "project": "synann", "repo": str(ROOT), "dvcs": "git"}
    told |= {"branches": ["HEAD"], "environment_type": "existing", "pythons": ["same"]}
    told |= {"benchmark_dir": str(ROOT / "asv_benchmarks" / "benchmarks")}
    told |= {"env_dir": "env", "results_dir": str(results), "html_dir": str(pages)}
    (folder / "asv.conf.json").write_text(json.dumps(told))
    command = [sys.executable, "-m", "asv", "publish", "--no-pull"]
    subprocess.run(command, cwd=folder, env=os.environ | {"HOME": str(folder)}, check=True)
    dashboard.finish(pages, results)
    return pages


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve files without a word."""

    def log_message(self, *args):
        pass


def test_the_site_works_with_the_network_off(chromium, site):
    handler = functools.partial(Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/"
    problems = []

    def decide(route):
        if route.request.url.startswith(base):
            route.continue_()
        else:
            problems.append(route.request.url)
            route.abort()

    context = chromium.new_context()
    context.route("**/*", decide)
    context.on("console", lambda m: m.type == "error" and problems.append(m.text))
    context.on("weberror", lambda e: problems.append(f"exception: {e.error}"))
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(base)
    assert "× " in page.inner_text(".figure")
    assert page.locator("table tr").count() == 6
    page.locator("table a").first.click()
    page.wait_for_selector("#main-graph canvas")
    page.goto(base + dashboard.EXPLORER)
    page.wait_for_selector("text=Call headline.Graph.time_gradients")
    assert page.locator("text=No result").count() == 0
    context.close()
    server.shutdown()
    server.server_close()
    assert problems == []

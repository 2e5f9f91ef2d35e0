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


def missing():
    """Why the site cannot be built or opened here; None where it can."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "there is no playwright"
    if not shutil.which("chromium"):
        return "there is no chromium"
    for result in dashboard.read(dashboard.HISTORY):
        asked = ["git", "-C", str(ROOT), "cat-file", "-e", result.commit]
        if not shutil.which("git") or subprocess.run(asked, capture_output=True).returncode:
            return "the history's commits are not here"
    return None


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of the history, as asv publishes it."""
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


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_the_site_works_with_the_network_off(site):
    from playwright.sync_api import sync_playwright

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

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        page = browser.new_page()
        page.set_default_timeout(30_000)
        page.route("**/*", decide)
        page.on("console", lambda m: m.type == "error" and problems.append(m.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(base)
        assert "× " in page.inner_text(".figure")
        assert page.locator("table tr").count() == 6
        page.locator("table a").first.click()
        page.wait_for_selector("#main-graph canvas")
        page.goto(base + dashboard.EXPLORER)
        page.wait_for_selector("text=Call headline.Graph.time_gradients")
        assert page.locator("text=No result").count() == 0
        browser.close()
    server.shutdown()
    server.server_close()
    assert problems == []

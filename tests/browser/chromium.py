"""Headless Chromium for tests, cut off from the network: Debian's package, steered by playwright.

`new_page` opens a file as a page. A request that leaves the machine, an error on the console and an
exception in the page fail the test that caused them.
"""

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from tests.needs import skip_or_fail

LOCAL = ("file:", "data:", "blob:", "about:")
REQUIRED = "SYNANN_BROWSER_REQUIRED"


def missing_browser():
    """Why there is no browser for the tests; None where there is one."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError as error:
        return f"playwright cannot be imported: {error}"
    return None if shutil.which("chromium") else "there is no `chromium`: apt-get install chromium"


@contextlib.contextmanager
def browser():
    """A running browser; a skipped test without one, or a failure where one is required."""
    why = missing_browser()
    if why:
        skip_or_fail(why, REQUIRED)
    from playwright.sync_api import sync_playwright

    # Chromium's sandbox does not work for root, whom containers run tests as.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        yield running
        running.close()


@contextlib.contextmanager
def pages(running):
    """A function that opens pages, and the list of what went wrong in them."""
    problems = []
    with contextlib.ExitStack() as stack:

        def open_page(target, *, width=1280, height=800, scheme="light", **options):
            context = running.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, **options
            )
            stack.callback(context.close)
            context.set_offline(True)
            context.set_default_timeout(20_000)

            def decide(route):
                if route.request.url.startswith(LOCAL):
                    route.continue_()
                else:
                    problems.append(f"request: {route.request.url}")
                    route.abort()

            context.route("**/*", decide)
            context.on("console", lambda m: m.type == "error" and problems.append(m.text))
            context.on("weberror", lambda e: problems.append(f"exception: {e.error}"))
            page = context.new_page()
            page.goto(Path(target).absolute().as_uri() if isinstance(target, Path) else target)
            return page

        yield open_page, problems


@pytest.fixture(scope="module")
def chromium():
    """The browser of a module's tests. (playwright's loop would disturb those of other modules.)"""
    with browser() as running:
        yield running


@pytest.fixture
def new_page(chromium):
    """``new_page(path, width=1280, height=800, scheme="light")`` opens a file, or an address."""
    with pages(chromium) as (open_page, problems):
        yield open_page
        assert not problems, "\n".join(problems)

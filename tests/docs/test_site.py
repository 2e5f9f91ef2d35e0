"""The built site in a browser: every page, the search, the mathematics, and a phone's width.

`make docs` builds it. The test answers the browser's requests from its folder: nothing listens on a
port, and a request for anything else fails.
"""

import mimetypes
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser.chromium import REQUIRED
from tests.needs import skip_or_fail

pytestmark = pytest.mark.browser

SITE = Path(__file__).parents[2] / "build" / "site"
HOST = "http://site.invalid"
PHONE = ("index", "guides", "tutorials/noisy_or", "tables_study", "theory", "gallery/circuits")
PHONE += ("reference/generated/synann.noisy_or.NoisyOr",)


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").exists():
        why = f"there is no site in {SITE}: make docs"
        skip_or_fail(why, REQUIRED)
    return SITE


@pytest.fixture
def visit(site, chromium):
    """``visit(name, width=1280)`` opens a page; what goes wrong fails the test at its end."""
    problems = []
    contexts = {}

    def serve(route):
        address = urlsplit(route.request.url)
        path = site / unquote(address.path).lstrip("/")
        if route.request.url.startswith(("data:", "blob:")):
            route.continue_()
        elif route.request.url.startswith(HOST) and path.is_file():
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            route.fulfill(body=path.read_bytes(), content_type=kind)
        else:
            problems.append(f"request: {route.request.url}")
            route.abort()

    def page_of(width):
        context = chromium.new_context(viewport={"width": width, "height": 844})
        context.route("**/*", serve)
        context.on("console", lambda m: m.type == "error" and problems.append(m.text))
        context.on("weberror", lambda e: problems.append(f"exception: {e.error}"))
        contexts[width] = context, context.new_page()
        return contexts[width][1]

    def open_page(name, *, width=1280):
        page = contexts[width][1] if width in contexts else page_of(width)
        before = len(problems)
        page.goto(f"{HOST}/{name}")
        problems[before:] = [f"{name}: {text}" for text in problems[before:]]
        return page

    yield open_page
    for context, _ in contexts.values():
        context.close()
    assert not problems, "\n".join(problems)


def test_every_page_opens_without_an_error(site, visit):
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    assert len(names) > 200
    for name in names:
        if name.startswith("_static/"):  # the theme's, not pages
            continue
        assert visit(name).title(), name


def test_the_search_finds_a_public_name(visit):
    page = visit("search.html?q=log_transmission")
    page.wait_for_selector("#search-results li a", timeout=30_000)
    links = page.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
    assert any("reference/generated/synann.log_transmission.html" in link for link in links)


def test_mathematics_is_set(visit):
    page = visit("tutorials/theory.html")
    page.wait_for_selector("mjx-container svg", timeout=30_000)
    page.wait_for_function("MathJax.startup.promise.then(() => true)")
    assert page.locator("mjx-container").count() > 5
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_tutorials_show_results_and_no_errors(site, visit):
    for path in sorted((site / "tutorials").glob("*.html")):
        page = visit(f"tutorials/{path.name}")
        if path.stem != "index":
            assert page.locator(".cell_output").count() > 1, path.stem
        assert page.locator(".output.traceback, .stderr").count() == 0, path.stem


@pytest.mark.parametrize("name", PHONE)
def test_a_page_is_not_wider_than_a_phone(visit, name):
    page = visit(f"{name}.html", width=390)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

"""The watch over pages: what must fail a test does."""

import pytest

from tests.browser.chromium import REQUIRED, browser, pages

pytestmark = pytest.mark.browser


def problems_of(chromium, folder, body):
    path = folder / "page.html"
    path.write_text(f"<!doctype html><title>.</title>{body}", encoding="utf-8")
    with pages(chromium) as (open_page, problems):
        open_page(path).evaluate("() => new Promise((done) => setTimeout(done, 50))")
    return problems


def test_a_quiet_page_has_no_problems(chromium, tmp_path):
    assert problems_of(chromium, tmp_path, "<p>text</p><script>console.log(1)</script>") == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<script>console.error('wrong')</script>", "wrong"),
        ("<script>throw new Error('thrown')</script>", "thrown"),
        ("<script>Promise.reject(new Error('late'))</script>", "late"),
        ('<img src="http://127.0.0.1:9/x.png" alt="">', "request: http://127.0.0.1:9/x.png"),
        ('<img src="absent.png" alt="">', "ERR_FILE_NOT_FOUND"),
    ],
)
def test_what_goes_wrong_is_seen(chromium, tmp_path, body, said):
    assert any(said in problem for problem in problems_of(chromium, tmp_path, body))


def test_a_missing_browser_is_a_skip_or_a_failure(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv(REQUIRED, "")
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"), browser():
        pass
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no `chromium`"), browser():
        pass

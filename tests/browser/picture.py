"""Take the picture of the docs: python -m tests.browser.picture docs/images/ask.png"""

import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image

from tests.browser.chromium import browser, pages

sys.path.insert(0, "examples")
import ask

CASE = [
    ("present", "engine does not turn"),
    ("present", "it clicks"),
    ("absent", "lamps are dim"),
]


def main(picture):
    with tempfile.TemporaryDirectory() as folder, browser() as running:
        path = Path(folder) / "page.html"
        ask.car().save_html(path, title="Why does the car not start?")
        with pages(running) as (open_page, problems):
            page = open_page(f"{path.as_uri()}#{urlencode(CASE)}", width=1280, height=850)
            page.wait_for_selector("#answers[aria-busy=false]")
            page.screenshot(path=picture, full_page=True)
        assert not problems, problems
    # A page has few colours: a third of the bytes.
    Image.open(picture).convert("RGB").quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])

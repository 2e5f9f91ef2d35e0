"""Take the picture of the docs: python -m tests.browser.picture docs/images/ask.png"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser.chromium import browser, pages

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import ask
import diagnose


def main(picture):
    with tempfile.TemporaryDirectory() as folder, browser() as running:
        path = Path(folder) / "page.html"
        note = "A made-up network, to show how it reasons. Not for patients."
        ask.write(diagnose.network(), path, "Why this cough?", note)
        with pages(running) as (open_page, problems):
            page = open_page(ask.address(path, diagnose.PATIENT), width=1280, height=850)
            page.wait_for_selector("#answers[aria-busy=false]")
            page.screenshot(path=picture, full_page=True)
        assert not problems, problems
    # A page has few colours: a third of the bytes.
    Image.open(picture).convert("RGB").quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])

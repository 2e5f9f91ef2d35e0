"""The file that a network is written to; tests/browser has what it does."""

import base64
import collections
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from synann_core.noisy_or import NoisyOr, html_page
from synann_core.noisy_or.html_page import ENGINE, VIEW, page_of, plain
from tests.synann_core.noisy_or.networks import sparse_pair

FOLDER = Path(html_page.__file__).with_name("page")
NETWORK = NoisyOr([0.1, 0.2], [0.05], [[0.9, 0.0]], protection=[[0.0, 0.25]])
SCRIPTS = sorted(FOLDER.glob("*.js"))


class Elements(HTMLParser):
    """All elements with their attributes, and the text of scripts and styles by (tag, id)."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.texts, self.open = [], collections.defaultdict(str), None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.open = (tag, dict(attrs).get("id")) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open:
            self.texts[self.open] += data


def test_nothing_is_loaded_and_only_its_own_parts_may_run():
    page = Elements(page_of(NETWORK, "title", "text"))
    assert not [attrs for _, attrs in page.found if "src" in attrs]
    assert {attrs["href"] for _, attrs in page.found if "href" in attrs} == {"data:,"}
    assert not [attrs for _, attrs in page.found if any(n.startswith("on") for n in attrs)]
    policy = next(
        attrs["content"] for _, attrs in page.found if "content-security" in str(attrs).lower()
    )
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        text = page.texts[tag, None].encode()
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_texts_are_escaped():
    hostile = "</script></title><b title='x'>&amp;"
    network = NoisyOr([0.1], [0.1], [[0.5]], causes=[hostile], findings=[hostile])
    page = Elements(page_of(network, hostile, hostile))
    tags = [tag for tag, _ in page.found]
    assert "b" not in tags
    assert tags.count("script") == 3
    assert json.loads(page.texts["script", "network"])["causes"] == [hostile]


def test_networks_come_as_they_are():
    assert plain(NETWORK) == {
        "causes": ["cause 0", "cause 1"],
        "findings": ["finding 0"],
        "prior": [0.1, 0.2],
        "leak": [0.05],
        "links": [[[0, 0.9], [1, 0.0, 0.25]]],
    }
    for protection in (False, True):
        dense, sparse = sparse_pair(protection)
        assert plain(dense) == plain(sparse)
        links = np.zeros(dense.beta.shape)
        for i, row in enumerate(plain(dense)["links"]):
            for j, beta, *_ in row:
                links[i, j] = beta
        np.testing.assert_array_equal(links, dense.beta)


def test_what_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"`title` must be a str\. Received: 5"):
        NETWORK.save_html(tmp_path / "page.html", title=5)
    with pytest.raises(TypeError, match=r"`description` must be a str\. Received: None"):
        NETWORK.save_html(tmp_path / "page.html", description=None)
    with pytest.raises(FileNotFoundError):
        NETWORK.save_html(tmp_path / "absent" / "page.html")
    assert not list(tmp_path.iterdir())


def test_every_file_of_the_folder_has_its_place():
    used = {*(f"{name}.js" for name in (*ENGINE, *VIEW)), "page.html", "style.css"}
    assert {path.name for path in FOLDER.iterdir()} == used


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_keep_to_the_rules(path):
    text = path.read_text("utf-8")
    assert text.startswith("// "), "says what it does"
    assert len(text.splitlines()) <= 350
    assert max(map(len, text.splitlines())) <= 100
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    # What would run names, compares loosely, or ends the script that the text stands in.
    for odd in (
        r"innerHTML",
        r"outerHTML",
        r"insertAdjacentHTML",
        r"document\.write",
        r"\beval\b",
        r"new Function",
        r"\bvar\b",
        r"[^=!]==[^=]",
        r"!=[^=]",
        r"</script",
        r"<!--",
    ):
        assert not re.search(odd, text), odd


@pytest.mark.parametrize("names", [ENGINE, VIEW], ids=["engine", "view"])
def test_no_name_is_defined_twice_or_never_used(names):
    text = "\n".join((FOLDER / f"{name}.js").read_text("utf-8") for name in names)
    code = re.sub(r"^\s*(//|/?\*).*$", "", text, flags=re.MULTILINE)
    defined = re.findall(r"^(?:async )?(?:function\*?|const|let|class) (\w+)", code, re.MULTILINE)
    assert len(set(defined)) == len(defined)
    shared = re.findall(
        r"^(?:function|const) (\w+)", (FOLDER / "numbers.js").read_text("utf-8"), re.MULTILINE
    )
    for name in set(defined) - set(shared):
        assert len(re.findall(rf"\b{name}\b", code)) > 1, name


def luminance(colour):
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_told_apart():
    """WCAG's AA: 4.5 for text, and 3 for controls and bars, in light and in dark."""
    style = (FOLDER / "style.css").read_text("utf-8")
    for own in re.findall(r":root \{([^}]*)\}", style):
        colour = dict(re.findall(r"--(\w+): (#\w{6});", own))
        grounds = colour["ground"], colour["panel"]
        for name in ("text", "soft", "for", "against"):
            assert min(contrast(colour[name], ground) for ground in grounds) >= 4.5, name
        for name in ("edge", "focus"):
            assert min(contrast(colour[name], ground) for ground in grounds) >= 3, name
        for name in ("for", "against"):
            assert contrast(colour[name], colour["line"]) >= 3, name
        assert contrast(colour["text"], colour["warn"]) >= 4.5
        assert contrast(colour["text"], colour["line"]) >= 4.5
    assert len(re.findall(r":root \{", style)) == 2


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("protecting", [False, True])
def test_links_of_many_findings_are_all_there(sparse, protecting):
    rng = np.random.default_rng(0)
    beta, delta = (rng.random((1100, 3)) * (rng.random((1100, 3)) < 0.4) for _ in range(2))
    made = csr_array if sparse else np.asarray
    more = {"protection": made(delta)} if protecting else {}
    network = NoisyOr(np.full(3, 0.1), np.full(1100, 0.1), made(beta), **more)
    found = np.zeros((2, 1100, 3))
    for i, links in enumerate(plain(network)["links"]):
        for j, *strengths in links:
            found[: len(strengths), i, j] = strengths
    np.testing.assert_array_equal(found, [beta, delta if protecting else 0.0 * delta])

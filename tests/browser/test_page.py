"""The page as people use it: by mouse, keyboard and link, on a phone, and with hostile names."""

import re

import numpy as np
import pytest

from synann_core.noisy_or import NoisyOr
from tests.browser.chromium import pages

pytestmark = pytest.mark.browser

FLU = NoisyOr(
    prior=[0.05, 0.01],
    leak=[0.02, 0.05, 0.01],
    beta=[[0.9, 0.3], [0.6, 0.8], [0.0, 0.7]],
    causes=["flu", "pneumonia"],
    findings=["fever", "cough", "crackles"],
)
HOSTILE = '</script><img src=x onerror="window.hacked = 1"><!--<script>\'&amp;'


def many_findings(count=600):
    rng = np.random.default_rng(2)
    beta = rng.uniform(0.2, 0.9, (count, 40)) * (rng.random((count, 40)) < 0.05)
    names = [f"a rather long name of a finding, with the number {i}" for i in range(count)]
    names[7] = "Übelkeit"
    names[8] = "W" * 70  # nothing to break a line at
    causes = [f"cause {j} with a name that takes more than a line of a phone" for j in range(40)]
    return NoisyOr(np.full(40, 0.02), np.full(count, 0.01), beta, causes=causes, findings=names)


@pytest.fixture
def opened(new_page, tmp_path):
    """Write the page of a network, and open it."""

    def open_network(network, *, hash_="", title="A page", description="", **options):
        path = tmp_path / "page.html"
        network.save_html(path, title=title, description=description)
        page = new_page(path.as_uri() + hash_, **options)
        return settled(page)

    return open_network


def settled(page):
    page.wait_for_selector("#answers[aria-busy=false]")
    return page


def tick(page, finding, state):
    choose(page, finding, state)
    return settled(page)


def choose(page, finding, state):
    page.get_by_role("radiogroup", name=finding, exact=True).get_by_role(
        "radio", name=state
    ).check()


def causes_of(page):
    """The shown causes with their probabilities, in their order."""
    names = page.locator("#cause-list .name").all_inner_texts()
    numbers = page.locator("#cause-list .number").all_inner_texts()
    return dict(zip(names, (n.replace("\xa0", " ") for n in numbers), strict=True))


def reasons_of(page):
    return [text.split() for text in page.locator("#reasons tbody").all_inner_texts()]


def test_what_the_docs_say_is_on_the_page(opened):
    page = opened(FLU)
    assert causes_of(page) == {"flu": "5.0 %", "pneumonia": "1.0 %"}
    tick(page, "fever", "present")
    tick(page, "cough", "present")
    assert causes_of(page) == {"flu": "89.3 %", "pneumonia": "9.0 %"}
    assert page.inner_text("#next-list .name") == "crackles"
    assert page.inner_text("#next-list .note") == "0.25 nats, 7.3\xa0% present"
    tick(page, "crackles", "absent")
    assert page.inner_text("#reasons-title") == "Why flu?"
    assert page.inner_text("#reasons p").endswith("log-odds −2.94 nats before, +2.82 now.")
    assert reasons_of(page) == [
        ["fever", "present", "+3.67", "+3.29", "+3.67", "38.5", "%"],
        ["cough", "present", "+1.40", "+1.99", "+2.38", "69.4", "%"],
        ["crackles", "absent", "+0.69", "+0.69", "+0.00", "89.3", "%"],
    ]
    page.get_by_role("button", name="pneumonia").click()
    assert page.inner_text("#reasons-title") == "Why pneumonia?"
    page.get_by_text("…", exact=True).first.wait_for(state="detached")
    assert reasons_of(page)[0][:2] == ["crackles", "absent"]


def test_a_finding_can_be_answered_where_it_is_asked(opened):
    page = opened(FLU)
    page.get_by_role("button", name="fever is present").click()
    settled(page)
    assert page.get_by_role("radio", name="present").first.is_checked()
    # The keyboard is at the next one.
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == f"{page.locator('#next-list .name').first.inner_text()} is present"
    page.get_by_role("button", name="Clear all").click()
    assert causes_of(settled(page)) == {"flu": "5.0 %", "pneumonia": "1.0 %"}
    assert "#" not in page.url


def test_the_keyboard_is_enough(opened):
    page = opened(FLU)
    for _ in range(4):  # search, the box beside it, clear, the first finding
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")  # from unknown to absent
    settled(page)
    assert page.evaluate("document.activeElement.value") == "absent"
    page.keyboard.press("ArrowLeft")
    settled(page)
    focus = "getComputedStyle(document.querySelector(':focus-visible + span')).outlineStyle"
    assert page.evaluate(focus) == "solid"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "finding-1"
    flu = FLU.posterior({"fever": 1}).probability[0, 0]
    assert f"1 finding known. Most probable: flu {100 * flu:.1f}" in page.inner_text("#status")
    for _ in range(3):  # past the third finding to the causes, whose second one is chosen
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.inner_text("#reasons-title") == "Why pneumonia?"
    assert page.evaluate("document.activeElement.id") == "cause-1"


def test_controls_say_what_they_are(opened):
    page = opened(FLU)
    tree = page.locator("body").aria_snapshot()
    for line in (
        'searchbox "Search findings"',
        'radiogroup "fever"',
        'radio "unknown" [checked]',
        'region "Causes"',
        'button "cough is absent"',
        "status: ",
    ):
        assert line in tree, tree
    assert "pressed" in tree


def test_a_case_has_a_link(opened):
    page = opened(FLU)
    tick(page, "fever", "present")
    tick(page, "crackles", "absent")
    assert page.url.endswith("#present=fever&absent=crackles")
    again = opened(FLU, hash_="#present=fever&absent=crackles")
    assert causes_of(again) == causes_of(page)
    strange = opened(FLU, hash_="#present=fever&absent=plague&cough")
    assert "does not have: plague and cough" in strange.inner_text("#copied")
    assert strange.inner_text("#status").startswith("1 finding known")
    strange.evaluate("location.hash = '#present=cough'")
    flu = FLU.posterior({"cough": 1}).probability[0, 0]
    strange.get_by_text(f"1 finding known. Most probable: flu {100 * flu:.1f}").wait_for()


def test_a_case_as_text(opened):
    page = opened(FLU, hash_="#present=fever&absent=crackles", title="Two causes")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.get_by_role("button", name="Copy as text").click()
    text = page.locator("#copy-box").input_value().replace("\xa0", " ")
    assert text.startswith("Two causes\n\npresent: fever\nabsent: crackles\n")
    assert re.search(r"^flu +\d\d\.\d % +5\.0 %$", text, re.MULTILINE)
    assert re.search(r"^fever +\+3\.\d\d", text, re.MULTILINE)
    assert page.evaluate("getSelection().toString()").replace("\xa0", " ") == text


def test_contradictions_are_said_in_words(opened):
    network = NoisyOr([0.1, 0.1], [0.0, 0.1], [[1.0, 0.0], [1.0, 0.5]], findings=["rash", "fever"])
    page = opened(network)
    tick(page, "rash", "present")
    choose(page, "fever", "absent")
    problem = page.get_by_role("alert")
    problem.wait_for()
    assert "“rash” present and “fever” absent cannot be together" in problem.inner_text()
    tick(page, "fever", "unknown")
    assert not problem.is_visible()
    assert causes_of(page)["cause 0"] == "100 %"


def dense_network(findings):
    rng = np.random.default_rng(1)
    beta = rng.uniform(0.1, 0.9, (findings, 500)) * (rng.random((findings, 500)) < 0.15)
    return NoisyOr(np.full(500, 0.01), np.full(findings, 0.01), beta)


def all_present(findings):
    return "#" + "&".join(f"present=finding+{i}" for i in range(findings))


def test_what_is_too_large_is_said_in_words(opened):
    page = opened(dense_network(40), hash_=all_present(40))
    assert "the exact sum over 40 findings takes" in page.get_by_role("alert").inner_text()


def test_the_page_answers_while_it_computes(opened, new_page, tmp_path):
    """A case that takes seconds; another one ends it."""
    path = tmp_path / "page.html"
    dense_network(20).save_html(path)
    page = new_page(path.as_uri() + all_present(20))
    assert page.get_attribute("#answers", "aria-busy") == "true"
    page.get_by_role("button", name="Clear all").click()
    assert page.inner_text("#shown") == "20 findings, 0 known"
    settled(page)
    assert page.inner_text("#status").startswith("0 findings known")


def test_buttons_stay_while_parts_come_in(opened):
    """A button that is made anew while it is pressed would not be clicked."""
    page = opened(dense_network(14), hash_=all_present(5))
    page.evaluate("() => { window.seen = []; }")
    page.get_by_role("button", name="Clear all").click()
    page.wait_for_selector("#next-list")
    page.evaluate(
        "() => new MutationObserver((all) => all.forEach((m) => window.seen.push(m.target.id)))"
        ".observe(document.getElementById('answers'), { childList: true, subtree: true })"
    )
    choose(page, "finding 0", "present")
    settled(page)
    changes = page.evaluate("() => window.seen")
    assert changes.count("cause-list") == 1
    assert {"reasons", "next"} <= set(changes)


def test_numbers_below_all_floats_are_said_in_words(opened):
    """A cause that only an underflowing weight could be present with."""
    beta = np.vstack([np.full((200, 1), 0.999), [[0.5]]])
    network = NoisyOr([0.5], np.r_[np.full(200, 0.1), 0.0], beta)
    absent = "&".join(f"absent=finding+{i}" for i in range(200))
    page = opened(network, hash_=f"#present=finding+200&{absent}")
    assert "too improbable" in page.get_by_role("alert").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(opened, width, scheme):
    network = many_findings()
    page = opened(network, hash_=f"#present={'W' * 70}", width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("button", name="Show all 40").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground, text = (
        page.evaluate(f"getComputedStyle(document.documentElement).{name}")
        for name in ("backgroundColor", "color")
    )
    dark = [sum(map(int, re.findall(r"\d+", colour))) < 382 for colour in (ground, text)]
    assert dark == [scheme == "dark", scheme == "light"]


def test_the_search_finds_findings(opened):
    page = opened(many_findings())
    box = page.get_by_role("searchbox")
    box.fill("number 12")
    assert page.inner_text("#shown") == "16 of 600 findings shown, 0 known"  # 112, 212, …, too
    box.fill("ubel")
    assert page.locator(".finding:visible .name").all_inner_texts() == ["Übelkeit"]
    tick(page, "Übelkeit", "present")
    box.fill("")
    page.get_by_label("only known").check()
    assert page.inner_text("#shown") == "1 of 600 findings shown, 1 known"


def test_names_do_not_run(opened):
    network = NoisyOr([0.1], [0.1], [[0.9]], causes=[HOSTILE], findings=[HOSTILE + "\ud800\u2028"])
    page = opened(network, title=HOSTILE, description=HOSTILE)
    page.get_by_role("radio", name="present").check()
    settled(page)
    assert page.title() == page.inner_text("h1") == page.inner_text("#description") == HOSTILE
    assert page.locator("#cause-list .name").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize(
    "attempt",
    [
        "document.body.append(Object.assign(document.createElement('script'), "
        "{ textContent: 'window.hacked = 1' }))",
        "document.body.insertAdjacentHTML('beforeend', '<b onclick=\"window.hacked = 1\">b</b>'); "
        "document.querySelector('b').click()",
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">p</p>')",
        "fetch('http://127.0.0.1:9/').catch(() => {})",
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/a.png\">')",
    ],
)
def test_the_policy_lets_nothing_else_run(chromium, tmp_path, attempt):
    path = tmp_path / "page.html"
    FLU.save_html(path)
    with pages(chromium) as (open_page, problems):
        page = settled(open_page(path))
        page.evaluate(f"() => {{ {attempt} }}")
        page.wait_for_timeout(100)
        assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in problem for problem in problems)
    assert not any(problem.startswith("request:") for problem in problems)


def test_of_many_findings_only_those_that_change_are_touched(opened):
    page = opened(many_findings())
    page.evaluate(
        "() => { window.seen = 0; new MutationObserver((all) => { window.seen += all.length; })"
        ".observe(document.getElementById('finding-list'), { attributes: true, subtree: true }) }"
    )
    tick(page, "Übelkeit", "present")
    settled(page)
    assert page.inner_text("#shown") == "600 findings, 1 known"
    assert 1 <= page.evaluate("() => window.seen") <= 3

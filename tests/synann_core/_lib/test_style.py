"""One style for all pictures."""

import subprocess
import sys

import matplotlib
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb

from synann_core._lib.style import COLOURS, STYLE, TEXT, drawn_into, new_axes


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    pyplot.close("all")


def test_matplotlib_knows_every_setting():
    with matplotlib.rc_context(STYLE):
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    assert tuple(cycle) == COLOURS


def test_new_axes_have_the_style_and_leave_no_trace():
    before = dict(matplotlib.rcParams)
    ax = new_axes(5.0, 3.0)
    assert ax.figure.get_size_inches().tolist() == [5.0, 3.0]
    assert not ax.spines["top"].get_visible()
    assert ax.spines["left"].get_edgecolor()[:3] == to_rgb(TEXT)
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_one_is_told_what_to_install():
    code = """
import sys
sys.modules["matplotlib"] = None
from synann_core._lib.style import new_axes
try:
    new_axes()
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'pictures need matplotlib: pip install "synann[plot]"'


def lightness(colour):
    """Relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_words_stand_out_from_the_page():
    assert 1.05 / (lightness(TEXT) + 0.05) > 7.0  # the ratio that WCAG asks for at its level AAA
    assert all(1.05 / (lightness(colour) + 0.05) > 1.9 for colour in COLOURS)


@pytest.mark.parametrize("ax", [5, pyplot, matplotlib.figure.Figure(), [None]])
def test_what_is_not_axes_is_refused(ax):
    with pytest.raises(TypeError, match=r"`ax` must be Axes of matplotlib.* Received: "):
        drawn_into(ax)


def test_axes_that_are_given_are_drawn_into():
    ax = matplotlib.figure.Figure().subplots()
    assert drawn_into(ax) is ax
    assert drawn_into(None, 2.0, 1.0).figure.get_size_inches().tolist() == [2.0, 1.0]

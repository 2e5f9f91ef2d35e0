"""Configure Sphinx. `make docs` builds the site in build/site, without a request to the network."""

import importlib.util
import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "extensions"), str(DOCS.parent), str(DOCS.parent / "adapters")]
# Pages and programs run side by side: threads that wait for each other make them many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # else TensorFlow says that it is on

from gallery import fingerprint  # noqa: E402

import synann  # noqa: E402

project = "synann"
author = "The synann developers"
project_copyright = "The synann developers"
release = version = synann.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "reference",
    "gallery",
]
exclude_patterns = ["extensions"]
nitpicky = True
# What is not ours, and of what no list of objects may be fetched: the site is built offline.
nitpick_ignore_regex = [("py:.*", r"(numpy|torch|keras|matplotlib|pandas|sklearn)\..*")]
highlight_language = "none"  # formulas, and what programs print
default_role = "name"  # of the extension `reference`: `synapse` in a docstring becomes a link

# Markdown as a code host reads it.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

# Tutorials run again when they or the packages change; a cell that raises fails the build.
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS.parent / "build" / "tutorials" / fingerprint()[:16])
nb_execution_timeout = 900  # seconds a cell, on a machine with much else to do
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_execution_show_tb = True

autodoc_typehints = "none"  # numpydoc's sections say it in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the pages list them
numpydoc_class_members_toctree = False
autosummary_generate = False  # the extension `reference` writes the pages

# MathJax comes from a package, and its output in SVG needs no further file.
_mathjax = importlib.util.find_spec("mathjax")
if _mathjax is None or not _mathjax.submodule_search_locations:
    raise ImportError('MathJax is missing: pip install -e ".[docs]"')
_mathjax_folder = Path(_mathjax.submodule_search_locations[0]) / "static" / "mathjax" / "es5"
html_static_path = ["_static", str(_mathjax_folder / "tex-svg.js")]
mathjax_path = "tex-svg.js"

html_theme = "pydata_sphinx_theme"
html_context = {"default_mode": "auto"}
html_title = f"synann {release}"
html_css_files = ["synann.css"]
html_extra_path = ["../build/pages"]  # of examples: pages of their own, written by `gallery`
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "changelog": []}

"""Write the API reference from the packages' `__all__`, and refuse names without a docstring.

Each module has a page with a table of its names, each name a page. A name that several modules
share has one page, under the first of MODULES. Names in single backticks of a docstring become
links where they are public and stay code where they are not.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.parsers.rst import roles
from numpydoc.docscrape_sphinx import get_doc_object
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging

logger = logging.getLogger(__name__)

MODULES = {
    "synann": "Formulas, graphs and the network `SynaMLP`",
    "synann.graph": "Synapse graphs and circuits",
    "synann.graph.motifs": "Graphs and circuits ready to use",
    "synann.noisy_or": "Noisy-OR networks",
    "synann.tabular": "Estimators for tables",
    "synann.spiking": "Spiking networks, codes and plasticity",
    "synann.torch": "Layers and models for torch",
    "synann.torch.functional": "The formulas as functions of torch",
    "synann.torch.spiking": "Spiking layers for torch",
    "synann.torch.exchange": "Spiking layers in files, and as networks of the core",
    "synann.keras": "Layers and models for Keras",
    "synann.export": "Files: JSON, ONNX, C and NIR",
    "synann.plot": "Pictures",
    "synann.optim": "Optimizers and schedules",
    "synann.learning": "Losses, the local rule and initial values",
    "synann.models": "Models and their explanations",
    "synann.layer": "The layer's mathematics, for layers of your own",
    "synann_core.extending": "What adapters to frameworks are made of",
}
PROPERTIES = (property, functools.cached_property)


@functools.cache
def public_names() -> dict[str, dict[str, str]]:
    """For each module, its public names and the full name of each one's page."""
    pages: dict[int, str] = {}
    found: dict[str, dict[str, str]] = {}
    for module in MODULES:
        home = importlib.import_module(module)
        names = {name: getattr(home, name) for name in home.__all__}
        found[module] = {
            name: pages.setdefault(id(value), f"{module}.{name}")
            for name, value in names.items()
            if not isinstance(value, ModuleType)
        }
    return found


def write_pages(app: Sphinx, config: Config) -> None:
    """Write the pages; those that did not change keep their time, and are not read again."""
    folder = Path(app.srcdir) / "reference"
    wanted = {"index.rst": index()}
    for module, names in public_names().items():
        constants = {name for name in names.values() if kind_of(name) == "data"}
        own = f"{module}."  # autosummary wants its own module's names without it
        pages = [name for name in names.values() if name not in constants]
        wanted[f"{module}.rst"] = (
            f"{headline(module)}.. automodule:: {module}\n   :no-members:\n\n"
            + ".. autosummary::\n   :toctree: generated\n\n"
            + "".join(f"   {'' if page.startswith(own) else '~'}{page}\n" for page in pages)
            + "".join(constant(name) for name in names.values() if name in constants)
        ).replace(f"   {own}", "   ")
        wanted |= {f"generated/{page}.rst": page_of(page) for page in pages}
    for old in {*folder.rglob("*.rst")} - {folder / name for name in wanted}:
        old.unlink()
    for name, text in wanted.items():
        write(folder / name, text)


def index() -> str:
    """The first page: the modules and what they hold."""
    items = "\n".join(f"   * - :doc:`{name}`\n     - {text}" for name, text in MODULES.items())
    tree = "\n".join(f"   {module}" for module in MODULES)
    return (
        f"{headline('API reference')}Every public name, from the docstrings. :doc:`../api` has all"
        " in a few tables, and what works on which array library.\n\n"
        f".. list-table::\n   :widths: 35 65\n\n{items}\n\n.. toctree::\n   :hidden:\n\n{tree}\n"
    )


def find(full_name: str) -> Any:
    module, _, name = full_name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def kind_of(full_name: str) -> str:
    """Sphinx' word for what a name is; types such as Literal["a", "b"] are data to it."""
    value = find(full_name)
    routine = "function" if inspect.isroutine(value) else "data"
    return "class" if inspect.isclass(value) else routine


def constant(full_name: str) -> str:
    """A constant or type, with the comment `#:` over it."""
    name, value = full_name.rpartition(".")[2], find(full_name)
    comment = " ".join(comment_of(name, value))
    if not comment:
        logger.warning("%s has no comment with #:", full_name, type="synann")
    shown = repr(value).replace("typing.", "")
    line = f"   :value: {shown}\n" if len(shown) < 100 else ""
    return f"\n.. py:data:: {name}\n{line}\n   {comment}\n"


def headline(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n\n"


def page_of(full_name: str) -> str:
    """The page of a function, or of a class with its methods."""
    module, _, name = full_name.rpartition(".")
    value, kind = find(full_name), kind_of(full_name)
    start = f"{headline(name)}.. currentmodule:: {module}\n\n"
    if kind == "class" and value.__name__ != name:  # autodoc would only say of what it is an alias
        text = str(get_doc_object(value, "class", config={"show_class_members": False}))
        return f"{start}.. py:class:: {name}\n\n{indent(text, '   ')}\n"
    lines = [f"{start}.. auto{kind}:: {name}"]
    for member in own_members(value) if kind == "class" else ():
        shown = inspect.getattr_static(value, member)
        kind = "property" if isinstance(shown, PROPERTIES) else "method"
        lines.append(f"\n   .. auto{kind}:: {member}")
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def comment_of(name: str, value: Any) -> list[str]:
    """The comment `#:` over a constant or type, in the module of ours that defines it."""
    for module in sorted(sys.modules):
        if module.startswith("synann") and vars(sys.modules[module]).get(name) is value:
            try:
                comments = ModuleAnalyzer.for_module(module).find_attr_docs()
            except PycodeError:
                continue
            if ("", name) in comments:
                return [*comments["", name]]
    return []


def check_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Warn where there is none."""
    if not any(line.strip() for line in lines):
        logger.warning("%s %s has no docstring", what, name, type="synann")


def check_completeness(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of every name of an `__all__` that has no page."""
    described = env.domains.python_domain.objects
    for names in public_names().values():
        for page in names.values():
            if page not in described:
                logger.warning("%s is public and not described", page, type="synann")


def own_members(kind: type) -> list[str]:
    """Public methods and properties of a class, and what it inherits from classes of ours."""
    found: list[str] = []
    for base in kind.__mro__:
        if base.__module__.startswith("synann"):
            found += [key for key in vars(base) if not key.startswith("_") and key not in found]
    fields = getattr(kind, "_fields", ())  # of a named tuple: its docstring has them
    static = {key: inspect.getattr_static(kind, key) for key in found if key not in fields}
    shown = (*PROPERTIES, classmethod, staticmethod)
    return [
        key
        for key, value in static.items()
        if isinstance(value, shown) or inspect.isroutine(value)
        if not (key.startswith("set_") and key.endswith("_request"))  # scikit-learn's own
    ]


def link_name(name, rawtext, text, lineno, inliner, options=None, content=None):
    """The role of single backticks: a link where the text is a public name, code elsewhere."""
    code = nodes.literal(rawtext, text)
    env = inliner.document.settings.env
    attributes = {"refdomain": "py", "reftype": "obj", "reftarget": text.removesuffix("()")}
    link = addnodes.pending_xref(rawtext, code, refdoc=env.docname, **attributes)
    link["synann_name"] = True
    link["py:module"] = env.ref_context.get("py:module")
    link["py:class"] = env.ref_context.get("py:class")
    return [link], []


def resolve_name(app: Sphinx, env: BuildEnvironment, node: Any, contnode: Any) -> Any:
    """Find what has its page under another module; leave what is not public as code."""
    target = node.get("reftarget", "")
    head, dot, rest = target.removeprefix(f"{node.get('py:module')}.").partition(".")
    pages = {names[head] for names in public_names().values() if head in names}
    if len(pages) == 1:
        domain = env.domains.python_domain
        name = f"{pages.pop()}{dot}{rest}"
        found = domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, contnode)
        if found is not None:
            return found
    return contnode if node.get("synann_name") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the above to Sphinx's events."""
    roles.register_local_role("name", link_name)
    app.connect("config-inited", write_pages)
    app.connect("autodoc-process-docstring", check_docstring, priority=100)
    app.connect("env-check-consistency", check_completeness)
    app.connect("missing-reference", resolve_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

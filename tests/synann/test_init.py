"""The package that people import: its names, its version, and what it leaves alone until used."""

import importlib
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import synann
import synann_core

ROOT = Path(__file__).parents[2]
CORE = (
    *("export", "extending", "graph", "layer", "learning", "models"),
    *("noisy_or", "optim", "plot", "spiking", "tabular"),
)
FRAMEWORKS = {"torch", "jax", "keras", "tensorflow", "cupy", "matplotlib", "networkx"}


def run(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


def test_every_name_of_the_core_is_here():
    assert synann.__all__ == synann_core.__all__
    for name in synann_core.__all__:
        assert getattr(synann, name) is getattr(synann_core, name)


@pytest.mark.parametrize("module", CORE)
def test_submodules_have_the_names_of_the_core(module):
    here = importlib.import_module(f"synann.{module}")
    core = importlib.import_module(f"synann_core.{module}")
    assert getattr(synann, module) is here
    assert here.__all__ == core.__all__
    assert here.__doc__
    for name in core.__all__:
        if not isinstance(getattr(core, name), ModuleType):
            assert getattr(here, name) is getattr(core, name)


@pytest.mark.parametrize(
    ("module", "original"),
    [
        ("synann.graph.motifs", "synann_core.graph.motifs"),
        ("synann.torch.functional", "synann_torch.functional"),
        ("synann.torch.exchange", "synann_torch.exchange"),
        ("synann.torch.spiking", "synann_torch.spiking"),
    ],
)
def test_modules_of_submodules_can_be_imported_from(module, original):
    home = importlib.import_module(original)
    parent, name = module.rsplit(".", 1)
    for here in (importlib.import_module(module), getattr(importlib.import_module(parent), name)):
        assert here.__all__ == home.__all__
        assert here.__doc__
        for public in home.__all__:
            assert getattr(here, public) is getattr(home, public)


def test_submodules_are_complete():
    modules = {module.name for module in pkgutil.iter_modules(synann.__path__)}
    modules -= {"__main__", "_selfcheck"}  # python -m synann
    assert modules == {*CORE, "torch", "keras"} == synann._SUBMODULES
    # Public modules of the core that hold more than what stands at the top.
    for module in pkgutil.iter_modules(synann_core.__path__):
        home = importlib.import_module(f"synann_core.{module.name}")
        if set(getattr(home, "__all__", ())) - set(synann_core.__all__):
            assert module.name in modules


# The pages that list a module's names, where that is not docs/api.md alone.
PAGES = {
    "spiking": ("spiking.md", "encoders.md", "plasticity.md"),
    "torch": ("torch.md",),
    "torch.functional": ("torch.md",),
    "torch.exchange": ("spiking.md",),
    "torch.spiking": ("spiking.md",),
    "keras": ("keras.md",),
}


@pytest.mark.parametrize("module", ["", *CORE, "graph.motifs", *sorted(PAGES.keys() - {*CORE})])
def test_every_public_name_stands_in_the_docs(module):
    texts = [(ROOT / "docs" / page).read_text("utf-8") for page in PAGES.get(module, ("api.md",))]
    # Of code spans, what is named or called, not its arguments.
    spans = re.findall(r"`([^`\n]+)`", "\n".join(texts))
    listed = {name for span in spans for name in span.partition("(")[0].split(".")}
    public = importlib.import_module(f"synann.{module}".rstrip(".")).__all__
    assert not [name for name in public if name not in listed]


def test_dir_lists_names_submodules_and_version():
    import synann.torch

    assert {*synann.__all__, *CORE, "torch", "__version__"} <= set(dir(synann))


@pytest.mark.parametrize("missing", [[], ["sklearn"]])
def test_whatever_is_listed_can_be_asked_for(missing):
    """As completion and `help` do; they import no framework."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({missing})); import synann\n"
        "for module in (synann, synann.tabular, synann.noisy_or, synann.graph, synann.spiking):\n"
        "    for name in dir(module):\n"
        "        getattr(module, name)\n"
        "print('SynapseRules' in dir(synann), {'torch', 'keras'} & {*sys.modules, *dir(synann)})"
    )
    result = run(code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == f"{not missing} set()"


def test_estimators_are_at_the_top_when_they_are_used():
    code = (
        "import sys, synann; from synann import *; dir(synann);"
        "assert 'sklearn' not in sys.modules;"
        "print(*(getattr(synann, name).__module__ for name in synann._ESTIMATORS))"
    )
    result = run(code)
    assert result.returncode == 0, result.stderr
    assert all(home.startswith("synann_core.tabular.") for home in result.stdout.split())
    assert set(synann._ESTIMATORS) <= set(dir(synann))


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'synann' has no attribute 'synaps'"):
        _ = synann.synaps
    assert not hasattr(synann, "tensorflow")


def test_version_stands_in_one_place():
    assert synann.__version__ == importlib.metadata.version("synann")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == synann.__version__


@pytest.mark.parametrize(
    "statement",
    [
        "import synann; dir(synann)",
        "from synann import *; synapse(0.9, 0.2); initial_beta(2, 2, rng=0)",
        "import synann; synann.graph.motifs; synann.spiking.LIF; synann.plot; synann.export",
        "import synann.graph; from synann.optim import Adam; from synann import models",
        "from synann.graph.motifs import latch; latch()",
    ],
)
def test_the_core_imports_no_framework(statement):
    result = run(f"import sys; {statement}; print(*sys.modules)")
    assert result.returncode == 0, result.stderr
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert "synann_core" in loaded
    assert not loaded & (FRAMEWORKS | {"synann_torch", "synann_keras"})

"""The package that people import: its names, its version, and what it leaves alone until used."""

import importlib
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

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
        assert getattr(here, name) is getattr(core, name)


def test_submodules_are_complete():
    modules = {module.name for module in pkgutil.iter_modules(synann.__path__)}
    assert modules == {*CORE, "torch", "keras"} == synann._SUBMODULES
    # Public modules of the core that hold more than what stands at the top.
    for module in pkgutil.iter_modules(synann_core.__path__):
        home = importlib.import_module(f"synann_core.{module.name}")
        if set(getattr(home, "__all__", ())) - set(synann_core.__all__):
            assert module.name in modules


def test_dir_lists_names_submodules_and_version():
    assert {*synann.__all__, *CORE, "torch", "keras", "__version__"} <= set(dir(synann))


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
    ],
)
def test_the_core_imports_no_framework(statement):
    result = run(f"import sys; {statement}; print(*sys.modules)")
    assert result.returncode == 0, result.stderr
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert "synann_core" in loaded
    assert not loaded & (FRAMEWORKS | {"synann_torch", "synann_keras"})

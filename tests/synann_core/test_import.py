"""What importing the core brings in, and what its modules declare."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

import synann_core

MODULES = {
    "surprisals": {"surprisal", "probability", "complement", "bose_einstein"},
    "log_odds": {"odds", "logit", "expit", "odds_ratio", "swap_ratio"},
    "synapses": {"synapse", "synapse_vjp", "surprisal_synapse", "surprisal_synapse_vjp"},
    "tensor": {
        "synapse_tensor",
        "synapse_tensor_vjp",
        "surprisal_synapse_tensor",
        "surprisal_synapse_tensor_vjp",
    },
    "transmission": {
        "log_transmission",
        "log_transmission_vjp",
        "log_transmission_jvp",
        "log_transmission_variant",
        "contributions",
    },
    "learning": {"cross_entropy", "cross_entropy_vjp", "surprisal_rule", "initial_beta"},
}
NAMES = [(module, name) for module, names in MODULES.items() for name in sorted(names)]
FRAMEWORKS = ("torch", "jax", "keras", "tensorflow", "cupy", "array_api_strict")
ROOT = pathlib.Path(synann_core.__file__).parent


def modules_after(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in result.stdout.split()}


def test_importing_the_core_imports_no_framework():
    loaded = modules_after("import synann_core")
    assert "synann_core" in loaded
    assert not loaded & set(FRAMEWORKS)


def test_graphs_and_models_are_imported_when_they_are_used():
    """Half of the time of an import: formulas alone need neither."""
    code = (
        "import sys, synann_core, synann;"
        "later = {'synann_core.graph', 'synann_core.models'};"
        "assert not later & sys.modules.keys();"
        "assert synann.SynapseGraph is synann_core.SynapseGraph;"
        "assert synann_core.models.SynaMLP is synann.SynaMLP;"
        "assert later <= sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'synann_core' has no attribute 'synaps'"):
        _ = synann_core.synaps


def test_using_the_core_on_numpy_imports_no_framework():
    use = (
        "import numpy as np; import synann_core as syn; y = np.ones((2, 3)) / 2; b = y;"
        "syn.synapse_tensor(1.0, y, 1.0, b); syn.log_transmission_vjp(y, b, 1.0); syn.logit(0.5)"
    )
    assert not modules_after(use) & {"torch", "jax", "keras", "tensorflow", "cupy"}


@pytest.mark.parametrize("module", MODULES)
def test_modules_declare_their_public_names(module):
    assert set(importlib.import_module(f"synann_core.{module}").__all__) == MODULES[module]


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_public_names_are_at_the_top(module, name):
    home = sys.modules[f"synann_core.{module}"]
    assert getattr(synann_core, name) is getattr(home, name)


def test_all_of_the_package_is_its_public_names():
    public = {n for n in dir(synann_core) if not n.startswith("_")}
    functions = {n for n in public if callable(getattr(synann_core, n))}
    assert {name for _, name in NAMES} <= functions
    if hasattr(synann_core, "__all__"):
        assert set(synann_core.__all__) == functions


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_docstrings(module, name):
    text = getattr(synann_core, name).__doc__
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n    {section}\n    {'-' * len(section)}\n" in text
    assert ">>> " in text
    assert "`" in text.split("Parameters")[0] or "." in text.split("\n")[0]


def test_no_assert_checks_arguments():
    files = list(ROOT.rglob("*.py"))
    assert len(files) > 5
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        assert not asserts, f"{path.name}: assert in lines {asserts}"


def test_first_lines_of_the_documentation():
    import numpy as np

    assert float(synann_core.synapse(0.9, 0.2, beta=0.5)) == 0.81
    y, beta = np.random.default_rng(0).random((32, 64)), np.full((64, 64), 0.03)
    assert synann_core.synapse_tensor(y, y, np.ones(64), beta).shape == (32, 64)
    assert synann_core.contributions(y, beta).shape == (32, 64, 64)

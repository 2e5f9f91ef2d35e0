"""The house itself: where modules and their tests are, and who imports what."""

import ast
import functools
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "synann_core": ROOT / "synann_core",
    "synann_torch": ROOT / "adapters" / "synann_torch",
    "synann_keras": ROOT / "adapters" / "synann_keras",
}
OUTSIDERS = ("adapters", "examples", "asv_benchmarks")
# Modules of the core that others may import from.
NAMES = "export extending graph graph.motifs layer learning models noisy_or optim plot spiking"
PUBLIC = {"synann_core", "synann_core.tabular", *(f"synann_core.{name}" for name in NAMES.split())}


def sources(folder):
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def modules():
    return [
        (name, path.relative_to(root))
        for name, root in PACKAGES.items()
        for path in sources(root)
        if path.name != "__init__.py"
    ]


@pytest.mark.parametrize(("package", "path"), modules(), ids=str)
def test_a_module_has_its_test_file(package, path):
    wanted = ROOT / "tests" / package / path.with_name(f"test_{path.stem.lstrip('_')}.py")
    assert wanted.exists()


def test_the_root_of_the_core_has_no_private_module():
    assert [p.name for p in (ROOT / "synann_core").glob("_*.py")] == ["__init__.py"]


def private_imports(path):
    """Imports of the core's private names, and of modules that are not for others."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            inner = name.startswith("synann_core.") and not is_public(name)
            if inner or (name.startswith("synann") and "._" in name):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {name}"


def is_public(name):
    module, _, own = name.rpartition(".")
    return name in PUBLIC or (module in PUBLIC and own in importlib.import_module(module).__all__)


def test_imports_of_inner_modules_are_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    lines = {
        "from synann_core import synapse, optim": 0,
        "from synann_core.graph.motifs import latch": 0,
        "import synann_core.layer": 0,
        "from synann_core import contraction": 1,
        "from synann_core.spiking import LIF, neurons": 1,
        "from synann_core.spiking.neurons import dispatch": 1,
        "from synann_core.spiking.neurons.records import Plan": 1,
        "import synann_core.models.passes": 1,
        "from synann_core._lib.checks import check_int": 1,
    }
    for k, (line, count) in enumerate(lines.items()):
        path = tmp_path / f"{k}.py"
        path.write_text(line)
        assert len(list(private_imports(path))) == count, line


@pytest.mark.parametrize("folder", OUTSIDERS)
def test_others_import_public_names_of_the_core(folder):
    found = [line for path in sources(ROOT / folder) for line in private_imports(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", OUTSIDERS)
def test_others_do_not_reach_for_private_attributes(folder):
    pattern = re.compile(r"\b(?:syn|synann|synann_core)\.(?:\w+\.)*_[a-z]")
    found = [
        f"{path.relative_to(ROOT)}:{k}: {line.strip()}"
        for path in sources(ROOT / folder)
        for k, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_alias_hides_that_an_array_is_anything():
    alias = re.compile(r"^(?:Array|Namespace)\w* = Any\b", re.MULTILINE)
    found = [p for root in PACKAGES.values() for p in sources(root) if alias.search(p.read_text())]
    assert not found


def test_no_module_bears_the_name_of_a_public_function():
    import synann_core

    for package in ("synann_core", "synann_core.graph", "synann_core.spiking"):
        folder = ROOT / package.replace(".", "/")
        functions = set(_public_functions(package))
        clashes = {p.stem for p in sources(folder) if p.parent == folder} & functions
        assert not clashes, package
    assert synann_core.__all__


def _public_functions(package):
    module = importlib.import_module(package)
    return [name for name in module.__all__ if callable(getattr(module, name))]


def test_names_of_tests_can_be_read():
    """A name is a sentence of at most sixty characters."""
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sources(ROOT / "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if len(node.name) > 60
    ]
    assert not long, "\n".join(long)


def test_files_are_short_enough_to_read():
    long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for root in PACKAGES.values()
        for path in sources(root)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 350
    ]
    assert not long, "\n".join(long)


def drawing_functions():
    """Public functions of the plot module, and methods named plot_…, of the packages."""
    for root in PACKAGES.values():
        for path in sources(root):
            body = tree(path).body
            owners = [node.body for node in body if isinstance(node, ast.ClassDef)]
            for node in (node for nodes in (body, *owners) for node in nodes):
                if isinstance(node, ast.FunctionDef):
                    own = path.stem == "plot" and node.name[0] != "_"
                    if own or node.name.startswith("plot_"):
                        yield f"{path.relative_to(ROOT)}: {node.name}", node


def test_what_draws_takes_axes_and_returns_them():
    found = dict(drawing_functions())
    assert len(found) >= 6
    for name, node in found.items():
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        annotated = {a.arg: ast.unparse(a.annotation) for a in arguments if a.annotation}
        assert annotated.get("ax") == "Axes | None", name
        assert ast.unparse(node.returns) == "Axes", name

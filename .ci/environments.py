"""Test the package in environments of its own: environments.py lower-bounds|pythons [NAME ...].

lower-bounds makes an environment for each group of extras with exactly the lower bounds that
pyproject.toml states (uv's resolution "lowest-direct"), and runs a quick part of the tests there.
Torch at its bound is the build that the package index has; on Linux for x86-64 that is one with
CUDA, about 3 GB.

pythons does so with the newest libraries for every other Python that is installed here, and uses
the wheel in dist/ there. It says which Pythons are absent.

Environments stay in build/environments; `uv` comes with requirements/dev.txt.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "build" / "environments"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UV = os.environ.get("UV") or shutil.which("uv", path=Path(sys.executable).parent) or "uv"
OTHERS = ("3.12", "3.13", "3.14")  # the tests themselves run on the lowest
TOOLS = ("array-api-strict", "hypothesis", "jsonschema", "mpmath", "pytest", "pytest-xdist")

# What runs where: extras, array libraries of the tests, and tests.
FORMULAS = (
    "tests/synann_core/test_transmission.py",
    "tests/synann_core/test_synapses.py",
    "tests/synann_core/graph/test_compiled.py",
)
ESTIMATORS = (
    *("learning", "classifier", "factors", "frames", "exact"),
    *("network", "questions", "missing"),
)
EXCHANGE = ("files", "layers", "nodes")  # of NIR, without the peers
GROUPS = {
    "base": (
        (),
        "numpy,strict",
        (
            *FORMULAS,
            "tests/synann_core/models/test_files.py",
            *(f"tests/synann_core/export/c/test_{name}.py" for name in ("writer", "spiking")),
        ),
    ),
    "tables": (
        ("noisy-or", "tabular", "plot", "progress", "studies"),
        "numpy",
        (
            *(f"tests/synann_core/noisy_or/test_{name}.py" for name in ESTIMATORS),
            "tests/synann_core/tabular/rules/test_estimator.py",
            "tests/synann_core/tabular/rules/test_files.py",
            "tests/synann_core/graph/test_networkx.py",
            "tests/synann_core/tabular/rules/test_plots.py",
        ),
    ),
    "jax": (
        ("jax", "keras"),
        "jax,jax-jit",
        (*FORMULAS, "tests/synann_keras/test_layer.py", "tests/synann_keras/test_models.py"),
    ),
    "onnx": (("onnx",), "numpy", FORMULAS[:1]),
    "nir": (
        ("spiking",),
        "numpy",
        tuple(f"tests/synann_core/export/nir/test_{name}.py" for name in EXCHANGE),
    ),
    "torch": (
        ("torch",),
        "torch",
        (*FORMULAS, "tests/synann_torch/test_layer.py", "tests/synann_torch/test_models.py"),
    ),
}


def main(arguments: list[str]) -> None:
    """Run what the first argument names, in all environments or in those named."""
    what, names = arguments[0], arguments[1:]
    if what == "lower-bounds":
        for name in names or GROUPS:
            lower_bounds(name)
    elif what == "pythons":
        for version in names or OTHERS:
            other_python(version)
    else:
        raise SystemExit(f"lower-bounds or pythons, not {what}")


def lower_bounds(name: str) -> None:
    """Install the lower bounds of a group of extras, and test it."""
    extras, backends, tests = GROUPS[name]
    python = environment(f"lower-{name}", sys.executable)
    wanted = [*PROJECT["dependencies"], *(r for extra in extras for r in requirements(extra))]
    install(python, "--resolution", "lowest-direct", *wanted, *tools())
    test(python, backends, tests)


def other_python(version: str) -> None:
    """Use the wheel on another Python, and test the sources there."""
    found = interpreter(version)
    if found is None:
        print(f"== Python {version} is not installed here: not tested", flush=True)
        return
    python = environment(version, found)
    wheels = sorted((ROOT / "dist").glob("*.whl"))
    if not wheels:
        raise SystemExit("dist/ has no wheel: make wheel")
    extras, backends, tests = GROUPS["tables"]
    install(python, f"{wheels[-1]}[{','.join(extras)}]", *tools())
    run(python, str(ROOT / ".ci" / "use_wheel.py"), "native", cwd=HOME)
    run(python, "-m", "synann", cwd=HOME)
    test(python, backends, (*GROUPS["base"][2], *tests))


def interpreter(version: str) -> str | None:
    """An interpreter of this version that starts: on the path, or one of pyenv's."""
    name = f"python{version}"
    candidates = [shutil.which(name)]
    if "PYENV_ROOT" in os.environ:
        own = Path(os.environ["PYENV_ROOT"]) / "versions"
        candidates += [str(path) for path in own.glob(f"{version}.*/bin/{name}")]
    for candidate in filter(None, candidates):
        if not subprocess.run([candidate, "--version"], capture_output=True).returncode:
            return candidate
    return None


def requirements(extra: str) -> list[str]:
    """Requirements of an extra."""
    found: list[str] = PROJECT["optional-dependencies"][extra]
    return found


def tools() -> list[str]:
    """What the tests need themselves, as the extra `test` has it."""
    return [r for r in requirements("test") if r.partition(">=")[0] in TOOLS]


def environment(name: str, interpreter: str) -> str:
    """Make a new environment; return its Python."""
    folder = HOME / name
    command = [UV, "venv", "--quiet", "--clear", "--no-project", "--python", interpreter, folder]
    print(f"== {name}", flush=True)
    subprocess.run(command, check=True)
    return str(folder / "bin" / "python")


def install(python: str, *wanted: str) -> None:
    """Install packages, and say which."""
    subprocess.run([UV, "pip", "install", "--quiet", "--python", python, *wanted], check=True)
    subprocess.run([UV, "pip", "list", "--quiet", "--python", python], check=True)


def test(python: str, backends: str, tests: tuple[str, ...]) -> None:
    """Run tests of the checkout; what the newest libraries warn of is for `make test`."""
    # The checkout's own sources and kernels, which serve every Python, stand before the wheel's.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])
    os.environ |= {"SYNANN_TEST_BACKENDS": backends, "KERAS_BACKEND": "jax"}
    try:
        run(python, "-m", "pytest", "-n", "0", "-W", "ignore", "-p", "no:cacheprovider", *tests)
    finally:
        del os.environ["PYTHONPATH"]


def run(python: str, *arguments: str, cwd: Path = ROOT) -> None:
    """Run one of its Python's commands; fail where it does."""
    subprocess.run([python, *arguments], check=True, cwd=cwd)


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or [""])
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"failed: {error}") from None

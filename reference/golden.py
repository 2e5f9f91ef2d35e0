"""Golden outputs: generated from the reference, kept in the repository, checked for changes.

    python -m reference.golden            write reference/golden/*.json
    python -m reference.golden --check    recompute, and name what differs

Every file holds its inputs, so that a test needs only ``load(name)``. Inputs come from a seeded
generator and from arithmetic alone, and must be reproduced exactly; outputs also depend on the
machine's logarithm, and may differ by a few units in the last place.
"""

import argparse
import json
import os
import sys
import tempfile
import textwrap
from pathlib import Path

import mpmath
import numpy as np

from reference import golden_cases

DIRECTORY = Path(__file__).parent / "golden"
SEED = 20260
ULP = 4
# These functions add terms of both signs: their rounding errors are in proportion to the largest
# entry of an output, not to each entry. All others are compared entry by entry.
CANCELLING = ("_vjp", "_jvp", "surprisal_rule", "cross_entropy")
# What may differ between machines without being wrong.
VERSIONS = ("numpy", "mpmath")


def load(name, directory=DIRECTORY):
    """Contents of one file: ``["provenance"]``, and ``["cases"][case]["inputs" | "outputs"]`` with
    float64 arrays; numbers are 0-d arrays.
    """
    document = json.loads((Path(directory) / f"{name}.json").read_text(encoding="utf-8"))
    return {"provenance": document["provenance"], "cases": _to_arrays(document["cases"])}


def generate(name):
    """The same structure as `load`, computed anew."""
    provenance = {
        "generator": "python -m reference.golden",
        "seed": SEED,
        "numpy": np.__version__,
        "mpmath": mpmath.__version__,
    }
    cases = golden_cases.MODULES[name](np.random.default_rng(SEED))
    return {"provenance": provenance, "cases": _to_arrays(cases)}


def write(name, directory=DIRECTORY):
    """Write one file; a reader sees the old one or the new one, never a part."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_to_text(generate(name)) + "\n")
        os.chmod(temporary, 0o644)
        os.replace(temporary, directory / f"{name}.json")
    except BaseException:
        os.unlink(temporary)
        raise


def check(directory=DIRECTORY):
    """Differences between the files and what would be written now, one line each."""
    problems = []
    for name in golden_cases.MODULES:
        path = Path(directory) / f"{name}.json"
        if not path.exists():
            problems.append(f"{path.name}: missing")
            continue
        found = compare(load(name, directory), generate(name))
        problems += [f"{path.name}: {problem}" for problem in found]
    return problems


def compare(stored, fresh, path=""):
    """Differences between two structures as `load` returns them, each with the path of its key."""
    if isinstance(stored, dict) and isinstance(fresh, dict):
        problems = []
        for key in sorted(stored.keys() | fresh.keys()):
            place = f"{path}/{key}".lstrip("/")
            if key not in stored or key not in fresh:
                problems.append(f"{place}: only in the {'stored' if key in stored else 'new'} one")
            elif place not in [f"provenance/{version}" for version in VERSIONS]:
                problems += compare(stored[key], fresh[key], place)
        return problems
    if not isinstance(stored, np.ndarray) or not isinstance(fresh, np.ndarray):
        return [] if stored == fresh else [f"{path}: {stored!r} became {fresh!r}"]
    if stored.shape != fresh.shape:
        return [f"{path}: shape {stored.shape} became {fresh.shape}"]
    differs = ~_agree(stored, fresh, path)
    if not differs.any():
        return []
    place = tuple(int(k) for k in np.argwhere(differs)[0])
    return [
        f"{path}: {int(differs.sum())} of {differs.size} entries differ, "
        f"first {place}: {float(stored[place])!r} became {float(fresh[place])!r}"
    ]


def _agree(stored, fresh, path):
    same = (stored == fresh) | (np.isnan(stored) & np.isnan(fresh))
    if "/outputs/" not in path:
        return same
    finite = np.isfinite(stored) & np.isfinite(fresh)
    old, new = np.where(finite, stored, 0.0), np.where(finite, fresh, 0.0)
    scale = np.abs(old)
    if any(mark in path for mark in CANCELLING):
        scale = np.full(old.shape, np.max(scale, initial=0.0))
    return same | (finite & (np.abs(new - old) <= ULP * np.spacing(scale)))


def _to_arrays(value):
    if isinstance(value, dict):
        return {key: _to_arrays(entry) for key, entry in value.items()}
    return np.array(value, dtype=np.float64)


def _to_text(value, indent=""):
    """JSON with one row of an array per line or, if long, per paragraph."""
    deeper = indent + "  "
    if isinstance(value, dict):
        entries = [f"{deeper}{json.dumps(k)}: {_to_text(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
    if isinstance(value, np.ndarray) and value.ndim > 1:
        rows = [deeper + _to_text(row, deeper) for row in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    if isinstance(value, np.ndarray) and value.ndim == 1:
        line = "[" + ", ".join(_number(float(entry)) for entry in value) + "]"
        return f"\n{deeper}".join(textwrap.wrap(line, 98 - len(deeper)))
    return _number(float(value)) if isinstance(value, np.ndarray) else json.dumps(value)


def _number(value):
    """Shortest decimal that reads back as the same float; JSON has no inf and nan."""
    return repr(value) if np.isfinite(value) else json.dumps(str(value))


def main(arguments=None):
    """Write the files, or check them; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m reference.golden", description="Golden files.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args(arguments).check:
        problems = check()
        for problem in problems:
            print(problem, file=sys.stderr)
        return 1 if problems else 0
    for name in golden_cases.MODULES:
        write(name)
        print(DIRECTORY / f"{name}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())

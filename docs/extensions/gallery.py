"""Write the gallery: every example with its docstring, what it prints, its pictures and its source.

sphinx-gallery executes blocks of a script in its own process and takes the figures that are left
open. The examples are programs: they have options, print tables, write their pictures to files, and
must work as a user starts them. So they run as commands here, those of the Makefile's EXAMPLES; one
that fails is a warning, which fails the build. The others take long, or need files that are not
shipped: they stand here with the pictures of the guides. A program runs again when a source
changes.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FOLDERS = {
    "": ("To run first", "Each takes seconds and needs no files but those that come along."),
    "studies": ("Studies", "What the guides report, with the figures printed there."),
    "mnist": ("On MNIST", "They need MNIST's files, which are not shipped."),
}
OPTIONS = {"studies/diagnosis": ("--quick",)}  # run, too, but not all of it
SHOWN = {  # pictures of the guides, for programs that do not run here
    "digits": ("digits-decision", "digits-learning-curves"),
    "mnist/spiking_energy": ("spiking-energy",),
    "mnist/spiking_mnist": ("spiking-mnist",),
    "studies/decolle": ("decolle",),
    "studies/diehl_cook": ("diehl-cook",),
    "studies/eprop_memory": ("eprop",),
    "studies/depth": ("depth",),
    "studies/rare_disease": ("rare-disease-why", "rare-disease-reliability"),
    "studies/superspike": ("superspike",),
}


class Example(NamedTuple):
    """A program, what it printed (None if it did not run), and its pictures."""

    name: str
    summary: str
    text: str
    printed: str | None
    pictures: list[Path]
    pages: tuple[str, ...] = ()  # those that it wrote, as they are called in the site


def programs() -> list[str]:
    """Names of all programs under examples/, those that are run first in front."""
    paths = [p for p in EXAMPLES.rglob("*.py") if '__name__ == "__main__"' in p.read_text("utf-8")]
    names = [p.relative_to(EXAMPLES).with_suffix("").as_posix() for p in paths]
    return sorted(names, key=lambda name: (list(FOLDERS).index(folder_of(name)), name))


def folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def run_here() -> set[str]:
    """The Makefile's EXAMPLES, and those of OPTIONS."""
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    (listed,) = re.findall(r"^EXAMPLES := (.*)$", makefile, re.MULTILINE)
    return {*listed.split(), *OPTIONS}


def fingerprint() -> str:
    """Return a hash of what outputs depend on: packages, examples, the version of Python."""
    digest = hashlib.sha256(sys.version.encode())
    for folder in ("examples", "synann", "synann_core", "adapters"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            if path.suffix in {".py", ".c", ".h", ".csv"}:
                digest.update(path.read_bytes())
    return digest.hexdigest()


def run(name: str, key: str) -> str | None:
    """Start a program in a folder of its own; return what it printed, None if it failed."""
    folder = folder_of_run(name)
    printed = folder / "printed.txt"
    marker = folder / "key.txt"
    if marker.exists() and marker.read_text() == key:
        return printed.read_text("utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *OPTIONS.get(name, ())]
    environment = os.environ | {"MPLBACKEND": "agg"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        logger.warning("%s failed:\n%s", name, done.stderr, type="synann")
        return None
    printed.write_text(done.stdout, "utf-8")
    marker.write_text(key)
    return done.stdout


def folder_of_run(name: str) -> Path:
    return ROOT / "build" / "gallery" / name


def keep_page(path: Path) -> str:
    """Copy a page that an example wrote to where html_extra_path takes it from."""
    folder = ROOT / "build" / "pages" / "interactive"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder / path.name)
    return f"interactive/{path.name}"


def example(name: str, printed: str | None, folder: Path) -> Example:
    """Gather what a program is and made, its pictures copied to where pages find them."""
    source = (EXAMPLES / f"{name}.py").read_text("utf-8")
    summary, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")
    made = folder_of_run(name) if name in run_here() else None
    found = sorted(made.rglob("*.png")) if made else shown(name)
    pages = tuple(map(keep_page, sorted(made.rglob("*.html")))) if made else ()
    pictures = [folder / f"{name.replace('/', '-')}-{path.name}" for path in found]
    for path, copy in zip(found, pictures, strict=True):
        shutil.copyfile(path, copy)
    return Example(name, " ".join(summary.split()), text, printed, pictures, pages)


def shown(name: str) -> list[Path]:
    """Pictures of the guides that stand in for those of a program that does not run here."""
    return [ROOT / "docs" / "images" / f"{picture}.png" for picture in SHOWN.get(name, ())]


def page(one: Example) -> str:
    """The page of an example, in Markdown."""
    parts = [f"# {one.name}", one.summary]
    if one.text:
        parts.append(f"```text\n{one.text}\n```")
    parts += [
        f"![What {one.name} draws: {path.stem.replace('-', ' ')}](images/{path.name})"
        for path in one.pictures
    ]
    parts += [f'<a href="../{name}">Open {Path(name).name}</a>' for name in one.pages]
    if one.printed is not None:
        command = " ".join(["python", f"examples/{one.name}.py", *OPTIONS.get(one.name, ())])
        parts += [f"## What it prints\n\n`{command}`", f"````text\n{one.printed.rstrip()}\n````"]
    else:
        parts.append("It did not run when this page was built: it takes long, or needs more files.")
    parts.append(
        f"## Source\n\n```{{literalinclude}} ../../examples/{one.name}.py\n:language: python\n```"
    )
    return "\n\n".join(parts) + "\n"


def card(one: Example) -> str:
    image = f":img-top: images/{one.pictures[0].name}\n" if one.pictures else ""
    return (
        f":::{{grid-item-card}} {one.name}\n:link: {file_name(one)}\n:link-type: doc\n"
        f":class-img-top: gallery-picture\n{image}\n{one.summary}\n:::\n"
    )


def file_name(one: Example) -> str:
    return one.name.replace("/", "-")


def index(examples: list[Example]) -> str:
    """The first page: a card for each example."""
    parts = [
        "# Gallery",
        "All programs in `examples/`. Most ran when this site was built, as by `make examples`.",
    ]
    for folder, (title, text) in FOLDERS.items():
        cards = "\n".join(card(one) for one in examples if folder_of(one.name) == folder)
        parts += [f"## {title}", text, f"::::{{grid}} 1 2 3 3\n:gutter: 3\n\n{cards}::::"]
    names = "\n".join(file_name(one) for one in examples)
    parts.append(f"```{{toctree}}\n:hidden:\n\n{names}\n```")
    return "\n\n".join(parts) + "\n"


def write_gallery(app: Sphinx, config: Config) -> None:
    """Run what is to be run, two at a time or as --jobs says, and write the pages."""
    folder = Path(app.srcdir) / "gallery"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (ROOT / "build" / "pages").mkdir(parents=True, exist_ok=True)
    key = fingerprint()
    with ThreadPoolExecutor(max(1, app.parallel)) as pool:
        names = [name for name in programs() if name in run_here()]
        printed = dict(zip(names, pool.map(lambda name: run(name, key), names), strict=True))
    made = [example(name, printed.get(name), folder / "images") for name in programs()]
    wanted = {f"{file_name(one)}.md": page(one) for one in made} | {"index.md": index(made)}
    for old in {*folder.glob("*.md")} - {folder / name for name in wanted}:
        old.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx: pages have to be there before it looks for them."""
    app.connect("config-inited", write_gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

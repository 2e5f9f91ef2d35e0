"""Write the code cells of the tutorials as Python files, which `make lint` gives to type checkers.

python docs/extensions/cells.py FOLDER
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TUTORIALS = Path(__file__).parents[1] / "tutorials"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code(text: str) -> str:
    """All cells without their options; all else stands empty, so that lines keep their numbers."""
    lines = [""] * (text.count("\n") + 1)
    for cell in CELL.finditer(text):
        first = text.count("\n", 0, cell.start(1))
        found = ["" if line.startswith(":") else line for line in cell[1].splitlines()]
        lines[first : first + len(found)] = found
    return "\n".join(lines).rstrip() + "\n"


def write(folder: Path) -> list[Path]:
    """A file for each tutorial that has code."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {path: code(path.read_text("utf-8")) for path in sorted(TUTORIALS.glob("*.md"))}
    files = {folder / f"{path.stem}.py": text for path, text in pages.items() if text.strip()}
    for path, text in files.items():
        path.write_text(text, "utf-8")
    return [*files]


if __name__ == "__main__":
    print(*write(Path(sys.argv[1])), sep="\n")

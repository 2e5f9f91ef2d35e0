"""Names of a package that are imported when they are first used."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping


def names_for_later(
    package: str, homes: Mapping[str, str], extra: str | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package whose names are at home in other modules.

    Parameters
    ----------
    package : str
        Full name; it gets each name when that is first asked for.
    homes : mapping
        Full names of the modules, by the names that they define.
    extra : str, optional
        Of `synann`: what to install where a module needs scikit-learn. Where that is absent, none
        of the names is listed.
    """
    names = vars(sys.modules[package])

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = importlib.import_module(homes[name])
        except ModuleNotFoundError as error:
            if extra is None or (error.name or "").partition(".")[0] != "sklearn":
                raise
            raise ImportError(
                f'`{name}` needs scikit-learn: pip install "synann[{extra}]"'
            ) from None
        return names.setdefault(name, getattr(module, name))

    def listed() -> list[str]:
        there = extra is None or has_scikit_learn()
        return sorted({*names, *(homes if there else ())})

    return get, listed


def has_scikit_learn() -> bool:
    """Whether it can be imported: what needs it is listed only then."""
    try:
        return importlib.util.find_spec("sklearn") is not None
    except (ImportError, ValueError):  # where something hides it, or stands in for it
        return False

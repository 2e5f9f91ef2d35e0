"""Loggers of the library: which branch serves, what falls back to what, how a training converges.

All are children of ``logging.getLogger("synann")``, which is silent until a program gives it, or
the root logger, a handler and a level. DEBUG has every choice of a branch, INFO what was decided
and how it ended.
"""

from __future__ import annotations

import logging

_NAME = "synann"

logging.getLogger(_NAME).addHandler(logging.NullHandler())


def logger(area: str) -> logging.Logger:
    """Return the logger ``synann.<area>``.

    Examples
    --------
    >>> from synann_core._lib.log import logger
    >>> logger("kernels").name
    'synann.kernels'
    """
    return logging.getLogger(f"{_NAME}.{area}")

"""Check what the state of a module says of its options: places among their choices, as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def check_choices(
    argument: str,
    module: str,
    choices: Mapping[str, tuple[Any, ...]],
    state: Sequence[float],
    options: Mapping[str, Any],
) -> None:
    """Refuse a state that begins with the places of other choices than a module's options.

    A state may be a mean of states, and of an older version, which says less.
    """
    for (name, values), number in zip(choices.items(), state, strict=False):
        place = round(number) if math.isfinite(number) else -1
        found = repr(values[place]) if 0 <= place < len(values) else f"number {number}"
        if found != repr(options[name]):
            raise ValueError(
                f"`{argument}` must hold the state of a {module} with {name} {options[name]!r}. "
                f"Received: {found}"
            )

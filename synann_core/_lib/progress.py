"""Show how far a long computation is: a bar of tqdm's where it is installed, otherwise lines.

In a notebook tqdm draws a widget. Bars and lines go to the standard error: what a program prints
stays as it is.
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any

_LINES = 10  # of a whole computation, without tqdm


class Progress:
    """Steps done, for a ``with`` block; the threads of the block may share it.

    Parameters
    ----------
    name : str
        What is computed.
    total : int
        As many steps as there may be.
    shown : bool or int
        Whether to show anything: the caller's `verbose`.
    unit : str
        What a step is.
    """

    def __init__(self, name: str, total: int, *, shown: bool | int, unit: str = "epoch") -> None:
        self.name, self.total, self.unit, self.done = name, total, unit, 0
        self._bar: Any = None
        self._shown = bool(shown) and sys.stderr is not None  # as in programs with windows
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        if self._shown:
            try:
                from tqdm.auto import tqdm
            except ModuleNotFoundError:
                return self
            self._bar = tqdm(total=self.total, desc=self.name, unit=self.unit)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, steps: int = 1, /, **figures: float) -> None:
        """Count steps and show their figures."""
        if not self._shown:
            return
        with self._lock:
            before, self.done = self.done, self.done + steps
            if self._bar is not None:
                if figures:
                    words = {key: f"{value:.4g}" for key, value in figures.items()}
                    self._bar.set_postfix(words, refresh=False)
                self._bar.update(steps)
                return
            each = max(1, self.total // _LINES)
            if self.done // each > before // each:
                text = f"{self.name}: {self.unit} {self.done} of {self.total}"
                shown = [f"{key} {value:.4g}" for key, value in figures.items()]
                sys.stderr.write(", ".join([text, *shown]) + "\n")
                sys.stderr.flush()


#: For callers that show nothing; it counts nothing, so that all of them may share it.
SILENT = Progress("", 0, shown=False)

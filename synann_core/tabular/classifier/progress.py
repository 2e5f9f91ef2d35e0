"""Show how far a training is: a bar of tqdm's where it is installed, otherwise lines."""

from __future__ import annotations

from types import TracebackType
from typing import Any

_LINES = 10  # of a whole training, without tqdm


class Progress:
    """Epochs done, for a ``with`` block.

    Parameters
    ----------
    name : str
        What is trained.
    epochs : int
        As many as there may be.
    shown : bool
    """

    def __init__(self, name: str, epochs: int, *, shown: bool) -> None:
        self.name, self.epochs, self.done = name, epochs, 0
        self._bar: Any = None
        self._shown = shown

    def __enter__(self) -> Progress:
        if self._shown:
            try:
                from tqdm import tqdm
            except ModuleNotFoundError:
                return self
            self._bar = tqdm(total=self.epochs, desc=self.name, unit="epoch")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, **figures: float) -> None:
        """Count an epoch and show its figures."""
        self.done += 1
        if self._bar is not None:
            self._bar.set_postfix({k: f"{v:.4f}" for k, v in figures.items()}, refresh=False)
            self._bar.update()
        elif self._shown and self.done % max(1, self.epochs // _LINES) == 0:
            words = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
            print(f"{self.name}: epoch {self.done} of {self.epochs}, {words}")

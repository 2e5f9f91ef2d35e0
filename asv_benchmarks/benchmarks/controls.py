"""The rivals, forward and backward, on the same machine in the same run."""

from __future__ import annotations

from . import rivals
from .common import BATCHES, LAYERS, SMOKE, SOME_LAYERS, Prepared, make_problem
from .meters import Call


def make(name: str, batch: int, layer: str) -> Call:
    """Make a rival's call."""
    return rivals.build(name, make_problem(f"{batch}x{layer}"))


class Rival(Prepared):
    """What the library is compared with; above 4 GB of memory a rival is skipped."""

    param_names = ("rival", "batch", "layer")
    params = (tuple(rivals.RIVALS), BATCHES, LAYERS)
    # Half a minute for a call.
    skip_params = (("broadcasting, torch.compile", 512, "2048x2048"),)
    repeat = (3, 200, 0.3)
    make = staticmethod(make)

    def time_rival(self, *params: object) -> None:
        """Time one call, forward and backward."""
        self.call()

    time_rival.pretty_name = "Rivals: forward and backward"

    def peakmem_rival(self, *params: object) -> None:
        """Peak memory of the process."""
        self.call()

    peakmem_rival.pretty_name = "Rivals: peak memory"

    peakmem_rival.params = (params[0][:1] if SMOKE else params[0], BATCHES[-1:], SOME_LAYERS)

"""A wide synapse layer in bfloat16: memory and time of a training step, predicted and measured.

    python examples/studies/wide_layer.py                          4,096 and 8,192 inputs
    python examples/studies/wide_layer.py --sizes 8192 32768 --parts 64     about 6 GB

The layer computes in float32 whatever its parameters are, so that a step holds 12 bytes for each of
its N² parameters beside the 2 + 2 of parameter and gradient. Its outputs do not depend on each
other: as several layers, each with a part of them, which torch.utils.checkpoint computes once more
in the backward pass, a step holds those 12 bytes of one part only.

Each measurement has its own process; of the optimizer it has none (Adam adds 4 bytes a parameter).
The time is predicted from that of the first size: it grows as N².

Makes a table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from tabulate import tabulate
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared.options import make_parser, number
from synann.torch import Synapse

STORED = 4  # bytes of a parameter and its gradient in bfloat16
WORKING = 12  # float32: β, its gradient, and that of its logit
GIB = 2**30


class WideSynapse(nn.Module):
    """``s_i = y_i ∏_j (1 − β_ij y_j)`` for N inputs and outputs, in parts of N / parts outputs.

    Parameters
    ----------
    size, parts : int
        N, and a divisor of it.
    dtype : torch.dtype
        Of the parameters.
    """

    def __init__(self, size: int, parts: int, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.outputs = size // parts
        self.parts = nn.ModuleList(
            Synapse(size, self.outputs, excitation="none", alpha=False, dtype=dtype)
            for _ in range(parts)
        )

    def forward(self, y: Tensor) -> Tensor:
        """Outputs (rows, N) for inputs (rows, N)."""
        own = y.split(self.outputs, dim=-1)
        each = zip(self.parts, own, strict=True)
        if len(self.parts) == 1:
            return self.parts[0](y, y)
        return torch.cat([checkpoint(part, y, x, use_reentrant=False) for part, x in each], -1)


def measure(size: int, parts: int, rows: int) -> tuple[float, float]:
    """Peak memory that a step adds to the process, with the parameters, in GiB; seconds."""
    torch.manual_seed(0)
    WideSynapse(4, 2)(torch.rand(1, 4)).sum().backward()  # what a first call loads and compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layer, y = WideSynapse(size, parts), torch.rand(rows, size)
    start = time.perf_counter()
    layer(y).log().mean().backward()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return peak * 1024 / GIB, seconds


def predicted(size: int, parts: int) -> float:
    """Memory of a step in GiB."""
    return size**2 * (STORED + WORKING / parts) / GIB


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, output=False)
    parser.add_argument("--sizes", nargs="+", type=number(int, 2), default=[4096, 8192])
    parser.add_argument("--parts", nargs="+", type=number(int, 1), default=[1, 16])
    parser.add_argument("--rows", type=number(int, 1), default=32)
    parser.add_argument("--child", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        print(json.dumps(measure(*options.child, options.rows)))
        return
    rows = []
    for parts in options.parts:
        seconds: list[tuple[int, float]] = []
        for size in options.sizes:
            if size % parts:
                parser.error(f"--parts must divide --sizes. Received: {parts}, {size}")
            child = ["--child", str(size), str(parts), "--rows", str(options.rows)]
            done = subprocess.run(
                [sys.executable, __file__, *child],
                # Else glibc keeps large arrays that are free, for later ones.
                env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            memory, took = json.loads(done.stdout)
            seconds.append((size, took))
            first, unit = seconds[0]
            rows.append(
                (
                    f"{size:,}",
                    parts,
                    predicted(size, parts),
                    memory,
                    unit * (size / first) ** 2,
                    took,
                )
            )
    headers = ("N", "parts", "GiB predicted", "measured", "seconds predicted", "measured")
    print(f"{options.rows} rows, bfloat16 parameters, {torch.get_num_threads()} threads")
    print(tabulate(rows, headers, floatfmt=("", "", ".2f", ".2f", ".1f", ".1f")))


if __name__ == "__main__":
    main()

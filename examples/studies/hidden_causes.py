"""Hidden causes: are the parts that data were made of found again?

    python examples/studies/hidden_causes.py               10 seeds of both worlds
    python examples/studies/hidden_causes.py --seeds 3 --restarts 8

*Factors*: 50 × 50 numbers, the "or" of 15 random factors, in each of which a fifth of the rows and
of the columns take part; then 2 % of the numbers are flipped. *Bars*: 400 pictures of 8 × 8 pixels
in which each of the 8 rows and 8 columns is bright with probability 1/8; then 2 % of the pixels are
flipped.

A part counts as found if a learned one, its strengths rounded to 0 or 1, correlates with it by more
than 0.9. Of ten findings that is one wrong at most.

Makes a table of the parts found again; no file.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed, parallel_config
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # import as from examples/

from shared.options import make_parser, number
from synann.noisy_or import NoisyOrFactors

FLIPPED = 0.02
ALIKE = 0.9  # correlation from which on a part is found
Data = tuple[np.ndarray, np.ndarray]  # samples, and the parts that they are made of


def factors(rng: np.random.Generator) -> Data:
    """The "or" of 15 factors of 50 samples and 50 findings."""
    has, parts = rng.random((50, 15)) < 0.2, rng.random((15, 50)) < 0.2
    return flipped(has, parts, rng), parts


def bars(rng: np.random.Generator) -> Data:
    """Pictures of bright rows and columns."""
    parts = np.array([np.arange(64) // 8 == k for k in range(8)])
    parts = np.concatenate([parts, [np.arange(64) % 8 == k for k in range(8)]])
    return flipped(rng.random((400, 16)) < 1 / 8, parts, rng), parts


def flipped(has: np.ndarray, parts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    whole = has.astype(int) @ parts > 0
    return (whole ^ (rng.random(whole.shape) < FLIPPED)).astype(float)


def found(parts: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Which parts a learned one resembles, shape (parts,)."""
    guess = learned > 0.5
    guess = guess[guess.any(axis=1) & ~guess.all(axis=1)]
    if not len(guess):
        return np.zeros(len(parts), bool)
    alike = np.corrcoef(parts, guess)[: len(parts), len(parts) :]
    return alike.max(axis=1) > ALIKE


WORLDS = {"factors": factors, "bars": bars}


def one(world: str, seed: int, restarts: int) -> tuple[int, int, float]:
    """Parts found, parts, and seconds."""
    samples, parts = WORLDS[world](np.random.default_rng(seed))
    model = NoisyOrFactors(len(parts), restarts=restarts, random_state=seed)
    start = time.perf_counter()
    model.fit(samples)
    seconds = time.perf_counter() - start
    return int(found(parts, model.components_).sum()), len(parts), seconds


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, output=False)
    parser.add_argument("--seeds", type=number(int, 1), default=10)
    parser.add_argument("--restarts", type=number(int, 1), default=24)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    rows = []
    for world in WORLDS:
        with parallel_config(
            "loky", n_jobs=min(options.seeds, cpu_count()), inner_max_num_threads=1
        ):
            results = Parallel()(
                delayed(one)(world, seed, options.restarts) for seed in range(options.seeds)
            )
        whole = sum(n == of for n, of, _ in results)
        share = sum(n for n, _, _ in results) / sum(of for _, of, _ in results)
        each = " ".join(str(n) for n, _, _ in results)
        seconds = np.mean([s for _, _, s in results])
        rows.append((world, f"{whole} of {len(results)}", f"{share:.3f}", each, f"{seconds:.1f}"))
    columns = ("world", "all parts found", "share of parts", "found by seed", "seconds")
    print(tabulate(rows, columns, disable_numparse=True))


if __name__ == "__main__":
    main()

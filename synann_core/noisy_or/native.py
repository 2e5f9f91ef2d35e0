"""Hand plans of exact inference to the compiled kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synann_core._lib.threads import run_parts, thread_count
from synann_core.native import host
from synann_core.native.host import kernels
from synann_core.noisy_or.parameters import Reals

if TYPE_CHECKING:
    from synann_core.noisy_or.exact import Numbers
    from synann_core.noisy_or.plan import Plan, Program

_WORTH_A_THREAD = 3e5  # numbers: to wake one takes 0.1 ms
SECONDS_A_UNIT = 3e-10, 1.5e-9  # one thread, evidence and posteriors


def serves() -> bool:
    """Whether the compiled kernels serve."""
    return host.enabled() and host.installed()


def improve(
    starts: NDArray[np.int64],
    findings: NDArray[np.int64],
    weights: Reals,
    place: NDArray[np.int64],
    trials: int,
) -> tuple[NDArray[np.int64], float]:
    """Improve the order of findings; return it and its cost."""
    own, cost = place.copy(), np.empty(1)
    kernels.noisy_or_plan(starts, findings, weights, own, cost, trials)
    return own, float(cost[0])


def planned_bytes(plan: Plan, *, shares: bool) -> float:
    """The memory that `run` takes."""
    sizes = [_size(program, shares) for program in (plan.forward, plan.backward)]
    met = 2.0**plan.order.size
    others = sum(2.0 ** size[3] for size in sizes) if shares else met
    return 8.0 * (sum(size[0] + size[4] for size in sizes) + others)


def run(plan: Plan, numbers: Numbers, *, shares: bool) -> tuple[float, tuple[Reals, Reals] | None]:
    """Return the evidence, and what the operations of both programs contribute to it."""
    programs = plan.forward, plan.backward
    given = [
        (p.ops, p.places, numbers.stay[p.links], numbers.move[p.links], numbers.weights(p))
        for p in programs
    ]
    sizes = [_size(p, shares) for p in programs]
    stacks = [np.empty(size[0]) for size in sizes]

    threads = thread_count() if plan.units > _WORTH_A_THREAD else 1

    def build(which: int) -> None:
        kernels.noisy_or_build(*given[which], stacks[which], which, shares)

    run_parts(build, [(0,), (1,)], threads)
    met = 1 << plan.order.size
    states = [s[size[1] : size[1] + met] for s, size in zip(stacks, sizes, strict=True)]
    evidence = np.empty(1)
    if not shares:
        kernels.noisy_or_move(states[1], np.empty(met), plan.order, states[0], evidence)
        return float(evidence[0]), None
    found = tuple(np.empty((len(p.ops), 2)) for p in programs)

    def unwind(which: int) -> None:
        other = np.empty(1 << sizes[which][3])
        order = np.argsort(plan.order) if which else plan.order
        total = np.empty(1) if which else evidence
        with_state = None if which else states[0]
        kernels.noisy_or_move(states[1 - which], other[:met], order, with_state, total)
        kernels.noisy_or_unwind(*given[which], stacks[which], other, found[which], which)

    run_parts(unwind, [(0,), (1,)], threads)
    return float(evidence[0]), (found[0], found[1])


def _size(program: Program, keep: bool) -> tuple[int, int, int, int, int]:
    out = np.empty(5)
    kernels.noisy_or_size(program.ops, program.places, out, keep)
    stack, final, bits, peak, beside = (int(n) for n in out)
    return stack, final, bits, peak, beside

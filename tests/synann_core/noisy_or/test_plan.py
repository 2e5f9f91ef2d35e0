"""Orders of findings, causes to condition on, and where the programs meet."""

import numpy as np
import pytest

from synann_core.noisy_or import native, plan
from synann_core.noisy_or.plan import (
    CAUSE,
    ENTER,
    LEAVE,
    MOST_CONDITIONED,
    Plan,
    Structure,
    _Events,
    _least_units,
    _neighbours,
    _Search,
    make_plan,
)


def random_structure(findings, causes, share, seed=0):
    linked = np.random.default_rng(seed).random((causes, findings)) < share
    return Structure(findings, *(a.astype(np.int64) for a in np.nonzero(linked)))


def widths(program):
    kind = program.ops[:, 0]
    return np.r_[0, np.cumsum((kind == ENTER).astype(int) - (kind == LEAVE))]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("split", [True, False])
def test_every_finding_and_every_cause_has_its_turn(seed, split):
    structure = random_structure(9, 20, (0.1, 0.2, 0.3, 0.6)[seed % 4], seed)
    made = make_plan(structure, split=split)
    assert isinstance(made, Plan)
    both = [np.r_[p.ops, np.zeros((0, 5), int)] for p in (made.forward, made.backward)]
    items = [np.concatenate([p.items[p.ops[:, 0] == k] for p in (made.forward, made.backward)])
             for k in (ENTER, LEAVE, CAUSE)]  # fmt: skip
    # (What enters the backward program leaves the forward one.)
    assert sorted(np.concatenate(items[:2])) == sorted([*range(9)] * 2)
    degree = np.bincount(structure.cause, minlength=20)
    assert sorted(items[2]) == np.flatnonzero(degree > 1).tolist()
    links = np.concatenate([made.forward.links, made.backward.links, made.single])
    assert sorted(links) == list(range(structure.cause.size))
    assert widths(made.forward)[-1] == widths(made.backward)[-1] == made.order.size
    assert sorted(made.order) == list(range(made.order.size))
    if not split:
        assert not len(both[1])


@pytest.mark.needs_kernels
@pytest.mark.parametrize("seed", range(20))
def test_the_kernel_counts_as_the_events_do(seed):
    rng = np.random.default_rng(seed)
    structure = random_structure(int(rng.integers(2, 30)), 40, rng.choice([0.05, 0.1, 0.3]), seed)
    within = np.ones(structure.cause.size, bool)
    place = rng.permutation(structure.findings)
    _, cost = _Search(structure, within).improved(place, search=False)
    events = _Events(structure, within, place)
    entries = (events.kind == ENTER).sum()
    leaves = events.costs[events.kind == LEAVE].sum()
    assert entries == structure.findings
    assert cost == pytest.approx(events.units - leaves, rel=1e-12)
    better, improved = _Search(structure, within).improved(place)
    assert improved <= cost
    assert sorted(better) == list(range(structure.findings))


def chain(k):
    pairs = np.stack([np.arange(k - 1), np.arange(1, k)], axis=1)
    cause = np.repeat(np.arange(k - 1), 2)
    shuffled = np.random.default_rng(0).permutation(k)
    return Structure(k, cause, shuffled[pairs].ravel())


def test_a_long_chain_is_narrow():
    """More findings than a state could have bits."""
    made = make_plan(chain(100), split=native.serves())
    assert isinstance(made, Plan)
    assert max(widths(made.forward).max(), widths(made.backward).max()) <= 3


@pytest.mark.needs_kernels
def test_causes_of_nearly_all_findings_are_conditioned_on():
    own = chain(40)
    everywhere = np.repeat([39, 40], 40), np.tile(np.arange(40), 2)
    both = (np.concatenate(pair) for pair in zip((own.cause, own.finding), everywhere, strict=True))
    made = make_plan(Structure(40, *both))
    assert isinstance(made, Plan)
    assert set(made.conditioned) == {39, 40}
    assert made.total_units < 1e4
    assert make_plan(own).conditioned == ()


def test_what_is_too_wide_is_only_counted():
    structure = Structure(45, np.repeat(np.arange(3), 45), np.tile(np.arange(45), 3))
    # A cause is left that keeps all 45 findings together, unless it is conditioned on.
    assert make_plan(structure, fixed=(0,), forced=(1,), most_conditioned=0) > 2.0**44
    assert make_plan(structure, fixed=(0,), forced=(1, 2)).conditioned == (1, 2)
    dense = random_structure(50, 400, 0.5)
    assert make_plan(dense) > 2.0**50


@pytest.mark.parametrize("seed", range(20))
def test_no_plan_takes_less_than_the_least(seed):
    structure = random_structure(4 + seed, 2 * seed + 3, 0.1 + 0.02 * seed, seed)
    within = np.bincount(structure.cause)[structure.cause] > 1  # the others are merged
    for most in (0, 2, MOST_CONDITIONED):
        least = _least_units(structure, within, most)
        found = make_plan(structure, most_conditioned=most)
        assert least <= found.total_units
        assert make_plan(structure, most_conditioned=most, most_units=0.99 * least) == least


def test_causes_of_more_findings_than_bits_are_conditioned_on():
    """However cheap it seems to be not to look for them."""
    structure = Structure(50, np.repeat([0, 1], 50), np.tile(np.arange(50), 2))
    got = make_plan(structure, merge=True)
    assert got.conditioned == (0, 1)
    assert make_plan(structure, most_conditioned=1) > 2.0**49


def test_neighbours_share_a_cause(monkeypatch):
    structure = random_structure(30, 25, 0.1, 4)
    shared = np.zeros((30, 25), int)
    shared[structure.finding, structure.cause] = 1
    want = shared @ shared.T > 0
    for pairs in (1 << 20, 7):  # at a time
        monkeypatch.setattr(plan, "_PAIRS_AT_A_TIME", pairs)
        np.testing.assert_array_equal(_neighbours(30, structure.cause, structure.finding), want)


def test_known_causes_are_not_in_the_programs():
    structure = random_structure(6, 10, 0.5, 1)
    made = make_plan(structure, fixed=(2,), forced=(5,))
    assert made.conditioned == (5,)
    taken = {*made.forward.items[made.forward.ops[:, 0] == CAUSE].tolist()}
    taken |= {*made.backward.items[made.backward.ops[:, 0] == CAUSE].tolist()}
    assert not taken & {2, 5}

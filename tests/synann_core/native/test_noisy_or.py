"""The kernels of noisy-OR networks, called as their host calls them."""

import itertools

import numpy as np
import pytest

from synann_core.native.host import kernels

pytestmark = pytest.mark.needs_kernels
ENTER, LEAVE, CAUSE = range(3)


def program(bits, causes, seed=0):
    """All findings enter, some causes are taken, and one finding in the middle leaves."""
    rng = np.random.default_rng(seed)
    ops = [[ENTER, 0, 0, 0, 1] for _ in range(bits)]
    places = []
    for count in causes:
        ops.append([CAUSE, 0, len(places), count, 0])
        places += rng.permutation(bits)[:count].tolist()
    ops.append([LEAVE, bits // 2, 0, 0, 1])
    links = rng.random((2, len(places)))
    return np.array(ops), np.array(places, int), *links, rng.random((len(ops), 2))


def plain(ops, places, stay, move, weights, transposed):
    """States before every operation and after the last one, one number at a time."""
    states = [{(): 1.0}]
    for (kind, place, first, count, _), (a, b) in zip(ops, weights, strict=True):
        now, after = states[-1], {}
        if kind == ENTER:
            after = {(*s, on): v * (a, b)[on] for s, v in now.items() for on in (0, 1)}
        elif kind == LEAVE:
            for s, v in now.items():
                key = s[:place] + s[place + 1 :]
                after[key] = after.get(key, 0.0) + v * (a, b)[s[place]]
        else:
            switched = dict(now)
            for k in range(first, first + count):
                for s in itertools.product((0, 1), repeat=len(next(iter(now)))):
                    if not s[places[k]]:
                        on = (*s[: places[k]], 1, *s[places[k] + 1 :])
                        off_value, on_value = switched[s], switched[on]
                        if transposed:
                            switched[s] = stay[k] * off_value + move[k] * on_value
                        else:
                            switched[s] = stay[k] * off_value
                            switched[on] = on_value + move[k] * off_value
            after = {s: a * v + b * switched[s] for s, v in now.items()}
        states.append(after)
    return states


def flat(state):
    """A state as the kernels have it: bit q of the index is place q."""
    bits = len(next(iter(state)))
    return [state[tuple(i >> q & 1 for q in range(bits))] for i in range(2**bits)]


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize(
    ("bits", "causes"),
    [
        (1, [1]),
        (3, [2, 0, 3]),
        (4, [1, 4, 2, 2, 3, 1, 4, 0, 2, 3]),
        (10, [3, 10, 4]),
        (11, [11, 2]),
    ],
)
def test_a_program_runs_as_its_operations_say(bits, causes, keep, transposed):
    given = program(bits, causes)
    size = np.empty(5)
    kernels.noisy_or_size(*given[:2], size, keep)
    stack = np.full(int(size[0]), np.nan)
    kernels.noisy_or_build(*given, stack, transposed, keep)
    states = plain(*given, transposed)
    own = stack[int(size[1]) : int(size[1]) + 2 ** int(size[2])]
    np.testing.assert_allclose(own, flat(states[-1]), rtol=1e-13)
    assert size[3] == bits
    if not keep:
        return
    other = np.full(2**bits, np.nan)
    other[: own.size] = end = np.random.default_rng(1).random(own.size)
    shares = np.full((len(given[0]), 2), np.nan)
    kernels.noisy_or_unwind(*given, stack, other, shares, transposed)
    total = np.dot(flat(states[-1]), end)
    assert other[0] == pytest.approx(total, rel=1e-13)  # the one state at the beginning is 1
    for at, (kind, *_) in enumerate(given[0]):
        if kind == CAUSE:  # what is left of the total without the cause's first weight
            weights = given[4].copy()
            weights[at, 0] = 0.0
            without = plain(*given[:4], weights, transposed)
            assert shares[at, 0] == pytest.approx(np.dot(flat(without[-1]), end), rel=1e-12)
        else:
            assert shares[at].sum() == pytest.approx(total, rel=1e-12)
            weights = given[4].copy()
            weights[at, 0] = 0.0
            without = plain(*given[:4], weights, transposed)
            assert shares[at, 1] == pytest.approx(np.dot(flat(without[-1]), end), rel=1e-12)


@pytest.mark.parametrize("bits", [0, 1, 4, 9, 13])
def test_bits_change_places(bits):
    rng = np.random.default_rng(bits)
    order = rng.permutation(bits)
    values, other = rng.random(2**bits), rng.random(2**bits)
    moved, total = np.full(2**bits, np.nan), np.empty(1)
    kernels.noisy_or_move(values, moved, order, other, total)
    index = np.arange(2**bits)
    there = sum(((index >> q & 1) << int(to) for q, to in enumerate(order)), np.zeros_like(index))
    np.testing.assert_array_equal(moved[there], values)
    assert total[0] == pytest.approx(moved @ other, rel=1e-14)


def wrong_programs():
    ops, places, *rest = program(3, [2, 1])
    for row, column, value in (
        (0, 0, 3),  # no such operation
        (3, 2, -1),
        (3, 3, 9),
        (3, 2, 2**62),
        (5, 1, 3),
        (5, 1, -1),
    ):
        changed = ops.copy()
        changed[row, column] = value
        yield changed, places, *rest
    for value in (-1, 3, places[1]):  # a bit that is not there, and one twice
        changed = places.copy()
        changed[0] = value
        yield ops, changed, *rest
    yield np.repeat(ops[:1], 41, axis=0), places, *rest[:2], np.zeros((41, 2))


@pytest.mark.parametrize("given", list(wrong_programs()))
def test_what_is_not_a_program_is_refused(given):
    stack, other, shares = np.zeros(1000), np.zeros(8), np.zeros((len(given[0]), 2))
    for call in (
        lambda: kernels.noisy_or_size(*given[:2], np.empty(5), 1),
        lambda: kernels.noisy_or_build(*given, stack, 0, 1),
        lambda: kernels.noisy_or_unwind(*given, stack, other, shares, 0),
    ):
        with pytest.raises(ValueError, match="outside its range"):
            call()


def test_too_little_memory_and_odd_orders_are_refused():
    given, size = program(4, [2, 3]), np.empty(5)
    kernels.noisy_or_size(*given[:2], size, 1)
    short = np.zeros(int(size[0]) - 1)
    enough, shares = np.zeros(int(size[0])), np.zeros((len(given[0]), 2))
    with pytest.raises(ValueError, match="outside its range"):
        kernels.noisy_or_build(*given, short, 0, 1)
    for stack, other in ((short, np.zeros(16)), (enough, np.zeros(15))):
        with pytest.raises(ValueError, match="outside its range"):
            kernels.noisy_or_unwind(*given, stack, other, shares, 0)
    four, eight = np.zeros(4), np.zeros(8)
    for a, order in ((four, [0, 0]), (four, [0, 2]), (four, [-1, 1]), (eight, [0, 1])):
        with pytest.raises(ValueError, match="outside its range"):
            kernels.noisy_or_move(a, a.copy(), np.array(order), None, np.empty(1))
    starts, links, weights = np.array([0, 2]), np.array([0, 1]), np.ones(1)
    for wrong in (
        (np.array([0, 3]), links, np.array([0, 1])),
        (np.array([1, 0]), links, np.array([0, 1])),
        (starts, np.array([0, 2]), np.array([0, 1])),
        (starts, links, np.array([0, 2])),
        (np.array([0, 1, 2]), links, np.array([0, 1])),
    ):
        with pytest.raises(ValueError, match="outside its range"):
            kernels.noisy_or_plan(*wrong[:2], weights, wrong[2], np.empty(1), 1)


def test_float32_is_refused():
    ops, places, *rest = program(2, [1])
    with pytest.raises(ValueError, match="outside its range"):
        kernels.noisy_or_build(
            ops, places, *(a.astype(np.float32) for a in rest), np.zeros(99, np.float32), 0, 0
        )


def test_an_order_of_findings_is_improved():
    """A chain: with its findings in line two are under way at a time."""
    k = 12
    rng = np.random.default_rng(0)
    starts, links = np.arange(0, 2 * k, 2), np.stack([np.arange(k - 1), np.arange(1, k)], 1).ravel()
    weights = np.full(k - 1, 4.0)
    place, cost = rng.permutation(k), np.empty(1)
    costs = []
    for trials in (0, 20, 100000):
        own = place.copy()
        kernels.noisy_or_plan(starts, links, weights, own, cost, trials)
        assert sorted(own) == list(range(k))
        costs.append(cost[0])
    assert costs[0] > costs[1] > costs[2]
    assert costs[2] < 1.6 * (2 + 4 * (k - 1) + 4 * 4 * (k - 1))

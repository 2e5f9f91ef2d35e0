"""The loop over blocks: fixed trees, exact sums, chunks of rows, and scans, on every library."""

import numpy as np
import pytest
from array_api_compat import array_namespace

from synann_core._lib import loops
from tests.helpers import EPS

pytestmark = pytest.mark.jax_alternates


def namespace(xp):
    return array_namespace(xp.asarray(np.ones(1)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33])
def test_a_tree_adds_every_entry_once(xp, size):
    a = np.random.default_rng(size).random((3, size, 2))
    got = xp.to_numpy(loops.tree(namespace(xp).add, xp.asarray(a), 1))
    assert np.allclose(got, a.sum(1), rtol=8 * EPS["float64"])


def test_a_trees_order_depends_on_the_axis_alone(xp, dtype):
    a = np.random.default_rng(0).random((5, 37)).astype(dtype)
    add = namespace(xp).add
    whole = xp.to_numpy(loops.tree(add, xp.asarray(a, dtype), 1))
    for k in range(5):
        assert xp.to_numpy(loops.tree(add, xp.asarray(a[k : k + 1], dtype), 1))[0] == whole[k]


def test_many_equal_numbers_add_up_without_drift(xp, dtype):
    value = xp.asarray(np.full(1, 0.1), dtype)
    total, error = value * 0.0, value * 0.0
    for _ in range(1000):
        total, error = loops.add_exactly(total, error, value)
    exact = 1000 * float(np.asarray(0.1, dtype))
    assert abs(float(xp.to_numpy(total + error)[0]) - exact) <= EPS[dtype] * exact


def test_blocks_and_columns_hold_every_entry_and_padding(xp):
    a = np.arange(10.0).reshape(2, 5)
    space = namespace(xp)
    blocks = xp.to_numpy(loops.row_blocks(xp.asarray(a), a.shape[1], 4, -1.0, space))
    assert blocks.shape == (2, 2, 4)
    assert np.array_equal(blocks[1], [[4, -1, -1, -1], [9, -1, -1, -1]])
    columns = xp.to_numpy(loops.columns(xp.asarray(a), 4, -1.0, space))
    assert columns.shape == (2, 4, 2)
    assert np.array_equal(columns[0], a[:, :4].T)
    back = loops.unblock(space.permute_dims(xp.asarray(blocks), (1, 0, 2)), 5, space)
    assert np.array_equal(xp.to_numpy(back), a)


@pytest.mark.parametrize("n", [1, 2, 5, 31, 32, 1000])
def test_a_blocks_size_is_a_power_of_two_of_at_least_a_group(xp, n):
    size = loops.block_size(n, 4, namespace(xp))
    assert size & (size - 1) == 0
    assert size >= 4 or xp.is_jax


def test_chunks_of_rows_give_what_all_rows_give(xp, monkeypatch):
    for name in ("_CHUNK", "_JAX_CHUNK"):
        monkeypatch.setattr(loops, name, 12)
    a = np.random.default_rng(1).random((7, 3))
    space = namespace(xp)

    def function(rows):
        return (2.0 * rows,), (space.sum(rows, axis=0),)

    (doubled,), (total,) = loops.over_rows(function, ((xp.asarray(a), 0.0),), 4, space)
    assert np.array_equal(xp.to_numpy(doubled), 2 * a)
    assert np.allclose(xp.to_numpy(total), a.sum(0))


def test_a_scan_carries_and_collects(xp):
    parts = xp.asarray(np.arange(5.0))
    space = namespace(xp)

    def step(carry, part):
        (value,) = part
        return carry + value, (carry,)

    carry, (before,) = loops.scan(step, space.sum(parts) * 0.0, (parts,), space)
    assert float(xp.to_numpy(carry)) == 10.0
    assert np.array_equal(xp.to_numpy(before), [0, 0, 1, 3, 6])

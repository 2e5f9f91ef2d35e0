"""Counter-based random numbers: known answers, the same bits everywhere, and what they are like."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import encoders as slow
from synann_core.spiking import fold_in, random_key, random_uniform

word64 = st.integers(0, 2**64 - 1)
BITS = {"float32": 24, "float64": 53}

# Key, counter, words: the known answers that are published with Random123.
KNOWN = [
    (0, 0, 0x6B20015999BA4EFE),
    (2**64 - 1, 2**64 - 1, 0x1CB996FCBB002BE7),
    (0x13198A2E03707344, 0x243F6A8885A308D3, 0xC4923A9C483DF7A0),
]


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN)
def test_known_answers(xp, key, counter, words):
    assert fold_in(key, counter) == words
    array = xp.library.asarray(random_key(key, xp=xp.library), device=xp.device)
    got = xp.to_numpy(xp.call(functools.partial(fold_in, data=counter), array))
    assert got.dtype == np.int32
    assert [int(w) % 2**32 for w in got] == [words >> 32, words % 2**32]


@given(word64, word64)
def test_blocks_against_the_slow_cipher(key, counter):
    words = slow.threefry((key >> 32, key % 2**32), (counter >> 32, counter % 2**32))
    assert fold_in(key, counter) == words[0] << 32 | words[1]


@pytest.mark.parametrize("seed", [0, 1, 2**63 + 5])
def test_same_bits_on_every_library(xp, dtype, seed):
    draw = functools.partial(random_uniform, shape=(7, 11), dtype=xp.dtype(dtype))
    key = random_key(seed, xp=xp.library, device=xp.device)
    got = xp.call(draw, key)
    xp.check(got, dtype, (7, 11))
    want = slow.uniform(seed, 77, BITS[dtype])
    np.testing.assert_array_equal(xp.to_numpy(got).ravel(), want)
    # The seed itself, where the library has to be said.
    number = random_uniform(seed, (7, 11), dtype=xp.dtype(dtype), xp=xp.library, device=xp.device)
    xp.check(number, dtype, (7, 11))
    np.testing.assert_array_equal(xp.to_numpy(number), xp.to_numpy(got))


@pytest.mark.parametrize("seed", [0, 7, 2**31 + 1])
def test_the_bits_of_jax(seed):
    key = jax.random.key(seed, impl="threefry2x32")
    raw = jax.random.key_data(key)
    np.testing.assert_array_equal(
        np.asarray(raw), np.asarray(random_key(seed)).astype(np.uint32), strict=True
    )
    want = np.asarray(jax.random.bits(key, (9, 5), jnp.uint64))
    got = random_uniform(raw, (9, 5), dtype=jnp.float64)  # a raw key of JAX is a key
    np.testing.assert_array_equal(np.asarray(got) * 2.0**53, want >> 11)
    folded = jax.random.key_data(jax.random.fold_in(key, 12345))
    np.testing.assert_array_equal(
        np.asarray(fold_in(raw, 12345)).view(np.uint32), np.asarray(folded)
    )


def test_number_by_number():
    large = random_uniform(3, (5, 40_000))  # several chunks
    np.testing.assert_array_equal(random_uniform(3, (2, 40_000)), large[:2])
    np.testing.assert_array_equal(
        random_uniform(3, (200_000,), xp=jnp, dtype=jnp.float64), large.ravel()
    )
    single = random_uniform(3, (5, 40_000), dtype=np.float32)
    np.testing.assert_array_equal(single, np.floor(large * 2**24) / 2**24)
    assert float(random_uniform(3, ())) == large[0, 0]
    assert random_uniform(3, (4, 0)).shape == (4, 0)


def test_streams_differ():
    keys = [0, 1, 2**32, fold_in(0, 0), fold_in(0, 1), fold_in(1, 0), fold_in(fold_in(0, 1), 1)]
    assert len(set(keys)) == len(keys)
    numbers = np.stack([random_uniform(key, (1000,)) for key in keys])
    assert len(np.unique(numbers)) == numbers.size  # 7000 of 2⁵³: two are equal once in 4e8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_uniform(seed, dtype):
    count = 100_000
    u = np.sort(random_uniform(seed, (count,), dtype=dtype))
    assert u[0] >= 0
    assert u[-1] < 1
    # Dvoretzky, Kiefer and Wolfowitz: further off than this once in 10⁹ seeds.
    rank = np.arange(count) / count
    assert np.abs(u - rank).max() <= np.sqrt(np.log(2e9) / (2 * count)) + 1 / count


def test_neighbours_and_streams_are_uncorrelated():
    u = random_uniform(11, (1000, 101)) - 0.5
    other = random_uniform(fold_in(11, 1), (1000, 101)) - 0.5
    for a, b in ((u[:, 1:], u[:, :-1]), (u[1:], u[:-1]), (u, other)):
        # Products in [−¼, ¼] of mean 0, Hoeffding (in two sets that do not overlap, for
        # neighbours): once in 10⁹.
        product = a * b
        bound = 0.5 * np.sqrt(np.log(4e9) / (2 * (product.size // 2)))
        assert abs(product.mean()) <= bound


def test_default_dtype(xp):
    got = random_uniform(0, (2,), xp=xp.library, device=xp.device)
    assert got.dtype == xp.library.empty(0).dtype


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((-1, (2,)), {}, ValueError, "`key` must be at least 0. Received: -1"),
        ((2**64, (2,)), {}, ValueError, r"`key` must be below 2\*\*64"),
        ((True, (2,)), {}, TypeError, "`key` must be an int. Received: True"),
        ((0.5, (2,)), {}, TypeError, "`key` must be an int or an integer array. Received: float"),
        ((np.zeros(2), (2,)), {}, TypeError, "`key` .* int32 or uint32. Received: float64"),
        ((np.zeros(3, np.int32), (2,)), {}, ValueError, r"`key` must have shape \(2,\)"),
        ((0, 3), {}, TypeError, "`shape` must be a tuple of int. Received: 3"),
        ((0, (2.0,)), {}, TypeError, "`shape` must be an int. Received: 2.0"),
        ((0, (2**16, 2**15)), {}, ValueError, "fewer than"),
        ((0, (2,)), {"dtype": np.float16}, TypeError, "`dtype` must be float32 or float64"),
    ],
)
def test_refuses(arguments, options, error, message):
    with pytest.raises(error, match=message):
        random_uniform(*arguments, **options)


def test_the_number_that_is_wrong_is_named():
    with pytest.raises(ValueError, match=r"`data` must be at least 0. Received: -1"):
        fold_in(0, -1)
    with pytest.raises(TypeError, match=r"`key` must be an int or of int32 or uint32. .* key<fry>"):
        random_uniform(jax.random.key(0), (2,))
    with pytest.raises(TypeError, match=r"`seed` must be an int. Received: 0.5"):
        random_key(0.5)


def test_numpy_integers_are_seeds():
    assert fold_in(np.int64(5), 0) == fold_in(5, 0)
    np.testing.assert_array_equal(random_uniform(np.uint8(5), (3,)), random_uniform(5, (3,)))

"""Checks of values: what passes, and the one clear error of what does not."""

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

import synann_core as syn
from synann_core._lib import checks
from synann_core.noisy_or import NoisyOr
from synann_core.spiking import Layer, SpikingNetwork
from synann_core.tabular import BayesRule


def test_ints_pass_as_ints():
    assert checks.check_int("k", np.int32(3), 1) == 3
    assert type(checks.check_int("k", np.int32(3), 1)) is int


@pytest.mark.parametrize(("value", "error"), [(True, TypeError), (1.0, TypeError), (0, ValueError)])
def test_what_is_not_an_int_of_that_size_is_refused(value, error):
    with pytest.raises(error, match=r"`k` must be .* Received: "):
        checks.check_int("k", value, 1)


def test_an_int_that_counts_nothing_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"`k` must be below 2\*\*64\. Received: a larger int"):
        checks.check_int("k", 10**400, 1)


@pytest.mark.parametrize("value", [0, 1, np.float32(0.5), 0.25])
def test_numbers_between_the_ends_pass_as_floats(value):
    number = checks.check_number("p", value, 0.0, 1.0)
    assert type(number) is float
    assert number == value


@pytest.mark.parametrize("ends", ["()", "[)", "(]"])
def test_open_ends_do_not_belong(ends):
    for value, end in ((0.0, ends[0]), (1.0, ends[1])):
        if end in "()":
            with pytest.raises(ValueError, match=r"`p` must be in .0, 1.\. Received: "):
                checks.check_number("p", value, 0.0, 1.0, ends)
        else:
            assert checks.check_number("p", value, 0.0, 1.0, ends) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1])
def test_numbers_that_are_not_finite_or_outside_are_refused(value):
    with pytest.raises(ValueError, match="Received: "):
        checks.check_number("p", value, 0.0)


@pytest.mark.parametrize("value", [True, "1", None, 1j])
def test_what_is_not_a_number_is_refused(value):
    with pytest.raises(TypeError, match="`p` must be a number"):
        checks.check_number("p", value)


def test_options_are_named_in_the_error():
    assert checks.check_option("gate", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match=r"`gate` must be one of \('a', 'b'\)\. Received: 'c'"):
        checks.check_option("gate", "c", ("a", "b"))


def test_a_pair_is_two_values():
    assert checks.check_pair("validation", [1, 2]) == (1, 2)
    with pytest.raises(TypeError, match="tuple of length 3"):
        checks.check_pair("validation", (1, 2, 3))
    with pytest.raises(TypeError, match=r"Received: ndarray$"):
        checks.check_pair("validation", np.array(1.0))


def test_callables_or_nothing():
    checks.check_callable("callback", None)
    checks.check_callable("callback", print)
    with pytest.raises(TypeError, match=r"`callback` must be callable\. Received: 5"):
        checks.check_callable("callback", 5)


def test_arrays_of_every_library_become_numpys(xp):
    a = np.arange(3.0)
    got = checks.to_numpy(xp.asarray(a))
    assert isinstance(got, np.ndarray)
    assert np.array_equal(got, a)


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (np.full((2, 3), np.nan), ValueError, "6 outside, the first nan"),
        (np.full((2, 3), 1.5), ValueError, "values in"),
        (np.ones((2, 4)), ValueError, r"shape \(samples, 3\)"),
        (np.ones((2, 3), int), TypeError, "float32 or float64"),
        (0.5, TypeError, "must be an array"),
    ],
)
def test_features_are_a_matrix_of_probabilities(X, error, words):
    with pytest.raises(error, match=words):
        checks.check_unit_matrix("X", X, 3)


@pytest.mark.parametrize(
    ("y", "error"),
    [
        (np.array([0, 5]), ValueError),
        (np.array([0.0, 1.0]), TypeError),
        (np.array([0]), ValueError),
        ([0, 1], TypeError),
        (np.ma.masked_array([0, 1], [True, False]), TypeError),
    ],
)
def test_labels_are_integers_of_the_classes(y, error):
    with pytest.raises(error, match=r"`y` must .*Received: "):
        checks.check_labels("y", y, np.ones((2, 3)), 2)


ULP = 2.0**-52


def test_values_a_few_ulp_outside_are_clipped(xp):
    X = xp.asarray([[-ULP, 0.5, 1.0 + ULP], [0.0, 1.0, 0.25]])
    got = xp.to_numpy(checks.check_unit_matrix("X", X, 3))
    assert np.array_equal(got, [[0.0, 0.5, 1.0], [0.0, 1.0, 0.25]])
    with pytest.raises(ValueError, match=r"Received: 1 outside, the first 1\.00000000000000[12]"):
        checks.check_unit_matrix("X", xp.asarray([[0.0, 0.5, 1.0 + 8 * ULP]]), 3)


def test_numbers_and_ranges_are_clipped_likewise():
    assert checks.check_number("p", 1.0 + 2 * ULP, 0.0, 1.0) == 1.0
    assert checks.check_number("p", -1e-17, 0.0, 1.0) == 0.0
    got = checks.check_range("p", [[1.0 + 4 * ULP, 0.5], [-ULP, 1]], 0.0, 1.0)
    assert np.array_equal(got, [[1.0, 0.5], [0.0, 1.0]])
    single = checks.check_range("p", np.float32([1.0 + 2.0**-23]), 0.0, 1.0)
    assert (single.dtype, single[0]) == (np.float32, 1.0)
    with pytest.raises(ValueError, match=r"in \[0, 1\)\. Received: 1\.0000000000000002"):
        checks.check_number("p", 1.0 + ULP, 0.0, 1.0, ends="[)")
    with pytest.raises(ValueError, match=r"in .0, 1.\. Received: 1\.0000000000000022 at \(0, 1\)"):
        checks.check_range("p", [[1.0, 1.0 + 10 * ULP]], 0.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "clipped", "refused"),
    [
        (0.0, 1e300, -2 * ULP, -1e-14),  # the width says nothing about numbers near 0
        (0.0, 1e300, 1e300 * (1 + 2 * ULP), 1e300 * (1 + 20 * ULP)),
        (-1e300, 0.0, 2 * ULP, 1e-14),
        (0.0, 1e-3, -2e-3 * ULP, -0.1 * ULP),
        (1e6, 1e6 + 1, None, 1e6 - 1e-9),
        (-3.0, np.inf, None, -3.0 - 2 * ULP),
    ],
)
def test_what_is_a_few_ulp_depends_on_the_end(low, high, clipped, refused):
    if clipped is not None:
        assert checks.check_number("p", clipped, low, high) in (low, high)
    with pytest.raises(ValueError, match="`p` must be in"):
        checks.check_number("p", refused, low, high)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_ranges_are_of_finite_numbers(bad):
    with pytest.raises(ValueError, match=r"`p` must be in \(-inf, inf\)\. Received: .* at 1"):
        checks.check_range("p", [1.0, bad])


def test_an_int_beyond_float64_is_refused():
    with pytest.raises(ValueError, match=r"`p` must be finite\. Received: an int beyond float64"):
        checks.check_number("p", 10**400)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ([1.0, [2.0]], ValueError, r"rows of one length\. Received: \[1.0, \[2.0\]\]"),
        (["1"], TypeError, "real numbers. Received: strings"),
        ([1j], TypeError, "real numbers. Received: complex128"),
        (None, TypeError, "real numbers. Received: object"),
        (np.ma.masked_array([1.0], [True]), TypeError, "a plain dense array. Received: Masked"),
    ],
)
def test_what_is_not_an_array_of_numbers_is_refused(value, error, text):
    with pytest.raises(error, match=f"`p` must (hold|have|be) {text}"):
        checks.as_numbers("p", value)


def test_tensors_count_without_their_history():
    torch = pytest.importorskip("torch")
    values = checks.check_range("p", torch.full((2,), 0.5, requires_grad=True), 0.0, 1.0)
    np.testing.assert_array_equal(values, [0.5, 0.5])


def scaled_features():
    """What scikit-learn makes of numbers between a minimum and a maximum: some are above 1."""
    for seed in range(1000):
        X = np.random.default_rng(seed).normal(size=(20, 4))
        scaled = MinMaxScaler().fit_transform(X)
        if scaled.max() > 1.0:
            return scaled
    raise AssertionError("no scaled number above 1")


def test_scaled_features_are_taken():
    """By whatever takes numbers in [0, 1], and as 1: the largest is 1.0000000000000002."""
    X, y = scaled_features(), np.arange(20) % 2
    clipped = np.clip(X, 0.0, 1.0)
    mlp = syn.SynaMLP(4, 5, 2)
    mlp.fit(X, y, epochs=1, validation=(X, y))
    spiking = SpikingNetwork(4, [Layer(5, kind="synapse"), Layer(2)], steps=3)
    spiking.fit(X, y, epochs=1, batch_size=10)
    noisy_or = NoisyOr(prior=np.full(4, 0.5), leak=[0.1], beta=[[0.5, 1.0, 0.3, 0.0]])
    odds = BayesRule.from_counts(X, y)
    calls = (mlp.predict_proba, spiking.predict, noisy_or.predict, odds.predict)
    for call in calls:
        np.testing.assert_array_equal(call(X), call(clipped))


def test_the_message_shows_what_is_too_large():
    """Not "values from 0 to 1"."""
    X = scaled_features()
    X[3, 2] = 1.0 + 20 * ULP
    with pytest.raises(
        ValueError, match=r"`X` must hold values in \[0, 1\]\. Received: .*1\.00000"
    ):
        syn.SynaMLP(4, 5, 2).predict(X)
    with pytest.raises(ValueError, match=r"`causes` must be in \[0, 1\]\. Received: 1\.00000"):
        NoisyOr(prior=np.full(4, 0.5), leak=[0.1], beta=np.ones((1, 4))).predict(X)


@pytest.mark.parametrize("value", [True, False, np.True_])
def test_bools_pass_as_bools(value):
    assert checks.check_bool("k", value) is bool(value)


@pytest.mark.parametrize("value", ["no", 1, None, np.array([True])])
def test_what_is_only_true_or_false_by_chance_is_refused(value):
    with pytest.raises(TypeError, match=r"`k` must be a bool\. Received: "):
        checks.check_bool("k", value)


def test_constants_of_a_jax_trace_are_checked():
    """JAX traces what is computed of them, too."""
    import jax
    from jax import numpy as jnp

    from synann_core.spiking import Events, events_to_counts, hsa_encode

    x, zeros = jnp.ones((5, 2)), jnp.zeros(2, int)

    def encode(kernel):
        return jax.jit(lambda x: hsa_encode(x, kernel))(x)

    def count(p):
        events = Events(zeros, zeros, zeros, jnp.asarray(p))
        return float(jax.jit(lambda a: a + events_to_counts(events, (1, 1, 1))[0, 0, 0])(0.0))

    assert encode(jnp.asarray([0.5, 0.5])).shape == x.shape
    with pytest.raises(ValueError, match=r"`kernel` must be in .* from 0.5 to inf"):
        encode(jnp.asarray([0.5, np.inf]))
    jax.jit(lambda x: hsa_encode(x, jnp.asarray([0.5, np.inf])))(x)  # made inside: no values yet
    mesh, spec = jax.make_mesh((1,), ("i",)), jax.sharding.PartitionSpec()
    half = jnp.asarray([0.5, 0.5])
    each = jax.shard_map(lambda x: hsa_encode(x, half), mesh=mesh, in_specs=spec, out_specs=spec)
    assert each(x).shape == x.shape
    assert count([1, -1]) == 0.0
    with pytest.raises(ValueError, match="`p` must hold -1 and 1"):
        count([1, 0])

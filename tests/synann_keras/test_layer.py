"""Synapse on the backend of this process: formulas, gradients, boundaries, checks."""

import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

from reference import tensor as reference
from synann_core import layer as core
from synann_keras import Synapse, SynaRNNCell, _ops
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import (
    BACKEND,
    FLOAT32,
    gradients,
    randomise,
    to_numpy,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed"),  # by Keras' TestCase
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`"),
]

EXCITATIONS = ("input", "mixture", "none")
SPACES = ("probability", "surprisal")


def layer_and_input(n=6, m=6, seed=0, **options):
    layer = Synapse(m, **options)
    layer.build((None, n))
    randomise(layer, seed)
    y = np.random.default_rng(seed).random((3, 5, n)).astype(np.float32)
    return layer, -np.log(y) if layer.space == "surprisal" else y


def by_hand(layer, given):
    """Surprisal output by loops over the formula, from probabilities."""
    given = np.asarray(given, dtype=np.float64)
    y = np.exp(-given) if layer.space == "surprisal" else given
    beta = 1 / (1 + np.exp(-to_numpy(layer.beta_logit)))
    if layer.mask is not None:
        beta = beta * layer.mask
    theta = np.zeros(layer.units) if layer.theta is None else to_numpy(layer.theta)
    result = np.empty((*y.shape[:-1], layer.units))
    for batch in np.ndindex(*y.shape[:-1]):
        for i in range(layer.units):
            x = 1.0
            if layer.excitation == "input":
                x = y[batch][i]
            if layer.excitation == "mixture":
                weights = np.exp(to_numpy(layer.mixing_logit)[:, i])
                x = np.sum(weights / weights.sum() * y[batch])
            factors = [1 - b * p for b, p in zip(beta[:, i], y[batch], strict=True)]
            result[(*batch, i)] = theta[i] - np.log(x) - np.sum(np.log(factors))
    return result


@pytest.mark.parametrize(
    ("excitation", "space", "output", "masked"),
    list(itertools.product(EXCITATIONS, SPACES, SPACES, (True, False))),
)
def test_formula(excitation, space, output, masked):
    mask = ~np.eye(6, dtype=bool) if masked else None
    layer, y = layer_and_input(
        excitation=excitation, space=space, output=output, alpha=not masked, mask=mask
    )
    z = by_hand(layer, y)
    want = z if output == "surprisal" else np.exp(-z)
    theta = np.zeros(6) if layer.theta is None else to_numpy(layer.theta)
    # A negative θ may cancel most of the surprisal.
    scale = np.abs(want) + (np.abs(theta) if output == "surprisal" else 0.0)
    assert_close(to_numpy(layer(y)), want, 100 * FLOAT32, scale=scale)
    assert_close(np.exp(-to_numpy(layer.gamma)), to_numpy(layer.beta), 8 * FLOAT32)
    assert_close(to_numpy(layer.alpha), np.exp(-theta), 4 * FLOAT32)
    without = z - theta
    x = to_numpy(excitation_of(layer, y)) * np.ones_like(z)
    without = without - x if space == "surprisal" else without + np.log(x)
    assert_close(to_numpy(layer.contributions(y)).sum(-1), without, 100 * FLOAT32)


@pytest.mark.parametrize("space", SPACES)
def test_excitation_from_outside(space):
    layer, y = layer_and_input(6, 4, space=space, excitation="none")
    x = np.random.default_rng(1).random((3, 5, 4)).astype(np.float32)
    given = -np.log(x) if space == "surprisal" else x
    got, alone = to_numpy(layer(y, x=given)), to_numpy(layer(y))
    want = alone * x if space == "probability" else alone - np.log(x)
    assert_close(got, want, 16 * FLOAT32)


def test_auto_and_names_of_weights():
    square, other = Synapse(3), Synapse(4, name="other")
    square.build((None, 3))
    other.build((None, 3))
    assert {w.name: w.shape for w in square.weights} == {"beta_logit": (3, 3), "theta": (3,)}
    assert {w.path: w.shape for w in other.weights} == {
        "other/beta_logit": (3, 4),
        "other/theta": (4,),
        "other/mixing_logit": (3, 4),
    }
    registered = keras.saving.get_registered_name
    assert registered(Synapse) == "synann>Synapse"
    assert registered(SynaRNNCell) == "synann>SynaRNNCell"


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("excitation", EXCITATIONS)
def test_gradients_are_the_references(space, excitation):
    layer, y = layer_and_input(5, 5, space=space, excitation=excitation)
    rng = np.random.default_rng(1)
    grad = rng.normal(size=(3, 5, 5))
    got = gradients(layer, y, upstream=grad)
    rows, grad = np.float64(y.reshape(15, 5)), grad.reshape(15, 5)
    logit, theta = to_numpy(layer.beta_logit), to_numpy(layer.theta)
    beta, alpha = 1 / (1 + np.exp(-logit.T)), np.exp(-theta)
    probabilities = np.exp(-rows) if space == "surprisal" else rows
    weights = np.eye(5)
    if excitation == "mixture":
        weights = np.exp(to_numpy(layer.mixing_logit))
        weights = weights / weights.sum(0)
    x = np.ones((15, 5)) if excitation == "none" else probabilities @ weights
    # By z = −log s and its derivatives where the space is that of surprisals.
    if space == "surprisal":
        grad = -grad / reference.synapse_tensor(x, probabilities, alpha, beta)
    gx, gy, galpha, gbeta = reference.synapse_tensor_vjp(x, probabilities, alpha, beta, grad)
    wanted = {"y": gy, "theta": -alpha * galpha, "beta_logit": (gbeta * beta * (1 - beta)).T}
    if excitation != "none":
        wanted["y"] = gy + gx @ weights.T
    if excitation == "mixture":
        through = weights * (probabilities.T @ gx).reshape(5, 5)
        wanted["mixing_logit"] = through - weights * through.sum(0)
    if space == "surprisal":
        wanted["y"] = -probabilities * wanted["y"]
    names = ["y", *(w.name for w in layer.trainable_weights)]
    assert set(names) == set(wanted)
    for name, value in zip(names, got, strict=True):
        assert_close(value.reshape(wanted[name].shape), wanted[name], 300 * FLOAT32)


def excitation_of(layer, y):
    """The layer's own excitatory inputs."""
    options = {"excitation": layer.excitation, "space": layer.space, "xp": _ops.xp}
    return core.excitation_of(ops.convert_to_tensor(y), layer._weights(), **options)


def test_mixtures_that_underflow():
    """Weights so small that they are 0, or no input at all: finite, as far as θ and y are."""
    layer = Synapse(1, space="surprisal", alpha=False, mask=np.zeros((2, 1)))
    layer.build((None, 2))
    layer.mixing_logit.assign([[0.0], [200.0]])
    tiny = float(np.finfo(np.float32).tiny)
    assert to_numpy(layer(np.float32([[0.0, 500.0]]))) == pytest.approx(-math.log(tiny), rel=1e-6)
    for gradient in gradients(layer, [[0.0, 500.0]], upstream=[[1.0]], jit=False):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("excitation", EXCITATIONS)
def test_boundaries_are_finite(excitation, space):
    """A surprisal output and all gradients, for inputs at the ends and saturated strengths."""
    layer = Synapse(4, excitation=excitation, space=space, output="surprisal")
    layer.build((None, 4))
    logit = to_numpy(layer.beta_logit)
    logit[:2], logit[3] = 1e4, -1e4
    layer.beta_logit.assign(logit)
    ends = np.float32([[0.0] * 4, [1.0] * 4, [0.0, 1.0, 0.0, 1.0]])
    if space == "surprisal":
        ends = np.where(ends == 1, np.float32(0.0), np.float32(80.0))
    assert to_numpy(layer.beta).max() == 1.0 - FLOAT32
    assert to_numpy(layer.gamma).min() == FLOAT32
    assert np.isfinite(to_numpy(layer(ends))).all()
    for gradient in gradients(layer, ends, upstream=np.ones((3, 4))):
        assert np.isfinite(gradient).all()


def test_rows_do_not_depend_on_their_batch_mates():
    layer, _ = layer_and_input(40, 24, output="surprisal", excitation="none")
    y = np.random.default_rng(0).random((37, 40)).astype(np.float32)
    together = to_numpy(layer(y))
    for rows in (slice(3, 4), slice(0, 36, 7)):
        np.testing.assert_array_equal(to_numpy(layer(y[rows])), together[rows])


@pytest.mark.parametrize("excitation", EXCITATIONS)
def test_initial_values(excitation):
    """About a nat is taken away, and not the same from every sample."""
    n = 784
    keras.utils.set_random_seed(0)
    layer = Synapse(n, excitation=excitation, output="surprisal")
    y = np.random.default_rng(0).random((50, n)).astype(np.float32)
    inhibition = to_numpy(layer(y)) + np.log(to_numpy(excitation_of(layer, y)) * np.ones((50, n)))
    assert 0.7 < inhibition.mean() < 1.6
    assert inhibition.std(0).mean() > 0.1
    if excitation == "mixture":
        share = to_numpy(ops.softmax(layer.mixing_logit, axis=0))
        assert 0.85 < np.sort(share, axis=0)[-8:].sum(0).mean() < 0.95


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16", "float16"])
def test_dtype_policies(policy):
    """Arithmetic in float32: only the inputs and outputs are rounded to 16 bits."""
    layer, y = layer_and_input(8, 8, dtype=policy, output="surprisal")
    exact = Synapse(8, output="surprisal")
    exact.build((None, 8))
    exact.set_weights([to_numpy(w.value) for w in layer.weights])
    low = ops.cast(y, layer.compute_dtype)
    result = layer(low)
    assert keras.backend.standardize_dtype(result.dtype) == layer.compute_dtype
    half = np.float64(ops.convert_to_numpy(ops.cast(exact(ops.cast(low, "float32")), "float32")))
    eps = 2.0**-8 if "bfloat" in policy else 2.0**-11
    assert_close(to_numpy(ops.cast(result, "float32")), half, 1.01 * eps, scale=np.abs(half))
    weights = "float32" if policy.startswith("mixed") else layer.compute_dtype
    assert {w.dtype for w in layer.weights} == {weights}


def test_gradients_that_16_bits_cannot_hold_are_finite():
    """Strengths as near 1 as can be, in surprisal space, where reciprocals are largest."""
    layer = Synapse(2, space="surprisal", excitation="none", dtype="float16")
    layer.build((None, 3))
    layer.beta_logit.assign(np.full((3, 2), 40.0))
    found = gradients(layer, np.zeros((4, 3)), upstream=np.ones((4, 2)), jit=False)
    assert all(np.isfinite(gradient).all() for gradient in found)
    if BACKEND != "jax":  # there the layer is handed float32 as it is
        assert (found[0] == -65504).all()


def test_a_gain_may_bring_back_what_the_inhibition_takes():
    """θ = −70: e^T alone would be 0 in float32."""
    layer = Synapse(1, excitation="none")
    layer.build((None, 200))
    layer.beta_logit.assign(np.full((200, 1), math.log(9.0)))
    layer.theta.assign([-70.0])
    y = np.full((2, 200), 0.5, np.float32)
    want = 70 + 200 * math.log(0.55)
    np.testing.assert_allclose(np.log(to_numpy(layer(y))), want, rtol=1e-4)
    of_y, *_ = gradients(layer, y, upstream=np.ones((2, 1)), jit=False)
    np.testing.assert_allclose(of_y, -math.exp(want) * 0.9 / 0.55, rtol=1e-2)


BAD_OPTIONS = [
    ({"units": 0}, ValueError, "`units` must be at least 1. Received: 0"),
    ({"units": -1}, ValueError, "`units` must be at least 1. Received: -1"),
    ({"units": 2.5}, TypeError, "`units` must be an int. Received: 2.5"),
    ({"excitation": "inputs"}, ValueError, "`excitation` must be one of .* Received: 'inputs'"),
    ({"excitation": "input", "units": 4}, ValueError, "last axis of the input is `units`"),
    ({"space": "log"}, ValueError, "`space` must be one of .* Received: 'log'"),
    ({"output": "log"}, ValueError, "`output` must be one of .* Received: 'log'"),
    ({"gate": "relu"}, ValueError, "`gate` must be one of .* Received: 'relu'"),
    (
        {"mask": np.ones((2, 3))},
        ValueError,
        r"`mask` must have shape \(3, 3\). Received: shape",
    ),
    ({"mask": np.ones(3)}, ValueError, r"`mask` must have shape \(input_dim, 3\)"),
    ({"mask": 2 * np.ones((3, 3))}, ValueError, "`mask` must hold only 0 and 1"),
    ({"sapce": "log"}, (TypeError, ValueError), "sapce"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        Synapse(**{"units": 3, **options}).build((None, 3))


BAD_INPUTS = [
    (np.ones((2, 4), "float32"), ValueError, r"shape \(..., 3\). Received: shape \(2, 4\)"),
    (np.ones((2, 3), "int32"), TypeError, "`y` must have a real floating-point dtype"),
]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize(("y", "error", "message"), BAD_INPUTS)
def test_bad_inputs(y, error, message, symbolic):
    layer = Synapse(3)
    layer.build((None, 3))
    given = keras.KerasTensor(y.shape, dtype=y.dtype.name) if symbolic else y
    with pytest.raises(error, match=message):
        layer(given)
    good = np.ones((2, 3), "float32")
    with pytest.raises(error, match=message.replace("`y`", "`x`")):
        layer(good, x=y)
    with pytest.raises(ValueError, match="`x` must have the batch axes of `y`"):
        layer(good, x=good[:1])
    with pytest.raises(TypeError, match="`x` must be a tensor"):
        layer(good, x=0.5)
    if not symbolic:
        for space in SPACES:
            layer.space = space
            with pytest.raises(error, match=message):
                layer.contributions(y)
    with pytest.raises(ValueError, match="`y` must have a last axis of known size"):
        Synapse(3)(keras.KerasTensor((2, None)))


def test_without_weights():
    layer = Synapse(3)
    for ask in ("alpha", "beta", "gamma"):
        with pytest.raises(ValueError, match="the layer has no weights yet: call it"):
            getattr(layer, ask)
    with pytest.raises(ValueError, match="the layer has no weights yet"):
        layer.contributions(np.ones((2, 3), "float32"))


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.5])
def test_strict(bad):
    y = np.full((2, 3), 0.5, np.float32)
    strict, free = Synapse(3, strict=True), Synapse(3)
    strict.build((None, 3))
    free.build((None, 3))
    free.set_weights(strict.get_weights())
    np.testing.assert_array_equal(to_numpy(strict(y)), to_numpy(free(y)))
    y[1, 2] = bad
    with pytest.raises(ValueError, match=r"`y` must hold values in \[0, 1\]. Received: 1 outside"):
        strict(y)
    with pytest.raises(ValueError, match=r"`y` must hold values in \[0, 1\]. Received: 1 outside"):
        strict.contributions(y)
    free(y)
    free.contributions(y)
    with pytest.raises(ValueError, match="`x` must hold"):
        strict(np.ones((2, 3), np.float32), x=y)
    surprisal = Synapse(3, strict=True, space="surprisal")
    if bad == 1.5:
        surprisal(y)
    else:
        with pytest.raises(ValueError, match=r"`y` must hold values in \[0, ∞\]"):
            surprisal(y)


def test_strict_layers_clip_what_is_a_few_ulp_outside():
    layer = Synapse(3, strict=True, output="surprisal")
    y = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(
        to_numpy(layer(y * np.float32(1.0 + 2.0**-23))), to_numpy(layer(y))
    )


def test_strict_in_graphs():
    """What `fit` compiles has no values to check, and does not fail on that."""
    model = keras.Sequential([keras.Input((3,)), Synapse(3, strict=True)])
    model.compile("sgd", "mse", jit_compile=BACKEND != "torch")
    y = np.full((4, 3), 0.5, np.float32)
    model.fit(y, y, verbose=0)


@pytest.mark.filterwarnings("ignore:.y. must hold values")  # by Keras' TestCase
@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({"units": 3}, 2),
        ({"units": 4, "alpha": False, "mask": np.eye(3, 4), "output": "surprisal"}, 2),
        ({"units": 4, "space": "surprisal", "theta_initializer": "ones"}, 3),
    ],
)
def test_keras_checks_of_a_layer(options, weights):
    TestCase().run_layer_test(
        Synapse,
        init_kwargs=options,
        input_shape=(2, 5, 3),
        expected_output_shape=(2, 5, options["units"]),
        expected_num_trainable_weights=weights,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=0,
        expected_num_losses=0,
        supports_masking=True,
    )


def test_masks_are_passed_on():
    y = np.random.default_rng(0).random((2, 4, 3)).astype(np.float32)
    y[1, 2:] = 0.0
    masking = keras.layers.Masking()
    result = Synapse(5)(masking(y))
    want = [[True] * 4, [True, True, False, False]]
    np.testing.assert_array_equal(to_numpy(keras.src.backend.get_keras_mask(result)), want)


@pytest.mark.parametrize("space", ["probability", "surprisal"])
def test_symbolic_shapes(space):
    """Batch, and steps, of any size; what the model then computes is what the layer computes."""
    inputs = keras.Input((None, 6))
    x = keras.Input((None, 4))
    layer = Synapse(4, space=space, output="surprisal", excitation="none")
    model = keras.Model([inputs, x], [layer(inputs), layer(inputs, x=x)])
    assert [o.shape for o in model.outputs] == [(None, None, 4)] * 2
    rng = np.random.default_rng(0)
    for shape in ((2, 3), (5, 1)):
        y, given = rng.random((*shape, 6)), rng.random((*shape, 4))
        alone, together = model.predict([y, given], verbose=0)
        assert_close(alone, to_numpy(layer(y)), 32 * FLOAT32)
        assert_close(together, to_numpy(layer(y, x=given)), 32 * FLOAT32)
    assert Synapse(4)(keras.KerasTensor((None, None, 6))).shape == (None, None, 4)
    assert tuple(Synapse(4)(np.ones(6, "float32")).shape) == (4,)


@pytest.mark.skipif(BACKEND != "torch", reason="the compiler of torch")
def test_torch_compile():
    import torch

    layer = Synapse(4)
    y = torch.rand(8, 6)
    want = layer(y)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert_close(to_numpy(compiled(y)), to_numpy(want), 16 * FLOAT32)


@pytest.mark.parametrize("gate", ["sigmoid", "softmax", "exp"])
@pytest.mark.parametrize("space", SPACES)
def test_gates(gate, space):
    """The same as a layer without one that is given their probabilities, or surprisals."""
    options = {"space": space, "output": "surprisal"}
    layer, _ = layer_and_input(5, 3, gate=gate, **options)
    free, _ = layer_and_input(5, 3, **options)
    free.set_weights([to_numpy(w.value) for w in layer.weights])
    h = np.random.default_rng(2).normal(size=(4, 5))
    h = np.abs(h) if gate == "exp" else h
    softmax = np.exp(h) / np.exp(h).sum(-1, keepdims=True)
    p = {"sigmoid": 1 / (1 + np.exp(-h)), "softmax": softmax, "exp": 1 - np.exp(-h)}[gate]
    y = np.float32(-np.log(p) if space == "surprisal" else p)
    h = np.float32(h)
    assert_close(to_numpy(layer(h)), to_numpy(free(y)), 64 * FLOAT32)
    assert_close(to_numpy(layer.contributions(h)), to_numpy(free.contributions(y)), 64 * FLOAT32)
    x = np.random.default_rng(3).random((4, 3)).astype(np.float32)  # is not gated
    assert_close(to_numpy(layer(h, x=x)), to_numpy(free(y, x=x)), 64 * FLOAT32)
    assert layer.get_config()["gate"] == gate
    again = Synapse.from_config(layer.get_config())
    again.build((None, 5))
    again.set_weights([to_numpy(w.value) for w in layer.weights])
    np.testing.assert_array_equal(to_numpy(again(h)), to_numpy(layer(h)))
    for gradient in gradients(layer, np.zeros((2, 5)), upstream=np.ones((2, 3)), jit=False):
        assert np.isfinite(gradient).all()


def test_behind_a_relu_a_gate_trains():
    """In the graphs of `fit`, too."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu", kernel_initializer="ones"),
            Synapse(16, gate="exp"),
        ]
    )
    model.compile("adam", "mse", jit_compile=BACKEND != "torch")
    y = np.random.default_rng(0).random((64, 8)).astype(np.float32)
    losses = model.fit(y, np.full((64, 16), 0.5), epochs=3, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("bad", [1.5, -0.1, math.nan])
def test_values_out_of_range_are_told_of_once(bad):
    y = np.full((2, 3), 0.5, np.float32)
    y[1, 2] = bad
    layer = Synapse(3)
    with pytest.warns(RuntimeWarning, match="Received: 1 outside.* a `gate`") as caught:
        layer(y)
    assert len([w for w in caught if w.category is RuntimeWarning]) == 1
    for _ in range(2):
        layer(y)
    if bad == 1.5:
        Synapse(3, space="surprisal")(y)
    Synapse(3, gate="exp")(y)


def test_log_odds_pass_on():
    """As docs/keras.md stacks layers: odds times α times transmission, and even odds stay even."""
    layer = Synapse(5, space="surprisal", gate="sigmoid")
    h = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    layer.build(h.shape)
    layer.theta.assign(ops.sum(ops.log1p(-layer.beta / 2), axis=0))
    got = -to_numpy(layer(h, x=-h))
    y, beta = 1 / (1 + np.exp(-h.astype(np.float64))), to_numpy(layer.beta)
    want = h + np.sum(np.log1p(-beta * y[..., None]) - np.log1p(-beta / 2), axis=-2)
    assert_close(got, want, 100 * FLOAT32, scale=1.0)
    even = np.zeros((1, 5), np.float32)
    assert_close(to_numpy(layer(even, x=-even)), even, 10 * FLOAT32, scale=1.0)

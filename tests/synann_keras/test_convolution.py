"""SynapseConv2d on the backend of this process: loops over pixels, gradients, files, checks."""

import math

import keras
import numpy as np
import pytest

from reference.convolution import surprisal_convolution
from synann_keras import SynapseConv2d
from tests.helpers import assert_close
from tests.synann_keras.keras_helpers import BACKEND, FLOAT32, gradients, randomise, to_numpy

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`"),
]

SPACES = ("probability", "surprisal")
STRIDES = {"kernel_size": (3, 2), "padding": "same", "strides": (1, 2)}
HOLES = {"kernel_size": 2, "dilation_rate": 2, "strides": 2}
COMBINATIONS = [  # every other one is a call of the same functions, and jax takes seconds for each
    ({}, "input", "probability"),
    ({"padding": "same"}, "mixture", "surprisal"),
    (STRIDES, "input", "surprisal"),
    (STRIDES, "none", "probability"),
    (HOLES, "mixture", "probability"),
]


def layer_and_images(channels=2, filters=2, size=(5, 6), first=False, **options):
    options = {"kernel_size": 3, "excitation": "input", **options}
    form = "channels_first" if first else "channels_last"
    layer = SynapseConv2d(filters, data_format=form, **options)
    y = np.random.default_rng(0).random((2, *size, channels)).astype(np.float32)
    y = np.moveaxis(y, -1, 1) if first else y
    layer.build(y.shape)
    randomise(layer)
    return layer, -np.log(y) if layer.synapse.space == "surprisal" else y


def by_hand(layer, given):
    """Surprisal output by loops over pixels, channels last, from probabilities."""
    given = np.asarray(given, dtype=np.float64)
    y = np.exp(-given) if layer.synapse.space == "surprisal" else given
    lengths = [d * (k - 1) + 1 for d, k in zip(layer.dilation_rate, layer.kernel_size, strict=True)]
    geometry = list(zip(y.shape[1:3], lengths, layer.strides, strict=True))
    first, size = (0, 0), [(pixels - length) // step + 1 for pixels, length, step in geometry]
    if layer.padding == "same":
        size = [math.ceil(pixels / step) for pixels, _, step in geometry]
        first = [
            max((made - 1) * step + length - pixels, 0) // 2
            for made, (pixels, length, step) in zip(size, geometry, strict=True)
        ]
    beta, shares = to_numpy(layer.beta), None
    if layer.synapse.mixing_logit is not None:
        e = np.exp(to_numpy(layer.synapse.mixing_logit))
        shares = (e / e.sum(0)).reshape(beta.shape)
    return surprisal_convolution(
        y, to_numpy(layer.alpha), beta,
        excitation=layer.excitation, stride=layer.strides, dilation=layer.dilation_rate,
        first=first, size=size, shares=shares,
    )  # fmt: skip


@pytest.mark.parametrize(("geometry", "excitation", "space"), COMBINATIONS, ids=str)
def test_formula(geometry, excitation, space):
    options = {"excitation": excitation, "space": space, "output": "surprisal", **geometry}
    layer, y = layer_and_images(**options)
    want = by_hand(layer, y)
    scale = np.abs(want) + np.abs(np.log(to_numpy(layer.alpha)))
    assert_close(to_numpy(layer(y)), want, 100 * FLOAT32, scale=scale)
    assert tuple(layer.compute_output_shape(y.shape)) == want.shape
    other, images = layer_and_images(first=True, **options)
    other.set_weights(layer.get_weights())
    same = np.moveaxis(to_numpy(layer(y)), -1, 1)
    assert_close(to_numpy(other(images)), same, 16 * FLOAT32)


@pytest.mark.parametrize("space", SPACES)
def test_padding_takes_nothing_away(space):
    """Outside all channels are closed, also with a gate, for which 0 would be ½."""
    y = np.random.default_rng(0).normal(size=(1, 1, 1, 2)).astype(np.float32)
    options = {"excitation": "none", "space": space, "gate": "sigmoid"}
    layer, _ = layer_and_images(padding="same", **options)
    alone, _ = layer_and_images(kernel_size=1, **options)
    kernel = to_numpy(layer.synapse.beta_logit).reshape(3, 3, 2, 2)
    alone.synapse.beta_logit.assign(kernel[1, 1])
    alone.synapse.theta.assign(to_numpy(layer.synapse.theta))
    assert_close(to_numpy(layer(y)), to_numpy(alone(y)), 100 * FLOAT32)


def test_softmax_runs_over_channels():
    layer, _ = layer_and_images(gate="softmax")
    plain, _ = layer_and_images()
    plain.set_weights(layer.get_weights())
    y = np.random.default_rng(0).normal(size=(2, 5, 6, 2)).astype(np.float32)
    e = np.exp(y)
    shares = e / e.sum(-1, keepdims=True)
    assert_close(to_numpy(layer(y)), to_numpy(plain(shares)), 100 * FLOAT32)


def test_excitation_from_outside():
    layer, y = layer_and_images(2, 3, excitation="none")
    x = np.random.default_rng(1).random((2, 3, 4, 3)).astype(np.float32)
    assert_close(to_numpy(layer(y, x)), to_numpy(layer(y)) * x, 16 * FLOAT32)
    with pytest.raises(ValueError, match=r"`x` must have shape \(batch, height, width, 3\)"):
        layer(y, x[:, :2])


def test_contributions_are_the_surprisal():
    layer, y = layer_and_images(3, 2, output="surprisal", excitation="none", alpha=False)
    parts = to_numpy(layer.contributions(y))
    assert parts.shape == (2, 3, 4, 2, 3, 3, 3)
    assert_close(parts.sum((-1, -2, -3)), to_numpy(layer(y)), 100 * FLOAT32)


def test_mask():
    mask = np.random.default_rng(0).random((3, 3, 2, 2)) < 0.5
    layer, y = layer_and_images(mask=mask)
    np.testing.assert_array_equal(to_numpy(layer.beta) > 0, mask)
    assert np.all(np.isinf(to_numpy(layer.gamma)[~mask]))
    assert_close(to_numpy(layer(y)), np.exp(-by_hand(layer, y)), 100 * FLOAT32)
    with pytest.raises(ValueError, match="`mask` must have shape"):
        SynapseConv2d(2, 3, mask=mask.reshape(-1, 2))


@pytest.mark.parametrize("space", SPACES)
def test_gradients(space):
    """Against differences of the loops."""
    layer, y = layer_and_images(size=(2, 2), space=space, output="surprisal", padding="same")
    upstream = np.random.default_rng(2).normal(size=(2, 2, 2, 2))
    got = gradients(layer, y, upstream=upstream, jit=False)[0]

    def loss(images):
        return float(np.sum(upstream * by_hand(layer, images)))

    step, want = 1e-6, np.empty(y.shape)
    for at in np.ndindex(*y.shape):
        moved = [np.array(y, dtype=np.float64) for _ in range(2)]
        moved[0][at] += step
        moved[1][at] -= step
        want[at] = (loss(moved[0]) - loss(moved[1])) / (2 * step)
    assert_close(got, want, 1e-4, scale=np.abs(want).max())


def test_model_trains_and_comes_back(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            SynapseConv2d(4, 3, padding="same", strides=2, gate="sigmoid", name="first"),
            keras.layers.GlobalAveragePooling2D(data_format="channels_last"),
        ]
    )
    model.compile("adam", "mse", jit_compile=False)
    y = np.random.default_rng(0).normal(size=(8, 6, 6, 2)).astype(np.float32)
    model.fit(y, np.zeros((8, 4)), epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(to_numpy(again(y)), to_numpy(model(y)), 8 * FLOAT32)
    configs = [m.get_layer("first").get_config() for m in (model, again)]
    assert configs[0] == configs[1]
    assert configs[0]["beta_logit_initializer"]


def test_files_tell_what_was_trained(tmp_path):
    def network(**options):
        inputs = keras.Input((5, 6, 2))
        return keras.Model(inputs, SynapseConv2d(2, 3, name="conv", **options)(inputs))

    network(gate="exp").save_weights(tmp_path / "a.weights.h5")
    network(gate="exp").load_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match="must hold the state of a layer with gate None"):
        network().load_weights(tmp_path / "a.weights.h5")


def test_files_tell_the_size_of_patches(tmp_path):
    def network(kernel):
        inputs = keras.Input((9, 9, 2))
        return keras.Model(inputs, SynapseConv2d(2, kernel, name="conv")(inputs))

    network((3, 2)).save_weights(tmp_path / "a.weights.h5")
    network((3, 2)).load_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match=r"must be of patches of \(2, 3\). Received: \(3"):
        network((2, 3)).load_weights(tmp_path / "a.weights.h5")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_policies(policy):
    if policy == "float64" and BACKEND == "jax":
        pytest.skip("jax has float32 here")
    layer = SynapseConv2d(2, 3, gate="sigmoid", dtype=policy)
    result = layer(np.random.default_rng(0).normal(size=(1, 4, 4, 2)))
    wanted = "float64" if policy == "float64" else "bfloat16"
    assert keras.backend.standardize_dtype(result.dtype) == wanted


def test_images_of_unknown_size():
    inputs = keras.Input((None, None, 2))
    layer = SynapseConv2d(2, 3, padding="same", data_format="channels_last")
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, 2)
    for size in (4, 7):
        assert model.predict(np.ones((1, size, size, 2)), verbose=0).shape == (1, size, size, 2)
    with pytest.raises(ValueError, match="`padding` must not be 'same' with strides"):
        SynapseConv2d(2, 3, padding="same", strides=2, data_format="channels_last")(inputs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 0}, "`kernel_size` must be"),
        ({"kernel_size": (3, 3, 3)}, "`kernel_size` must be an int or two"),
        ({"strides": (1, 0)}, "`strides` must be"),
        ({"padding": "full"}, "`padding` must be"),
        ({"data_format": "NCHW"}, "`data_format` must be"),
        ({"gate": "relu"}, "`gate`"),
        ({"excitation": "all"}, "`excitation`"),
        ({"filters": 3, "excitation": "input"}, "`excitation` must not be 'input' unless"),
    ],
)
def test_options_out_of_range(options, message):
    options = {"filters": 2, "kernel_size": 3, **options}
    with pytest.raises(ValueError, match=message):
        SynapseConv2d(**options).build((None, 5, 5, 2))


def test_inputs_of_another_kind():
    layer, y = layer_and_images()
    with pytest.raises(ValueError, match=r"`y` must have shape \(batch, height, width, 2\)"):
        layer(y[..., :1])
    with pytest.raises(ValueError, match="`y` must be as large as a patch of 3×3 pixels"):
        layer(y[:, :2])
    with pytest.raises(ValueError, match="the layer has no weights yet"):
        SynapseConv2d(2, 3).contributions(y)
    with pytest.raises(ValueError, match="with known channels"):
        SynapseConv2d(2, 3).build((None, 5, 5, None))
    with pytest.raises(TypeError, match="`y` must have a real floating-point dtype"):
        layer(np.ones((1, 5, 5, 2), dtype=np.int32))


def test_sizes_stand_where_those_of_a_conv2d_stand():
    sizes = (4, 3, 1, "same", "channels_last", 2)
    ours, theirs = SynapseConv2d(*sizes), keras.layers.Conv2D(*sizes)
    y = np.random.default_rng(0).random((1, 9, 8, 2), np.float32)
    assert ours(y).shape == theirs(y).shape
    for name in ("strides", "padding", "data_format", "dilation_rate"):
        assert getattr(ours, name) == getattr(theirs, name)

"""SynapseConv2d: synapses over patches against loops over pixels, and what torch does to it."""

import copy
import itertools

import numpy as np
import pytest
import torch

from reference.convolution import surprisal_convolution
from synann_torch import Synapse, SynapseConv2d, parameter_groups
from synann_torch.convolution import LogSynapseConv2d
from tests.helpers import EPS, assert_close

EXCITATIONS = ("input", "mixture", "none")
SPACES = ("probability", "surprisal")
GEOMETRIES = [
    {},
    {"padding": 1},
    {"kernel_size": (3, 2), "padding": (2, 1), "stride": (1, 2)},
    {"kernel_size": 2, "dilation": 2, "stride": 2},
    {"kernel_size": (1, 3), "padding": "same", "dilation": (1, 2)},
    {"kernel_size": 2, "padding": "same"},
]


def layer_and_images(channels=2, out=2, seed=0, dtype=torch.float64, size=(5, 6), **options):
    generator = torch.Generator().manual_seed(seed)
    options = {"kernel_size": 3, **options}
    layer = SynapseConv2d(channels, out, dtype=dtype, generator=generator, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=dtype))
    y = torch.rand((2, channels, *size), generator=generator, dtype=dtype)
    return layer, -torch.log(y) if layer.space == "surprisal" else y


def channels_last(kernel):
    """A kernel (filters, channels, height, width) as (height, width, channels, filters)."""
    return kernel.permute(2, 3, 1, 0).detach().numpy()


def by_hand(layer, given):
    """Surprisal output by loops over pixels, from probabilities."""
    given = given.detach().numpy()
    y = np.moveaxis(np.exp(-given) if layer.space == "surprisal" else given, 1, -1)
    lengths = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    if layer.padding == "same":
        first, size = [length // 2 for length in lengths], y.shape[1:3]
    else:
        first = np.broadcast_to(0 if layer.padding == "valid" else layer.padding, 2).tolist()
        size = [
            (pixels + 2 * border - length - 1) // step + 1
            for pixels, border, length, step in zip(
                y.shape[1:3], first, lengths, layer.stride, strict=True
            )
        ]
    beta, shares = channels_last(layer.beta), None
    if layer.excitation == "mixture":
        mixture = torch.softmax(layer.synapse.mixing_logit, -1)
        shares = channels_last(mixture.reshape(layer.beta.shape))
    result = surprisal_convolution(
        y, layer.alpha.detach().numpy(), beta,
        excitation=layer.excitation, stride=layer.stride, dilation=layer.dilation,
        first=first, size=size, shares=shares,
    )  # fmt: skip
    return np.moveaxis(result, -1, 1)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("excitation", EXCITATIONS)
@pytest.mark.parametrize("space", SPACES)
def test_formula(geometry, excitation, space):
    layer, y = layer_and_images(excitation=excitation, space=space, output="surprisal", **geometry)
    want = by_hand(layer, y)
    got = layer(y).detach()
    inside = np.isfinite(want)  # a middle outside the image: x = 0, whose logarithm has a floor
    if space == "surprisal":
        assert torch.isinf(got[torch.from_numpy(~inside)]).all()
    assert inside.any()
    assert_close(got[torch.from_numpy(inside)], want[inside], 100 * EPS["float64"])
    assert_close(layer(y[0]).detach(), got[0], 8 * EPS["float64"])
    layer.synapse.output = "probability"
    assert_close(layer(y).detach(), np.where(inside, np.exp(-want), 0.0), 1e-12, scale=1.0)


def test_padding_takes_nothing_away():
    """Outside all channels are closed, also with a gate, for which 0 would be ½."""
    y = torch.randn(1, 2, 1, 1, dtype=torch.float64)
    for space, gate in itertools.product(SPACES, ("sigmoid", "softmax", "exp")):
        layer, _ = layer_and_images(excitation="none", space=space, gate=gate, padding=1)
        alone = SynapseConv2d(2, 2, 1, excitation="none", space=space, gate=gate, dtype=y.dtype)
        with torch.no_grad():
            middle = layer.synapse.beta_logit.unflatten(1, (2, 3, 3))[..., 1, 1]
            alone.synapse.beta_logit.copy_(middle)
            alone.synapse.theta.copy_(layer.synapse.theta)
        assert_close(layer(y).detach(), alone(y).detach(), 100 * EPS["float64"])


def test_softmax_runs_over_channels():
    layer, _ = layer_and_images(gate="softmax")
    y = torch.randn(2, 2, 5, 6, dtype=torch.float64)
    ungated = copy.deepcopy(layer)
    ungated.gate = None
    assert_close(layer(y).detach(), ungated(torch.softmax(y, 1)).detach(), 16 * EPS["float64"])


def test_excitation_from_outside():
    layer, y = layer_and_images(2, 3, excitation="none")
    x = torch.rand(2, 3, 3, 4, dtype=torch.float64)
    assert_close(layer(y, x).detach(), (layer(y) * x).detach(), 16 * EPS["float64"])
    with pytest.raises(ValueError, match=r"`x` must have shape \(..., 3, height, width\)"):
        layer(y, x[:, :2])


def test_auto():
    assert SynapseConv2d(2, 2, 3).excitation == "input"
    assert SynapseConv2d(2, 4, 3).excitation == "mixture"
    with pytest.raises(ValueError, match="`excitation` must not be 'input' unless in_channels"):
        SynapseConv2d(2, 4, 3, excitation="input")


def test_contributions_are_the_surprisal():
    layer, y = layer_and_images(3, 2, padding=1, output="surprisal", excitation="none", alpha=False)
    parts = layer.contributions(y)
    assert parts.shape == (2, 2, 5, 6, 3, 3, 3)
    assert bool((parts >= 0).all())
    assert_close(parts.sum((-1, -2, -3)).detach(), layer(y).detach(), 100 * EPS["float64"])


def test_mask():
    mask = torch.rand(2, 3, 3, 3, generator=torch.Generator().manual_seed(1)) < 0.5
    layer, y = layer_and_images(3, 2, mask=mask)
    assert torch.equal(layer.beta > 0, mask)
    assert torch.isinf(layer.gamma[~mask]).all()
    assert_close(layer(y).detach(), np.exp(-by_hand(layer, y)), 100 * EPS["float64"])
    with pytest.raises(ValueError, match="`mask`"):
        SynapseConv2d(3, 2, 3, mask=mask.flatten(1))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("excitation", EXCITATIONS)
def test_gradients(space, excitation):
    layer, y = layer_and_images(size=(3, 3), space=space, excitation=excitation, padding=1)
    inputs = (y[:1].requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(lambda y, *_: layer(y), inputs)


def test_second_derivatives_and_vmap():
    layer, y = layer_and_images(size=(3, 3), gate="sigmoid", output="surprisal")
    y = y[:1].requires_grad_()
    assert torch.autograd.gradgradcheck(lambda y, *_: layer(y), (y, *layer.parameters()))
    rows = torch.rand(3, 2, 3, 3, dtype=torch.float64)
    got = torch.func.vmap(layer)(rows)
    assert_close(got.detach(), layer(rows).detach(), 100 * EPS["float64"])


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize("space", SPACES)
def test_compile_export_and_trace(space):
    torch._dynamo.reset()
    layer, y = layer_and_images(dtype=torch.float32, padding=1, gate="exp", space=space)
    want = layer(y).detach()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")(y)
    exported = torch.export.export(layer, (y,)).module()(y)
    traced = torch.fx.symbolic_trace(layer)(y)
    for got in (compiled, exported, traced):
        assert_close(got.detach(), want, 64 * EPS["float32"])
    x = torch.rand(2, 2, 5, 6)
    assert torch.equal(torch.fx.symbolic_trace(layer)(y, x), layer(y, x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_computed_in_float32(dtype):
    layer, y = layer_and_images(dtype=torch.float32, gate="sigmoid")
    y = y.to(dtype)
    assert layer(y).dtype == torch.float32
    half = copy.deepcopy(layer).to(dtype)
    got = half(y)
    assert got.dtype == dtype
    want = copy.deepcopy(half).float()(y.float())
    assert torch.equal(got, want.to(dtype))
    assert half.contributions(y).dtype == dtype


def test_state_tells_what_was_trained():
    layer, y = layer_and_images(gate="sigmoid")
    other, _ = layer_and_images(gate="sigmoid", seed=1)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(y), layer(y))
    for options in ({}, {"gate": "exp"}, {"gate": "sigmoid", "excitation": "none"}):
        with pytest.raises(ValueError, match="`state_dict` must hold the state of a layer with"):
            layer_and_images(**options)[0].load_state_dict(layer.state_dict())
    for channels, kernel in ((2, (9, 1)), (2, (1, 9)), (1, (3, 6))):  # of as many weights
        another = SynapseConv2d(channels, 2, kernel, gate="sigmoid", excitation="none")
        same = SynapseConv2d(2, 2, 3, gate="sigmoid", excitation="none")
        with pytest.raises(ValueError, match=r"`state_dict` must be of patches of .* Received: "):
            another.load_state_dict(same.state_dict())


def test_outputs_lie_in_memory_as_those_of_a_convolution():
    """So that ``view`` and what looks for channels last find what they find after nn.Conv2d."""
    layer, y = layer_and_images()
    convolution = torch.nn.Conv2d(2, 2, 3, dtype=y.dtype)
    last = torch.channels_last
    for given in (y, y[0], y.to(memory_format=last), y.transpose(2, 3)):
        got, want = layer(given), convolution(given)
        assert got.stride() == want.stride()
    assert layer(y).view(2, -1).shape == (2, 24)


def test_the_meta_device():
    for excitation in EXCITATIONS:
        layer = SynapseConv2d(2, 2, 3, excitation=excitation, device="meta")
        assert layer(torch.empty(1, 2, 5, 6, device="meta")).shape == (1, 2, 3, 4)


def test_parameters_and_initial_values():
    layer = SynapseConv2d(3, 8, (5, 3), generator=torch.Generator().manual_seed(0))
    same = Synapse(45, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer.beta.flatten(1), same.beta)
    assert layer.beta.shape == (8, 3, 5, 3)
    before = layer.synapse.beta_logit.detach().clone()
    layer.reset_parameters(0.1)
    assert not torch.equal(before, layer.synapse.beta_logit)
    decaying, spared = parameter_groups(layer, weight_decay=0.1)
    assert (len(decaying["params"]), len(spared["params"])) == (0, 3)
    text = repr(SynapseConv2d(3, 3, 3, stride=2, gate="exp"))
    assert "3, 3, kernel_size=(3, 3), stride=(2, 2), gate='exp', excitation='input'" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 0}, "`kernel_size` must be"),
        ({"kernel_size": (3, 3, 3)}, "`kernel_size` must be an int or two"),
        ({"stride": (1, 0)}, "`stride` must be"),
        ({"padding": -1}, "`padding` must be"),
        ({"padding": "full"}, "`padding` must be an int, two, 'valid' or 'same'"),
        ({"padding": "same", "stride": 2}, "`padding` must not be 'same' unless stride = 1"),
        ({"gate": "relu"}, "`gate`"),
        ({"excitation": "all"}, "`excitation`"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        SynapseConv2d(2, 2, **{"kernel_size": 3, **options})


def test_inputs_of_another_kind():
    layer = SynapseConv2d(2, 2, 3)
    with pytest.raises(TypeError, match="SynapseConv2d has no option 'groups'"):
        SynapseConv2d(2, 2, 3, groups=2)
    with pytest.raises(ValueError, match=r"`y` must have shape \(N, 2, height, width\)"):
        layer(torch.rand(2, 3, 5, 5))
    with pytest.raises(ValueError, match="`y` must be as large as a patch of 3×3 pixels"):
        layer(torch.rand(2, 2, 2, 5))
    with pytest.raises(TypeError, match="`y` must have a real floating-point dtype"):
        layer(torch.ones(2, 2, 5, 5, dtype=torch.int64))
    with pytest.raises(TypeError, match="`y` must be a tensor"):
        layer(np.ones((2, 2, 5, 5)))
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        SynapseConv2d(2, 2, 3, strict=True)(torch.full((1, 2, 3, 3), 1.5))


def test_logarithm_for_a_norm():
    layer = LogSynapseConv2d(2, 2, dtype=torch.float64)
    y = torch.randn(2, 2, 5, 6, dtype=torch.float64)
    assert layer(y).shape == y.shape
    assert_close(layer(y).detach(), -by_hand(layer, torch.sigmoid(y)), 1e-13)


def test_sizes_stand_where_those_of_a_conv2d_stand():
    ours, theirs = SynapseConv2d(2, 4, 3, 2, 1, 2), torch.nn.Conv2d(2, 4, 3, 2, 1, 2)
    for name in ("kernel_size", "stride", "dilation"):
        assert getattr(ours, name) == getattr(theirs, name)
    y = torch.rand(1, 2, 9, 8)
    assert ours(y).shape == theirs(y).shape

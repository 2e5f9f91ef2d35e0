"""Synapse: its formulas in every combination of options, initial values, checks, and its life."""

import copy
import itertools
import math
import pickle
import weakref

import numpy as np
import pytest
import torch

from reference import tensor as reference
from synann_torch import Synapse
from tests.helpers import EPS, assert_close

EXCITATIONS = ("input", "mixture", "none")
SPACES = ("probability", "surprisal")


def layer_and_input(n=6, m=6, dtype=torch.float64, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    layer = Synapse(n, m, dtype=dtype, generator=generator, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=dtype))
    y = torch.rand((3, 5, n), generator=generator, dtype=dtype)
    return layer, -torch.log(y) if layer.space == "surprisal" else y


def by_hand(layer, given):
    """Surprisal output by loops over the formula, from probabilities."""
    given = given.detach().numpy()
    y = np.exp(-given) if layer.space == "surprisal" else given
    beta = 1 / (1 + np.exp(-layer.beta_logit.detach().numpy()))
    if layer.mask is not None:
        beta = beta * layer.mask.numpy()
    theta = np.zeros(layer.out_features) if layer.theta is None else layer.theta.detach().numpy()
    result = np.empty((*y.shape[:-1], layer.out_features))
    for batch in np.ndindex(*y.shape[:-1]):
        for i in range(layer.out_features):
            x = 1.0
            if layer.excitation == "input":
                x = y[batch][i]
            if layer.excitation == "mixture":
                weights = np.exp(layer.mixing_logit.detach().numpy()[i])
                x = np.sum(weights / weights.sum() * y[batch])
            factors = [1 - b * p for b, p in zip(beta[i], y[batch], strict=True)]
            result[(*batch, i)] = theta[i] - np.log(x) - np.sum(np.log(factors))
    return result


@pytest.mark.parametrize(
    ("excitation", "space", "output", "alpha", "masked"),
    list(itertools.product(EXCITATIONS, SPACES, SPACES, (True, False), (True, False))),
)
def test_formula(excitation, space, output, alpha, masked):
    mask = torch.eye(6, dtype=torch.bool).logical_not() if masked else None
    layer, y = layer_and_input(
        excitation=excitation, space=space, output=output, alpha=alpha, mask=mask
    )
    z = by_hand(layer, y)
    want = z if output == "surprisal" else np.exp(-z)
    assert_close(layer(y).detach(), want, 100 * EPS["float64"], scale=np.abs(want))
    assert_close(
        layer.alpha.detach(),
        np.exp(-np.zeros(6) if layer.theta is None else -layer.theta.detach().numpy()),
        4 * EPS["float64"],
    )
    assert_close(torch.exp(-layer.gamma).detach(), layer.beta.detach(), 8 * EPS["float64"])
    inhibition = layer.contributions(y).sum(-1).detach()
    none = copy.deepcopy(layer)
    none.excitation, none.output, none.theta = "none", "surprisal", None
    assert_close(inhibition, none(y).detach(), 100 * EPS["float64"])


@pytest.mark.parametrize("space", SPACES)
def test_excitation_from_outside(space):
    layer, y = layer_and_input(6, 4, space=space, excitation="none")
    x = torch.rand(3, 5, 4, dtype=torch.float64)
    given = -torch.log(x) if space == "surprisal" else x
    got, alone = layer(y, given), layer(y)
    want = alone * x if space == "probability" else alone - torch.log(x)
    assert_close(got.detach(), want.detach(), 16 * EPS["float64"])


def test_auto():
    assert Synapse(3, 3).excitation == "input"
    assert Synapse(3, 4).excitation == "mixture"
    assert Synapse(3, 4, excitation="none").mixing_logit is None


def test_gradients_are_the_references():
    layer, y = layer_and_input(5, 5)
    y.requires_grad_()
    grad = torch.randn(3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gy, gtheta, glogit = torch.autograd.grad(layer(y), (y, layer.theta, layer.beta_logit), grad)
    alpha, beta = layer.alpha.detach().numpy(), layer.beta.detach().numpy()
    rows = y.detach().numpy().reshape(15, 5)
    gx, gy_only, galpha, gbeta = reference.synapse_tensor_vjp(
        rows, rows, alpha, beta, grad.numpy().reshape(15, 5)
    )
    tolerance = 200 * EPS["float64"]
    assert_close(gy.reshape(15, 5), gx + gy_only, tolerance)
    assert_close(gtheta, -alpha * galpha, tolerance)
    assert_close(glogit, gbeta * beta * (1 - beta), tolerance)


@pytest.mark.parametrize("excitation", EXCITATIONS)
def test_probabilities_are_one_operation_to_autograd(excitation):
    """With the gradients of the formula taken apart, as a transform sees it."""
    mask = ~torch.eye(5, dtype=torch.bool)
    layer, y = layer_and_input(5, 5, excitation=excitation, mask=mask)
    y.requires_grad_()
    s = layer(y)
    assert s.grad_fn.name() == "WithGradientBackward"
    grad = torch.randn(s.shape, dtype=s.dtype, generator=torch.Generator().manual_seed(1))
    parameters = dict(layer.named_parameters())
    got = torch.autograd.grad(s, (y, *parameters.values()), grad)

    def loss(y, parameters):
        return (torch.func.functional_call(layer, parameters, (y,)) * grad).sum()

    gy, others = torch.func.grad(loss, (0, 1))(y.detach(), parameters)
    for a, b in zip(got, (gy, *others.values()), strict=True):
        assert_close(a, b.detach(), 200 * EPS["float64"])


def test_only_autograd_keeps_what_gradients_need():
    layer, y = layer_and_input(5, 5)
    y = y * 1.0
    left = []

    def pack(tensor):
        left.append(weakref.ref(tensor))

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda _: None):
        s = layer(y)
    left.append(weakref.ref(y))
    del y
    assert s.requires_grad
    parameters = {id(p) for p in layer.parameters()}
    assert len(left) > 4
    assert all(r() is None or id(r()) in parameters for r in left)


def test_names_of_parameters():
    names = {name: tuple(p.shape) for name, p in Synapse(3, 4).named_parameters()}
    assert names == {"beta_logit": (4, 3), "theta": (4,), "mixing_logit": (4, 3)}
    told = {"_extra_state"}  # what the layer computes
    assert set(Synapse(3, 3, alpha=False).state_dict()) == {"beta_logit"} | told
    names = {"beta_logit", "theta", "mask"} | told
    assert set(Synapse(3, 3, mask=torch.ones(3, 3)).state_dict()) == names


@pytest.mark.parametrize("n", [64, 784])
@pytest.mark.parametrize("excitation", EXCITATIONS)
@torch.no_grad()
def test_initial_values(n, excitation):
    """About a nat is taken away, and not the same from every sample."""
    generator = torch.Generator().manual_seed(0)
    layer = Synapse(n, n, excitation=excitation, output="surprisal", generator=generator)
    y = torch.rand(1000, n, generator=generator)
    inhibition = layer.contributions(y[:50]).sum(-1)
    assert 0.7 < float(inhibition.mean()) < 1.6
    assert float(inhibition.std(0).mean()) > 0.1
    assert torch.equal(layer.alpha, torch.ones(n))
    if excitation == "mixture":
        x = y @ torch.softmax(layer.mixing_logit, -1).T
        assert 0.3 < float(x.std(0).mean() / y.std()) < 0.35  # 0.9 in 8 equal parts: 0.32
    again = Synapse(n, n, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.beta_logit, layer.beta_logit)
    assert not torch.equal(Synapse(n, n).beta_logit, layer.beta_logit)
    layer.reset_parameters(0.1, generator=generator)
    inhibition = layer.contributions(0.2 * y[:50]).sum(-1)
    assert 0.7 < float(inhibition.mean()) < 1.6


def test_global_seed():
    torch.manual_seed(3)
    first = Synapse(4, 4)
    torch.manual_seed(3)
    assert torch.equal(Synapse(4, 4).beta_logit, first.beta_logit)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("excitation", EXCITATIONS)
def test_boundaries_are_finite(excitation, space, dtype):
    """A surprisal output and all gradients, for inputs at the ends and saturated strengths."""
    layer = Synapse(4, 4, excitation=excitation, space=space, output="surprisal", dtype=dtype)
    with torch.no_grad():
        layer.beta_logit[:2] = 1e4
        layer.beta_logit[3] = -1e4
    ends = torch.tensor([[0.0] * 4, [1.0] * 4, [0.0, 1.0, 0.0, 1.0]], dtype=dtype)
    if space == "surprisal":
        ends = torch.where(ends == 1, 0.0, 80.0).to(dtype)
    ends.requires_grad_()
    z = layer(ends)
    assert torch.isfinite(z).all()
    z.sum().backward()
    for leaf in (ends, *layer.parameters()):
        assert torch.isfinite(leaf.grad).all()


def test_a_stack_in_surprisal_space_does_not_underflow():
    y = torch.full((2, 800), 80.0)
    stack = torch.nn.Sequential(
        *(Synapse(800, 800, excitation="mixture", space="surprisal") for _ in range(3))
    )
    z = stack(y)
    assert torch.isfinite(z).all()
    assert_close(z.detach(), np.full((2, 800), 80.0), 0.1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    layer, y = layer_and_input(dtype=torch.float32)
    assert layer(y.to(dtype)).dtype == torch.float32
    low = copy.deepcopy(layer).to(dtype)
    result = low(y.to(dtype))
    assert result.dtype == dtype
    assert_close(result.detach().float(), layer(y).detach(), 8 * float(torch.finfo(dtype).eps))


def test_autocast():
    layer, y = layer_and_input(8, 4, dtype=torch.float32, output="surprisal")
    dense = torch.nn.Linear(8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        gate = torch.sigmoid(dense(y))
        assert gate.dtype == torch.bfloat16
        got = layer(gate)
    got.sum().backward()
    assert torch.isfinite(layer.beta_logit.grad).all()
    # Only the mixture, a matrix product, is in 8 bits.
    assert_close(got.detach().float(), layer(gate.float()).detach(), 0.02)


def test_life_of_a_module(tmp_path):
    layer, y = layer_and_input(5, 3, dtype=torch.float32, mask=torch.eye(3, 5))
    want = layer(y)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301
        assert torch.equal(other(y), want)
    with torch.device("meta"):
        empty = Synapse(5, 3, mask=torch.eye(3, 5, device="cpu"))
    assert empty.beta_logit.is_meta
    filled = empty.to_empty(device="cpu")
    filled.reset_parameters()
    assert torch.isfinite(filled.beta_logit).all()
    filled.load_state_dict(layer.state_dict())
    assert torch.equal(filled(y), want)
    with pytest.raises(RuntimeError, match="size mismatch for beta_logit"):
        Synapse(5, 4, mask=torch.ones(4, 5)).load_state_dict(layer.state_dict())


def test_repr():
    mask = ~torch.eye(3, dtype=torch.bool)
    text = repr(Synapse(3, 3, alpha=False, space="surprisal", mask=mask, strict=True))
    assert text == (
        "Synapse(in_features=3, out_features=3, excitation='input', alpha=False, "
        "space='surprisal', mask=6 synapses, strict=True)"
    )


BAD_OPTIONS = [
    ({"bias": False}, TypeError, "Synapse has no option 'bias'"),
    ({"in_features": 0}, ValueError, "`in_features` must be at least 1. Received: 0"),
    ({"out_features": -1}, ValueError, "`out_features` must be at least 1. Received: -1"),
    ({"in_features": 2.5}, TypeError, "`in_features` must be an int. Received: 2.5"),
    ({"excitation": "inputs"}, ValueError, "`excitation` must be one of .* Received: 'inputs'"),
    ({"excitation": "input", "out_features": 4}, ValueError, "in_features = out_features"),
    ({"space": "log"}, ValueError, "`space` must be one of .* Received: 'log'"),
    ({"output": "log"}, ValueError, "`output` must be one of .* Received: 'log'"),
    ({"gate": "relu"}, ValueError, "`gate` must be one of .* Received: 'relu'"),
    (
        {"mask": torch.ones(2, 3)},
        ValueError,
        r"`mask` must have shape \(3, 3\). Received: shape \(2, 3\)",
    ),
    ({"mask": 2 * torch.ones(3, 3)}, ValueError, "`mask` must hold only 0 and 1"),
    ({"mask": [[1]]}, TypeError, "`mask` must be a tensor. Received: list"),
    ({"dtype": torch.int64}, (TypeError, RuntimeError), "floating point|floating-point"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        Synapse(**{"in_features": 3, "out_features": 3, **options})


BAD_INPUTS = [
    (torch.rand(2, 4), ValueError, r"`y` must have shape \(..., 3\). Received: shape \(2, 4\)"),
    (torch.ones(2, 3, dtype=torch.int64), TypeError, "`y` must have a real floating-point dtype"),
    (np.ones((2, 3)), TypeError, "`y` must be a tensor. Received: ndarray"),
]


@pytest.mark.parametrize("output", SPACES)
@pytest.mark.parametrize(("y", "error", "message"), BAD_INPUTS)
def test_bad_inputs(y, error, message, output):
    with pytest.raises(error, match=message):
        Synapse(3, 3, output=output)(y)


@pytest.mark.parametrize(
    "options", [{"excitation": "mixture"}, {"space": "surprisal"}, {}], ids=str
)
def test_bad_shapes(options):
    """Named as the call names them, in every space and for every excitation."""
    layer, y = Synapse(3, 4, **options), torch.rand(2, 3)
    for bad in (torch.rand(2, 5), torch.tensor(0.5)):
        for function in (layer, layer.contributions):
            with pytest.raises(ValueError, match=r"`y` must have shape \(\.\.\., 3\)"):
                function(bad)
    for bad in (torch.rand(2, 1), torch.rand(4, 3)):
        with pytest.raises(ValueError, match=r"`x` must have shape \(\.\.\., 4\)"):
            layer(y, bad)
    with pytest.raises(ValueError, match="`y`, `x` must have leading axes that broadcast"):
        layer(y, torch.rand(5, 4))
    with pytest.raises(TypeError, match="`x` must have a real floating-point dtype"):
        layer(y, torch.ones(2, 4, dtype=torch.int64))
    with pytest.raises(TypeError, match="`x` must be a tensor"):
        layer(y, 0.5)


def test_masks_are_not_shared():
    mask = ~torch.eye(3, dtype=torch.bool)
    first, second = Synapse(3, 3, mask=mask), Synapse(3, 3, mask=mask)
    first.load_state_dict(Synapse(3, 3, mask=torch.ones(3, 3)).state_dict())
    assert bool(first.mask.all())
    assert torch.equal(second.mask, ~torch.eye(3, dtype=torch.bool))
    assert torch.equal(mask, second.mask)


def test_meta_device_keeps_the_mask():
    mask = ~torch.eye(3, dtype=torch.bool)
    layer = Synapse(3, 3, mask=mask, device="meta", strict=True)
    assert layer(torch.rand(2, 3, device="meta")).shape == (2, 3)
    layer.to_empty(device="cpu").reset_parameters()
    assert torch.equal(layer.mask, mask)
    with torch.device("meta"):
        assert Synapse(3, 3, mask=~torch.eye(3, dtype=torch.bool)).beta_logit.is_meta
        assert not Synapse(3, 3, device="cpu").beta_logit.is_meta


def test_a_dead_row_in_surprisal_space():
    """All probabilities 0: the mixture's gradient stays finite, and that of the other rows."""
    layer = Synapse(4, 3, space="surprisal", output="probability")
    v = -torch.log(torch.tensor([[0.0] * 4, [0.5] * 4]))
    layer(v).sum().backward()
    assert torch.isfinite(layer.mixing_logit.grad).all()
    assert layer(v)[0].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("excitation", ["input", "mixture"])
def test_half_precision_is_computed_in_float32(excitation):
    layer = Synapse(3, 3, output="surprisal", excitation=excitation)
    y = torch.tensor([[1e-6, 1e-6, 1e-6]], dtype=torch.float16)
    assert torch.equal(layer(y), layer(y.float()))
    with torch.autocast("cpu", dtype=torch.float16):
        assert torch.equal(layer(y), layer(y.float()))


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.5])
def test_strict(bad):
    y = torch.full((2, 3), 0.5)
    strict, free = Synapse(3, 3, strict=True), Synapse(3, 3)
    free.load_state_dict(strict.state_dict())
    assert torch.equal(strict(y), free(y))
    y[1, 2] = bad
    with pytest.raises(ValueError, match=r"`y` must hold values in \[0, 1\]. Received: 1 outside"):
        strict(y)
    with pytest.raises(ValueError, match=r"`y` must hold values in \[0, 1\]. Received: 1 outside"):
        strict.contributions(y)
    free(y)
    free.contributions(y)
    with pytest.raises(ValueError, match="`x` must hold"):
        strict(torch.ones(2, 3), y)
    surprisal = Synapse(3, 3, strict=True, space="surprisal")
    if bad == 1.5:
        surprisal(y)
    else:
        with pytest.raises(ValueError, match=r"`y` must hold values in \[0, ∞\]"):
            surprisal(y)


def test_strict_layers_clip_what_is_a_few_ulp_outside():
    layer = Synapse(3, 3, strict=True, output="surprisal")
    y = torch.ones(2, 3)
    assert torch.equal(layer(y * (1.0 + 2.0**-23)), layer(y))


@pytest.mark.parametrize("gate", ["sigmoid", "softmax", "exp"])
@pytest.mark.parametrize("space", SPACES)
def test_gates(gate, space):
    """The same as a layer without one that is given their probabilities, or surprisals."""
    options = {"space": space, "output": "surprisal"}
    layer, _ = layer_and_input(5, 3, gate=gate, **options)
    free = Synapse(5, 3, dtype=torch.float64, **options)
    free.load_state_dict(dict(layer.named_parameters()))
    h = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    h = h.abs() if gate == "exp" else h
    softmax = torch.softmax(h, -1)
    p = {"sigmoid": torch.sigmoid(h), "softmax": softmax, "exp": 1 - torch.exp(-h)}[gate]
    y = -torch.log(p) if space == "surprisal" else p
    tolerance = 64 * EPS["float64"]
    assert_close(layer(h).detach(), free(y).detach(), tolerance)
    assert_close(layer.contributions(h).detach(), free.contributions(y).detach(), tolerance)
    assert f"gate={gate!r}" in repr(layer)
    assert "gate" not in repr(free)
    x = torch.rand(4, 3, dtype=torch.float64)  # is not gated
    assert_close(layer(h, x).detach(), free(y, x).detach(), tolerance)
    half = copy.deepcopy(layer).float()
    assert half(h.half()).dtype == torch.float32
    assert torch.autograd.gradcheck(layer, (h.requires_grad_(),))


@pytest.mark.parametrize("output", SPACES)
def test_behind_a_relu_a_gate_trains(output):
    """Without a gate its values leave [0, 1], and the loss becomes NaN."""

    def train(gate):
        torch.manual_seed(0)
        layer = Synapse(16, 16, excitation="none", gate=gate, output=output)
        net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), layer)
        with torch.no_grad():
            net[0].weight.mul_(8.0)
            layer.beta_logit[:, :4] = 4.0
        optimizer, x = torch.optim.Adam(net.parameters(), 0.01), torch.randn(64, 8)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = (net(x) - 0.5).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    losses = train("exp")
    assert math.isfinite(losses[-1])
    assert losses[-1] < losses[0]
    with pytest.warns(RuntimeWarning, match=r"`y` must hold values in \[0, 1\]") as caught:
        losses = train(None)
    assert math.isnan(losses[-1])
    assert len(caught) == 1
    assert caught[0].filename == torch.nn.modules.container.__file__


@pytest.mark.parametrize("bad", [1.5, -0.1, math.nan])
def test_values_out_of_range_are_told_of_once(bad):
    y = torch.full((2, 3), 0.5)
    layer = Synapse(3, 3)

    def calls(count):
        for _ in range(count):
            layer(y)

    calls(1)
    y[1, 2] = bad
    with pytest.warns(RuntimeWarning, match=r"Received: 1 outside.* a `gate` makes") as caught:
        calls(4)
    assert len(caught) == 1
    calls(200)
    if bad == 1.5:
        Synapse(3, 3, space="surprisal")(y)
    Synapse(3, 3, gate="exp")(y)


def test_values_that_leave_their_range_late_are_told_of():
    layer = Synapse(3, 3)

    def train(low):
        for _ in range(70):
            layer(low + torch.rand(2, 3))

    train(0.0)
    with pytest.warns(RuntimeWarning, match="Received: 6 outside"):
        train(1.5)


def test_values_that_are_hidden_are_not_looked_at():
    high = torch.full((2, 3), 2.0)
    torch.func.vmap(Synapse(3, 3))(high)
    Synapse(3, 3, device="meta")(high.to("meta"))
    torch.fx.symbolic_trace(Synapse(3, 3))(high)
    torch.compile(Synapse(3, 3), backend="eager", fullgraph=True)(high)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gradients_at_closed_factors_are_finite(dtype):
    layer = Synapse(3, 2, space="surprisal", excitation="none", dtype=dtype)
    with torch.no_grad():
        layer.beta_logit.fill_(40.0)
    v = torch.zeros((4, 3), dtype=dtype, requires_grad=True)
    layer(v).sum().backward()
    for gradient in (v.grad, layer.beta_logit.grad):
        assert gradient.dtype == dtype
        assert torch.isfinite(gradient).all()
    if dtype == torch.float16:
        assert (v.grad == -65504).all()


def test_a_gain_may_bring_back_what_the_inhibition_takes():
    """θ = −70: e^T alone would be 0 in float32."""
    layer = Synapse(200, 1, excitation="none")
    with torch.no_grad():
        layer.theta.fill_(-70.0)
        layer.beta_logit.fill_(math.log(9.0))
    y = torch.full((2, 200), 0.5, requires_grad=True)
    s = layer(y)
    want = 70 + 200 * math.log(0.55)
    np.testing.assert_allclose(s.detach().log().numpy(), want, rtol=1e-4)
    s.sum().backward()
    exact = math.exp(want)
    np.testing.assert_allclose(layer.theta.grad.numpy(), -2 * exact, rtol=1e-2)
    np.testing.assert_allclose(y.grad.numpy(), -exact * 0.9 / 0.55, rtol=1e-2)

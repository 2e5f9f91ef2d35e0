"""The layer's formulas: on every library, against the reference, complex steps and the layers."""

import functools
import itertools
import math

import numpy as np
import pytest
from array_api_compat import array_namespace

from reference import tensor as reference
from synann_core import layer
from tests.helpers import EPS, TINY, assert_close, assert_relative

pytestmark = pytest.mark.jax_alternates

SPACES = ("probability", "surprisal")
EXCITATIONS = ("input", "mixture", "none")
OPTIONS = [
    {"excitation": e, "space": s, "output": o}
    for e, s, o in itertools.product(EXCITATIONS, SPACES, SPACES)
]
LOGITS = np.array([-1e4, -200.0, -40.0, -1.0, 0.0, 1e-3, 2.0, 30.0, 50.0, 1e4])


def given(n=4, m=4, seed=0):
    """Probabilities y, logits of β, θ, and logits of a mixture."""
    rng = np.random.default_rng(seed)
    shapes = ((m, n), (m,), (m, n))
    return rng.uniform(0.05, 0.95, (3, n)), *(rng.normal(size=shape) for shape in shapes)


def softmax(logit):
    e = np.exp(logit)
    return e / e.sum(axis=-1, keepdims=True)


def by_hand(y, logit, theta, mixing, *, excitation, space, output):
    """The formula written out, for complex numbers too."""
    p = np.exp(-y) if space == "surprisal" else y
    x = {"input": p, "mixture": p @ softmax(mixing).T, "none": 1.0}[excitation]
    beta = 1 / (1 + np.exp(-logit))
    s = np.exp(-theta) * x * np.prod(1 - beta * p[..., None, :], axis=-1)
    return s if output == "probability" else -np.log(s)


@functools.cache
def formula(name, **options):
    """A function of the layer by its arrays alone, the same one at each call (JAX compiles it)."""

    def run(*arrays):
        return getattr(layer, name)(*arrays, **options, xp=array_namespace(arrays[0]))

    return run


@functools.cache
def forward(excitation, space, output):
    options = {"excitation": excitation, "space": space, "output": output}

    def run(y, logit, theta, mixing):
        weights = layer.Weights(logit, theta, mixing if excitation == "mixture" else None)
        return layer.forward(y, None, weights, **options, xp=array_namespace(y))

    return run


def test_beta_and_gamma_up_to_their_ends(xp, dtype):
    eps = EPS[dtype]
    logit = LOGITS.astype(dtype)
    beta = xp.call(formula("beta_of"), xp.asarray(logit, dtype))
    gamma = xp.call(formula("gamma_of"), xp.asarray(logit, dtype))
    xp.check(beta, dtype, logit.shape)
    xp.check(gamma, dtype, logit.shape)
    exact = np.float64(logit)
    want = np.minimum(np.exp(-np.logaddexp(0.0, -exact)), 1.0 - eps)
    # (What is smaller than a normal number may be 0.)
    scale = np.maximum(want, TINY[dtype] / eps)
    assert_close(xp.to_numpy(beta), want, 8 * eps, scale=scale)
    assert_relative(xp.to_numpy(gamma), np.maximum(np.logaddexp(0.0, -exact), eps), 8 * eps)
    assert xp.to_numpy(beta).max() == np.dtype(dtype).type(1.0 - eps)
    assert xp.to_numpy(gamma).min() == np.dtype(dtype).type(eps)


def test_where_there_is_no_synapse(xp, dtype):
    logit, mask = LOGITS[:9].reshape(3, 3), np.eye(3, dtype=bool)
    arrays = xp.asarray(logit, dtype), xp.asarray(mask, "bool")
    beta = xp.to_numpy(xp.call(formula("beta_of"), *arrays))
    gamma = xp.to_numpy(xp.call(formula("gamma_of"), *arrays))
    assert (beta[~mask] == 0).all()
    assert (gamma[~mask] == np.inf).all()
    np.testing.assert_array_equal(
        beta[mask], xp.to_numpy(xp.call(formula("beta_of"), arrays[0]))[mask]
    )
    np.testing.assert_array_equal(
        gamma[mask], xp.to_numpy(xp.call(formula("gamma_of"), arrays[0]))[mask]
    )


def test_slopes_of_beta_and_gamma(ad):
    """Also at 0, where the formulas branch; 0 where β and γ are at their ends."""
    logit = LOGITS[(LOGITS > -100) & (LOGITS < 1e3)]
    beta, rest = 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(logit))
    inside = rest > EPS["float64"]
    ones = ad.asarray(np.ones_like(logit))
    (slope,) = ad.gradients(formula("beta_of"), ones, ad.asarray(logit))
    assert_close(ad.to_numpy(slope), inside * beta * rest, 4 * EPS["float64"])
    (slope,) = ad.gradients(formula("gamma_of"), ones, ad.asarray(logit))
    assert_relative(ad.to_numpy(slope), -(inside * rest), 16 * EPS["float64"])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_outputs_are_the_references(xp, options):
    y, logit, theta, mixing = given()
    x = {"input": y, "mixture": y @ softmax(mixing).T, "none": np.ones((3, 4))}
    s = reference.synapse_tensor(
        x[options["excitation"]], y, np.exp(-theta), 1 / (1 + np.exp(-logit))
    )
    want = s if options["output"] == "probability" else -np.log(s)
    y = -np.log(y) if options["space"] == "surprisal" else y
    assert_close(by_hand(y, logit, theta, mixing, **options), want, 64 * EPS["float64"])
    arrays = [xp.asarray(a) for a in (y, logit, theta, mixing)]
    got = xp.call(forward(**options), *arrays)
    xp.check(got, "float64", (3, 4))
    assert_close(xp.to_numpy(got), want, 64 * EPS["float64"])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_by_complex_steps(options):
    import torch

    y, *weights = given(seed=1)
    values = [-np.log(y) if options["space"] == "surprisal" else y, *weights]
    grad = np.random.default_rng(2).normal(size=(3, 4))
    leaves = [torch.tensor(a, requires_grad=True) for a in values]
    loss = (forward(**options)(*leaves) * torch.from_numpy(grad)).sum()
    got = torch.autograd.grad(loss, leaves, allow_unused=True)
    for k, (value, gradient) in enumerate(zip(values, got, strict=True)):
        want = np.empty_like(value)
        for index in np.ndindex(value.shape):
            moved = [a.astype(complex) for a in values]
            moved[k][index] += 1e-30j
            want[index] = np.sum(by_hand(*moved, **options).imag * grad) / 1e-30
        if gradient is None:  # there is no mixture
            assert not want.any()
        else:
            assert_close(gradient, want, 200 * EPS["float64"])


@pytest.mark.parametrize(
    ("options", "m"),
    [(o, 4) for o in OPTIONS] + [(o, 3) for o in OPTIONS if o["excitation"] != "input"],
    ids=str,
)
def test_layers_of_torch_and_keras_agree(options, m):
    """With the formulas on NumPy; Keras' matrices are the transposes."""
    import torch

    import synann_keras
    import synann_torch

    y, logit, theta, mixing = given(m=m, seed=3)
    y = -np.log(y) if options["space"] == "surprisal" else y
    mask = np.random.default_rng(4).random((m, 4)) < 0.7
    mixing = mixing if options["excitation"] == "mixture" else None
    weights = layer.Weights(logit, theta, mixing, mask)
    xp = array_namespace(y)
    want = layer.forward(y, None, weights, **options, xp=xp)
    parts = layer.contributions(y, weights, space=options["space"], xp=xp)

    of_torch = synann_torch.Synapse(
        4, m, mask=torch.from_numpy(mask), dtype=torch.float64, **options
    )
    of_keras = synann_keras.Synapse(m, mask=mask.T, dtype="float64", **options)
    of_keras.build((None, 4))
    for name in ("beta_logit", "theta", "mixing_logit"):
        value = getattr(weights, name)
        if value is not None:
            with torch.no_grad():
                getattr(of_torch, name).copy_(torch.from_numpy(value))
            getattr(of_keras, name).assign(value.T)
    tensor = torch.from_numpy(y)
    for module in (of_torch, of_keras):
        assert_close(module(tensor).detach(), want, 64 * EPS["float64"])
        assert_close(module.contributions(tensor).detach(), parts, 64 * EPS["float64"])
        assert_close(module.alpha.detach(), np.exp(-theta), 4 * EPS["float64"])
    for name in ("beta", "gamma"):
        value = getattr(layer, f"{name}_of")(logit, mask, xp=xp)
        assert_close(getattr(of_torch, name).detach(), value, 4 * EPS["float64"])
        assert_close(getattr(of_keras, name).detach(), value.T, 4 * EPS["float64"])


@pytest.mark.parametrize("space", SPACES)
def test_excitation_from_outside(xp, space):
    y, logit, theta, _ = given(m=2)
    x = np.random.default_rng(5).random((3, 2))
    s = np.exp(-theta) * x * np.prod(1 - y[:, None, :] / (1 + np.exp(-logit)), axis=-1)
    given_y, given_x = (-np.log(a) if space == "surprisal" else a for a in (y, x))

    def run(y, x, logit, theta):
        options = {"excitation": "none", "space": space, "output": space}
        return layer.forward(y, x, layer.Weights(logit, theta), **options, xp=array_namespace(y))

    arrays = [xp.asarray(a) for a in (given_y, given_x, logit, theta)]
    want = -np.log(s) if space == "surprisal" else s
    assert_close(xp.to_numpy(xp.call(run, *arrays)), want, 64 * EPS["float64"])


@pytest.mark.parametrize("space", SPACES)
def test_contributions_add_up_to_the_surprisal(xp, space):
    y, logit, _, _ = given()
    y = -np.log(y) if space == "surprisal" else y

    def run(y, logit):
        weights, names = layer.Weights(logit), array_namespace(y)
        options = {"excitation": "none", "space": space, "output": "surprisal"}
        whole = layer.forward(y, None, weights, **options, xp=names)
        return whole, layer.contributions(y, weights, space=space, xp=names)

    whole, parts = xp.to_numpy(xp.call(run, xp.asarray(y), xp.asarray(logit)))
    assert parts.shape == (3, 4, 4)
    assert_close(parts.sum(-1), whole, 16 * EPS["float64"])


def test_a_mixture_of_surprisals(xp, dtype):
    """As that of the probabilities, without their underflow; finite for a row without any."""
    mixing = np.random.default_rng(6).normal(size=(2, 3))
    v = np.array([[0.5, 1.0, 2.0], [500.0, 501.0, 600.0], [np.inf, np.inf, np.inf]])

    def run(v, mixing):
        weights, names = layer.Weights(mixing, None, mixing), array_namespace(v)
        options = {"excitation": "mixture", "space": "surprisal", "xp": names}
        return layer.excitation_of(v, weights, **options)

    got = xp.to_numpy(xp.call(run, xp.asarray(v, dtype), xp.asarray(mixing, dtype)))
    near = -np.log(np.exp(-v[0]) @ softmax(mixing).T)
    far = 500.0 - np.log(np.exp(500.0 - v[1]) @ softmax(mixing).T)
    assert_relative(got[:2], [near, far], 16 * EPS[dtype])
    assert np.isfinite(got[2]).all()
    assert (got[2] > 1e38).all()


def test_a_mixture_is_exact_under_autocast():
    import torch
    from array_api_compat import torch as names

    y, logit, theta, mixing = (torch.tensor(a, dtype=torch.float32) for a in given())
    weights = layer.Weights(logit, theta, mixing)
    options = {"excitation": "mixture", "space": "probability", "xp": names}
    want = layer.excitation_of(y, weights, **options)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (y @ y.T).dtype == torch.bfloat16
        assert torch.equal(layer.excitation_of(y, weights, **options), want)


def test_state_of_a_recurrent_cell(xp):
    rng = np.random.default_rng(7)
    h, projected, recurrent = rng.random((2, 3)), rng.normal(size=(2, 6)), rng.normal(size=(2, 3))
    x, z = (1 / (1 + np.exp(-a)) for a in (projected[:, :3], projected[:, 3:] + recurrent))

    def run(h, projected, recurrent):
        names = array_namespace(h)
        return layer.gated_state(h, projected, recurrent, lambda h, x: h * x * x, xp=names)

    got = xp.call(run, *(xp.asarray(a) for a in (h, projected, recurrent)))
    want = (1 - z) * h + z * (h * x * x)
    assert_close(xp.to_numpy(got), want, 8 * EPS["float64"])


def test_options_are_checked():
    assert layer.checked_options("auto", "surprisal", None) == ("auto", "surprisal", "surprisal")
    wanted = ("none", "probability", "surprisal")
    assert layer.checked_options(*wanted) == wanted
    for k, name in enumerate(("excitation", "space", "output")):
        options = list(wanted)
        options[k] = "other"
        with pytest.raises(ValueError, match=f"`{name}` must be one of .* Received: 'other'"):
            layer.checked_options(*options)


def test_what_auto_stands_for():
    assert layer.chosen_excitation("auto", 3, 3, "square") == "input"
    assert layer.chosen_excitation("auto", 3, 4, "square") == "mixture"
    assert layer.chosen_excitation("none", 3, 4, "square") == "none"
    with pytest.raises(ValueError, match=r"'input' unless square. Received: 'input' with 3 and 4"):
        layer.chosen_excitation("input", 3, 4, "square")


def test_masks_are_checked(xp):
    names = array_namespace(xp.asarray([0.0]))
    mask = xp.asarray(np.eye(2, 3))
    for shape in ((2, 3), ("input_dim", 3)):
        layer.check_mask(mask, shape, readable=True, xp=names)
    for shape in ((3, 3), ("input_dim", 2), (2,)):
        with pytest.raises(ValueError, match=r"`mask` must have shape \(.*\). Received: shape"):
            layer.check_mask(mask, shape, readable=True, xp=names)
    layer.check_mask(mask + 1.0, (2, 3), readable=False, xp=names)
    with pytest.raises(ValueError, match="`mask` must hold only 0 and 1"):
        layer.check_mask(mask + 1.0, (2, 3), readable=True, xp=names)


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.5])
def test_values_are_checked(bad):
    xp = array_namespace(np.zeros(1))
    values = np.array([[0.0, 1.0], [0.5, 0.25]])
    for space in SPACES:
        layer.check_values("y", values, space, xp=xp)
    values[1, 1] = bad
    with pytest.raises(ValueError, match=rf"`y` must .* \[0, 1\]. Received: 1 outside.* {bad:g}"):
        layer.check_values("y", values, "probability", xp=xp)
    if bad == 1.5:
        layer.check_values("y", values, "surprisal", xp=xp)
    else:
        with pytest.raises(ValueError, match=r"`y` must hold values in \[0, ∞\]"):
            layer.check_values("y", values, "surprisal", xp=xp)


def test_values_a_few_ulp_outside_are_clipped(ad, dtype):
    names = array_namespace(ad.asarray([0.0]))
    ulp = EPS[dtype]
    value = ad.asarray([-3 * ulp, 0.5, 1.0 + ulp], dtype)

    def checked(space):
        return layer.check_values("y", value, space, xp=names)

    assert np.array_equal(ad.to_numpy(checked("probability")), [0.0, 0.5, 1.0])
    assert np.array_equal(ad.to_numpy(checked("surprisal")), [0.0, 0.5, np.float64(1.0 + ulp)])
    far = ad.asarray([0.5, 1.0 + 8 * ulp], dtype)
    with pytest.raises(ValueError, match=r"the first 1\.0000"):
        layer.check_values("y", far, "probability", xp=names)


def test_clipped_values_pass_their_gradient_on():
    import torch
    from array_api_compat import torch as xp

    value = torch.tensor([1.0 + 2.0**-51, 0.5, torch.inf], dtype=torch.float64, requires_grad=True)
    for space in SPACES:
        part = value if space == "surprisal" else value[:2]
        (gradient,) = torch.autograd.grad(layer.check_values("y", part, space, xp=xp).sum(), value)
        assert gradient.tolist() == [1.0, 1.0, float(space == "surprisal")]


def test_errors_of_inputs_have_their_kinds():
    error = layer.input_error("y", "int64", (2, 3), 3, floating=False)
    assert isinstance(error, TypeError)
    assert str(error) == "`y` must have a real floating-point dtype. Received: int64"
    error = layer.input_error("x", "float32", (2, 3), 4, floating=True)
    assert isinstance(error, ValueError)
    assert str(error) == "`x` must have shape (..., 4). Received: shape (2, 3)"


def test_initial_mixtures_have_a_few_inputs():
    logit = layer.initial_mixing_logit(20, 100, rng=np.random.default_rng(0))
    share = np.sort(softmax(logit), axis=1)
    assert 0.85 < share[:, -8:].sum(1).mean() < 0.95
    assert share[:, -9].max() < 0.02
    few = layer.initial_mixing_logit(20, 8, rng=np.random.default_rng(0))
    assert softmax(few).max() < 0.2


GATED = np.array([-1e4, -30.0, -2.0, -1e-6, 0.0, 1e-6, 0.5, 3.0, 30.0, 80.0])


def gate_by_hand(name, h):
    """Probabilities, and their surprisals, exactly enough in float64."""
    if name == "sigmoid":
        return 1 / (1 + np.exp(-h)), np.logaddexp(0.0, -h)
    if name == "softmax":
        v = np.log(np.sum(np.exp(h - h.max()))) - (h - h.max())
        return np.exp(-v), v
    positive = np.maximum(h, 0.0)
    with np.errstate(divide="ignore", over="ignore"):
        small = -np.log(-np.expm1(-positive))
        large = -np.log1p(-np.exp(-positive))
    return -np.expm1(-positive), np.where(positive < 1.0, small, large)


@pytest.mark.filterwarnings("ignore:overflow encountered in exp")
@pytest.mark.parametrize("name", ["sigmoid", "softmax", "exp"])
def test_gates_make_probabilities_and_surprisals(xp, dtype, name):
    h = GATED.astype(dtype)
    p, v = gate_by_hand(name, np.float64(h))
    v = np.minimum(v, -math.log(TINY[dtype])) if name == "exp" else v
    for space, want in (("probability", p), ("surprisal", v)):
        got = xp.to_numpy(xp.call(formula("gated", gate=name, space=space), xp.asarray(h, dtype)))
        assert got.dtype == np.dtype(dtype)
        assert (got >= 0).all()
        assert space == "surprisal" or (got <= 1).all()
        scale = np.maximum(np.abs(want), TINY[dtype] / EPS[dtype])
        if space == "surprisal":  # a sum of the size of h
            scale = scale + np.where(name == "softmax", np.abs(h).max(), 0.0)
        assert_close(got, want, 16 * EPS[dtype], scale=scale)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", ["sigmoid", "softmax", "exp"])
def test_slopes_of_gates(ad, name, space):
    """By differences; and finite where a ReLU leaves 0."""
    h, step = np.array([-2.0, 0.3, 0.9, 4.0]), 1e-6
    place = SPACES.index(space)
    grad = np.array([1.0, -2.0, 0.5, 3.0])
    want = np.empty(4)
    for k in range(4):
        moved = [h + sign * step * np.eye(4)[k] for sign in (1, -1)]
        up, down = (np.nan_to_num(gate_by_hand(name, m)[place], posinf=0.0) for m in moved)
        want[k] = np.sum(grad * (up - down)) / (2 * step)
    run = formula("gated", gate=name, space=space)
    (slope,) = ad.gradients(run, ad.asarray(grad), ad.asarray(h))
    assert_close(ad.to_numpy(slope), want, 1e-7, scale=1.0)
    (slope,) = ad.gradients(run, ad.asarray(grad), ad.asarray(np.zeros(4)))
    assert np.isfinite(ad.to_numpy(slope)).all()


def test_gates_are_checked():
    assert layer.checked_gate(None) is None
    assert layer.checked_gate("exp") == "exp"
    with pytest.raises(ValueError, match=r"`gate` must be one of .* Received: 'relu'"):
        layer.checked_gate("relu")


OF_A_LAYER = {"excitation": "none", "space": "surprisal", "output": "probability", "gate": "exp"}


def test_a_state_says_what_a_layer_computes():
    state = layer.state_of(**OF_A_LAYER)
    assert state == [2, 1, 0, 3]  # files hold these numbers
    layer.check_state("state", state, **OF_A_LAYER)
    layer.check_state("state", [1.9999998, 1.0, 0.0, 3.0], **OF_A_LAYER)  # a mean of states
    layer.check_state("state", state[:2], **OF_A_LAYER)  # of an older version
    layer.check_state("state", [*state, 7], **OF_A_LAYER)  # of a later one
    for name, other in (("excitation", "input"), ("output", "surprisal"), ("gate", None)):
        changed = layer.state_of(**{**OF_A_LAYER, name: other})
        message = f"`state` must hold the state of a layer with {name} '.*'. Received: {other!r}"
        with pytest.raises(ValueError, match=message):
            layer.check_state("state", changed, **OF_A_LAYER)
    for wrong in (9, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"Received: number {wrong}"):
            layer.check_state("state", [wrong], **OF_A_LAYER)


def test_a_state_tells_the_size_of_patches():
    state = layer.state_of(3, 5, **OF_A_LAYER)
    assert state == [2, 1, 0, 3, 3, 5]
    for given in (state, state[:4], [*state, 7], [2.0, 1.0, 0.0, 3.0, 3.0000001, 4.9999999]):
        layer.check_state("state", given, 3, 5, **OF_A_LAYER)
    for wrong in ([5, 3], [15, 1], [math.nan, 5], [3, math.inf]):
        with pytest.raises(ValueError, match=r"`state` must be of patches of \(3, 5\). Received"):
            layer.check_state("state", [*state[:4], *wrong], 3, 5, **OF_A_LAYER)


def test_a_warning_of_values(xp):
    names = array_namespace(xp.asarray([0.0]))
    assert not layer.warn_of_values("y", xp.asarray([0.0, 1.0]), "probability", xp=names)
    with pytest.warns(RuntimeWarning, match=r"`y` must hold values in \[0, 1\].*2\.5.* a `gate`"):
        assert layer.warn_of_values("y", xp.asarray([0.5, 2.5]), "probability", xp=names)


@pytest.mark.parametrize("given_alpha", [30, 60])
def test_gains_that_bring_a_product_back(xp, dtype, given_alpha):
    """θ far below 0, beyond what α = e^−θ can be; and x = 0 beside it."""
    scale = 1 if dtype == "float32" else 10
    theta = -(70.0 if given_alpha == 30 else 100.0) * scale
    y = np.full((2, 200 * scale), 0.5)
    logit = np.full((1, 200 * scale), 2.0)
    weights = [xp.asarray(a, dtype) for a in (y, logit, np.full(1, theta))]
    got = xp.call(forward("none", "probability", "probability"), *weights, weights[2])
    want = -theta + 200 * scale * np.log1p(-0.5 / (1 + np.exp(-2.0)))
    limit = 40 * EPS[dtype] * (abs(theta) + abs(want))
    assert_relative(xp.to_numpy(got), np.full((2, 1), np.exp(want)), limit)


def test_looks_at_inputs_become_rare():
    """At the first, fifth and 21st call, and then at each 64th; of good inputs none warns."""
    watch, looks, y = layer.Watch(), [], np.array([0.5])
    for call in range(1, 300):
        watch.wait -= 1
        if watch.wait < 0:
            looks.append(call)
            assert not watch.look(y, "probability", xp=np, stacklevel=2)
    assert looks == [1, 5, 21, 85, 149, 213, 277]
    with pytest.warns(RuntimeWarning, match=r"`y` must .*1\.5") as told:
        assert watch.look(y + 1.0, "probability", xp=np, stacklevel=2)
    assert told[0].filename == __file__

"""SynaMLP and SynaCNN in torch."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.utils import prune

import synann_core as syn
from synann_core.extending import NORM_EPS, NORM_MOMENTUM
from synann_torch import SynaCNN, SynaMLP, Synapse, SynapseBlock, SynapseConv2d, block, models
from tests.helpers import EPS, assert_close

LAYERS = ("synapse", "dense", "none")


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_files_are_the_cores(layer, gate, tmp_path):
    """What torch saves the core loads, and the other way round; they compute the same."""
    model = SynaMLP(6, 5, 3, layer=layer, gate=gate, dtype=torch.float64)
    X = torch.rand(40, 6, dtype=torch.float64)
    for _ in range(20):
        model(X)  # running statistics that are not the initial ones
    model.eval()
    want = model(X).detach()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    core = syn.SynaMLP(6, 5, 3, layer=layer, gate=gate)
    core.load(tmp_path / "model.safetensors")
    assert_close(core.decision_function(X), want, 200 * EPS["float64"])
    core.fit(X.numpy(), np.arange(40) % 3, epochs=2, batch_size=10)
    state = {name: torch.from_numpy(value) for name, value in core.weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in missing)
    assert not unexpected
    assert_close(model(X).detach(), core.decision_function(X.numpy()), 200 * EPS["float64"])


def test_training_step_is_the_cores():
    """Loss and gradients of one step from the same weights."""
    import array_api_compat.numpy as xp

    from synann_core.models import passes

    model = SynaMLP(6, 5, 3, dtype=torch.float64)
    X, labels = torch.rand(20, 6, dtype=torch.float64), torch.arange(20) % 3
    weights = {k: v.numpy().copy() for k, v in model.state_dict().items() if "num_batches" not in k}
    loss = torch.nn.functional.cross_entropy(model(X), labels)
    loss.backward()
    want, _, gradients, running = passes.train_step(
        weights, X.numpy(), np.eye(3)[labels], None, layer="synapse", gate="sigmoid", xp=xp
    )
    assert float(loss.detach()) == pytest.approx(float(want), rel=1e-13)
    for name, parameter in model.named_parameters():
        assert_close(parameter.grad, gradients[name], 1e-11, scale=1.0)
    for name, value in running.items():
        assert_close(model.state_dict()[name], value, 1e-13)


@pytest.mark.parametrize(
    ("layer", "convolution"), [*((layer, "linear") for layer in LAYERS), ("none", "synapse")]
)
def test_cnn(layer, convolution):
    torch.manual_seed(0)
    model = SynaCNN(2, 3, width=4, hidden=8, layer=layer, convolution=convolution)
    assert sum(isinstance(m, SynapseConv2d) for m in model.modules()) == 4 * (
        convolution == "synapse"
    )
    images, labels = torch.rand(30, 2, 10, 9), torch.arange(30) % 3
    images[:, 0, 3:6, 3:6] += labels[:, None, None]
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    model.eval()
    assert float((model(images).argmax(1) == labels).float().mean()) > 0.9
    alone = torch.cat([model(image[None]) for image in images])
    assert_close(alone.detach(), model(images).detach(), 1e-4)


@pytest.mark.parametrize("model", [SynaMLP, SynaCNN])
def test_bad_options(model):
    sizes = (6, 5, 3) if model is SynaMLP else (1, 3)
    with pytest.raises(ValueError, match=r"`layer` must be one of .* Received: 'linear'"):
        model(*sizes, layer="linear")
    with pytest.raises(ValueError, match=r"`classes` must be at least 2. Received: 1"):
        model(*sizes[:-1], 1)
    with pytest.raises(ValueError, match=r"`hidden` must be at least 1. Received: 0"):
        SynaMLP(6, 0, 3)
    with pytest.raises(ValueError, match="`gate` must be one of"):
        SynaMLP(6, 5, 3, gate="relu")
    with pytest.raises(ValueError, match="`convolution` must be one of"):
        SynaCNN(convolution="dense")


def test_batch_norms_have_the_constants_of_the_core(monkeypatch):
    def constants():
        parts = (SynaMLP(4, 8, 3), SynaCNN(), SynapseBlock(4, 4))
        modules = [m for part in parts for m in part.modules()]
        return {(m.eps, m.momentum) for m in modules if hasattr(m, "running_var")}

    assert constants() == {(NORM_EPS, NORM_MOMENTUM)}
    for module in (models, block):
        monkeypatch.setattr(module, "NORM", (0.5, 0.25))
    assert constants() == {(0.5, 0.25)}


def pictures(model, samples):
    size = (6,) if isinstance(model, SynaMLP) else (2, 8, 8)
    generator = torch.Generator().manual_seed(0)
    return torch.rand(samples, *size, generator=generator).double()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_explanations(kind, layer):
    """Exact parts of the synapse, and of pixels to the error of the integration."""
    torch.manual_seed(0)
    options = {"layer": layer, "dtype": torch.float64}
    model = (
        SynaMLP(6, 5, 3, **options)
        if kind == "mlp"
        else SynaCNN(2, 3, width=2, hidden=5, **options)
    )
    for _ in range(5):
        model(pictures(model, 30))  # running statistics that are not the initial ones
    model.dropout.p = 0.5
    x, background = pictures(model, 3), 1.0 - pictures(model, 20)
    modes = [module.training for module in model.modules()]
    constant, parts = model.explain(x)
    relative = model.explain(x, background=background)
    why = model.explain_inputs(x, background, steps=24)
    assert [module.training for module in model.modules()] == modes
    model.eval()
    logits, others = model(x).detach(), model(background).detach()
    assert parts.shape == (3, 3, 5)
    assert not parts.requires_grad
    assert_close(constant + parts.sum(-1), logits, 1e-12)
    assert_close(relative[0], others.mean(0), 1e-12)
    assert_close(relative[0] + relative[1].sum(-1), logits, 1e-12)
    mean = model.explain(background)[1].mean(0)
    assert_close(relative[1], parts - mean, 1e-12)
    assert why.parts.shape == (3, 3, *x.shape[1:])
    total = why.constant + why.parts.flatten(2).sum(-1)
    # ReLU and max pooling have corners.
    assert_close(total, logits, 1e-6 if kind == "mlp" else 0.05)
    assert len(why.names) == x[0].numel()


def test_explanations_of_a_model_without_some_synapses():
    """While parameters are pruned, also after a step of training; when they have been; a mask."""
    torch.manual_seed(0)
    model = SynaMLP(6, 5, 3, dtype=torch.float64)
    x = pictures(model, 30)
    model(x)  # running statistics that are not the initial ones

    def check():
        constant, parts = model.explain(x)
        model.eval()
        assert_close(constant + parts.sum(-1), model(x).detach(), 1e-12)
        model.train()

    prune.l1_unstructured(model.synapse, "beta_logit", 10, importance_scores=model.synapse.beta)
    prune.l1_unstructured(model.hidden, "weight", 10)
    check()
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    torch.nn.functional.cross_entropy(model(x), torch.arange(30) % 3).backward()
    optimizer.step()
    check()
    prune.remove(model.synapse, "beta_logit")
    prune.remove(model.hidden, "weight")
    check()
    options = {"alpha": False, "output": "surprisal", "dtype": torch.float64}
    model.synapse = Synapse(5, 5, mask=~torch.eye(5, dtype=torch.bool), **options)
    check()


def test_explanations_are_the_cores():
    model = SynaMLP(6, 5, 3, dtype=torch.float64).eval()
    core = syn.SynaMLP(6, 5, 3)
    core.weights = {k: v.numpy() for k, v in model.state_dict().items() if "num_batches" not in k}
    x, background = pictures(model, 4), 1.0 - pictures(model, 9)
    got = model.explain_inputs(x, background, names=list("abcdef"))
    want = core.explain_inputs(x.numpy(), background.numpy(), names=list("abcdef"))
    assert_close(got.parts, want.parts, 1e-11)
    assert got.names == want.names
    assert got.ranked(1, 2)[0][0] == want.ranked(1, 2)[0][0]


def test_what_cannot_be_explained():
    model = SynaMLP(6, 5, 3)
    x = torch.rand(2, 6)
    with pytest.raises(TypeError, match=r"`x` must be a tensor. Received: ndarray"):
        model.explain(x.numpy())
    with pytest.raises(ValueError, match=r"`background` must have shape \(samples, 6\)"):
        model.explain(x, background=x[:, :2])
    with pytest.raises(ValueError, match=r"`background` must hold one sample or more"):
        model.explain_inputs(x, x[:0])
    with pytest.raises(TypeError, match=r"`background` must have a real floating-point dtype"):
        model.explain(x, background=torch.ones(2, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"`names` must be 6 names. Received: 2"):
        model.explain_inputs(x, x, names=["a", "b"])


@pytest.mark.parametrize("call", ["forward", "explain", "explain_inputs"])
def test_samples_of_another_kind_or_size(call):
    def check(model, bad, error, message):
        rest = (bad,) if call == "explain_inputs" else ()
        with pytest.raises(error, match=message):
            getattr(model, call)(bad, *rest)

    mlp, cnn = SynaMLP(6, 5, 3), SynaCNN(2, 3, width=2, hidden=5)
    dtype = r"must have a real floating-point dtype\. Received: torch\.int64"
    check(mlp, torch.ones(2, 6, dtype=torch.int64), TypeError, dtype)
    check(cnn, torch.ones(2, 2, 8, 8, dtype=torch.int64), TypeError, dtype)
    for shape in ((2, 5), (6,), (), (2, 6, 6)):
        check(mlp, torch.rand(shape), ValueError, r"`x` must have shape \(samples, 6\)")
    for shape in ((2, 3, 8, 8), (2, 8, 8)):
        check(cnn, torch.rand(shape), ValueError, r"must have shape \(samples, 2, height, width\)")

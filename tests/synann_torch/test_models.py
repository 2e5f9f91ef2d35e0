"""SynaMLP and SynaCNN in torch."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import synann_core as syn
from synann_core.extending import NORM_EPS, NORM_MOMENTUM
from synann_torch import SynaCNN, SynaMLP, SynapseBlock, block, models
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
    from synann_core.models import passes

    model = SynaMLP(6, 5, 3, dtype=torch.float64)
    X, labels = torch.rand(20, 6, dtype=torch.float64), torch.arange(20) % 3
    weights = {k: v.numpy().copy() for k, v in model.state_dict().items() if "num_batches" not in k}
    loss = torch.nn.functional.cross_entropy(model(X), labels)
    loss.backward()
    want, _, gradients, running = passes.train_step(
        weights, X.numpy(), np.eye(3)[labels], None, layer="synapse", gate="sigmoid", xp=np
    )
    assert float(loss.detach()) == pytest.approx(float(want), rel=1e-13)
    for name, parameter in model.named_parameters():
        assert_close(parameter.grad, gradients[name], 1e-11, scale=1.0)
    for name, value in running.items():
        assert_close(model.state_dict()[name], value, 1e-13)


@pytest.mark.parametrize("layer", LAYERS)
def test_cnn(layer):
    torch.manual_seed(0)
    model = SynaCNN(2, 3, width=4, hidden=8, layer=layer)
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


def test_batch_norms_have_the_constants_of_the_core(monkeypatch):
    def constants():
        parts = (SynaMLP(4, 8, 3), SynaCNN(), SynapseBlock(4, 4))
        modules = [m for part in parts for m in part.modules()]
        return {(m.eps, m.momentum) for m in modules if hasattr(m, "running_var")}

    assert constants() == {(NORM_EPS, NORM_MOMENTUM)}
    for module in (models, block):
        monkeypatch.setattr(module, "NORM", (0.5, 0.25))
    assert constants() == {(0.5, 0.25)}

"""SynaMLP, SynaCNN and the recurrent layer in torch."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from synann_torch import SynaCNN, SynaMLP, SynaRNN, SynaRNNCell

import synann_core as syn
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


def test_cell_by_hand():
    generator = torch.Generator().manual_seed(0)
    cell = SynaRNNCell(3, 4, dtype=torch.float64, generator=generator)
    y, h = (torch.rand(2, k, dtype=torch.float64, generator=generator) for k in (3, 4))
    wx, wz = cell.weight_ih.detach().numpy().reshape(2, 4, 3)
    bx, bz = cell.bias.detach().numpy().reshape(2, 4)
    u, beta = cell.weight_hh.detach().numpy(), cell.synapse.beta.detach().numpy()

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    yn, hn = y.numpy(), h.numpy()
    s = sigmoid(yn @ wx.T + bx) * np.prod(1 - beta * hn[:, None, :], axis=-1)
    z = sigmoid(yn @ wz.T + hn @ u.T + bz)
    assert_close(cell(y, h).detach(), (1 - z) * hn + z * s, 64 * EPS["float64"])


def test_sequences():
    """As nn.GRU: batch_first, single samples, a given state, the same as step by step."""
    layer = SynaRNN(3, 4, batch_first=True)
    y, h_0 = torch.rand(5, 7, 3), torch.rand(1, 5, 4)
    output, h_n = layer(y, h_0)
    assert output.shape == (5, 7, 4)
    assert h_n.shape == (1, 5, 4)
    h = h_0[0]
    for t in range(7):
        h = layer.cell(y[:, t], h)
        assert_close(output[:, t].detach(), h.detach(), 8 * EPS["float32"])
    assert torch.equal(h_n[0], output[:, -1])
    assert float(output.detach().min()) >= 0
    assert float(output.detach().max()) <= 1
    other = SynaRNN(3, 4)
    other.load_state_dict(layer.state_dict())
    assert_close(other(y.transpose(0, 1))[0].detach(), layer(y)[0].detach().transpose(0, 1), 1e-6)
    single, last = layer(y[2])
    assert_close(single.detach(), layer(y)[0][2].detach(), 1e-6)
    assert last.shape == (1, 4)
    assert layer(y[:, :0])[0].shape == (5, 0, 4)
    assert torch.autograd.gradcheck(
        layer.double(), (y[:2, :3].double().requires_grad_(), h_0[:, :2].double())
    )


def test_recurrent_errors():
    layer = SynaRNN(3, 4, batch_first=True)
    with pytest.raises(ValueError, match=r"`y` must be .* \(\.\.\., 3\)\. Received: .*\(5, 7, 2\)"):
        layer(torch.rand(5, 7, 2))
    with pytest.raises(ValueError, match="`y` must have 2 or 3 axes"):
        layer(torch.rand(3))
    with pytest.raises(ValueError, match=r"`h_0` must have shape \(1, 5, 4\). Received: \(5, 4\)"):
        layer(torch.rand(5, 7, 3), torch.rand(5, 4))
    for bad in (torch.rand(2, 5), torch.rand(3, 4), torch.ones(2, 4, dtype=torch.int64)):
        with pytest.raises(ValueError, match=r"`h` must be .* \(2, 4\)"):
            SynaRNNCell(3, 4)(torch.rand(2, 3), bad)
    with pytest.raises(ValueError, match="`hidden_size` must be at least 1"):
        SynaRNN(3, 0)
    with pytest.raises(ValueError, match=r"Received: torch\.int64"):
        SynaRNNCell(3, 4)(torch.ones(2, 3, dtype=torch.int64))

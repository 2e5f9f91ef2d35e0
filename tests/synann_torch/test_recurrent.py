"""The recurrent layer and its cell."""

import numpy as np
import pytest
import torch

from synann_torch import SynaRNN, SynaRNNCell
from tests.helpers import EPS, assert_close


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

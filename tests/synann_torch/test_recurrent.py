"""The recurrent layer and its cell."""

import numpy as np
import pytest
import torch

from synann_torch import SynaRNN, SynaRNNCell, recurrent
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
    with pytest.raises(ValueError, match=r"`h_0` must be .* \(1, 5, 4\)\. Rec.* \(5, 4\)"):
        layer(torch.rand(5, 7, 3), torch.rand(5, 4))
    with pytest.raises(
        ValueError, match=r"`h_0` must be a floating-point .*Received: torch\.int64"
    ):
        layer(torch.rand(5, 7, 3), torch.zeros(1, 5, 4, dtype=torch.int64))
    for bad in (torch.rand(2, 5), torch.rand(3, 4), torch.ones(2, 4, dtype=torch.int64)):
        with pytest.raises(ValueError, match=r"`h` must be .* \(2, 4\)"):
            SynaRNNCell(3, 4)(torch.rand(2, 3), bad)
    with pytest.raises(ValueError, match="`hidden_size` must be at least 1"):
        SynaRNN(3, 0)
    with pytest.raises(ValueError, match=r"Received: torch\.int64"):
        SynaRNNCell(3, 4)(torch.ones(2, 3, dtype=torch.int64))


def sequences(seed=0, dtype=torch.float64):
    """Of several lengths, not sorted."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(k, 3, dtype=dtype, generator=generator) for k in (2, 5, 1, 5)]


def layer_of(num_layers, bidirectional, **options):
    generator = torch.Generator().manual_seed(1)
    return SynaRNN(
        3,
        4,
        num_layers,
        bidirectional=bidirectional,
        dtype=torch.float64,
        generator=generator,
        **options,
    )


def by_cells(layer, y, h_0):
    """States of one sequence, step by step, and the last ones, from the cells."""
    cells = dict(layer.named_children())
    last, k = [], 0
    for number in range(layer.num_layers):
        parts = []
        for suffix in ("", "_reverse")[: 1 + layer.bidirectional]:
            cell = cells["cell" + (f"_l{number}" if number else "") + suffix]
            h, states = h_0[k], []
            for row in y.flip(0) if suffix else y:
                h = cell(row, h)
                states.append(h)
            last.append(h)
            parts.append(torch.stack(states[::-1] if suffix else states))
            k += 1
        y = torch.cat(parts, -1)
    return y, torch.stack(last)


@pytest.mark.parametrize("enforce_sorted", [False, True])
@pytest.mark.parametrize(("num_layers", "bidirectional"), [(1, False), (2, False), (2, True)])
def test_packed_sequences_are_those_alone(num_layers, bidirectional, enforce_sorted):
    layer, given = layer_of(num_layers, bidirectional), sequences()
    if enforce_sorted:
        given.sort(key=len, reverse=True)
    h_0 = torch.rand(num_layers * (1 + bidirectional), 4, 4, dtype=torch.float64)
    packed = torch.nn.utils.rnn.pack_sequence(given, enforce_sorted=enforce_sorted)
    output, h_n = layer(packed, h_0)
    assert isinstance(output, torch.nn.utils.rnn.PackedSequence)
    assert h_n.shape == h_0.shape
    padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    assert lengths.tolist() == [len(y) for y in given]
    for k, y in enumerate(given):
        want, last = by_cells(layer, y, h_0[:, k])
        assert_close(padded[k, : len(y)].detach(), want.detach(), 16 * EPS["float64"])
        assert_close(h_n[:, k].detach(), last.detach(), 16 * EPS["float64"])
        alone, state = layer(y, h_0[:, k])
        assert_close(alone.detach(), want.detach(), 16 * EPS["float64"])
        assert_close(state.detach(), last.detach(), 16 * EPS["float64"])
    without = layer(packed)[0].data
    zeros = layer(packed, torch.zeros_like(h_0))[0].data
    assert torch.equal(without, zeros)
    leaf = packed.data.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda data: layer(packed._replace(data=data))[0].data, leaf)


@pytest.mark.parametrize(("num_layers", "bidirectional"), [(1, True), (3, False), (2, True)])
def test_shapes_are_those_of_a_gru(num_layers, bidirectional):
    ours = layer_of(num_layers, bidirectional, batch_first=True).float()
    gru = torch.nn.GRU(3, 4, num_layers, batch_first=True, bidirectional=bidirectional)
    packed = torch.nn.utils.rnn.pack_sequence(sequences(dtype=torch.float32), enforce_sorted=False)
    for y in (torch.rand(2, 5, 3), torch.rand(5, 3), packed):
        (output, h_n), (want, h_want) = ours(y), gru(y)
        if y is packed:
            output, want = output.data, want.data
        assert output.shape == want.shape
        assert h_n.shape == h_want.shape
    assert len(list(ours.children())) == num_layers * (1 + bidirectional)
    assert ours(torch.rand(2, 0, 3))[0].shape == (2, 0, 4 * (1 + bidirectional))
    assert f"bidirectional={bidirectional}" in repr(ours) or not bidirectional


@pytest.mark.parametrize("given", [False, True])
def test_arguments_are_checked_once(given, monkeypatch):
    """Not in each layer, direction or step."""
    seen = []
    monkeypatch.setattr(recurrent, "check_tensor", lambda name, value: seen.append(name))
    layer = layer_of(2, True).float()
    layer(torch.rand(6, 2, 3), torch.rand(4, 2, 4) if given else None)
    assert seen == ["y", "h_0"][: 1 + given]


def test_dropout_is_between_the_layers_in_training():
    layer, y = layer_of(2, False, dropout=0.5), torch.randn(6, 5, 3, dtype=torch.float64)
    torch.manual_seed(0)
    first, again = layer(y)[0], layer(y)[0]
    assert not torch.equal(first, again)
    assert torch.equal(layer.eval()(y)[0], layer(y)[0])
    plain = layer_of(2, False)
    assert torch.equal(plain(y)[0], layer(y)[0])
    assert torch.equal(layer_of(1, False, dropout=0.5)(y)[0], layer_of(1, False)(y)[0])


def test_names_of_old_states():
    """Those of one layer have kept theirs."""
    names = {name for name, _ in layer_of(1, False).named_parameters()}
    assert names == {
        "cell.weight_ih",
        "cell.weight_hh",
        "cell.bias",
        "cell.synapse.beta_logit",
    }
    cells = {name for name, _ in layer_of(2, True).named_children()}
    assert cells == {"cell", "cell_reverse", "cell_l1", "cell_l1_reverse"}


def test_errors_of_several_layers():
    layer = layer_of(2, True)
    packed = torch.nn.utils.rnn.pack_sequence(sequences(), enforce_sorted=False)
    for y, shape in ((torch.rand(5, 2, 3).double(), r"\(4, 2, 4\)"), (packed, r"\(4, 4, 4\)")):
        with pytest.raises(
            ValueError, match=rf"`h_0` must be .* {shape}\. Received: .*\(2, 3, 4\)"
        ):
            layer(y, torch.rand(2, 3, 4).double())
    with pytest.raises(TypeError, match=r"`h_0` must be a tensor\. Received: list"):
        layer(packed, [0.0])
    with pytest.raises(TypeError, match=r"`y` must be a tensor\. Received: list"):
        layer([[0.0]])
    with pytest.raises(ValueError, match=r"`y` must be .* \(\.\.\., 3\)\. Received: .*\(8, 2\)"):
        layer(packed._replace(data=torch.rand(8, 2)))
    with pytest.raises(
        ValueError, match=r"`y` must have 2 axes in its data\. Received: .*\(8, 2, 3"
    ):
        layer(torch.nn.utils.rnn.pack_sequence([torch.rand(5, 2, 3), torch.rand(3, 2, 3)]))
    for options, error, message in (
        ({"num_layers": 0}, ValueError, "`num_layers` must be at least 1. Received: 0"),
        ({"num_layers": "2"}, TypeError, "`num_layers` must be an int"),
        ({"dropout": 1.0}, ValueError, r"`dropout` must be in \[0, 1\)"),
        ({"layers": 2}, TypeError, "SynaRNN has no option 'layers'"),
    ):
        with pytest.raises(error, match=message):
            SynaRNN(3, 4, **options)

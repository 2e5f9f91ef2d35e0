"""A layer of torch by kernels: the same bits however many numbers there are."""

import numpy as np
import pytest

from synann_core.contraction import native_layer
from synann_core.native import host
from tests.helpers import EPS, assert_close

torch = pytest.importorskip("torch")
synann_torch = pytest.importorskip("synann_torch")
pytestmark = pytest.mark.needs_kernels


def make(n=40, dtype=torch.float32, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    layer = synann_torch.Synapse(n, n, dtype=dtype, generator=generator, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=dtype))
    return layer, torch.rand((6, n), generator=generator, dtype=dtype)


def step(layer, y, grad):
    """Output, and gradients by the input and the parameters."""
    y = y.detach().requires_grad_()
    s = layer(y)
    return s.detach(), *torch.autograd.grad(s, (y, *layer.parameters()), grad)


@pytest.fixture
def whole(monkeypatch):
    """How often the kernels for the whole of a layer gave an answer."""
    answers = []

    def counted(function):
        def called(*arguments):
            answers.append(function(*arguments))
            return answers[-1]

        return called

    for function in (native_layer.small_layer, native_layer.small_layer_gradients):
        monkeypatch.setattr(native_layer, function.__name__, counted(function))
    return lambda: sum(answer is not None for answer in answers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("excitation", ["input", "mixture", "none"])
def test_few_and_many_have_the_same_bits(dtype, excitation, whole, monkeypatch):
    mask = torch.rand((40, 40), generator=torch.Generator().manual_seed(1)) < 0.9
    for options in ({"mask": mask}, {"alpha": False}):
        layer, y = make(dtype=dtype, excitation=excitation, **options)
        for given in (y, y[0], y.reshape(2, 3, 40), y.t().contiguous().t()):
            grad = torch.randn(given.shape, generator=torch.Generator().manual_seed(2), dtype=dtype)
            before, small = whole(), step(layer, given, grad)
            assert whole() == before + 2
            with torch.no_grad():
                assert torch.equal(layer(given), small[0])
            with monkeypatch.context() as patch:
                patch.setattr(native_layer, "_row_count", lambda *_: 0)
                many = step(layer, given, grad)
            assert torch.equal(small[0], many[0])
            assert torch.equal(small[1], many[1])
            for a, b in zip(small[2:], many[2:], strict=True):
                assert_close(a, b, 64 * EPS[str(dtype)[6:]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_bits_of_a_row_do_not_depend_on_its_batch(dtype):
    layer, y = make(dtype=dtype)
    grad = torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=dtype)
    alone = [step(layer, y[k : k + 1], grad[k : k + 1])[:2] for k in range(len(y))]
    odd = torch.stack([y[0], y[0], y[0]])
    odd[0, 3], odd[1, 4], odd[2] = -2.0, torch.nan, 1.0
    many = torch.rand((300, 40), generator=torch.Generator().manual_seed(4), dtype=dtype)
    for others in (odd, odd[2:], many, y):
        s, gy, *_ = step(layer, torch.cat([y, others]), torch.cat([grad, torch.ones_like(others)]))
        assert all(torch.equal(s[k], a[0][0]) for k, a in enumerate(alone))
        assert all(torch.equal(gy[k], a[1][0]) for k, a in enumerate(alone))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saturated_logits_and_closed_factors(dtype, monkeypatch):
    layer, y = make(n=8, dtype=dtype)
    y[:, :2] = 1.0
    with torch.no_grad():
        row = torch.tensor([torch.inf, 1e30, -torch.inf, -1e30, 0.0, 40.0, -80.0, 3.0], dtype=dtype)
        layer.beta_logit[0] = row
        layer.theta[1], layer.theta[2] = (95.0 if dtype == torch.float32 else 730.0), -80.0
    grad = torch.ones_like(y)
    small = step(layer, y, grad)
    assert all(a.isfinite().all() for a in small)
    monkeypatch.setattr(native_layer, "_row_count", lambda *_: 0)
    many = step(layer, y, grad)
    assert torch.equal(small[0], many[0])
    assert torch.equal(small[1], many[1])
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    off = step(layer, y, grad)
    # (Next to β = 1, in the first column, the sigmoid's last bit is a good part of 1 − β.)
    assert_close(small[0][:, 1:], off[0][:, 1:], 256 * EPS[str(dtype)[6:]])


def test_one_large_row_has_the_bits_of_a_batch(whole):
    layer, y = make(n=700)
    grad = torch.ones_like(y)
    s, gy, *_ = step(layer, y, grad)
    assert whole() == 0
    alone = step(layer, y[:1], grad[:1])
    assert whole() == 2
    assert torch.equal(s[0], alone[0][0])
    assert torch.equal(gy[0], alone[1][0])


def test_nothing_is_remembered_of_parameters():
    """A write by `.data` leaves a parameter's version as it was."""
    layer, y = make()
    before = layer(y)
    for parameter in (layer.beta_logit, layer.theta):
        parameter.data.add_(0.5)
        changed = layer(y)
        assert not torch.equal(changed, before)
        fresh = synann_torch.Synapse(40, 40)
        fresh.load_state_dict(layer.state_dict())
        assert torch.equal(fresh(y), changed)
        before = changed


def test_parameters_may_be_freed_after_a_call():
    """As FSDP does it; torch refuses once NumPy has seen the memory."""
    layer, y = make()
    layer.beta_logit = torch.nn.Parameter(layer.beta_logit.detach().t())  # which is copied
    layer(y).sum().backward()
    for parameter in layer.parameters():
        assert parameter.untyped_storage().resizable()
        parameter.untyped_storage().resize_(0)


@pytest.mark.parametrize("form", ["transposed", "negated", "not aligned", "expanded"])
def test_odd_tensors_are_copied(form, whole):
    layer, _ = make()
    values = torch.rand((40, 40), generator=torch.Generator().manual_seed(3)) - 1.0
    y = values.t() + 1.0 if form == "transposed" else values + 1.0
    if form == "negated":
        y = torch.complex(y, -y).conj().imag
        assert y.is_neg()
    elif form == "not aligned":
        bytes_ = bytearray(2) + bytearray(y.numpy().tobytes())
        y = torch.frombuffer(bytes_, dtype=torch.float32, offset=2).reshape(40, 40)
        assert y.data_ptr() % 4
    elif form == "expanded":
        y = y[:1].expand(40, 40)
    plain = y.clone(memory_format=torch.contiguous_format).resolve_neg()
    with torch.no_grad():
        assert torch.equal(layer(y), layer(plain))
    assert whole() == 2


def test_threads_share_strengths_and_transmissions(monkeypatch):
    generator = torch.Generator().manual_seed(4)
    logit = torch.randn((601, 900), generator=generator)
    mask, theta = (
        torch.rand((601, 900), generator=generator) < 0.5,
        torch.rand(900, generator=generator),
    )
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(native_layer, "threads_for", lambda _, count=threads: count)
        found.append(
            (native_layer.strengths(logit, mask), *native_layer.transmissions(logit, theta))
        )
    for strong, near, ordinary in found:
        assert ordinary
        assert torch.equal(strong, found[0][0])
        assert torch.equal(near, found[0][1])
    assert not native_layer.transmissions(torch.where(mask, logit, -torch.inf), None)[1]


def test_no_numbers():
    empty = torch.empty(0, 5)
    assert native_layer.strengths(empty, None).shape == (0, 5)
    assert native_layer.transmissions(empty, None)[0].shape == (0, 5)
    layer, y = make()
    assert layer(y[:0]).shape == (0, 40)


def test_lent_memory_is_the_tensor():
    a = torch.arange(6.0)
    seen = np.asarray(host.lent(a, 2, 3))
    a[5] = 7.0
    assert seen.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 7.0]]
    assert np.asarray(host.lent(torch.tensor([True, False]), 2)).tolist() == [True, False]


def test_parameters_that_are_broadcast_are_not_lent(whole):
    """Their memory ends before that of a layer's own."""
    before = 0
    for n in (4, 40):
        layer, y = make(n)
        mask = torch.arange(n) % 3 > 0
        want = make(n, mask=mask.expand(n, n))[0]
        layer.mask = mask[None]
        layer.theta.data = torch.full((1,), 0.5)
        want.theta.data = torch.full((n,), 0.5)
        got, full = step(layer, y, torch.ones(6, n)), step(want, y, torch.ones(6, n))
        assert whole() == (before := before + 2)  # of the other
        for a, b in zip(got, full, strict=True):
            assert_close(a, b if a.shape == b.shape else b.sum()[None], 64 * EPS["float32"] * n)


def test_parameters_of_another_dtype_are_not_lent():
    layer, y = make(5)
    want = step(layer, y, torch.ones(6, 5))
    layer.theta.data = layer.theta.data.double()
    got = step(layer, y, torch.ones(6, 5))
    for a, b in zip(got, want, strict=True):
        assert_close(a, b, 64 * EPS["float32"])
    layer, y = make(5, mask=torch.eye(5, dtype=torch.bool))
    want = layer(y).detach()
    layer.mask = layer.mask.to(torch.uint8)
    with pytest.warns(UserWarning, match="uint8"):
        assert_close(layer(y).detach(), want, 64 * EPS["float32"])


def test_no_tensor_is_lent_as_a_larger_one():
    with pytest.raises(ValueError, match=r"must have shape \(2, 3\). Received: shape \(5,\)"):
        host.lent(torch.zeros(5), 2, 3)

"""Who watches torch's operations: the private questions to torch, and what hangs on each answer."""

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

import synann_core as syn
from synann_core._lib import torch_modes as modes
from tests.helpers import EPS, assert_close

# torch compiles formulas of its forward mode by torch.jit, which it calls deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]
QUESTIONS = ("functorch_active", "forward_ad_active", "jit_tracing", "dispatch_mode_active")


@pytest.fixture
def arguments():
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(shape, generator=generator).double() for shape in ((3, 5), (4, 5))]


class Watch(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def inside(way, tensor):
    """What every question answers inside one way of watching, and the watcher's name."""
    answers = []

    def note(y):
        answers.extend([*(getattr(modes, name)() for name in QUESTIONS), modes.torch_watcher(y)])
        return y * 1.0

    if way == "torch.func":
        torch.func.vmap(note)(tensor)
    elif way == "forward mode":
        with forward_ad.dual_level():
            note(forward_ad.make_dual(tensor, tensor))
    elif way == "jit":
        torch.jit.trace(note, tensor, check_trace=False)
    elif way == "dispatch mode":
        with Watch():
            note(tensor)
    else:
        note(tensor)
    return answers[: len(QUESTIONS)], answers[len(QUESTIONS)]


@pytest.mark.parametrize(
    ("way", "yes", "watcher"),
    [
        ("torch.func", "functorch_active", "transform"),
        ("forward mode", "forward_ad_active", "transform"),
        ("jit", "jit_tracing", "transform"),
        ("dispatch mode", "dispatch_mode_active", "trace"),
        ("none", None, "nobody"),
    ],
)
def test_each_question_is_answered_by_its_own_mode(way, yes, watcher):
    answers, name = inside(way, torch.rand(2, 3))
    assert answers == [question == yes for question in QUESTIONS]
    assert name == watcher
    assert [getattr(modes, question)() for question in QUESTIONS] == [False] * 4  # and again


def changed(monkeypatch, name):
    """Answer one question with no, as if torch had taken away what it asks."""
    monkeypatch.setattr(modes, name, lambda: False)


@pytest.mark.needs_kernels
def test_without_functorch_active_a_transform_fails(arguments, monkeypatch):
    """`torch._C._are_functorch_transforms_active`: kernels would take wrapped tensors as memory."""
    y, beta = arguments

    def rows(y):
        return syn.log_transmission(y, beta)

    assert_close(torch.func.vmap(rows)(y), rows(y), 32 * EPS["float64"])
    changed(monkeypatch, "functorch_active")
    with pytest.raises((RuntimeError, TypeError)):
        torch.func.vmap(rows)(y)


def test_without_forward_ad_active_a_tangent_is_lost(arguments, monkeypatch):
    """`torch.autograd.forward_ad._current_level`: kernels would drop the tangents."""
    y, beta = arguments

    def tangent():
        with forward_ad.dual_level():
            result = syn.log_transmission(forward_ad.make_dual(y, torch.ones_like(y)), beta)
            return forward_ad.unpack_dual(result).tangent

    want = syn.log_transmission_jvp(y, beta, 1.0, 0.0)
    assert_close(tangent(), want, 32 * EPS["float64"])
    changed(monkeypatch, "forward_ad_active")
    assert tangent() is None


@pytest.mark.needs_kernels
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_without_jit_tracing_a_trace_is_a_constant(arguments, monkeypatch):
    """`torch._C._get_tracing_state`: a kernel's result would stand in the trace as it is."""
    y, beta = arguments

    def traced():
        return torch.jit.trace(lambda y: syn.log_transmission(y, beta), y, check_trace=False)

    want = syn.log_transmission(y / 2, beta)
    assert_close(traced()(y / 2), want, 32 * EPS["float64"])
    changed(monkeypatch, "jit_tracing")
    assert_close(traced()(y / 2), syn.log_transmission(y, beta), 32 * EPS["float64"])


@pytest.mark.needs_kernels
def test_without_dispatch_mode_active_a_graph_is_a_constant(arguments, monkeypatch):
    """`torch._C._len_torch_dispatch_stack`: the same for make_fx, FLOP counters and the like."""
    y, beta = arguments

    def traced():
        return make_fx(lambda y: syn.log_transmission(y, beta))(y)

    want = syn.log_transmission(y / 2, beta)
    assert_close(traced()(y / 2), want, 32 * EPS["float64"])
    changed(monkeypatch, "dispatch_mode_active")
    assert_close(traced()(y / 2), syn.log_transmission(y, beta), 32 * EPS["float64"])


def test_without_is_fake_a_shape_has_values(arguments, monkeypatch):
    """`torch._subclasses.FakeTensor`: values would be asked of tensors that have none."""
    y = arguments[0]
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(y)
    assert modes.is_fake(fake)
    assert not modes.is_fake(y)
    # Outside the mode, nothing else tells that it is one.
    assert modes.torch_watcher(fake) == "trace"
    assert not modes.torch_values_known(fake)
    monkeypatch.setattr(modes, "is_fake", lambda tensor: False)
    assert modes.torch_watcher(fake) == "transform"
    assert modes.torch_values_known(fake)


def test_autograd_watches_what_requires_a_gradient():
    leaf, plain = torch.rand(2, requires_grad=True), torch.rand(2)
    assert modes.torch_watcher(plain, None, leaf) == "autograd"
    assert modes.torch_watcher(plain, torch.nn.Parameter(plain, requires_grad=False)) == "nobody"
    with torch.no_grad():
        assert modes.torch_watcher(leaf) == "nobody"


def test_a_subclass_of_tensor_needs_the_operations():
    class Other(torch.Tensor):
        pass

    assert modes.torch_watcher(torch.rand(2).as_subclass(Other)) == "transform"


def test_the_compiler_traces(arguments):
    answers = []

    def note(y):
        answers.append((modes.torch_watcher(y), modes.torch_values_known(y)))
        return y * 1.0

    torch._dynamo.reset()
    torch.compile(note, backend="eager", fullgraph=True)(arguments[0])
    assert answers == [("trace", False)]


def test_values_of_tensors_on_the_meta_device():
    assert modes.torch_values_known(torch.rand(2))
    assert not modes.torch_values_known(torch.rand(2, device="meta"))


def test_records_and_transforms(arguments):
    assert modes.torch_records()
    assert not modes.torch_transforms()
    with torch.no_grad():
        assert not modes.torch_records()
        with forward_ad.dual_level():
            assert modes.torch_records()
            assert modes.torch_transforms()


def test_namespaces_are_told_apart(xp):
    names = xp._namespace()
    assert modes.is_torch_namespace(names) == xp.name.startswith("torch")
    assert not modes.exports_to_onnx(names)


def test_autograd_batches_gradients_by_a_vmap_of_its_own(arguments):
    """`is_legacy_batchedtensor`, `_vmapmode_increment_nesting`, `_add_batch_dim`, its inverse."""
    seen = []

    class Watched(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y):
            return y * 1.0, y * 2.0

        @staticmethod
        def backward(ctx, first, second):
            seen.append((modes.holds_gradients(first), modes.functorch_active()))
            if not seen[-1][0]:
                return 3.0 * first
            one = torch.ones(())  # of no batch

            def function(first, second, nothing, one):
                assert not modes.holds_gradients(first)
                assert nothing is None
                return 3.0 * first * one, None

            gradient, nothing = modes.for_each_gradient(function, (first, second, None, one))
            assert nothing is None
            return gradient

    y = arguments[0].requires_grad_()
    z = Watched.apply(y)[0]
    upstream = torch.rand(4, *z.shape, dtype=z.dtype)
    options = {"retain_graph": True}
    (got,) = torch.autograd.grad(z, y, upstream, is_grads_batched=True, **options)
    assert torch.equal(got, 3.0 * upstream)
    torch.autograd.grad(z, y, upstream[0], **options)
    assert seen == [(True, False), (False, False)]
    assert not modes.holds_gradients(None)

"""Synapse under everything torch does to a module: derivatives, transforms, compile, export."""

import copy
import io

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, hessian, jacrev, jvp, vmap
from torch.utils.checkpoint import checkpoint

from synann_core.contraction import native
from synann_torch import OddsBlock, SynaCNN, SynaMLP, Synapse, SynapseBlock, SynaRNN
from tests.helpers import EPS, assert_close
from tests.synann_core.contraction.test_native_processes import python
from tests.synann_torch.test_layer import EXCITATIONS, SPACES, layer_and_input

# torch compiles formulas of its forward mode by torch.jit, which it calls deprecated; Dynamo traces
# a cached function of array-api-compat, and says so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`"),
]
OPTIONS = [
    {"excitation": e, "space": s, "output": o} for e in EXCITATIONS for s in SPACES for o in SPACES
]
FEW = [OPTIONS[0], OPTIONS[5], OPTIONS[11]]


@pytest.fixture(autouse=True)
def compile_anew():
    """The compiler gives up on a function that it has compiled eight times."""
    torch._dynamo.reset()


def as_function(layer):
    """Function of the input and the parameters, and the arguments to differentiate by."""
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def call(y, *values):
        return functional_call(layer, dict(zip(names, values, strict=True)), (y,))

    return call, tuple(p.detach().clone() for p in parameters)


def differentiable(options, n=4, m=4):
    layer, y = layer_and_input(n, m, **options)
    call, values = as_function(layer)
    return call, [a.requires_grad_() for a in (y[0, :2], *values)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradcheck(options):
    assert torch.autograd.gradcheck(
        *differentiable(options), check_forward_ad=True, check_batched_grad=False
    )


@pytest.mark.parametrize("options", FEW, ids=str)
def test_gradgradcheck(options):
    assert torch.autograd.gradgradcheck(*differentiable(options))


@pytest.mark.parametrize("options", FEW, ids=str)
def test_transforms_of_functions(options):
    """grad, jacrev, hessian, vmap and jvp agree with autograd."""
    layer, y = layer_and_input(4, 4, **options)
    call, values = as_function(layer)
    rows, tolerance = y[0], 200 * EPS["float64"]
    assert_close(vmap(layer)(rows).detach(), layer(rows).detach(), tolerance)

    def loss(y, *values):
        return (call(y, *values) ** 2).sum()

    leaves = [a.clone().requires_grad_() for a in (rows, *values)]
    want = torch.autograd.grad(loss(*leaves), leaves)
    got = grad(loss, argnums=tuple(range(len(leaves))))(rows, *values)
    for g, w in zip(got, want, strict=True):
        assert_close(g, w, tolerance)
    of_row = vmap(grad(loss), in_dims=(0, *[None] * len(values)))(rows, *values)
    assert_close(of_row, want[0], tolerance)
    jacobian = torch.autograd.functional.jacobian(layer, rows[0])
    assert_close(jacrev(call)(rows[0], *values), jacobian, tolerance)
    direction = torch.linspace(-1, 1, 4, dtype=torch.float64)
    assert_close(jvp(layer, (rows[0],), (direction,))[1].detach(), jacobian @ direction, tolerance)
    second = torch.autograd.functional.hessian(lambda y: loss(y, *values), rows[0])
    assert_close(hessian(loss)(rows[0], *values), second, tolerance)


@pytest.mark.parametrize("options", FEW, ids=str)
def test_compile(options):
    """One graph, the same numbers and gradients, and the compiled kernel inside."""
    layer, y = layer_and_input(8, 8, dtype=torch.float32, **options)
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager")
    for rows in (y, y[:2], y[0]):
        ours, theirs = (rows.clone().requires_grad_() for _ in range(2))
        want, got = layer(ours), compiled(theirs)
        assert_close(got.detach(), want.detach(), 64 * EPS["float32"])
        for result, module in ((want, layer), (got, compiled)):
            module.zero_grad()
            (result**2).sum().backward()
        assert_close(theirs.grad, ours.grad, 64 * EPS["float32"])
        for a, b in zip(compiled.parameters(), layer.parameters(), strict=True):
            assert_close(a.grad, b.grad, 64 * EPS["float32"])


@pytest.mark.needs_kernels
def test_inductor(monkeypatch):
    layer, y = layer_and_input(33, 17, dtype=torch.float32)
    served = []
    kernel = native.forward
    monkeypatch.setattr(native, "forward", lambda *a, xp: served.append(1) or kernel(*a, xp=xp))
    compiled = torch.compile(layer, fullgraph=True)
    got = compiled(y)
    assert served
    assert_close(got.detach(), layer(y).detach(), 64 * EPS["float32"])
    got.sum().backward()
    assert torch.isfinite(layer.beta_logit.grad).all()


def test_a_compiled_gradient_of_a_function():
    layer, y = layer_and_input(4, 4, dtype=torch.float32)

    def loss(y):
        return layer(y).sum()

    want = grad(loss)(y).detach()
    got = torch.compile(grad(loss), backend="aot_eager")(y).detach()
    assert_close(got, want, 64 * EPS["float32"])


@pytest.mark.parametrize("how", ["bfloat16 autocast", "float16 module"])
def test_compile_in_16_bits(how):
    model, y = SynaMLP(8, 8, 3).eval(), torch.rand(4, 8)
    if how == "float16 module":
        model, y = Synapse(8, 8).half(), y.half()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=how == "bfloat16 autocast"):
        got = torch.compile(model, backend="aot_eager", fullgraph=True)(y)
        assert_close(got.detach().float(), model(y).detach().float(), 0.02)


def test_compile_without_kernels(monkeypatch):
    """The other branch's results are views; 33 and 17 are not multiples of its blocks."""
    monkeypatch.setenv("SYNANN_KERNELS", "off")
    layer, y = layer_and_input(33, 17, dtype=torch.float32)
    y.requires_grad_()
    torch.compile(layer, fullgraph=True)(y).sum().backward()
    want = torch.autograd.grad(layer(y).sum(), y)[0]
    assert_close(y.grad, want, 64 * EPS["float32"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_depends_on_its_input():
    layer = Synapse(6, 6)
    a, b = torch.rand(2, 4, 6)
    with torch.no_grad():
        traced = torch.jit.trace(layer, a)
        assert_close(traced(b), layer(b), 64 * EPS["float32"])


def test_second_derivatives_under_a_dispatch_mode():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            return function(*args, **(kwargs or {}))

    layer, y = layer_and_input(4, 4)
    y.requires_grad_()
    results = []
    for mode in (Watch(), torch.enable_grad()):
        with mode:
            z = layer(y).sum()
        (first,) = torch.autograd.grad(z, y, create_graph=True)
        results.append(torch.autograd.grad(first.sum(), y)[0])
    assert_close(*results, 200 * EPS["float64"])


@pytest.mark.parametrize("options", FEW, ids=str)
def test_export(options, tmp_path):
    layer, y = layer_and_input(8, 8, dtype=torch.float32, **options)
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(layer, (y[:, 0],), dynamic_shapes=({0: batch},))
    assert "synann.log_product" in program.graph_module.code
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    rows = y.reshape(-1, 8)
    assert_close(loaded(rows).detach(), layer(rows).detach(), 64 * EPS["float32"])


def test_checkpoint():
    layer, y = layer_and_input(6, 6)
    y.requires_grad_()
    want = torch.autograd.grad(layer(y).sum(), [y, *layer.parameters()])
    got = torch.autograd.grad(
        checkpoint(layer, y, use_reentrant=False).sum(), [y, *layer.parameters()]
    )
    for g, w in zip(got, want, strict=True):
        assert torch.equal(g, w)


WORKERS = """
import torch
from synann_torch import Synapse

torch.manual_seed(0)
layer, data = Synapse(40, 40), list(torch.rand(16, 40))

def apply(batch):
    with torch.no_grad():
        return layer(torch.stack(batch))

loader = torch.utils.data.DataLoader(data, batch_size=4, num_workers=2, collate_fn=apply)
print(torch.equal(torch.cat(list(loader)), layer(torch.stack(data)).detach()))
"""


def test_workers_of_a_data_loader():
    """In a process of its own: this one may have other libraries' threads, which must not fork."""
    assert python(WORKERS) == ["True"]


MODELS = {
    "SynaMLP": lambda: (SynaMLP(12, 8, 3), torch.rand(6, 12)),
    "SynaCNN": lambda: (SynaCNN(width=4, hidden=8), torch.rand(6, 1, 8, 8)),
    "SynaRNN": lambda: (SynaRNN(4, 8, batch_first=True), torch.rand(6, 3, 4)),
    "SynapseBlock": lambda: (SynapseBlock(5, 8), torch.rand(6, 5)),
    "OddsBlock": lambda: (OddsBlock(5), torch.randn(6, 5)),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_compile_and_export(name):
    model, y = MODELS[name]()
    model.eval()
    with torch.no_grad():
        want = model(y)
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")(y)
        exported = torch.export.export(model, (y,)).module()(y)
    want, compiled, exported = (
        r[0] if isinstance(r, tuple) else r for r in (want, compiled, exported)
    )
    assert_close(compiled, want, 1e-5)
    assert_close(exported, want, 1e-5)
    assert np.isfinite(want.numpy()).all()


def test_flop_counters_see_the_layer():
    """Of a network: its Linear layers as ever, and the synapses beside them."""
    from torch.utils.flop_counter import FlopCounterMode

    model = SynaMLP(12, 8, 3)
    with FlopCounterMode(display=False) as counter:
        model(torch.rand(6, 12)).sum().backward()
    linear = 2 * 6 * (12 * 8 + 8 * 3)
    backward = 2 * linear - 2 * 6 * 12 * 8  # no gradient of the inputs
    assert counter.get_total_flops() == linear + backward + (3 + 7) * 6 * 8 * 8


@pytest.mark.parametrize("options", [*OPTIONS[:4], {"gate": "exp"}, {"strict": True}], ids=str)
def test_symbolic_trace(options):
    layer, y = layer_and_input(5, 5, mask=~torch.eye(5, dtype=torch.bool), **options)
    traced = torch.fx.symbolic_trace(layer)
    assert torch.equal(traced(y), layer(y))
    x = torch.rand(3, 5, 5, dtype=torch.float64)
    assert torch.equal(traced(y, x), layer(y, x))
    names = {name for name, _ in layer.named_parameters()}
    assert {name for name, _ in traced.named_parameters()} == names
    traced(y).sum().backward()
    assert layer.beta_logit.grad is not None
    again = copy.deepcopy(traced)
    assert torch.equal(again(y), layer(y))
    with pytest.raises(ValueError, match=r"`y` must have shape \(..., 5\)"):
        traced(y[..., :2])


@pytest.mark.parametrize("name", ["SynaMLP", "SynaCNN", "SynapseBlock", "OddsBlock"])
def test_models_are_traced_with_their_layers(name):
    model, y = MODELS[name]()
    traced = torch.fx.symbolic_trace(model.eval())
    calls = [node.name for node in traced.graph.nodes if node.op == "call_function"]
    assert any("traced" in call for call in calls)
    assert torch.equal(traced(y), model(y))
    assert traced.state_dict().keys() <= model.state_dict().keys()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_batched_gradients(options):
    """As one after the other: jacobian(vectorize=True) and is_grads_batched are these."""
    layer, y = layer_and_input(4, 4, **options)
    call, values = as_function(layer)
    rows = y[0, :2]
    inputs = (rows, *values)
    jacobian = torch.autograd.functional.jacobian
    found = (jacobian(call, inputs, vectorize=vectorize) for vectorize in (True, False))
    for got, want in zip(*found, strict=True):
        assert_close(got, want, 200 * EPS["float64"])
    leaf = rows.clone().requires_grad_()
    z = layer(leaf)
    upstream = torch.randn(3, *z.shape, dtype=z.dtype)
    (got,) = torch.autograd.grad(z, leaf, upstream, is_grads_batched=True, retain_graph=True)
    for each, one in zip(got, upstream, strict=True):
        (want,) = torch.autograd.grad(z, leaf, one, retain_graph=True)
        assert_close(each, want, 200 * EPS["float64"])


@pytest.mark.parametrize("options", FEW, ids=str)
def test_batched_second_derivatives(options):
    layer, y = layer_and_input(4, 4, **options)

    def loss(y):
        return (layer(y) ** 2).sum()

    functional = torch.autograd.functional
    want = functional.hessian(loss, y[0, 0])
    got = functional.hessian(loss, y[0, 0], vectorize=True)
    assert_close(got, want, 400 * EPS["float64"])
    leaf = y[0, :1].clone().requires_grad_()
    assert torch.autograd.gradcheck(layer, leaf, check_batched_grad=True)

"""Every branch against high precision, on random arguments inside and outside [0, 1].

CI takes a few seeds; SYNANN_TEST_SEEDS=200, as in `make test-all`, takes 200.
"""

import functools
import os

import mpmath
import numpy as np
import onnxruntime
import pytest

import synann_core as syn
from synann_core.export import save_c, save_onnx
from synann_core.graph import SynapseGraph
from tests import export_models
from tests.helpers import EPS, assert_close, make_backend, spread

SEEDS = range(int(os.environ.get("SYNANN_TEST_SEEDS", "4")))
ROWS, OUTPUTS, INPUTS = 5, 3, 6
BRANCHES = (
    "numpy",
    "numpy-agnostic",
    "strict",
    "torch",
    "torch-agnostic",
    "torch.func",
    "jax",
    "jax-agnostic",
)


class Branch:
    """One way through the library: values of functions and their gradients, as NumPy arrays."""

    def __init__(self, name):
        self.name, self.library = name, name.split("-")[0].split(".")[0]
        with make_backend(self.library) as backend:
            self.xp = backend

    def value(self, function, *arguments):
        given = self.given(arguments)
        if self.name == "torch.func":
            import torch

            # Only a first argument of one row a sample is mapped over.
            rows = [k for k, a in enumerate(arguments) if np.shape(a)[:1] == (ROWS,)]
            axes = tuple(0 if k in rows else None for k in range(len(given)))
            return self.xp.to_numpy(torch.func.vmap(function, in_dims=axes)(*given))
        if self.library == "jax":
            import jax

            return self.xp.to_numpy(jax.jit(function)(*given))
        return self.xp.to_numpy(function(*given))

    def gradients(self, function, vjp, grad, *arguments):
        """By autodiff on torch and JAX, by hand elsewhere."""
        given, upstream = self.given(arguments), self.given([grad])[0]
        if self.name == "torch.func":
            import torch

            found = torch.func.vjp(function, *given)[1](upstream)
        elif self.library == "torch":
            import torch

            leaves = [a.detach().clone().requires_grad_(True) for a in given]
            found = torch.autograd.grad(function(*leaves), leaves, upstream)
        elif self.library == "jax":
            found = pulled_back(function)(upstream, *given)
        else:
            found = vjp(*given, upstream)
        by_hand = vjp(*given, upstream)
        return [self.xp.to_numpy(tuple(g)) for g in (found, by_hand)]

    def given(self, arrays):
        return [self.xp.asarray(a, a.dtype.name) for a in arrays]


@functools.cache
def pulled_back(function):
    """Gradients by JAX, compiled once."""
    import jax

    return jax.jit(lambda grad, *arguments: jax.vjp(function, *arguments)[1](grad))


@pytest.fixture(params=BRANCHES)
def branch(request, monkeypatch):
    if request.param.endswith("-agnostic"):
        monkeypatch.setenv("SYNANN_KERNELS", "off")
    return Branch(request.param)


def numbers(seed, dtype):
    """(x, y, α, β, upstream) with y of every size and both signs, and most βy below 1."""
    rng = np.random.default_rng(seed)
    kinds = [
        lambda size: rng.random(size),
        lambda size: spread(rng, 1, 1000, size),
        lambda size: spread(rng, 1e3, 1e12, size),
        lambda size: -spread(rng, 1e-3, 1e5, size),
        lambda size: 1 - spread(rng, EPS[dtype], 1, size),
        lambda size: rng.choice([0.0, 1.0], size),
    ]
    y = np.stack([kinds[k](ROWS) for k in rng.integers(0, len(kinds), INPUTS)], axis=1)
    most = np.maximum(np.abs(y).max(axis=0), 1e-3 if seed % 3 else 1)
    beta = rng.random((OUTPUTS, INPUTS)) / most
    near = 1 - spread(rng, EPS[dtype], 1, INPUTS)
    beta[0] = np.where(rng.random(INPUTS) < 0.3, near / most, beta[0])
    if seed % 4 == 0:
        beta[-1, 0] *= -1
        beta[-1, 1] = 2 * rng.random() / most[1]  # βy may be above 1
    if seed % 5 == 0:
        y[0, 2], beta[1, 2] = 4.0, 0.25
    x = spread(rng, 1e-3, 1, (ROWS, OUTPUTS))
    alpha = spread(rng, 1e-2, 1e8, OUTPUTS)
    grad = rng.normal(size=(ROWS, OUTPUTS))
    return [a.astype(dtype) for a in (x, y, alpha, beta, grad)]


def exactly(array):
    return np.vectorize(lambda v: mpmath.mpf(float(v)), otypes=[object])(array)


def factors(y, beta):
    """1 − βy in high precision, (rows, outputs, inputs)."""
    return 1 - exactly(y)[:, None, :] * exactly(beta)


def log(f):
    if f > 0:
        return mpmath.log(f)
    return mpmath.mpf("-inf") if f == 0 else mpmath.mpf("nan")


logs = np.vectorize(log, otypes=[object])
EXP = np.vectorize(mpmath.exp, otypes=[object])
MAGNITUDE = np.vectorize(abs, otypes=[object])


def check(got, want, limit, scale, what):
    try:
        assert_close(got, want, limit, scale=scale)
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from None


@pytest.fixture(autouse=True)
def precise():
    with mpmath.workdps(50):
        yield


@functools.cache
def exact_values(seed, dtype):
    """Arguments, and value, size of the terms (or what else errors are relative to) by function."""
    x, y, alpha, beta, _ = numbers(seed, dtype)
    parts = logs(factors(y, beta))
    total, size = parts.sum(axis=2), MAGNITUDE(parts).sum(axis=2).astype(float)
    s = (exactly(alpha) * exactly(x) * EXP(total)).astype(float)
    # The promise is for terms of one sign.
    bound = 10 + np.sqrt(INPUTS)
    slack = (bound * np.where(np.isfinite(size), size, 0) + 8) * np.abs(s)
    one = [np.resize(a, (ROWS, INPUTS)) for a in (x, y, alpha, beta)]
    a, b, c, d = map(exactly, one)
    single, parts = (c * a * (1 - d * b)).astype(float), parts.astype(float)
    return [
        (syn.log_transmission, (y, beta), total.astype(float), bound * size),
        (syn.contributions, (y, beta), -parts, 8 * np.abs(parts)),
        (syn.synapse_tensor, (x, y, alpha, beta), s, slack),
        (syn.synapse, one, single, 8 * np.abs(single)),
    ]


def test_values(branch, dtype):
    for seed in SEEDS:
        for function, arguments, want, scale in exact_values(seed, dtype):
            got = branch.value(function, *arguments)
            check(got, want, EPS[dtype], scale, f"{function.__name__}, seed {seed}")


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if seed % 4][:20])
def test_values_of_exports(seed, dtype, tmp_path):
    """The tensor as a graph, which ONNX and C have: the same promise."""
    (x, y, alpha, beta), want, slack = exact_values(seed, dtype)[2][1:]
    # A graph's β is at most 1: powers of two leave every product as it is.
    inside = ~np.isnan(want)  # where βy > 1 a graph has the formula's value
    power = np.exp2(np.maximum(np.ceil(np.log2(beta.max(axis=0))), 0)).astype(dtype)
    y, beta = y * power, beta / power
    graph = SynapseGraph()
    graph.input(*(f"x{i}" for i in range(OUTPUTS)), *(f"y{j}" for j in range(INPUTS)))
    for i in range(OUTPUTS):
        weak = {f"y{j}": float(beta[i, j]) for j in range(INPUTS)}
        graph.synapse(f"s{i}", excitatory=f"x{i}", inhibitory=weak, alpha=float(alpha[i]))
        graph.output(f"s{i}")
    rows = np.concatenate([x, y], axis=1)
    save_onnx(graph, tmp_path / "g.onnx", dtype=dtype)
    (got,) = onnxruntime.InferenceSession(tmp_path / "g.onnx").run(None, {"x": rows})
    check(got[inside], want[inside], EPS[dtype], slack[inside], f"onnx, seed {seed}")
    save_c(graph, tmp_path / "g.c", dtype=dtype)
    run = export_models.compiled(tmp_path / "g.c").model_run
    got = export_models.rows(run, rows, OUTPUTS)
    check(got[inside], want[inside], EPS[dtype], slack[inside], f"c, seed {seed}")


@functools.cache
def exact_gradients(seed, dtype):
    """Functions, their _vjp and arguments; each gradient and the size of its terms."""
    x, y, alpha, beta, grad = numbers(seed, dtype)
    # What gradients are at and beyond closed factors is tested elsewhere.
    y = np.where((factors(y, beta) > EPS[dtype]).all(axis=1), y, y.dtype.type(0))
    f = factors(y, beta)
    own, weights = exactly(y)[:, None, :], exactly(beta)[None]
    product, slack = f.prod(axis=2), 16 + 2 * np.abs(logs(f).astype(float)).sum(axis=2).max()
    s = exactly(alpha) * exactly(x) * product
    t, ts = exactly(grad)[:, :, None], (exactly(grad) * s)[:, :, None]
    of_log = [(-t * weights / f, 1), (-t * own / f, 0)]
    of_tensor = [
        (exactly(grad) * exactly(alpha) * product, None),
        (-ts * weights / f, 1),
        (exactly(grad) * exactly(x) * product, 0),
        (-ts * own / f, 0),
    ]
    one = [np.resize(a, (ROWS, INPUTS)) for a in (x, y, alpha, beta, grad)]
    a, b, c, d, g = map(exactly, one)
    single = [g * c * (1 - d * b), -g * c * d * a, g * a * (1 - d * b), -g * c * a * b]
    return [
        (syn.log_transmission, syn.log_transmission_vjp, (grad, y, beta), summed(of_log, 16)),
        (
            syn.synapse_tensor,
            syn.synapse_tensor_vjp,
            (grad, x, y, alpha, beta),
            summed(of_tensor, slack),
        ),
        (
            syn.synapse,
            syn.synapse_vjp,
            (one[4], *one[:4]),
            summed([(part, None) for part in single], 8),
        ),
    ]


def summed(terms, limit):
    """Sums of the terms over an axis, and `limit` times those of their sizes."""
    sums = []
    for part, axis in terms:
        sizes = MAGNITUDE(part)
        pair = (part, sizes) if axis is None else (part.sum(axis=axis), sizes.sum(axis=axis))
        sums.append((pair[0].astype(float), limit * pair[1].astype(float)))
    return sums


def test_gradients(branch, dtype):
    for seed in SEEDS:
        for function, vjp, arguments, wants in exact_gradients(seed, dtype):
            for gradients in branch.gradients(function, vjp, *arguments):
                for got, (want, scale) in zip(gradients, wants, strict=True):
                    check(got, want, EPS[dtype], scale, f"{function.__name__}, seed {seed}")

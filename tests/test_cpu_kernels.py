"""What the compiled CPU kernels promise beyond the formulas: sizes, strides, bits, threads."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import synann_core as syn
from synann_core._kernels import _cpu, _threads
from tests.helpers import EPS, assert_close

ROOT = Path(__file__).resolve().parent.parent
SIZES = [  # batch, n, m: remainders of every block, and nothing at all
    (0, 3, 2),
    (3, 0, 2),
    (3, 2, 0),
    (1, 1, 1),
    (2, 31, 33),
    (3, 32, 31),
    (5, 33, 32),
    (4, 127, 3),
    (31, 128, 1),
    (33, 129, 5),
    (513, 3, 2),
    (257, 65, 17),
    (2, 300, 513),
    (7, 5, 1025),
]


def problem(batch, n, m, dtype, seed=0):
    rng = np.random.default_rng(seed)
    y, beta, t = rng.random((batch, n)), rng.random((m, n)), rng.normal(size=(batch, m))
    return y.astype(dtype), beta.astype(dtype), t.astype(dtype)


def everything(y, beta, t):
    """All that the kernels compute, in both spaces."""
    dy, dbeta = y - 0.5, 0.25 - beta
    v, gamma = 2 * y + 1e-3, 3 * beta
    zero, none = np.zeros(1, y.dtype), np.zeros(beta.shape[0], y.dtype)
    return (
        syn.log_transmission(y, beta),
        *syn.log_transmission_vjp(y, beta, t),
        syn.log_transmission_jvp(y, beta, dy, dbeta),
        syn.surprisal_synapse_tensor(np.broadcast_to(zero, t.shape), v, none, gamma),
        *syn.surprisal_synapse_tensor_vjp(t * 0, v, none, gamma, t)[1::2],
    )


@pytest.fixture
def agnostic(monkeypatch):
    """Function that computes without the kernels."""

    def run(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setenv("SYNANN_KERNELS", "off")
            return function(*arguments)

    return run


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size(size, dtype, agnostic):
    y, beta, t = problem(*size, dtype)
    assert syn.log_transmission_variant(y, beta) == "numba"
    got = everything(y, beta, t)
    wide = [a.astype(np.float64) for a in (y, beta, t)]
    want = agnostic(everything, *wide)
    # 1/(1 − βy) magnifies the rounding of βy's neighbours in surprisal space (v and γ themselves).
    largest = 1 / (1 - np.max(y, initial=0) * np.max(beta, initial=0) + EPS[dtype])
    limits = [20, 60 * largest, 60 * largest, 60 * largest, 20, 1e3, 1e3]
    for value, exact, limit in zip(got, want, limits, strict=True):
        assert value.dtype == dtype
        assert_close(value, exact, limit * EPS[dtype])


def layouts(a):
    """The same numbers, differently laid out in memory."""
    yield np.asfortranarray(a)
    yield np.repeat(a, 2, axis=1)[:, ::2]
    yield a[::-1].copy()[::-1]
    raw = np.zeros(a.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(a.tobytes(), np.uint8)
    yield raw[1:].view(a.dtype).reshape(a.shape)
    fixed = a.copy()
    fixed.flags.writeable = False
    yield fixed


def test_any_strides(dtype):
    y, beta, t = problem(6, 37, 5, dtype)
    want = everything(y, beta, t)
    for arrays in zip(layouts(y), layouts(beta), layouts(t), strict=True):
        before = [a.copy() for a in arrays]
        for value, same in zip(everything(*arrays), want, strict=True):
            np.testing.assert_array_equal(value, same)
        for a, copy in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(a, copy)
    repeated = np.broadcast_to(y[:1], y.shape)
    np.testing.assert_array_equal(
        syn.log_transmission(repeated, beta), np.repeat(want[0][:1], 6, axis=0)
    )


def test_torch_tensors_share_memory_and_any_strides(dtype):
    import torch

    y, beta, t = problem(6, 37, 5, dtype)
    want = syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, t)
    y, beta, t = (torch.from_numpy(a).T.contiguous().T for a in (y, beta, t))
    assert syn.log_transmission_variant(y, beta) == "numba"
    got = syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, t)
    for value, same in zip(got, want, strict=True):
        assert isinstance(value, torch.Tensor)
        np.testing.assert_array_equal(value.numpy(), same)


def test_a_row_does_not_see_its_batch_mates(dtype):
    y, beta, t = problem(515, 133, 70, dtype)
    y[3, 5], beta[2, 5] = 1, 1  # closed
    order = np.random.default_rng(1).permutation(515)
    spoiled = y.copy()
    spoiled[:9:2] = [[np.nan], [1.5], [-0.5], [1.0], [2.0]]

    def by_row(y, t):
        v = 2 * y + 1e-3
        surprisal = syn.surprisal_synapse_tensor_vjp(t * 0, v, t[0] * 0, 3 * beta, t)[1]
        return syn.log_transmission(y, beta), syn.log_transmission_vjp(y, beta, t)[0], surprisal

    whole = by_row(y, t)
    for parts in zip(whole, by_row(y[order], t[order]), strict=True):
        np.testing.assert_array_equal(parts[0][order], parts[1])
    for parts in zip(whole, by_row(spoiled, t), strict=True):
        np.testing.assert_array_equal(parts[0][9:], parts[1][9:])
        np.testing.assert_array_equal(parts[0][1:9:2], parts[1][1:9:2])
    for rows in (slice(3, 4), slice(7, 10), slice(500, 515)):
        for parts in zip(whole, by_row(y[rows], t[rows]), strict=True):
            np.testing.assert_array_equal(parts[0][rows], parts[1])


def test_bits_do_not_depend_on_threads(dtype, monkeypatch):
    y, beta, t = problem(300, 260, 140, dtype)
    monkeypatch.setattr(_cpu, "_WORK", 0)
    results = []
    for count in (1, 2, 3, 7, 64):
        monkeypatch.setattr(_threads, "thread_count", lambda count=count: count)
        results.append(everything(y, beta, t))
    for other in results[1:]:
        for value, same in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(value, same)


def test_concurrent_calls(monkeypatch):
    monkeypatch.setattr(_cpu, "_WORK", 0)
    y, beta, t = problem(65, 70, 40, "float32")
    want, failures = everything(y, beta, t), []

    def work():
        try:
            for _ in range(5):
                for value, same in zip(everything(y, beta, t), want, strict=True):
                    np.testing.assert_array_equal(value, same)
        except Exception as error:  # shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)


def test_an_error_in_a_thread_is_raised():
    def fail(part):
        raise ZeroDivisionError(part)

    with pytest.raises(ZeroDivisionError):
        _threads.run(fail, [(k,) for k in range(4)], threads=2)


@pytest.mark.parametrize("name", ["NUMBA_NUM_THREADS", "OMP_NUM_THREADS"])
def test_thread_limits_are_respected(name, monkeypatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(_threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert _threads.thread_count() == 8
    monkeypatch.setenv(name, "3")
    assert _threads.thread_count() == 3
    monkeypatch.setenv(name, "0")
    assert _threads.thread_count() == 1


def test_nearly_closed_factors_with_large_upstream_gradients(agnostic):
    """Four reciprocals share a division: their product must not overflow."""
    y = np.full((4, 128), 1 - 2.0**-24, np.float32)
    beta, t = np.ones((2, 128), np.float32), np.full((4, 2), 1e30, np.float32)
    got, want = (
        run(syn.log_transmission_vjp, y, beta, t) for run in (lambda f, *a: f(*a), agnostic)
    )
    for value, same in zip(got, want, strict=True):
        assert np.isfinite(value).all()
        assert_close(value, same, 8 * EPS["float32"])


def test_rows_outside_the_domain_take_the_other_branch(dtype, agnostic):
    y, beta, t = problem(8, 40, 9, dtype)
    y[1, 3], y[2, 3], y[3, 4] = 1.5, -0.5, np.nan
    y[5], y[6, 2] = 1, 1
    beta[4, 2] = 1
    got = syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, t)
    want = agnostic(lambda: (syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, t)))
    assert np.isneginf(got[0][6, 4])
    assert np.isnan(got[0][3]).all()
    for value, same in zip(got[:2], want[:2], strict=True):
        np.testing.assert_array_equal(value[1:4], same[1:4])
        for row, expected in zip(value, same, strict=True):
            assert_close(row, expected, 100 * EPS[dtype])
    # β that is not fit sends everything there.
    worse = np.where(beta == beta.max(), 1.25, beta).astype(dtype)
    same = agnostic(syn.log_transmission, y, worse)
    np.testing.assert_array_equal(syn.log_transmission(y, worse), same)


def test_large_inputs_with_small_strengths(dtype):
    rng = np.random.default_rng(0)
    y, beta = (50 * rng.random((6, 90))).astype(dtype), (0.019 * rng.random((5, 90))).astype(dtype)
    factors = y.astype(np.longdouble)[:, None, :] * beta.astype(np.longdouble)
    want = np.log1p(-factors).sum(-1)
    assert_close(syn.log_transmission(y, beta), want, (10 + 90**0.5) * EPS[dtype], scale=-want)


@pytest.mark.parametrize("n", [1, 32, 33, 64, 768])
def test_rows_of_equal_factors_scanned_densely(n, dtype):
    """The worst case: every factor's rounding error is the same one."""
    eps = EPS[dtype]
    q = np.concatenate([np.geomspace(1e-9, 1 - eps, 2000), np.linspace(5e-3, 0.1, 2000)])
    q = q.astype(dtype)
    y = np.repeat(q[:, None], n, axis=1)
    for strength in (1.0, 0.77):
        beta = np.full((1, n), strength, dtype)
        factors = q.astype(np.longdouble) * np.longdouble(beta[0, 0])
        want = n * np.log1p(-factors)
        got = syn.log_transmission(y, beta)[:, 0]
        assert_close(got, want, (10 + n**0.5) * eps, scale=-want)


def test_accuracy_at_768():
    """float32 T within 5e-7, gradients within 2e-6 of the largest entry."""
    rng = np.random.default_rng(0)
    y, beta = (0.98 * rng.random((s, 768), dtype=np.float32) for s in (96, 768))
    t = rng.normal(size=(96, 768)).astype(np.float32)
    wide = [a.astype(np.float64) for a in (y, beta, t)]
    want = syn.log_transmission(*wide[:2])
    assert_close(syn.log_transmission(y, beta), want, 5e-7, scale=-want)
    for value, exact in zip(
        syn.log_transmission_vjp(y, beta, t), syn.log_transmission_vjp(*wide), strict=True
    ):
        assert_close(value, exact, 2e-6)


def test_products_that_underflow_many_times_over(dtype):
    eps = EPS[dtype]
    for value in (1 - eps / 2, 1 - eps, 0.999):
        y = np.full((1, 10_000), value, dtype)
        want = 10_000 * np.log1p(-y[0, 0].astype(np.longdouble))
        got = syn.log_transmission(y, np.ones((1, 10_000), dtype))
        assert_close(got, [[want]], 110 * eps)


def run_script(script, *arguments):
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SETUP = """
import multiprocessing
import numpy as np
import synann_core as syn
from synann_core._kernels import _threads
from tests.helpers import peak_memory
rng = np.random.default_rng(0)
y, beta = rng.random((64, 96)), rng.random((96, 96))
want = syn.log_transmission(y, beta)
"""


def test_forked_children():
    assert run_script(
        SETUP
        + """
def child(queue):
    queue.put((_threads.thread_count(), np.array_equal(syn.log_transmission(y, beta), want)))

context = multiprocessing.get_context("fork")
queue = context.Queue()
children = [context.Process(target=child, args=(queue,)) for _ in range(3)]
for one in children: one.start()
print([queue.get(timeout=60) for _ in children])
for one in children: one.join()
"""
    ) == str([(1, True)] * 3)


def test_workers_of_a_data_loader():
    assert (
        run_script(
            SETUP
            + """
import torch

class Rows(torch.utils.data.Dataset):
    def __len__(self): return 8
    def __getitem__(self, k):
        return syn.log_transmission(torch.from_numpy(y[k]), torch.from_numpy(beta))

options = dict(batch_size=4, num_workers=2, multiprocessing_context="fork")
loader = torch.utils.data.DataLoader(Rows(), **options)
print(np.array_equal(torch.cat(list(loader)).numpy(), want[:8]))
"""
        )
        == "True"
    )


def test_call_at_exit():
    script = (
        SETUP + "import atexit\natexit.register(lambda: print(len(syn.log_transmission(y, beta))))"
    )
    assert run_script(script) == "64"


def test_without_numba():
    script = "import sys; sys.modules['numba'] = None" + SETUP
    script += "print(want.shape, syn.log_transmission_variant(y, beta))"
    assert run_script(script) == "(64, 96) array-api"


def test_memory():
    script = (
        SETUP
        + """
y, beta, t = (rng.random(s, dtype=np.float32) for s in ((512, 2048), (2048, 2048), (512, 2048)))
syn.log_transmission_vjp(y[:4, :4], beta[:4, :4], t[:4, :4])
syn.log_transmission(y[:4, :4], beta[:4, :4])
before = peak_memory()
results = syn.log_transmission(y, beta), syn.log_transmission_vjp(y, beta, t)
growth = peak_memory() - before
print(growth - 4 * (2 * 512 * 2048 + 2048 * 2048))
"""
    )
    assert float(run_script(script)) <= 64e6


def test_torch_autograd_uses_the_kernels_and_can_differentiate_twice(monkeypatch):
    import torch

    y, beta, t = (torch.from_numpy(a) for a in problem(5, 40, 6, "float64"))
    y.requires_grad_(True)
    beta.requires_grad_(True)
    assert syn.log_transmission_variant(y, beta) == "numba"
    calls = []
    for name in ("log_product", "log_product_vjp"):
        kernel = getattr(_cpu, name)

        def counted(*arguments, name=name, kernel=kernel):
            calls.append(name)
            return kernel(*arguments)

        monkeypatch.setattr(_cpu, name, counted)
    gy, gbeta = torch.autograd.grad(syn.log_transmission(y, beta), (y, beta), t)
    assert calls == ["log_product", "log_product_vjp"]
    want = syn.log_transmission_vjp(y.detach(), beta.detach(), t)
    assert_close(gy, want[0], 1e-14)
    assert_close(gbeta, want[1], 1e-14)
    small = [a[:2, :5].detach().clone().requires_grad_(True) for a in (y, beta)]
    assert torch.autograd.gradgradcheck(syn.log_transmission, small)


# torch compiles formulas of its forward mode by torch.jit, which it calls deprecated.
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torch_must_see_what_it_transforms():
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    y, beta, _ = (torch.from_numpy(a) for a in problem(5, 4, 6, "float64"))
    seen = []

    def look(y):
        seen.append(syn.log_transmission_variant(y, beta))
        return syn.log_transmission(y, beta)

    torch.func.vmap(look)(y)
    torch.func.jvp(look, (y,), (y,))
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(y)
        seen.append(syn.log_transmission_variant(fake, mode.from_tensor(beta)))
        assert syn.log_transmission(fake, mode.from_tensor(beta)).shape == (5, 6)
    assert seen == ["array-api"] * 3

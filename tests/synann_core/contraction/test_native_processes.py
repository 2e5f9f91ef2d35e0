"""The compiled kernels on threads and in child processes, their memory, and what goes without."""

import concurrent.futures
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import synann_core as syn
from synann_core._lib import threads as pools
from synann_core.contraction import native
from synann_core.native import host
from tests.helpers import EPS, assert_close
from tests.synann_core.contraction.test_native import (
    arguments,
    assert_same_bits,
    kernels_on,
    outputs,
)

__all__ = ["kernels_on"]  # a fixture, for every test here too

ROOT = Path(__file__).resolve().parents[3]


def python(code, *arguments, timeout=90, **environment):
    """What a fresh interpreter prints that runs the code; one that hangs is a failure."""
    variables = {name: value for name, value in os.environ.items() if name != "SYNANN_KERNELS"}
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=variables | environment,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    assert "Error" not in result.stderr, result.stderr  # at exit they do not change the status
    return result.stdout.split()


@pytest.fixture
def threads(monkeypatch):
    """Set the number of threads, and let small sizes have them too; the numbers that were used."""
    used, run = [], pools.run_parts

    def note(function, parts, count):
        used.append(count)
        run(function, parts, count)

    def use(count):
        used.clear()
        monkeypatch.setattr(host, "thread_count", lambda: count)
        return used

    for limit in ("_WORK", "_ROW_GRADIENTS"):
        monkeypatch.setattr(native, limit, 0)
    monkeypatch.setattr(native, "run_parts", note)
    return use


@pytest.mark.parametrize("rows", [100, 1])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bits_do_not_depend_on_threads(threads, dtype, rows):
    given = arguments(rows, 300, 130, dtype)
    threads(1)
    want = outputs(*given)
    for count in (2, 3, 7):
        used = threads(count)
        assert_same_bits(outputs(*given), want, f"on {count} threads")
        assert set(used) == {count}


def test_bits_do_not_depend_on_the_division(monkeypatch):
    given = arguments(70, 70, 130)
    want = outputs(*given)
    for height, width in ((1, 130), (70, 1), (33, 31), (7, 64), (70, 129)):

        def grid(shape, most, count, height=height, width=width):
            return [
                (b, min(b + height, shape[0]), i, min(i + width, shape[1]))
                for b in range(0, shape[0], height)
                for i in range(0, shape[1], width)
            ]

        monkeypatch.setattr(native, "_grid", grid)
        assert_same_bits(outputs(*given), want, f"by {height} × {width}")


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_the_division_covers_every_output_once(count):
    for rows, m in ((0, 5), (5, 0), (1, 1), (1, 5000), (5000, 1), (515, 513), (256, 512)):
        covered = np.zeros((rows, m), int)
        for b0, b1, i0, i1 in native._grid((rows, m), (256, 512), count):
            assert 0 < b1 - b0 <= 256
            assert 0 < i1 - i0 <= 512
            covered[b0:b1, i0:i1] += 1
        assert (covered == 1).all(), (rows, m)


def test_concurrent_calls(threads):
    """Eight callers, different work, a pool of two threads between them."""
    threads(2)
    work = [arguments(30 + k, 130 + k, 70 + k, seed=k) for k in range(8)]
    want = [outputs(*given) for given in work]
    start = threading.Barrier(8)

    def caller(k):
        start.wait(30)
        return [outputs(*work[(k + turn) % 8]) for turn in range(8)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for k, results in enumerate(pool.map(caller, range(8))):
            for turn, got in enumerate(results):
                assert_same_bits(got, want[(k + turn) % 8])


def test_torch_sets_the_number_for_its_tensors(threads, monkeypatch):
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    given = arguments(40, 130, 70)
    used = threads(4)
    outputs(*map(torch.from_numpy, given))
    assert set(used) == {1}
    used = threads(4)
    outputs(*given)
    assert set(used) == {4}


PARENT = """
import sys
import numpy as np
import synann_core as syn
from synann_core._lib import threads
from synann_core.native import host

rng = np.random.default_rng(0)
y, beta = rng.random((64, 256), np.float32), rng.random((256, 256), np.float32)
count, host.thread_count = host.thread_count, lambda: 2

def work(*_):
    return b"".join(a.tobytes() for a in (
        syn.log_transmission(y, beta), *syn.log_transmission_vjp(y, beta, 1.0)
    ))

want = work()
assert threads._pool.cache_info().currsize == 1  # more than one thread was used
assert host.serves(np, y)
host.thread_count = count
"""


def test_forked_children():
    fork = """
import multiprocessing, warnings
warnings.simplefilter("ignore")  # of forking a process that has threads

def child(_):
    return threads.thread_count(), work() == want, threads._pool.cache_info().currsize

with multiprocessing.get_context("fork").Pool(2) as pool:
    print(set(pool.map(child, range(4))) == {(1, True, 0)}, work() == want)
"""
    assert python(PARENT + fork) == ["True", "True"]


def test_workers_of_a_data_loader():
    loader = """
import torch

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, k):
        tensors = torch.from_numpy(y), torch.from_numpy(beta)
        return k, syn.log_transmission(*tensors), work() == want

for ks, values, same in torch.utils.data.DataLoader(Data(), batch_size=2, num_workers=2):
    for k, value, bits in zip(ks, values, same):
        print(bool(bits) and np.array_equal(value.numpy(), syn.log_transmission(y, beta)))
"""
    assert python(PARENT + loader) == ["True"] * 4


def test_call_at_exit():
    at_exit = """
import atexit
host.thread_count = lambda: 2
atexit.register(lambda: print(work() == want))
"""
    assert python(PARENT + at_exit) == ["True"]
    # Also where the pool was never made.
    first = PARENT.replace("want = work()", "").replace("assert threads._pool", "#")
    at_exit = "import atexit\natexit.register(lambda: print(len(work())))"
    size = 4 * (64 * 256 + 64 * 256 + 256 * 256)
    assert python(first.replace("host.thread_count = count", "") + at_exit) == [str(size)]


MEMORY = """
import sys
import numpy as np
import synann_core as syn
from tests.helpers import peak_memory

batch, n, m = map(int, sys.argv[1:])
rng = np.random.default_rng(0)
y, beta = rng.random((batch, n), np.float32), rng.random((m, n), np.float32)

def work(y, beta):
    value = syn.log_transmission(y, beta)
    return value, *syn.log_transmission_vjp(y, beta, np.ones_like(value))

work(y[:4, :4], beta[:4, :4])
before = peak_memory()
results = work(y, beta)
growth = peak_memory() - before
given = results[0].nbytes  # the upstream gradient, which is the test's own
print((growth - given - sum(a.nbytes for a in results)) / 2**20)
"""


@pytest.mark.parametrize(
    ("kernels", "sizes", "limit"), [("", (512, 2048, 2048), 64), ("off", (512, 768, 768), 32)]
)
def test_memory_beyond_inputs_and_outputs(kernels, sizes, limit):
    (growth,) = python(MEMORY, *sizes, SYNANN_KERNELS=kernels)
    assert float(growth) <= limit, "MB"  # one (batch, m, n) array would be 8192 or 1152


def test_without_the_module():
    code = """
import sys
if sys.argv[1] == "missing":
    sys.modules["synann_core.native._kernels"] = None
import numpy as np
import synann_core as syn
y, beta = np.full((2, 3), 0.5), np.full((4, 3), 0.5)
print(syn.log_transmission_variant(y, beta), np.allclose(syn.log_transmission(y, beta),
      3 * np.log(0.75)), syn.log_transmission_vjp(y, beta, 1.0)[0].shape == (2, 3),
      syn.log_transmission_jvp(y, beta, 1.0, 0.0).shape)
"""
    want = ["array-api", "True", "True", "(2,", "4)"]
    assert python(code, "missing") == want
    assert python(code, "off", SYNANN_KERNELS="off") == want


def test_long_doubles_take_the_other_branch():
    """The kernels have none."""
    y = np.full((2, 3), 0.5, np.longdouble)
    if y.dtype == np.float64:
        pytest.skip("long doubles are doubles here")
    want = 3 * np.log(np.longdouble(0.75))
    got = syn.log_transmission(y, y)
    assert got.dtype == y.dtype
    assert_close(got, np.full((2, 2), want), 4 * EPS["float64"])
    assert syn.log_transmission_vjp(y, y, 1.0)[0].dtype == y.dtype
    assert syn.log_transmission_variant(y, y) == "array-api"


FAULTS = """
import resource
import numpy as np
import synann_core as syn
y, beta, grad = np.full((8192, 600), 0.5), np.full((1, 600), 0.5), np.ones((8192, 1))
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    syn.log_transmission_vjp(y, beta, grad)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.needs_kernels
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's malloc")
def test_a_gradient_of_39_mb_reuses_its_memory():
    assert int(python(FAULTS)[-1]) < 10

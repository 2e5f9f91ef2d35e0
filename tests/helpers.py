"""Array libraries behind one small interface, and the comparisons that all tests share."""

import contextlib
import functools
import re
from pathlib import Path

import array_api_compat
import numpy as np
import pytest

DEFAULT_BACKENDS = (
    "numpy",
    "numpy-readonly",
    "numpy-agnostic",
    "strict",
    "strict-minimal",
    "strict-device",
    "torch",
    "jax",
    "jax-jit",
)

EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
TINY = {"float64": 2.0**-1022, "float32": 2.0**-126}


class Backend:
    """One array library on one device: arrays in, calls, arrays out."""

    def __init__(self, name, library, device=None):
        self.name = name
        self.library = library
        self.device = device

    def __repr__(self):
        return self.name

    @property
    def is_jax(self):
        return self.name.startswith("jax")

    def dtype(self, name):
        return getattr(self.library, name)

    def asarray(self, values, dtype="float64"):
        """Array of this library with the values of a NumPy array, in the named dtype."""
        values = np.asarray(values, dtype=np.float64 if dtype == "bfloat16" else dtype)
        options = {} if self.device is None else {"device": self.device}
        array = self.library.asarray(values.copy(), dtype=self.dtype(dtype), **options)
        if self.name == "numpy-readonly":
            array.flags.writeable = False
        return array

    def to_numpy(self, array):
        if isinstance(array, tuple):
            return tuple(self.to_numpy(a) for a in array)
        if self.name.startswith("torch"):
            array = array.detach().cpu()
            return (array.float() if array.dtype == self.library.bfloat16 else array).numpy()
        if self.name.startswith("strict"):
            array = self.library.asarray(array, device=self.library.Device("CPU_DEVICE"))
        if self.name == "cupy":
            return array.get()
        return np.asarray(array)

    def call(self, function, *arguments):
        """Call on this library's terms: as it is, or jitted with its numbers as constants."""
        if self.name != "jax-jit":
            return function(*arguments)
        numbers = tuple(
            (i, a) for i, a in enumerate(arguments) if isinstance(a, int | float | type(None))
        )
        arrays = [a for i, a in enumerate(arguments) if i not in dict(numbers)]
        return _jitted(function, numbers)(*arrays)

    def gradients(self, function, upstream, *arrays):
        """Gradients by the library's own autodiff of Σ upstream · function(*arrays)."""
        if self.is_jax:
            import jax

            def loss(*a):
                return (function(*a) * upstream).sum()

            argnums = tuple(range(len(arrays)))
            return self.call(jax.grad(loss, argnums=argnums), *arrays)
        leaves = [a.detach().clone().requires_grad_(True) for a in arrays]
        return self.library.autograd.grad((function(*leaves) * upstream).sum(), leaves)

    def check(self, result, dtype, shape=None):
        """Array type, device and dtype out = in."""
        assert array_api_compat.array_namespace(result) is self._namespace(), type(result)
        assert result.dtype == self.dtype(dtype), (result.dtype, dtype)
        if self.name != "jax-jit":  # inside jit there is one device
            like = self.asarray([0.0])
            assert array_api_compat.device(result) == array_api_compat.device(like)
        if shape is not None:
            assert tuple(result.shape) == tuple(shape)

    @functools.cache  # noqa: B019 - a handful of objects that live as long as the tests
    def _namespace(self):
        return array_api_compat.array_namespace(self.asarray([0.0]))


@functools.cache
def _jitted(function, numbers):
    # One compilation per function and set of shapes, however many tests call it.
    import jax

    def bound(*arrays):
        values = list(arrays)
        for index, number in numbers:
            values.insert(index, number)
        return function(*values)

    return jax.jit(bound)


@contextlib.contextmanager
def make_backend(name):
    """Import the library and hold its flags for as long as the backend is in use."""
    if name in ("numpy", "numpy-readonly"):
        yield _backend(name, "numpy")
    elif name == "numpy-agnostic":  # what NumPy does without the kernels
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SYNANN_KERNELS", "off")
            yield _backend(name, "numpy")
    elif name == "strict":
        yield _backend(name, "array_api_strict")
    elif name == "strict-minimal":
        import array_api_strict

        with array_api_strict.ArrayAPIStrictFlags(
            api_version="2024.12",
            boolean_indexing=False,
            data_dependent_shapes=False,
            enabled_extensions=(),
        ):
            yield _backend(name, "array_api_strict")
    elif name == "strict-device":
        import array_api_strict

        yield _backend(name, "array_api_strict", array_api_strict.Device("device1"))
    elif name == "torch":
        yield _backend(name, "torch")
    elif name == "torch-cuda":
        yield _backend(name, "torch", "cuda")
    elif name in ("jax", "jax-jit"):
        yield _backend(name, "jax.numpy")
    elif name == "cupy":
        yield _backend(name, "cupy")
    else:
        raise ValueError(f"`SYNANN_TEST_BACKENDS` names an unknown backend. Received: {name!r}")


@functools.cache
def _backend(name, module, device=None):
    import importlib

    return Backend(name, importlib.import_module(module), device)


def assert_close(got, want, limit, *, scale=None):
    """|got − want| ≤ limit · scale in every entry; scale is the largest |want| unless told.

    Not-a-numbers and infinities must stand in the same places.
    """
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    assert got.shape == want.shape, f"shapes differ: {got.shape} and {want.shape}"
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want), err_msg="NaN in other places")
    infinite = np.isinf(want)
    np.testing.assert_array_equal(got[infinite], want[infinite])
    finite = ~infinite & ~np.isnan(want)
    got, want = got[finite], want[finite]
    if not want.size:
        return
    if scale is None:
        scale = np.abs(want).max()
    else:
        scale = np.broadcast_to(np.asarray(scale, dtype=np.float64), finite.shape)[finite]
    error = np.abs(got - want)
    excess = error - limit * scale
    worst = excess.argmax()
    allowed = np.broadcast_to(limit * scale, error.shape)[worst]
    assert excess[worst] <= 0, (
        f"entry {worst}: got {got[worst]!r}, want {want[worst]!r}, "
        f"error {error[worst]:.3g}, allowed {allowed:.3g}"
    )


def assert_relative(got, want, limit):
    """|got − want| ≤ limit · |want| entry by entry."""
    assert_close(got, want, limit, scale=np.abs(np.asarray(want, dtype=np.float64)))


def assert_same(first, second):
    """The same arrays under the same names, to the bit and dtype."""
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name, strict=True)


def peak_memory():
    """Most bytes that this process has held. (ru_maxrss would count what its parent held, too.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1))


def spread(rng, low, high, size):
    """Random numbers whose logarithms are uniform: every magnitude is met."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))

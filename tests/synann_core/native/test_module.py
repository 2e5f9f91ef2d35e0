"""The compiled module: which arguments it refuses, and its variants."""

import numpy as np
import pytest

from synann_core.native.host import kernels
from tests.synann_core.native import shapes


def values(kind=np.float64):
    """Arguments of `log_product`, all of which are right."""
    y, beta, out = np.full((3, 4), 0.5, kind), np.full((2, 4), 0.5, kind), np.empty((3, 2), kind)
    return [y, None, beta, None, out, 0, 3, 0, 2, 0, 0.0]


def unaligned(a):
    flat = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    flat[:] = a
    return flat


def frozen(a):
    a.flags.writeable = False
    return a


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_right_arguments_are_taken(kind):
    given = values(kind)
    assert kernels.log_product(*given) == 1
    assert np.allclose(given[4], 4 * np.log(0.75))


@pytest.mark.parametrize(
    ("at", "change", "error", "message"),
    [
        (0, lambda a: a.astype(np.float32), TypeError, "argument 2 must hold float32 or float64"),
        (0, lambda a: a.astype(np.int64), TypeError, "argument 0 must hold float32 or float64"),
        (2, lambda a: a.astype(np.float16), TypeError, "argument 2 must hold"),
        (2, lambda a: a.astype(np.longdouble), TypeError, "argument 2 must hold"),
        (2, lambda a: a.astype(np.complex64), TypeError, "argument 2 must hold"),
        (2, lambda a: a.astype(">f8"), TypeError, "argument 2 must hold"),
        (0, lambda a: a.T.copy().T, TypeError, "argument 0 must be a C-contiguous array"),
        (0, lambda a: a[:, ::2], TypeError, "argument 0 must be a C-contiguous array"),
        (0, lambda a: a.tolist(), TypeError, "argument 0 must be a C-contiguous array"),
        (0, lambda a: None, TypeError, "argument 0 must be a C-contiguous array"),
        (4, frozen, TypeError, "argument 4 must be a writable C-contiguous array"),
        (0, unaligned, (TypeError, ValueError), "argument 0 must"),
        (0, lambda a: a[None], ValueError, "argument 0 must have 2 axes"),
        (2, lambda a: a[:, :3].copy(), ValueError, "axis 1 of argument 2 must be 4 long"),
        (4, lambda a: np.empty((2, 2)), ValueError, "axis 0 of argument 4 must be 3 long"),
        (1, lambda a: np.full((3, 4), 0.5), ValueError, "outside its range"),
        (5, lambda a: -1, ValueError, "outside its range"),
        (6, lambda a: 4, ValueError, "outside its range"),
        (8, lambda a: 3, ValueError, "outside its range"),
        (6, lambda a: 2**70, OverflowError, "int"),
        (6, lambda a: "3", TypeError, "integer"),
        (10, lambda a: "0", TypeError, "real number"),
    ],
)
def test_wrong_arguments_are_refused(at, change, error, message):
    given = values()
    given[at] = change(given[at])
    with pytest.raises(error, match=message):
        kernels.log_product(*given)


def test_wrong_numbers_of_arguments_are_refused():
    for given in (values()[:-1], [*values(), 1], []):
        with pytest.raises(TypeError, match=r"expected 11 arguments\. Received: \d+"):
            kernels.log_product(*given)


@pytest.mark.parametrize(("start", "end"), [(1, 4), (-64, 4), (0, 5), (0, 3), (64, 4)])
def test_strips_of_gradients_begin_and_end_where_they_may(start, end):
    y, _, beta, _, grad, *_ = values()
    with pytest.raises(ValueError, match="outside its range"):
        kernels.gradients(y, None, beta, None, grad, y.copy(), beta.copy(), start, end, 0, 2.0**-53)


def test_variants_give_the_same_bits():
    """Those of other processors are compared by ``make widths``."""
    best = kernels.variants[-1]
    want = shapes.digest(kernels)
    try:
        for variant in kernels.variants:
            kernels.use(variant)
            assert shapes.digest(kernels) == want, variant
    finally:
        kernels.use(best)


@pytest.mark.parametrize("name", ["x86-64-v9", 3, None])
def test_variants_that_are_not_there_are_refused(name):
    with pytest.raises(ValueError, match="no variant"):
        kernels.use(name)

"""The sequential codes by kernels and by array operations: the same spikes."""

import numpy as np
import pytest

from synann_core.native.host import kernels, serves_unwatched
from synann_core.spiking.codes.contrast import step_forward_encode
from synann_core.spiking.codes.deconvolution import bsa_encode

pytestmark = pytest.mark.kernel_branches

KINDS = [np.float32, np.float64]
SHAPES = [(1,), (50,), (50, 0), (40, 3), (30, 2, 5)]


def signals(shape, kind):
    """Walks on a grid on which all sums are exact, so that ties are ties."""
    steps = np.random.default_rng(len(shape)).integers(-3, 4, shape)
    return np.abs(np.cumsum(steps, axis=0) / 8).astype(kind)


def both(monkeypatch, encode, *arguments, **options):
    got = encode(*arguments, **options)
    with monkeypatch.context() as patched:
        patched.setenv("SYNANN_KERNELS", "off")
        assert not serves_unwatched(np, *arguments[:2])
        want = encode(*arguments, **options)
    assert got.dtype == want.dtype
    assert np.array_equal(got, want)
    return got


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_step_forward(monkeypatch, shape, kind):
    x = signals(shape, kind)
    threshold = np.full(shape[-1:] if len(shape) > 1 else (), 0.25, kind)
    spikes = both(monkeypatch, step_forward_encode, x, threshold)
    assert spikes.size < 20 or set(np.unique(spikes)) == {-1.0, 0.0, 1.0}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("end", ["silent", "partial"])
@pytest.mark.parametrize(("rule", "threshold"), [("difference", 0.25), ("ratio", 0.75)])
def test_bsa(monkeypatch, shape, kind, end, rule, threshold):
    x, kernel = signals(shape, kind), np.array([0.25, 0.5, 0.25, 0.125], kind)
    before = x.copy()
    spikes = both(monkeypatch, bsa_encode, x, kernel, threshold, rule=rule, end=end)
    assert spikes.size < 20 or set(np.unique(spikes)) == {0.0, 1.0}
    assert np.array_equal(x, before)


def test_kernels_refuse_arrays_that_do_not_belong_together():
    with pytest.raises(ValueError, match="long"):
        kernels.step_forward(np.ones((3, 2)), np.ones(3), np.ones((3, 2)))
    with pytest.raises(ValueError, match="long"):
        kernels.bsa(np.ones((3, 2)), np.ones(2), np.ones((2, 2)), 1.0, 0, 0)

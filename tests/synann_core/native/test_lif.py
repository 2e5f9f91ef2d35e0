"""The kernels of LIF neurons, called as their host calls them."""

import numpy as np
import pytest

from synann_core.native.host import kernels

STEPS, ROWS = 3, 5
# gain, rest, value of the reset, subtract, to that value, both at once, ">=", delayed
OPTIONS = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, False, False)


def neurons(n, kind=np.float64, synapse=False):
    """Currents, m, s, y, decay, threshold and synaptic decay."""
    rng = np.random.default_rng(n)
    state = [rng.random((ROWS, n)).astype(kind) for _ in range(3)]
    state[1] = np.round(state[1])
    y, decay = (state[2], np.full(n, 0.5, kind)) if synapse else (None, None)
    parameters = (np.full(n, 0.9, kind), np.full(n, 0.7, kind), decay)
    return (rng.random((STEPS, ROWS, n)).astype(kind), *state[:2], y, *parameters)


def forward(given, part=(0, ROWS), options=OPTIONS):
    """Potentials, spikes, m, s and y after the last step."""
    every, one = given[0].shape, given[1].shape
    shapes = (every, every, one, one)
    out = [np.full(shape, np.nan, given[0].dtype) for shape in shapes]
    out.append(None if given[3] is None else np.full(one, np.nan, given[0].dtype))
    kernels.lif_forward(*given, *out, *options, *part)
    return out


def backward(given, surrogate=(0, 1.0, 1.0), part=(0, ROWS, 0), options=OPTIONS):
    """Gradients of currents, m, s, y and sums of those of the parameters, for spikes' of 1."""
    every, one, kind = given[0].shape, given[1].shape, given[0].dtype
    potential = forward(given, options=options)[0]
    out = [np.full(shape, np.nan, kind) for shape in (every, one, one)]
    out.append(None if given[3] is None else np.full(one, np.nan, kind))
    out.append(np.zeros((2, 3, one[1]), kind))
    upstream = (np.ones(every, kind), None, None, None, None)
    numbers = (*options, *surrogate, True, True, *part)
    kernels.lif_backward(*given, potential, *upstream, *out, *numbers)
    return out


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 7, 16, 19])
@pytest.mark.parametrize("synapse", [False, True])
def test_a_neuron_charges_fires_and_is_reset(kind, n, synapse):
    given = neurons(n, kind, synapse)
    currents, m, s, y, decay, threshold, synaptic = given
    potential, spikes, m_out, s_out, y_out = forward(given)
    for t in range(STEPS):
        y = synaptic * y + currents[t] if synapse else currents[t]
        m = decay * m + y - s * threshold
        s = (m > threshold).astype(kind)
        assert np.allclose(potential[t], m, rtol=1e-5)
        assert np.array_equal(spikes[t], s)
    assert np.array_equal(m_out, potential[-1])
    assert np.array_equal(s_out, spikes[-1])
    assert y_out is None or np.allclose(y_out, y, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 7, 19])
def test_neurons_and_rows_have_the_same_bits_alone_and_among_others(n):
    given = neurons(n, synapse=True)
    whole = [*forward(given), *backward(given)]
    for k in range(n):
        alone = tuple(a[..., k : k + 1].copy() for a in given)
        for a, b in zip([*forward(alone), *backward(alone)], whole, strict=True):
            assert np.array_equal(a, b[..., k : k + 1])


def test_a_part_leaves_the_other_rows_alone():
    given = neurons(4, synapse=True)
    whole = [*forward(given), *backward(given)[:4]]
    part = [*forward(given, (1, 3)), *backward(given, part=(1, 3, 1))[:4]]
    for a, b in zip(part, whole, strict=True):
        assert np.array_equal(a[..., 1:3, :], b[..., 1:3, :])
        assert np.isnan(a[..., :1, :]).all()
        assert np.isnan(a[..., 3:, :]).all()
    sums = backward(given, part=(1, 3, 1))[4]
    assert not sums[0].any()
    assert sums[1].all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(("surrogate", "shape"), [(2, "sigmoid"), (5, "gaussian")])
def test_exponentials_of_surrogates(kind, surrogate, shape):
    z = np.linspace(-200, 200, 1001).astype(kind)[None]
    zero = np.zeros_like(z)
    given = (z[None], zero, zero, None, zero[0], zero[0], None)
    options = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False, False)
    got = np.empty_like(z[None])
    out = (got, zero.copy(), zero.copy(), None, np.zeros((1, 3, z.size), kind))
    upstream = (np.ones_like(got), None, None, None, None)
    numbers = (*options, surrogate, 1.0, 1.0, False, False, 0, 1, 0)
    kernels.lif_backward(*given, z[None], *upstream, *out, *numbers)
    exact = np.abs(z.astype(np.longdouble))
    e = np.exp(-exact)
    want = 4 * e / (1 + e) ** 2 if shape == "sigmoid" else np.exp(-exact * exact / 2)
    info = np.finfo(kind)
    # The Gaussian's exponent is rounded, which counts the more the larger it is.
    slack = 8 if shape == "sigmoid" else 2 + np.minimum(exact**2 / 2, -np.log(info.tiny))
    error = np.abs(got[0] - want)
    assert np.all(error <= slack * info.eps * want + 2 * info.smallest_subnormal)


@pytest.mark.parametrize("part", [(-1, ROWS, 0), (0, ROWS + 1, 0), (0, ROWS, 2), (0, ROWS, -1)])
def test_rows_and_parts_that_are_not_there_are_refused(part):
    given = neurons(2)
    if part[2] == 0:
        with pytest.raises(ValueError, match="outside its range"):
            forward(given, part[:2])
    with pytest.raises(ValueError, match="outside its range"):
        backward(given, part=part)


def test_currents_of_other_steps_and_half_a_synapse_are_refused():
    given = list(neurons(2))
    out = [np.empty((STEPS + 1, ROWS, 2)) for _ in range(2)]
    state = [np.empty((ROWS, 2)) for _ in range(2)]
    with pytest.raises(ValueError, match="outside its range"):
        kernels.lif_forward(*given, *out, *state, None, *OPTIONS, 0, ROWS)
    given[6] = np.ones(2)
    with pytest.raises(ValueError, match="outside its range"):
        forward(given)

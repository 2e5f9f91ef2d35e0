"""The kernels of LIF neurons, called as their host calls them."""

import numpy as np
import pytest

from synann_core.native.host import kernels
from tests.helpers import EPS, assert_close

STEPS, ROWS = 3, 5
# gain, rest, value of the reset, subtract, to that value, both at once, adaptation and its decay,
# when it fires (0 above, 1 at the threshold as well, 2 never), delayed
OPTIONS = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.25, 0.5, 0, False)


def neurons(n, kind=np.float64, synapse=False, recurrent=False):
    """Currents, m, y, s, adaptation, decay, threshold, synaptic decay and weights [from, to]."""
    rng = np.random.default_rng(n)
    state = [rng.random((ROWS, n)).astype(kind) for _ in range(3)]
    state[1] = np.round(state[1])
    m, s, other = state
    y, a, decay = (other, other / 8, np.full(n, 0.5, kind)) if synapse else (None, None, None)
    weights = rng.integers(-8, 8, (n, n)).astype(kind) / 8 if recurrent else None
    parameters = (np.full(n, 0.9, kind), np.full(n, 0.7, kind), decay, weights)
    return (rng.random((STEPS, ROWS, n)).astype(kind), m, y, s, a, *parameters)


def forward(given, part=(0, ROWS), options=OPTIONS, columns=None):
    """Potentials, spikes, m, y, s and adaptation after the last step."""
    out = [np.full(given[0].shape, np.nan, given[0].dtype) for _ in range(2)]
    out += [None if a is None else np.full_like(a, np.nan) for a in given[1:5]]
    kernels.lif_forward(*given, *out, *options, *part, *(columns or (0, given[0].shape[2])))
    return out


def backward(
    given, surrogate=(0, 1.0, 1.0), part=(0, ROWS, 0), options=OPTIONS, columns=None, steps=STEPS
):
    """Gradients of currents, m, y, s, a, spikes before each step, sums; for spikes' of 1."""
    every, kind, weights = given[0].shape, given[0].dtype, given[8]
    potential = forward(given, options=options)[0]
    out = [None if a is None else np.full_like(a, np.nan) for a in given[:5]]
    out.append(None if weights is None else np.full(every, np.nan, kind))
    out.append(np.zeros((2, 3, every[2]), kind))
    back = None if weights is None else np.ascontiguousarray(weights.T)
    upstream = (np.ones((steps, *every[1:]), kind), None, None, None, None, None, back)
    *rows, place = part
    numbers = (*options, *surrogate, True, True, *rows, *(columns or (0, every[2])), place)
    kernels.lif_backward(*given, potential, *upstream, *out, *numbers)
    return out


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 7, 16, 19])
@pytest.mark.parametrize("synapse", [False, True])
@pytest.mark.parametrize("recurrent", [False, True])
def test_a_neuron_charges_fires_and_is_reset(kind, n, synapse, recurrent):
    given = neurons(n, kind, synapse, recurrent)
    currents, m, y, s, a, decay, threshold, synaptic, weights = given
    potential, spikes, m_out, y_out, s_out, a_out = forward(given)
    for t in range(STEPS):
        current = currents[t] + s @ weights if recurrent else currents[t]
        y = synaptic * y + current if synapse else current
        m = decay * m + y - s * threshold
        s = (m > threshold + (0.25 * a if synapse else 0)).astype(kind)
        a = 0.5 * a + s if synapse else None
        assert_close(potential[t], m, 20 * EPS[np.dtype(kind).name])
        assert np.array_equal(spikes[t], s)
    assert np.array_equal(m_out, potential[-1])
    assert np.array_equal(s_out, spikes[-1])
    assert y_out is None or np.allclose(y_out, y, rtol=1e-5)
    assert a_out is None or np.allclose(a_out, a, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 7, 19])
def test_bits_do_not_depend_on_other_neurons_and_rows(n):
    given = neurons(n, synapse=True)
    whole = [*forward(given), *backward(given)]
    for k in range(n):
        alone = tuple(None if a is None else a[..., k : k + 1].copy() for a in given)
        for a, b in zip([*forward(alone), *backward(alone)], whole, strict=True):
            assert b is None or np.array_equal(a, b[..., k : k + 1])


def test_a_part_leaves_the_other_rows_alone():
    given = neurons(4, synapse=True, recurrent=True)
    whole = [*forward(given), *backward(given)[:6]]
    part = [*forward(given, (1, 3)), *backward(given, part=(1, 3, 1))[:6]]
    for a, b in zip(part, whole, strict=True):
        assert np.array_equal(a[..., 1:3, :], b[..., 1:3, :])
        assert np.isnan(a[..., :1, :]).all()
        assert np.isnan(a[..., 3:, :]).all()
    sums = backward(given, part=(1, 3, 1))[6]
    assert not sums[0].any()
    assert sums[1].all()


@pytest.mark.parametrize("n", [5, 19])
def test_some_neurons_leave_the_others_alone(n):
    given, some = neurons(n, synapse=True), slice(2, 4)
    whole = [*forward(given), *backward(given)]
    part = [*forward(given, columns=(2, 4)), *backward(given, columns=(2, 4))]
    for a, b in zip(part[:-2], whole[:-2], strict=True):
        assert np.array_equal(a[..., some], b[..., some])
        assert np.isnan(np.delete(a, some, axis=-1)).all()
    assert part[-2] is None
    assert np.array_equal(part[-1][..., some], whole[-1][..., some])
    assert not np.delete(part[-1], some, axis=-1).any()


def test_a_gradient_of_one_step_stands_for_all():
    given = neurons(3, synapse=True)
    for a, b in zip(backward(given), backward(given, steps=1), strict=True):
        assert a is b is None or np.array_equal(a, b)
    with pytest.raises(ValueError, match="outside its range"):
        backward(given, steps=STEPS - 1)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(("surrogate", "shape"), [(2, "sigmoid"), (5, "gaussian")])
def test_exponentials_of_surrogates(kind, surrogate, shape):
    z = np.linspace(-200, 200, 1001).astype(kind)[None]
    zero = np.zeros_like(z)
    given = (z[None], zero, None, zero, None, zero[0], zero[0], None, None)
    options = (1.0, *[0.0] * 8, 0, False)
    got = np.empty_like(z[None])
    out = (got, zero.copy(), None, zero.copy(), None, None, np.zeros((1, 3, z.size), kind))
    upstream = (np.ones_like(got), *[None] * 6)
    numbers = (*options, surrogate, 1.0, 1.0, False, False, 0, 1, 0, z.size, 0)
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


@pytest.mark.parametrize("columns", [(-1, 2), (0, 4), (2, 1)])
def test_neurons_that_are_not_there_are_refused(columns):
    for function in (forward, backward):
        with pytest.raises(ValueError, match="outside its range"):
            function(neurons(3), columns=columns)


def test_some_of_connected_neurons_are_refused():
    for function in (forward, backward):
        with pytest.raises(ValueError, match="outside its range"):
            function(neurons(3, recurrent=True), columns=(0, 2))


def test_currents_of_other_steps_and_half_a_synapse_are_refused():
    given = list(neurons(2))
    out = [np.empty((STEPS + 1, ROWS, 2)) for _ in range(2)]
    m, s = (np.empty((ROWS, 2)) for _ in range(2))
    with pytest.raises(ValueError, match="outside its range"):
        kernels.lif_forward(*given, *out, m, None, s, None, *OPTIONS, 0, ROWS, 0, 2)
    given[7] = np.ones(2)
    with pytest.raises(ValueError, match="outside its range"):
        forward(given)


@pytest.mark.parametrize("fires", [-1, 3, 1 << 40])
def test_an_unknown_way_to_fire_is_refused(fires):
    options = (*OPTIONS[:-2], fires, False)
    with pytest.raises(ValueError, match="outside its range"):
        forward(neurons(2), options=options)


def test_weights_on_the_way_forward_only_are_refused():
    given, kind = neurons(2, recurrent=True), np.float64
    potential, spikes, *state = forward(given)
    out = [np.empty_like(potential), *(None if a is None else a.copy() for a in state)]
    upstream = (np.ones_like(spikes), *[None] * 6)
    numbers = (*OPTIONS, 0, 1.0, 1.0, True, True, 0, ROWS, 0, 2, 0)
    with pytest.raises(ValueError, match="outside its range"):
        kernels.lif_backward(
            *given, potential, *upstream, *out, None, np.zeros((1, 3, 2), kind), *numbers
        )

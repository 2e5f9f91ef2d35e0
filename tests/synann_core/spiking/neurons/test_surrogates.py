"""Surrogate gradients: the formulas, their ends, and that they are never NaN."""

import numpy as np
import pytest
from scipy import integrate

import reference.spiking as slow
from synann_core.spiking import (
    Surrogate,
    arctan,
    boxcar,
    fast_sigmoid,
    gaussian,
    sigmoid,
    straight_through,
    superspike,
    triangle,
)
from synann_core.spiking.neurons.surrogates import SHAPES
from tests.helpers import EPS, assert_close

DEFAULTS = [fast_sigmoid(), superspike(), arctan(), sigmoid(), triangle(), boxcar(), gaussian()]
POINTS = np.array([0.0, 1e-6, 0.01, 0.04, 0.3, 0.5, 0.7, 1.0, 3.0, 25.0])


@pytest.mark.jax_alternates
@pytest.mark.parametrize("shape", SHAPES)
def test_formulas(xp, dtype, shape):
    size = (0.25, 3.0)
    u = np.concatenate([-POINTS, POINTS])
    result = xp.call(Surrogate(shape, *size), xp.asarray(u, dtype))
    xp.check(result, dtype, u.shape)
    rounded = u.astype(dtype).astype(float)
    want = [slow.surrogate(shape, *size, value) for value in rounded]
    # z² or e^z magnify the rounding of z by 2z or z: relative to the height, a few eps.
    assert_close(xp.to_numpy(result), want, 8 * EPS[dtype], scale=size[1])


@pytest.mark.jax_alternates
@pytest.mark.parametrize("surrogate", [*DEFAULTS, straight_through()], ids=str)
def test_finite_everywhere(xp, dtype, surrogate):
    sizes = np.array([*10.0 ** np.arange(-40, 5), np.inf])
    u = np.concatenate([-sizes, sizes])
    result = xp.to_numpy(xp.call(surrogate, xp.asarray(u, dtype)))
    assert np.isfinite(result).all()  # also for infinite membranes
    assert (result >= 0).all()
    assert result.max() <= surrogate.height * (1 + 4 * EPS[dtype])


@pytest.mark.parametrize("surrogate", DEFAULTS, ids=str)
def test_height_at_the_threshold_and_symmetry(surrogate):
    assert float(surrogate(np.zeros(1))[0]) == surrogate.height
    u = np.linspace(0.001, 3, 50)
    np.testing.assert_array_equal(surrogate(u), surrogate(-u))
    assert (np.diff(surrogate(u)) <= 0).all()


def test_the_sigmoid_is_the_derivative_of_a_sigmoid():
    u = np.linspace(-0.5, 0.5, 101)
    p = 1 / (1 + np.exp(-25 * u))
    assert_close(sigmoid()(u), 25 * p * (1 - p), 1e-14)


@pytest.mark.parametrize("surrogate", [arctan(), boxcar(), triangle(), sigmoid()], ids=str)
def test_default_areas_are_one(surrogate):
    half, _ = integrate.quad(lambda u: float(surrogate(u)), 0, 0.5)
    rest, _ = integrate.quad(lambda u: float(surrogate(u)), 0.5 + 1e-12, np.inf)
    assert half + rest == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"shape": "tanh"}, "`shape` must be one of"),
        ({"shape": "arctan", "width": 0.0}, r"`width` must be in \(0, inf\)"),
        ({"shape": "arctan", "height": float("inf")}, r"`height` must be in \(0, inf\)"),
    ],
)
def test_errors(options, text):
    with pytest.raises(ValueError, match=text):
        Surrogate(**options)


def test_a_width_is_a_number():
    with pytest.raises(TypeError, match="`width` must be a number"):
        Surrogate("arctan", width="1")


def test_a_surrogate_of_integers_is_refused():
    with pytest.raises(TypeError, match="`u` must have a real floating-point dtype"):
        arctan()(np.arange(3))

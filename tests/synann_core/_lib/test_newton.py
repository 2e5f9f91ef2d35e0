"""Newton's steps between bounds, against the conditions of a minimum and SciPy."""

import numpy as np
import pytest
from scipy.optimize import minimize

from synann_core._lib import newton


class Exponentials:
    """A convex function: Σ exp(A c) − b c."""

    def __init__(self, seed, size=6):
        rng = np.random.default_rng(seed)
        self.a = rng.random((20, size))
        self.b = self.a.T @ (3 * rng.random(20))  # so that there is a minimum

    def __call__(self, c):
        with np.errstate(over="ignore"):
            e = np.exp(self.a @ c)
        return float(e.sum() - self.b @ c), self.a.T @ e - self.b

    def curvature(self, c):
        return (self.a.T * np.exp(self.a @ c)) @ self.a


def between(low, high):
    return lambda c: (np.full(len(c), low), np.full(len(c), high))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("low", "high"), [(0.0, 12.0), (-np.inf, np.inf), (-0.1, 0.2)])
def test_minima_are_those_of_scipy(seed, low, high):
    function = Exponentials(seed)
    start = np.zeros(6)
    options = {"iterations": 100, "close": 1e-12, "ridge": 1e-10}
    found, steps = newton.minimise(function, start, between(low, high), **options)
    want = minimize(
        function, start, jac=True, bounds=[(low, high)] * 6, method="L-BFGS-B", tol=1e-12
    )
    assert function(found)[0] <= want.fun + 1e-8
    assert steps < 30
    assert (found >= low).all()
    assert (found <= high).all()
    _, gradient = function(found)
    inside = (found > low) & (found < high)
    assert np.abs(gradient[inside]).max(initial=0.0) < 1e-4
    assert (gradient[found == low] >= -1e-6).all()
    assert (gradient[found == high] <= 1e-6).all()


def test_a_step_reaches_the_minimum_of_a_quadratic():
    information, gradient = np.diag([2.0, 4.0, 1.0]), np.array([-2.0, 4.0, -30.0])
    low, high = np.array([-9.0, -0.5, -9.0]), np.array([9.0, 9.0, 5.0])
    step = newton.bounded_step(information, gradient, low, high, 0.0)
    np.testing.assert_allclose(step, [1.0, -0.5, 5.0])


def test_directions_without_curvature_are_held():
    """Two equal columns: the solution that the ridge chooses is their mean."""
    function = Exponentials(0, 4)
    function.a[:, 1], function.b[1] = function.a[:, 0], function.b[0]
    options = {"iterations": 100, "close": 1e-12, "ridge": 1e-7}
    found, _ = newton.minimise(function, np.zeros(4), between(-50.0, 50.0), **options)
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_the_number_of_steps_is_bounded():
    function = Exponentials(0)
    options = {"close": 1e-12, "ridge": 1e-10}
    start = np.zeros(6)
    one, steps = newton.minimise(function, start, between(0, 9.0), iterations=1, **options)
    assert steps == 1
    assert function(one)[0] < function(start)[0]
    again, none = newton.minimise(function, start, between(0, 9.0), iterations=0, **options)
    assert none == 0
    assert again is start


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e12, 1e18])
def test_rounding_ends_the_search(scale):
    """Of a large function a step promises more than `close` by its gradient's rounding alone."""

    class Large(Exponentials):
        def __call__(self, c):
            value, gradient = super().__call__(c)
            return scale * value, scale * gradient

        def curvature(self, c):
            return scale * super().curvature(c)

    for seed in range(20):
        function, free = Large(seed), between(-np.inf, np.inf)
        options = {"iterations": 100, "close": 1e-10, "ridge": 1e-7}
        found, steps = newton.minimise(function, np.zeros(6), free, **options)
        assert steps < 20
        assert np.abs(function(found)[1]).max() < 1e-4 * scale

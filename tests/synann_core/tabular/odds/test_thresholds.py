"""Measurements become findings."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from synann_core.tabular import SoftThresholds


def test_findings_lie_between_the_means_of_the_classes():
    data = load_breast_cancer()
    x, event = data.data, (data.target == 0).astype(float)
    findings = SoftThresholds.from_training(x, event)
    assert ((y := findings(x)) >= 0).all()
    assert (y <= 1).all()
    for k, side in ((1, 1), (0, -1)):  # whichever way round the measurement goes
        assert (side * (findings(x[event == k].mean(axis=0)) - 0.5) > 0).all()
    middle = (x[event == 1].mean(axis=0) + x[event == 0].mean(axis=0)) / 2
    np.testing.assert_allclose(findings(middle), 0.5)


def test_a_measurement_that_never_changes_is_no_finding():
    findings = SoftThresholds.from_training(np.ones((4, 1)), np.array([0.0, 0.0, 1.0, 1.0]))
    np.testing.assert_array_equal(findings(np.ones((1, 1))), [[0.5]])


@pytest.mark.parametrize(
    ("measurements", "event", "message"),
    [
        (np.ones(4), [0, 0, 1, 1], r"`measurements` must have shape \(samples, measurements\)"),
        (
            np.full((4, 1), np.inf),
            [0, 0, 1, 1],
            r"`measurements` must be in \(-inf, inf\)\. Received: inf at \(0, 0\)",
        ),
        (np.ones((4, 1)), [0, 1], r"`event` must have shape \(4,\). Received: shape \(2,\)"),
        (np.ones((4, 1)), [0, 0, 1, 2], "`event` must be 0 or 1. Received: 2"),
        (np.ones((4, 1)), [1, 1, 1, 1], "`event` must hold both 0 and 1"),
    ],
)
def test_bad_samples_are_named(measurements, event, message):
    with pytest.raises(ValueError, match=message):
        SoftThresholds.from_training(measurements, event)


def test_thresholds_are_made_of_lists_and_checked():
    np.testing.assert_array_equal(SoftThresholds([1, 2], [1.0, -1.0])([[1, 2]]), [[0.5, 0.5]])
    for threshold, width, error in (
        ([1.0], [1.0, 2.0], ValueError),
        (1.0, 1.0, ValueError),
        ([1.0], [0.0], ValueError),
        ([np.nan], [1.0], ValueError),
        (["a"], [1.0], TypeError),
    ):
        with pytest.raises(error, match=r"`(threshold|width)`.* must .*Received: "):
            SoftThresholds(threshold, width)


@pytest.mark.parametrize("measurements", [np.ones((3, 2)), np.full((3, 1), np.nan)])
def test_other_measurements_are_refused(measurements):
    findings = SoftThresholds.from_training([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="`measurements` must"):
        findings(measurements)


def test_weights_count_samples_and_gaps_do_not():
    rng = np.random.default_rng(0)
    x, event = rng.normal(size=(60, 2)), np.arange(60) % 2
    x[event == 1] += 1.0
    weight = np.arange(60) // 2 % 3
    at = np.repeat(np.arange(60), weight)
    weighted = SoftThresholds.from_training(x, event, sample_weight=weight)
    repeated = SoftThresholds.from_training(x[at], event[at])
    gaps = np.where(weight[:, None] > 0, np.repeat(x, 1, axis=0), np.nan)
    known = SoftThresholds.from_training(x[weight > 0], event[weight > 0])
    for one, other in ((weighted, repeated), (SoftThresholds.from_training(gaps, event), known)):
        np.testing.assert_allclose(one.threshold, other.threshold)
        np.testing.assert_allclose(one.width, other.width)


@pytest.mark.parametrize("unit", [1e-310, 1e-13, 2e307])
def test_findings_do_not_depend_on_the_unit(unit):
    rng = np.random.default_rng(0)
    event = np.arange(60) % 2
    x = np.clip(rng.normal(event[:, None], 1.0, (60, 2)), -8.0, 8.0)
    x[:, 1] = event * 16.0 - 8.0  # (the classes have no spread)
    want = SoftThresholds.from_training(x, event)(x)
    found = SoftThresholds.from_training(x * unit, event)(x * unit)
    np.testing.assert_allclose(found, want, rtol=1e-9)


def test_places_beyond_float64_are_certain():
    most = np.finfo(np.float64).max
    findings = SoftThresholds([-most, 1e300], [most, 1e-300])
    assert findings([[most, 1e299]]).round(3).tolist() == [[0.982, 0.0]]
    whole = SoftThresholds.from_training([[most], [-most], [most], [-most]], [0, 0, 1, 1])
    np.testing.assert_allclose(whole([[0.0]]), 0.5)
    assert SoftThresholds.from_training([[most], [most]], [0, 1]).threshold == most

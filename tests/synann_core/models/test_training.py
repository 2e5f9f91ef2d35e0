"""The loop over epochs and batches, with a model of one number that a step counts up."""

import contextlib

import numpy as np
import pytest
import torch

from synann_core import optim
from synann_core.models import training
from synann_core.models.training import (
    Options,
    Step,
    batch_slices,
    check_finite,
    epochs,
    like,
    weights_like,
)
from tests.helpers import make_backend

LABELS = np.array([0, 1, 1, 0, 1, 0, 1])


class Model:
    """Keeps every weights it was given; a step adds 1 and predicts class 1."""

    def __init__(self):
        self.given, self.rows, self.rates = [], [], []

    def __setattr__(self, name, value):
        if name == "weights":
            self.given.append(float(value["w"]))
        object.__setattr__(self, name, value)

    def step(self, weights, state, rows, rate):
        self.rows.append(rows)
        self.rates.append(rate)
        scores = np.tile([0.0, 1.0], (rows.size, 1))
        return Step(np.asarray(float(rows.size)), scores, {"w": weights["w"] + 1.0}, state + 1)


def train(model, options, step=None, **score):
    start = {"w": np.asarray(0.0)}
    return epochs(model, step or model.step, start, 0, LABELS, options, **score)[0]


def options(number=2, size=3, **given):
    return Options(number, size, optim.SGD(0.5), **given)


def test_an_epoch_sees_every_sample_once_in_a_new_order():
    model = Model()
    train(model, options(rng=1))
    assert [rows.size for rows in model.rows] == [3, 3, 1] * 2
    first, second = (np.concatenate(model.rows[k : k + 3]) for k in (0, 3))
    for order in (first, second):
        np.testing.assert_array_equal(np.sort(order), np.arange(7))
    assert not np.array_equal(first, second)
    again = Model()
    train(again, options(rng=np.random.default_rng(1)))
    np.testing.assert_array_equal(np.concatenate(again.rows), np.concatenate(model.rows))


@pytest.mark.parametrize(("rows_each", "multiplications"), [(1, 3 * 20), (9, 9 * 3 * 20)])
def test_blas_is_told_the_largest_product_of_a_step(monkeypatch, rows_each, multiplications):
    told = []

    @contextlib.contextmanager
    def limit(*given):
        told.append(given)
        yield
        told.append("lifted")

    monkeypatch.setattr(training, "blas_threads_for", limit)
    start = {"w": np.asarray(0.0), "a": np.ones((4, 5)), "b": np.ones(99), "c": np.ones((2, 3))}
    model = Model()
    epochs(
        model,
        lambda weights, *rest: model.step(weights, *rest)._replace(weights=weights),
        *(start, 0, LABELS, options(number=1)),
        score=lambda: told.append("scored") or 0.0,
        rows_each=rows_each,
    )
    assert told == [(multiplications, np), "lifted", "scored"]


def test_history_weighs_batches_by_their_size():
    scores = iter([0.25, 0.75])
    history = train(Model(), options(), score=lambda: next(scores))
    assert history["loss"] == [pytest.approx((9 + 9 + 1) / 7)] * 2
    assert history["accuracy"] == [4 / 7] * 2
    assert history["val_accuracy"] == [0.25, 0.75]
    assert train(Model(), options(number=0)) == {}


def test_weights_are_given_back_once_an_epoch():
    model = Model()
    train(model, options(number=3))
    assert model.given == [3.0, 6.0, 9.0]

    def interrupt(entry):
        raise KeyboardInterrupt

    model = Model()
    with pytest.raises(KeyboardInterrupt):
        train(model, options(number=3, callback=interrupt))
    assert model.given == [3.0]


def test_callbacks_hear_of_epochs_and_batches():
    entries, batches = [], []
    train(Model(), options(callback=entries.append, progress=lambda *a: batches.append(a)))
    assert [sorted(entry) for entry in entries] == [["accuracy", "loss"]] * 2
    assert batches == [(3, 3.0), (3, 3.0), (1, 1.0)] * 2


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1.0] * 6),
        ("cosine", [optim.cosine(k / 6) for k in range(6)]),
        (lambda progress: np.float64(progress), [k / 6 for k in range(6)]),
        (lambda progress: torch.tensor(progress), [k / 6 for k in range(6)]),
        (lambda progress: np.asarray(progress), [k / 6 for k in range(6)]),
        (lambda progress: 2, [2.0] * 6),
    ],
)
def test_the_rate_follows_the_schedule(schedule, factors):
    model = Model()
    train(model, options(schedule=schedule))
    assert model.rates == pytest.approx([0.5 * factor for factor in factors])
    assert {type(rate) for rate in model.rates} == {float}


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (None, TypeError, r"`schedule\(0.5\)` must be a number. Received: None"),
        ([1.0], TypeError, r"`schedule\(0.5\)` must be a number. Received: \[1.0\]"),
        (float("inf"), ValueError, r"`schedule\(0.5\)` must be in .*Received: inf"),
    ],
)
def test_a_schedule_returns_numbers(value, error, message):
    model = Model()
    with pytest.raises(error, match=message):
        train(model, options(schedule=lambda progress: 1.0 if progress < 0.5 else value))
    assert len(model.given) <= 1


def test_a_training_that_diverges_keeps_the_last_epoch():
    model = Model()

    def step(weights, state, rows, rate):
        done = model.step(weights, state, rows, rate)
        bad = {"w": done.weights["w"] / (float(done.weights["w"]) < 5)}
        return done._replace(weights=bad)

    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=r"weights finite.*SGD"):
        train(model, options(), step)
    assert model.given == [3.0]


@pytest.mark.parametrize(
    ("samples", "size", "least", "want"),
    [
        (7, 3, 1, [3, 3, 1]),
        (7, 3, 2, [3, 4]),
        (6, 3, 2, [3, 3]),
        (1, 3, 2, [1]),
        (0, 3, 1, []),
        (5, 9, 2, [5]),
    ],
)
def test_batches_cover_all_samples(samples, size, least, want):
    slices = batch_slices(samples, size, least)
    assert [s.stop - s.start for s in slices] == want
    assert [k for s in slices for k in range(s.start, s.stop)] == list(range(samples))


BAD = [
    ({"number": -1}, ValueError, "`epochs` must be at least 0. Received: -1"),
    ({"number": 1.0}, TypeError, "`epochs` must be an int. Received: 1.0"),
    ({"size": 1, "least": 2}, ValueError, "`batch_size` must be at least 2. Received: 1"),
    ({"callback": 3}, TypeError, "`callback` must be callable. Received: 3"),
    ({"progress": "yes"}, TypeError, "`progress` must be callable. Received: 'yes'"),
    ({"schedule": "linear"}, ValueError, "`schedule` must be one of .* Received: 'linear'"),
    ({"rng": -1}, ValueError, "`rng` must not be negative. Received: -1"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD)
def test_options_out_of_range_are_named(given, error, message):
    with pytest.raises(error, match=message):
        options(**given)
    with pytest.raises(TypeError, match=r"`optimizer` must be an SGD.* Received: 'adam'"):
        Options(1, 1, "adam")


def test_arrays_become_those_of_the_data(xp, dtype):
    reference = xp.asarray([0.0], dtype)
    names = xp._namespace()
    xp.check(like(np.arange(3.0), reference, names), dtype, (3,))
    xp.check(like(xp.asarray([1.0, 2.0]), reference, names), dtype, (2,))
    with make_backend("torch") as torch:
        xp.check(like(torch.asarray([1.0]), reference, names), dtype, (1,))


def test_weights_are_finite_or_refused(xp):
    names, rule = xp._namespace(), optim.Adam()
    check_finite({"a": xp.asarray([1.0])}, rule, names)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"`optimizer` must keep .* Received: Adam\("):
            check_finite({"a": xp.asarray([1.0]), "b": xp.asarray([bad])}, rule, names)


def test_weights_are_checked_before_they_are_used(xp, dtype):
    reference, names = xp.asarray([0.0], dtype), xp._namespace()
    given = {"a": np.ones(2), "b": xp.asarray([[1.0, 2.0]]), "c": "of no use"}
    found = weights_like(given, {"a": (2,), "b": (1, 2)}, reference, names)
    assert found.keys() == {"a", "b"}
    xp.check(found["a"], dtype, (2,))
    xp.check(found["b"], dtype, (1, 2))


def test_weights_of_bfloat16_are_numbers():
    import jax

    half = np.asarray(jax.numpy.asarray([0.5, 1.5], "bfloat16"))
    found = weights_like({"a": half}, {"a": (2,)}, np.ones(1), np)["a"]
    np.testing.assert_array_equal(found, [0.5, 1.5])


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1.0], TypeError, r"`weights` must be a dict of arrays. Received: \[1.0\]"),
        ({}, ValueError, r"`weights` must have the names \['a'\]. Received: missing 'a'"),
        ({"a": np.ones(3)}, ValueError, r"weights\['a'\]` must have shape \(2,\).*shape \(3,\)"),
        ({"a": 1.0}, TypeError, r"`weights\['a'\]` must be an array. Received: 1.0"),
        ({"a": [1.0, 2.0]}, TypeError, r"`weights\['a'\]` must be an array"),
        ({"a": np.ma.ones(2)}, TypeError, r"`weights\['a'\]`.*Received: .*MaskedArray"),
        ({"a": np.asarray(["1", "2"])}, TypeError, "must hold real numbers. Received: <U1"),
        ({"a": np.asarray([1, None])}, TypeError, "must hold real numbers. Received: object"),
        ({"a": np.ones(2, complex)}, TypeError, "must hold real numbers. Received: complex128"),
        (
            {"a": np.zeros(2, [("b", float)])},
            TypeError,
            r"must hold real numbers. Received: \[\('b'",
        ),
    ],
)
def test_weights_of_another_kind_are_refused(weights, error, message):
    with pytest.raises(error, match=message):
        weights_like(weights, {"a": (2,)}, np.ones(1), np)

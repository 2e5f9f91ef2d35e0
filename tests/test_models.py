"""SynaMLP as its users see it: the same model on every library, from seeds, with clear errors."""

import numpy as np
import pytest

import synann_core as syn
from synann_core import optim
from tests.helpers import assert_close


def task(samples=60, dtype="float64"):
    """Two features decide between three classes."""
    rng = np.random.default_rng(0)
    X = rng.random((samples, 4)).astype(dtype)
    return X, (X[:, 0] + X[:, 1] > 0.8).astype(int) + (X[:, 0] + X[:, 1] > 1.2)


def trained(backend, dtype="float64", **options):
    X, y = task(dtype=dtype)
    model = syn.SynaMLP(4, 6, 3, dropout=0.2, seed=1, **options)
    history = model.fit(backend.asarray(X, dtype), y, epochs=3, batch_size=16, rng=2)
    return model, history, backend.asarray(X, dtype), y


def same_weights(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("layer", ["synapse", "dense", "none"])
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_every_library_trains_the_same_model(xp, layer, gate):
    model, history, X, _ = trained(xp, layer=layer, gate=gate)
    X0, y0 = task()
    rival = syn.SynaMLP(4, 6, 3, dropout=0.2, seed=1, layer=layer, gate=gate)
    wanted = rival.fit(X0, y0, epochs=3, batch_size=16, rng=2)
    # Twelve steps of Adam magnify rounding: it divides small gradients by their own size.
    assert history["loss"] == pytest.approx(wanted["loss"], rel=1e-8)
    xp.check(model.predict_proba(X), "float64", (60, 3))
    assert_close(xp.to_numpy(model.decision_function(X)), rival.decision_function(X0), 1e-6)
    constant, parts = model.explain(X)
    xp.check(parts, "float64", (60, 3, 6))
    total = xp.to_numpy(constant) + xp.to_numpy(parts).sum(-1)
    assert_close(total, xp.to_numpy(model.decision_function(X)), 1e-12)


def test_output_follows_the_dtype_of_the_data(xp, dtype):
    model, _, X, _ = trained(xp, dtype)
    xp.check(model.decision_function(X), dtype, (60, 3))
    for weight in model.weights.values():
        xp.check(weight, dtype)
    labels = xp.to_numpy(model.predict(X))
    assert labels.dtype.kind == "i"
    probabilities = xp.to_numpy(model.predict_proba(X))
    assert np.array_equal(labels, probabilities.argmax(axis=1))
    assert_close(probabilities.sum(axis=1), np.ones(60), 1e-6)


def test_training_learns_and_continues():
    X, y = task(300)
    model = syn.SynaMLP(4, 16, 3)
    history = model.fit(X, y, epochs=40, batch_size=30, validation=(X[:50], y[:50]))
    assert model.score(X, y) > 0.95
    assert history["val_accuracy"][-1] == model.score(X[:50], y[:50])
    assert [len(v) for v in history.values()] == [40, 40, 40]
    more = model.fit(X, y, epochs=1, optimizer=optim.Adam(1e-4))
    assert more["loss"][0] < history["loss"][0] / 2


def test_the_same_seed_gives_the_same_bits_and_global_state_is_left_alone():
    X, y = task()
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state must stay

    def run(seed, rng):
        model = syn.SynaMLP(4, 6, 3, dropout=0.5, seed=seed)
        model.fit(X, y, epochs=2, batch_size=7, rng=rng)
        return model.weights

    assert same_weights(run(0, 0), run(0, np.random.default_rng(0)))
    assert not same_weights(run(0, 0), run(0, 1))
    assert not same_weights(run(0, 0), run(1, 0))
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("batch_size", [1, 59, 60, 1000])
def test_any_batch_size_works(batch_size):
    X, y = task(60)
    model = syn.SynaMLP(4, 6, 3)
    history = model.fit(X, y, epochs=1, batch_size=batch_size)
    assert np.isfinite(history["loss"][0])
    assert np.isfinite(model.decision_function(X)).all()
    assert model.decision_function(X[:0]).shape == (0, 3)


def test_prediction_does_not_depend_on_batch_mates():
    model, _, X, _ = trained(_Numpy())
    alone = np.concatenate([model.decision_function(row[None]) for row in X])
    # Matrix products may round differently with the batch; nothing else may differ.
    assert_close(alone, model.decision_function(X), 1e-12)


class _Numpy:
    asarray = staticmethod(np.asarray)


def test_augmentation_callback_schedule_and_no_epochs():
    X, y = task()
    seen, entries, asked = [], [], []

    def augment(batch, rng):
        seen.append(batch.shape)
        return np.clip(batch + rng.normal(size=batch.shape, scale=0.01), 0, 1)

    def schedule(progress):
        asked.append(progress)
        return 1.0

    model = syn.SynaMLP(4, 6, 3)
    before = model.weights
    assert model.fit(X, y, epochs=0) == {}
    assert model.weights is before
    model.fit(
        X, y, epochs=2, batch_size=25, augment=augment, callback=entries.append, schedule=schedule
    )
    assert seen == [(25, 4), (25, 4), (10, 4)] * 2
    assert [sorted(entry) for entry in entries] == [["accuracy", "loss"]] * 2
    assert asked == pytest.approx(np.arange(6) / 6)


def test_an_interrupted_fit_keeps_the_last_whole_epoch():
    X, y = task()
    model, rival = syn.SynaMLP(4, 6, 3), syn.SynaMLP(4, 6, 3)

    def interrupt(entry):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, epochs=5, schedule="constant", callback=interrupt)
    rival.fit(X, y, epochs=1, schedule="constant")
    assert same_weights(model.weights, rival.weights)


def changed(X, value):
    X = X.copy()
    X[3, 2] = value
    return X


BAD_DATA = [
    (lambda X, y: (changed(X, np.nan), y), ValueError, "X"),
    (lambda X, y: (changed(X, np.inf), y), ValueError, "X"),
    (lambda X, y: (changed(X, 1.5), y), ValueError, "X"),
    (lambda X, y: (changed(X, -0.1), y), ValueError, "X"),
    (lambda X, y: (X[:, :3], y), ValueError, "X"),
    (lambda X, y: (X[0], y), ValueError, "X"),
    (lambda X, y: (X.astype(int), y), TypeError, "X"),
    (lambda X, y: (X.astype(np.float16), y), TypeError, "X"),
    (lambda X, y: (X.tolist(), y), TypeError, "X"),
    (lambda X, y: (0.5, y), TypeError, "X"),
    (lambda X, y: (X[:0], y[:0]), ValueError, "X"),
    (lambda X, y: (X, y[:-1]), ValueError, "y"),
    (lambda X, y: (X, y[:, None]), ValueError, "y"),
    (lambda X, y: (X, y.astype(float)), TypeError, "y"),
    (lambda X, y: (X, y.tolist()), TypeError, "y"),
    (lambda X, y: (X, y + 1), ValueError, "y"),
    (lambda X, y: (X, y - 1), ValueError, "y"),
]


@pytest.mark.parametrize(("spoil", "error", "name"), BAD_DATA)
def test_bad_data_is_named_and_the_model_is_as_it_was(spoil, error, name):
    X, y = task()
    model = syn.SynaMLP(4, 6, 3)
    before = {k: w.copy() for k, w in model.weights.items()}
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        model.fit(*spoil(X, y))
    with pytest.raises(error, match=rf"`validation {name}`.*Received|`X` must hold samples"):
        model.fit(X, y, validation=spoil(X, y)) if len(spoil(X, y)[1]) else model.fit(X[:0], y[:0])
    assert same_weights(model.weights, before)


@pytest.mark.parametrize(("spoil", "error"), [(s, e) for s, e, n in BAD_DATA[:10]])
def test_prediction_checks_its_data_too(spoil, error):
    X, y = task()
    model = syn.SynaMLP(4, 6, 3)
    for method in (model.predict, model.predict_proba, model.decision_function, model.explain):
        with pytest.raises(error, match=r"`X`.*Received"):
            method(spoil(X, y)[0])


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"epochs": -1}, ValueError, "epochs"),
        ({"epochs": 1.5}, TypeError, "epochs"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"schedule": "steps"}, ValueError, "schedule"),
        ({"optimizer": "adam"}, TypeError, "optimizer"),
        ({"rng": None}, TypeError, "rng"),
    ],
)
def test_bad_options_of_fit_are_named(options, error, name):
    X, y = task()
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        syn.SynaMLP(4, 6, 3).fit(X, y, **options)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "name"),
    [
        ((0, 6, 3), {}, ValueError, "in_features"),
        ((4, 6.0, 3), {}, TypeError, "hidden"),
        ((4, 6, 1), {}, ValueError, "classes"),
        ((4, 6, 3), {"layer": "conv"}, ValueError, "layer"),
        ((4, 6, 3), {"gate": "relu"}, ValueError, "gate"),
        ((4, 6, 3), {"dropout": 1.0}, ValueError, "dropout"),
        ((4, 6, 3), {"seed": None}, TypeError, "seed"),
    ],
)
def test_bad_options_of_the_model_are_named(arguments, options, error, name):
    with pytest.raises(error, match=rf"`{name}`.*Received"):
        syn.SynaMLP(*arguments, **options)


def test_parameter_count():
    # 4·6 + 6, two batch norms of 2·6, 6·6 strengths (a Dense layer has 6 biases more), 6·3 + 3
    assert syn.SynaMLP(4, 6, 3).parameter_count == 30 + 24 + 36 + 21
    assert syn.SynaMLP(4, 6, 3, layer="dense").parameter_count == 30 + 24 + 42 + 21
    assert syn.SynaMLP(4, 6, 3, layer="none").parameter_count == 30 + 24 + 21

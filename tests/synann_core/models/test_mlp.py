"""SynaMLP as its users see it: the same model on every library, from seeds."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import synann_core as syn
from synann_core import optim
from synann_core.models import passes
from tests.helpers import assert_close

pytestmark = pytest.mark.jax_alternates


def task(samples=60, dtype="float64"):
    """Two features decide between three classes."""
    rng = np.random.default_rng(0)
    X = rng.random((samples, 4)).astype(dtype)
    return X, (X[:, 0] + X[:, 1] > 0.8).astype(int) + (X[:, 0] + X[:, 1] > 1.2)


def trained(backend, dtype="float64", **options):
    X, y = task(dtype=dtype)
    model = syn.SynaMLP(4, 6, 3, dropout=0.2, seed=1, **options)
    # Four equal batches: JAX compiles once. The last, smaller batch has tests of its own.
    history = model.fit(backend.asarray(X, dtype), y, epochs=3, batch_size=15, rng=2)
    return model, history, backend.asarray(X, dtype), y


def same_weights(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("layer", ["synapse", "dense", "none"])
@pytest.mark.parametrize("gate", ["sigmoid", "softmax"])
def test_every_library_trains_the_same_model(xp, layer, gate):
    model, history, X, _ = trained(xp, layer=layer, gate=gate)
    X0, y0 = task()
    rival = syn.SynaMLP(4, 6, 3, dropout=0.2, seed=1, layer=layer, gate=gate)
    wanted = rival.fit(X0, y0, epochs=3, batch_size=15, rng=2)
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
    xp.check(model.explain(X)[0], dtype, (3,))
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


def test_a_seed_gives_the_same_bits_and_no_global_state_changes():
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


@pytest.mark.parametrize(
    ("samples", "batch_size", "sizes"),
    [(60, 1000, [60]), (60, 60, [60]), (60, 59, [60]), (60, 25, [25, 25, 10]), (5, 2, [2, 3])],
)
def test_every_sample_is_seen_once_an_epoch_and_none_alone(samples, batch_size, sizes):
    X, y = task(samples)
    seen = []

    def augment(batch, rng):
        seen.append(batch)
        return batch

    model = syn.SynaMLP(4, 6, 3)
    history = model.fit(X, y, epochs=2, batch_size=batch_size, augment=augment)
    assert [len(batch) for batch in seen] == sizes * 2
    epochs = [np.concatenate(seen[: len(sizes)]), np.concatenate(seen[len(sizes) :])]
    for rows in epochs:
        assert np.array_equal(rows[rows[:, 0].argsort()], X[X[:, 0].argsort()])
        assert not np.array_equal(rows, X)
    assert not np.array_equal(*epochs)  # in a new order each time
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(model.decision_function(X)).all()


def test_history_counts_samples_once_and_dropout_keeps_the_mean(monkeypatch):
    steps = []

    def spy(weights, x, target, keep, weight, **options):
        assert weight is None
        result = _network_step(weights, x, target, keep, **options)
        steps.append((result[0] * len(x), (result[1].argmax(1) == target.argmax(1)).sum(), keep))
        return result

    _network_step = passes.train_step
    monkeypatch.setattr(passes, "train_step", spy)
    X, y = task()
    history = syn.SynaMLP(4, 50, 3, dropout=0.25).fit(X, y, epochs=1, batch_size=25)
    losses, hits, masks = zip(*steps, strict=True)
    assert history["loss"] == pytest.approx([sum(losses) / 60])  # of batches of 25, 25 and 10
    assert history["accuracy"] == [sum(hits) / 60]
    assert [mask.shape for mask in masks] == [(25, 50), (25, 50), (10, 50)]
    kept = np.concatenate(masks)
    assert set(np.unique(kept)) == {0.0, 1 / 0.75}
    assert abs((kept == 0).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / kept.size)
    assert not np.array_equal(masks[0], masks[1])


def test_initial_weights_are_torchs_and_strengths_initial_betas():
    model = syn.SynaMLP(100, 16, 4)
    for name, inputs in (("hidden", 100), ("output", 16)):
        for kind in ("weight", "bias"):
            assert np.abs(model.weights[f"{name}.{kind}"]).max() <= inputs**-0.5
        assert np.abs(model.weights[f"{name}.weight"]).max() > 0.9 * inputs**-0.5
    # Inputs of about ½ take 8 strong inhibitors of ¼; those of softmax, 1/16, 8 of the largest β.
    for gate, strength in (("sigmoid", 0.25), ("softmax", 0.9)):
        beta = syn.expit(syn.SynaMLP(100, 16, 4, gate=gate).weights["synapse.beta_logit"])
        assert ((beta > 0.1).sum(axis=1) == 8).all()
        assert beta[beta > 0.1].mean() == pytest.approx(strength, rel=0.05)


def test_prediction_in_chunks_keeps_the_order():
    model = syn.SynaMLP(4, 6, 3)
    X = np.random.default_rng(0).random((2001, 4))
    whole = model.decision_function(X)
    pieces = np.concatenate([model.decision_function(part) for part in np.array_split(X, 7)])
    assert_close(whole, pieces, 1e-12)  # matrix products may round otherwise


def test_rate_zero_changes_running_statistics_alone():
    X, y = task()
    model = syn.SynaMLP(4, 6, 3)
    start = model.weights
    history = model.fit(X, y, epochs=1, batch_size=60, optimizer=optim.SGD(0.0))
    again = model.fit(X, y, epochs=1, batch_size=60, optimizer=optim.SGD(0.0), rng=1)
    assert again["loss"] == pytest.approx(history["loss"], rel=1e-14)  # in another order
    changed = {name for name in start if not np.array_equal(start[name], model.weights[name])}
    assert changed == {name for name in start if ".running_" in name}
    for method in (model.predict, model.predict_proba, model.decision_function):
        assert method(X[:0]).shape[0] == 0
    assert model.explain(X[:0])[1].shape == (0, 3, 6)


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


def test_augmentation_and_validation_on_every_library(xp):
    X, y = task(dtype="float32")

    def dim(batch, rng):
        return batch * rng.uniform(0.5, 1.0, batch.shape)  # float64, as a careless user's

    def run(array):
        model = syn.SynaMLP(4, 6, 3, dropout=0.2)
        options = {"validation": (array(X[:20]), y[:20]), "augment": dim, "batch_size": 15}
        # A schedule of NumPy numbers must not make the weights float64.
        return model, model.fit(array(X), y, epochs=2, schedule=np.cos, **options)

    model, history = run(lambda a: xp.asarray(a, "float32"))
    for weight in model.weights.values():
        xp.check(weight, "float32")
    _, wanted = run(np.asarray)
    # 100 eps: eight steps of Adam, which divides small gradients by their own size
    assert history["loss"] == pytest.approx(wanted["loss"], rel=100 * 2.0**-23)
    X = xp.asarray(X[:20], "float32")
    assert history["val_accuracy"][-1] == model.score(X, y[:20])


@pytest.mark.parametrize("labels", ["numpy", "own"])
def test_labels_come_from_numpy_or_the_library_of_the_data(xp, labels):
    X, y = task()
    X = xp.asarray(X)
    model = syn.SynaMLP(4, 6, 3)
    hits = xp.to_numpy(model.predict(X)) == y
    assert 0 < hits.mean() < 1
    y = y if labels == "numpy" else xp.asarray(y, "int64")
    assert model.score(X, y) == hits.mean()


def test_data_under_autograd():
    X, y = task()
    leaf = torch.tensor(X, requires_grad=True)
    model, plain = syn.SynaMLP(4, 6, 3), syn.SynaMLP(4, 6, 3)
    model.fit(leaf, torch.tensor(y), epochs=1)
    plain.fit(torch.tensor(X), y, epochs=1)
    assert not any(w.requires_grad for w in model.weights.values())
    assert same_weights(model.weights, plain.weights)
    # Predictions stay differentiable, so that a user can ask which features matter.
    model.decision_function(leaf)[:, 0].sum().backward()
    step = 1e-6
    above, below = (np.clip(X + s * np.eye(4)[1], 0, 1) for s in (step, -step))
    slope = [np.asarray(model.decision_function(torch.tensor(x)))[:, 0] for x in (above, below)]
    # eps/step of rounding and step² of curvature, in units of the slope
    assert_close(leaf.grad[:, 1].numpy(), (slope[0] - slope[1]) / (2 * step), 1e-6)


def test_an_interrupted_fit_keeps_the_last_whole_epoch():
    X, y = task()
    model, rival = syn.SynaMLP(4, 6, 3), syn.SynaMLP(4, 6, 3)

    def interrupt(entry):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, epochs=5, schedule="constant", callback=interrupt)
    rival.fit(X, y, epochs=1, schedule="constant")
    assert same_weights(model.weights, rival.weights)

    calls = []

    def interrupt_later(batch, rng):
        calls.append(None)
        if len(calls) == 5:  # in the middle of the third epoch
            raise KeyboardInterrupt
        return batch

    model, rival = syn.SynaMLP(4, 6, 3), syn.SynaMLP(4, 6, 3)
    options = {"schedule": "constant", "batch_size": 30}
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, epochs=5, augment=interrupt_later, **options)
    rival.fit(X, y, epochs=2, **options)
    assert same_weights(model.weights, rival.weights)


def test_parameter_count():
    # 4·6 + 6, two batch norms of 2·6, 6·6 strengths (a Dense layer has 6 biases more), 6·3 + 3
    assert syn.SynaMLP(4, 6, 3).parameter_count == 30 + 24 + 36 + 21
    assert syn.SynaMLP(4, 6, 3, layer="dense").parameter_count == 30 + 24 + 42 + 21
    assert syn.SynaMLP(4, 6, 3, layer="none").parameter_count == 30 + 24 + 21


@pytest.mark.parametrize(
    "options",
    [{"optimizer": optim.Adam(1e300)}, {"schedule": lambda p: 1.0 if p < 0.3 else 1e305}],
)
def test_diverged_training_keeps_the_last_finite_epoch(options):
    X, y = task()
    model = syn.SynaMLP(4, 6, 3)
    with pytest.raises(ValueError, match=r"`optimizer` must keep the weights finite.*Received"):
        model.fit(X, y, epochs=3, **options)
    assert all(np.isfinite(w).all() for w in model.weights.values())


TABLES = {
    "lists": lambda X: X.tolist(),
    "integers": lambda X: (X > 0.5).astype(np.int8),
    "bools": lambda X: X > 0.5,
    "float16": lambda X: X.astype(np.float16),
    "objects": lambda X: X.astype(object),
    "pandas": pd.DataFrame,
    "pandas, of several dtypes": lambda X: pd.DataFrame(
        {k: X[:, k] > k / 8 for k in range(3)}
    ).assign(d=X[:, 3]),
    "polars": pl.DataFrame,
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_every_kind(kind):
    X, y = task()
    table = TABLES[kind](X)
    floats = np.asarray(table).astype(np.float64)
    want = syn.SynaMLP(4, 6, 3)
    want.fit(floats.astype(np.float32 if kind == "float16" else np.float64), y, epochs=2)
    model = syn.SynaMLP(4, 6, 3)
    model.fit(table, y.tolist(), epochs=2, validation=(table, y))
    assert same_weights(model.weights, want.weights)
    got = model.predict_proba(table)
    assert got.dtype == (np.float16 if kind == "float16" else np.float64)
    assert_close(got, want.predict_proba(floats), 1e-3 if kind == "float16" else 1e-12)
    assert model.score(table, y) == want.score(floats, y)
    for part in model.explain(table, background=table):
        assert part.dtype == got.dtype
    why = model.explain_inputs(table, background=floats[:3], steps=2)
    assert why.parts.dtype == got.dtype


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int64", "bool"])
def test_tensors_of_every_dtype(dtype):
    X, y = task()
    inside = torch.tensor(X).to(getattr(torch, dtype))
    model = syn.SynaMLP(4, 6, 3)
    model.fit(inside, torch.tensor(y), epochs=2)
    assert {w.dtype for w in model.weights.values()} == {torch.float32}
    narrow = dtype.endswith("float16")
    want = inside.dtype if narrow else torch.float32
    assert model.decision_function(inside).dtype == model.predict_proba(inside).dtype == want
    constant, parts = model.explain(inside)
    assert constant.dtype == parts.dtype == want
    assert torch.isfinite(parts).all()


LABELS = {
    "strings": ["no", "perhaps", "yes"],
    "integers": [7, -2, 40],
    "floats": [0.5, 1.0, 9.0],
    "objects": np.array(["a", "b", "c"], object),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind(kind, tmp_path):
    X, y = task(300)
    names = sorted(LABELS[kind])
    told = [names[k] for k in y]
    want, model = syn.SynaMLP(4, 6, 3), syn.SynaMLP(4, 6, 3)
    assert model.labels is None
    history = want.fit(X, y, epochs=5, validation=(X, y))
    for form in (list, np.asarray, pd.Series):
        model = syn.SynaMLP(4, 6, 3)
        assert model.fit(X, form(told), epochs=5, validation=(X, form(told))) == history
        assert model.labels.tolist() == names
        assert same_weights(model.weights, want.weights)
        assert model.predict(X).tolist() == [names[k] for k in want.predict(X)]
        assert model.score(X, form(told)) == want.score(X, y)
    model.save(tmp_path / "m")
    again = syn.SynaMLP.from_file(tmp_path / "m")
    other = syn.SynaMLP(4, 6, 3)
    other.load(tmp_path / "m")
    for model in (again, other):
        assert model.labels.tolist() == names
        assert model.predict(X).dtype == np.asarray(names).dtype
    # The next call may see fewer of them, and no others.
    again.fit(X[:9], [names[1]] * 9, epochs=1)
    other = "x" if kind in ("strings", "objects") else 3
    with pytest.raises(ValueError, match=rf"`y` must hold labels .* Received: .*{other}"):
        again.fit(X[:9], [*[names[0]] * 8, other])


def test_labels_can_be_given():
    X, y = task()
    model = syn.SynaMLP(4, 6, 3, labels=["b", "a", "c"])
    told = np.array(["b", "a", "c"])[y]
    model.fit(X[y < 2], told[y < 2], epochs=1)
    assert model.labels.tolist() == ["b", "a", "c"]
    for labels in (["a", "b"], ["a", "b", "b"], ["a", 2, None]):
        with pytest.raises((TypeError, ValueError), match=r"`labels` must"):
            syn.SynaMLP(4, 6, 3, labels=labels)


def test_weights_are_counts():
    """A sample of weight 2 trains as if it were there twice: to rounding, in whole batches."""
    X, y = task(40)
    weight = np.arange(40) % 3
    at = np.repeat(np.arange(40), weight)
    histories, models = [], []
    for data, given in (((X, y), weight), ((X[at], y[at]), np.ones(len(at))), ((X, y), weight * 9)):
        model = syn.SynaMLP(4, 6, 3)
        histories.append(model.fit(*data, epochs=5, batch_size=100, sample_weight=given))
        models.append(model)
    for k in (1, 2):
        assert histories[k]["loss"] == pytest.approx(histories[0]["loss"], rel=1e-9)
        assert_close(models[k].predict_proba(X), models[0].predict_proba(X), 1e-9)
    plain = syn.SynaMLP(4, 6, 3)
    assert plain.fit(X, y, epochs=1)["loss"][0] != histories[0]["loss"][0]


def test_weights_on_every_library(xp):
    X, y = task()
    weight = 0.1 + np.arange(60) % 3
    want, model = syn.SynaMLP(4, 6, 3), syn.SynaMLP(4, 6, 3)
    history = want.fit(X, y, epochs=2, batch_size=15, sample_weight=weight)
    got = model.fit(xp.asarray(X), y, epochs=2, batch_size=15, sample_weight=weight)
    assert got["loss"] == pytest.approx(history["loss"], rel=1e-8)


def test_a_callback_that_returns_true_ends_the_training():
    X, y = task()
    losses = []

    def enough(entry):
        losses.append(entry["loss"])
        return len(losses) == 3

    history = syn.SynaMLP(4, 6, 3).fit(X, y, epochs=9, callback=enough)
    assert history["loss"] == losses
    assert len(syn.SynaMLP(4, 6, 3).fit(X, y, epochs=3, callback=lambda entry: 1)["loss"]) == 3


def test_a_resumed_optimizer_goes_on_where_it_was():
    X, y = task()
    options = {"batch_size": 60, "schedule": "constant"}
    whole, halves, restarted = (syn.SynaMLP(4, 6, 3) for _ in range(3))
    whole.fit(X, y, epochs=6, **options)
    for model, resume in ((halves, True), (restarted, False)):
        for _ in range(2):
            model.fit(X, y, epochs=3, resume=resume, **options)
    assert_close(halves.predict_proba(X), whole.predict_proba(X), 1e-9)
    assert np.abs(restarted.predict_proba(X) - whole.predict_proba(X)).max() > 1e-6

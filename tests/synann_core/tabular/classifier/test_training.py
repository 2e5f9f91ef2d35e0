"""Early stopping, and options out of range."""

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from synann_core.tabular import SynapseClassifier


def task(samples=300, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random((samples, 3))
    return X, (X[:, 0] + noise * rng.standard_normal(samples) > 0.5).astype(int)


def test_early_stopping_keeps_the_best_weights():
    X, y = task()
    options = {"hidden": 16, "max_iter": 300, "n_iter_no_change": 5, "random_state": 0}
    model = SynapseClassifier(early_stopping=True, **options).fit(X, y)
    losses = model.validation_losses_
    assert model.n_iter_ == len(losses) == len(model.loss_curve_) < 300
    best = int(np.argmin(losses))
    assert best < model.n_iter_ - 1
    assert max(losses[-5:]) > min(losses) - 1e-4
    # The samples that were kept aside are those of a split of scikit-learn's.
    rng = np.random.RandomState(0)
    rng.randint(2**31)
    rng.permutation(300)
    seed = int(rng.randint(2**31))
    held, held_y = train_test_split(X, y, test_size=0.1, stratify=y, random_state=seed)[1::2]
    assert log_loss(held_y, model.predict_proba(held)) == pytest.approx(min(losses))
    full = SynapseClassifier(**options).fit(X, y)
    assert full.n_iter_ == 300
    assert full.validation_losses_ == []


def test_a_constant_rate_is_a_schedule():
    X, y = task(60)
    fits = {
        schedule: SynapseClassifier(4, max_iter=3, schedule=schedule, random_state=0).fit(X, y)
        for schedule in ("auto", "one_cycle", "cosine", "constant")
    }
    assert fits["auto"].loss_curve_ == fits["one_cycle"].loss_curve_
    assert len({model.loss_ for model in fits.values()}) == 3


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"max_iter": 0}, ValueError, "`max_iter` must be at least 1"),
        ({"batch_size": 1}, ValueError, "`batch_size` must be at least 2"),
        ({"learning_rate": 0.0}, ValueError, "`learning_rate` must be in"),
        ({"schedule": "steps"}, ValueError, "`schedule` must be one of"),
        ({"validation_fraction": 1.0}, ValueError, "`validation_fraction` must be in"),
        ({"n_iter_no_change": 0}, ValueError, "`n_iter_no_change` must be at least 1"),
        ({"tol": -1.0}, ValueError, "`tol` must be in"),
        ({"scale": "log"}, ValueError, "`scale` must be one of .* Received: 'log'"),
        ({"hidden": 0}, ValueError, "`hidden` must be at least 1"),
        ({"dropout": 1.0}, ValueError, "`dropout` must be in"),
        ({"class_weight": "even"}, ValueError, "class_weight"),
        ({"random_state": "a"}, ValueError, "seed"),
    ],
)
def test_options_out_of_range_are_named(options, kind, message):
    with pytest.raises(kind, match=message):
        SynapseClassifier(**options).fit(*task(20))

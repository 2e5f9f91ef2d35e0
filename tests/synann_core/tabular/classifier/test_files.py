"""Classifiers in files: the same bits again, and clear words about damage."""

import json

import numpy as np
import pandas as pd
import pytest

import synann_core as syn
from synann_core._lib.files import read_tensors, write_tensors
from synann_core.tabular import SynapseClassifier

RNG = np.random.default_rng(0)
X = pd.DataFrame({"size": RNG.random(60), "kind": RNG.choice(["a", "b"], 60)})
Y = np.where(X["size"] > 0.5, "yes", "no")


@pytest.fixture(scope="module")
def model():
    return SynapseClassifier(6, max_iter=5, scale="ranks", random_state=np.int64(3)).fit(X, Y)


def test_a_file_gives_the_same_bits(model, tmp_path):
    model.save(tmp_path / "m")
    again = SynapseClassifier.from_file(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.explain(X).parts, model.explain(X).parts)
    assert again.get_params() == model.get_params()
    assert again.feature_names_in_.tolist() == ["size", "kind"]
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert (again.loss_curve_, again.n_iter_) == (model.loss_curve_, 5)
    again.partial_fit(X, Y)
    assert again.n_iter_ == 6
    assert syn.SynaMLP.from_file(tmp_path / "m").labels.tolist() == ["no", "yes"]


def test_classes_of_every_kind(tmp_path):
    table = RNG.random((40, 2))
    for classes in ([3, 5], [0.5, 1.5], [False, True], ["a", "b"]):
        y = np.array(classes)[(table[:, 0] > 0.5).astype(int)]
        one = SynapseClassifier(4, max_iter=2, random_state=np.random.RandomState(0))
        if y.dtype == float:
            with pytest.raises(ValueError, match="Unknown label type"):
                one.fit(table, y)
            continue
        one.fit(table, y).save(tmp_path / "m")
        again = SynapseClassifier.from_file(tmp_path / "m")
        assert again.classes_.tolist() == classes
        assert again.predict(table).dtype == one.predict(table).dtype
        assert not hasattr(again, "feature_names_in_")


def damaged(document, key, value):
    return {**document, key: value}


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: "no JSON"[:3],
        lambda d: json.dumps([]),
        lambda d: json.dumps({k: v for k, v in d.items() if k != "words"}),
        lambda d: json.dumps(damaged(d, "parameters", {"hiden": 3})),
        lambda d: json.dumps(damaged(d, "encoding", d["encoding"][:1])),
        lambda d: json.dumps(damaged(d, "encoding", [{"knots": [0], "places": [0]}] * 2)),
        lambda d: json.dumps(damaged(d, "names", ["a"])),
        lambda d: json.dumps(damaged(d, "losses", [])),
        lambda d: json.dumps(damaged(d, "background", [[1.0]])),
    ],
)
def test_damage_is_one_error(model, tmp_path, damage):
    model.save(tmp_path / "m")
    tensors, metadata = read_tensors(tmp_path / "m")
    text = damage(json.loads(metadata["classifier"]))
    write_tensors(tmp_path / "m", tensors, {**metadata, "classifier": text})
    with pytest.raises(ValueError, match=r"`path` must hold a classifier.*Received"):
        SynapseClassifier.from_file(tmp_path / "m")


def test_other_files_are_refused(tmp_path):
    syn.SynaMLP(3, 4, 2).save(tmp_path / "m")
    with pytest.raises(ValueError, match="`path` must hold a classifier"):
        SynapseClassifier.from_file(tmp_path / "m")
    with pytest.raises(FileNotFoundError):
        SynapseClassifier.from_file(tmp_path / "none")

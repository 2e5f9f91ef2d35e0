"""SynaMLP's files: what they say beside the weights."""

import json

import numpy as np
import pytest

import synann_core as syn
from synann_core._lib.files import read_tensors, write_tensors
from synann_core.export import load_json, save_json


@pytest.fixture
def model():
    return syn.SynaMLP(4, 6, 3, labels=["no", "perhaps", "yes"])


def test_labels_are_part_of_every_file(model, tmp_path):
    model.save(tmp_path / "m")
    save_json(model, tmp_path / "m.json")
    X = np.random.default_rng(0).random((9, 4))
    for again in (syn.SynaMLP.from_file(tmp_path / "m"), load_json(tmp_path / "m.json")):
        assert again.labels.tolist() == ["no", "perhaps", "yes"]
        assert again.predict(X).tolist() == model.predict(X).tolist()


def test_a_model_without_labels_has_none_in_its_file(tmp_path):
    plain = syn.SynaMLP(4, 6, 3)
    plain.save(tmp_path / "m")
    _, metadata = read_tensors(tmp_path / "m")
    assert "labels" not in json.loads(metadata["config"])
    assert syn.SynaMLP.from_file(tmp_path / "m").labels is None


@pytest.mark.parametrize(
    "labels", [["a", "b"], ["a", "a", "b"], 3, [["a"], ["b"], ["c"]], [1, "a", 2]]
)
def test_labels_that_do_not_fit_are_refused(model, tmp_path, labels):
    model.save(tmp_path / "m")
    tensors, metadata = read_tensors(tmp_path / "m")
    config = json.loads(metadata["config"]) | {"labels": labels}
    write_tensors(tmp_path / "m", tensors, {**metadata, "config": json.dumps(config)})
    other = syn.SynaMLP(4, 6, 3)
    for load in (syn.SynaMLP.from_file, other.load):
        with pytest.raises(ValueError, match="labels"):
            load(tmp_path / "m")
    assert other.labels is None

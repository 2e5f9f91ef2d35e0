"""Checkpoints come back as they were written."""

import numpy as np
import pytest

from mnist.checkpoints import load_checkpoint, save_checkpoint, write_text


def test_a_checkpoint_keeps_every_array_and_number(tmp_path):
    arrays = {
        "scalar": np.array(3.5),
        "one": np.array([3.5], dtype=np.float32),
        "bytes": np.arange(5, dtype=np.uint8),
        "turned": np.arange(6).reshape(2, 3).T,
        "none": np.zeros((0, 2)),
    }
    content = {"a": 0.1 + 0.2, "b": [1e-300, 2**70], "c": {"d": None, "e": "ü"}}
    save_checkpoint(tmp_path / "x", arrays, content)
    found, text = load_checkpoint(tmp_path / "x")
    assert text == content
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    path = tmp_path / "results.json"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]

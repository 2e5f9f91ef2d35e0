"""Checkpoints come back as they were written."""

import json

import numpy as np
import pytest

from mnist.checkpoints import (
    RunError,
    _checksum,
    load_checkpoint,
    save_checkpoint,
    write_text,
)
from synann.extending import write_tensors


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


@pytest.fixture
def saved(tmp_path):
    arrays = {"w": np.arange(6.0), "step": np.array(3)}
    save_checkpoint(tmp_path / "x", arrays, {"state": {"steps": 7}})
    return tmp_path / "x"


def test_every_changed_byte_is_found(saved):
    """In numbers as well, and in names, which would be missed only later."""
    data = saved.read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        saved.write_bytes(changed)
        with pytest.raises(RunError, match="x: not a readable checkpoint"):
            load_checkpoint(saved)


@pytest.mark.parametrize(
    "config",
    [
        {"content": {}, "scalars": 3},
        {"content": {}, "scalars": ["none"]},
        {"content": {}, "scalars": [[]]},
        {"content": {}, "scalars": ["w"]},
        {"content": [], "scalars": []},
        {"content": {}},
        [],
    ],
)
@pytest.mark.parametrize("checked", [False, True])
def test_what_is_not_a_checkpoint_is_refused(saved, config, checked):
    arrays, text = {"w": np.arange(6.0)}, json.dumps(config)
    metadata = {"config": text} | ({"checksum": _checksum(arrays, text)} if checked else {})
    write_tensors(saved, arrays, metadata)
    with pytest.raises(RunError, match="x: not a readable checkpoint"):
        load_checkpoint(saved)

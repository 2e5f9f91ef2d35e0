"""Pickles read without running what they name."""

import pickle

import numpy as np
import pytest

from mnist.pickled import Call, bytes_array, load_pickled
from tests.examples.mnist.cifar10_files import batches, pickled


def test_a_batch():
    labels, images = batches()["data_batch_1"]
    batch = load_pickled(pickled(labels, images))
    assert batch["labels"] == labels.tolist()
    np.testing.assert_array_equal(bytes_array(batch["data"]), images)
    assert batch["filenames"] == ["a.png"]


@pytest.mark.parametrize(
    "value", [{"a": [1, 2, (3, None)], "b": {}}, [True, "text", 10**6, ()], (1, 2, 3, 4)]
)
def test_plain_values_are_what_python_reads(value):
    assert load_pickled(pickle.dumps(value, protocol=2)) == value


class Runs:
    ran = False

    def __reduce__(self):
        return setattr, (Runs, "ran", True)


def test_nothing_runs():
    content = pickle.dumps(Runs(), protocol=2)
    found = load_pickled(content)
    assert isinstance(found, Call)
    assert found.function.endswith(" setattr")
    assert not Runs.ran
    with pytest.raises(ValueError, match="not a pickled array"):
        bytes_array(found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a pickle"),
        (b"no pickle", "not a pickle"),
        (b"\x80\x02}(K\x01u.", "not a pickle"),  # a key without a value
        (b"\x80\x02K\x01e.", "not a pickle"),  # no mark
        (b"\x80\x02h\x07.", "not a pickle"),  # nothing there to get
        (b"\x80\x02K\x01K\x02a.", "int in the place of list"),
        (b"\x80\x02K\x01}b.", "int in the place of Call"),
        (b"\x80\x02]q\x00]\x87.", "not a pickle"),
        (b"\x80\x02(lp0\n.", "opcode LIST"),
        (b"\x80\x02T\xff\xff\xff\x7fabc.", "not a pickle"),  # a string of 2 GB in 3 bytes
        (b"\x80\x02K\x01K\x02.", "not a pickle"),
    ],
)
def test_what_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        load_pickled(content)


def test_damaged_files_end_in_a_value_error():
    good = pickled(*batches(2)["test_batch"])[:400]
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(good)
        for at in rng.integers(0, len(damaged), 3):
            damaged[at] = rng.integers(0, 256)
        with pytest.raises(ValueError, match="not a pickle"):
            load_pickled(bytes(damaged))


@pytest.mark.parametrize("shape", [(2, 3), (-2, -2), (10**12, 1), "four", (2.0, 2)])
def test_shapes_that_do_not_fit(shape):
    call = Call("numpy.core.multiarray _reconstruct", ())
    call.state = (1, (2, 2), Call("numpy dtype", ("u1", 0, 1)), False, "abcd")
    np.testing.assert_array_equal(bytes_array(call), [[97, 98], [99, 100]])
    call.state = (1, shape, *call.state[2:])
    with pytest.raises(ValueError, match="does not fit its bytes"):
        bytes_array(call)
    call.state = (1, (2, 2), Call("numpy dtype", ("O8", 0, 1)), False, "abcd")
    with pytest.raises(ValueError, match="not an array of bytes"):
        bytes_array(call)

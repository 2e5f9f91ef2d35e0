"""CIFAR-10's files: what is read of either version, and what is refused."""

import hashlib

import numpy as np
import pytest

from mnist import cifar10
from mnist.cifar10 import BINARY, CIFAR10_SHA256, PYTHON, load_cifar10
from shared.datasets import DataError
from tests.examples.mnist.cifar10_files import PARTS, archive, batches, binary, pickled, write

KINDS = ("files", "binary", "python")


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_is_read(tmp_path, kind):
    data = load_cifar10(tmp_path, write(tmp_path, kind))
    made = batches()
    want = np.concatenate([made[part][1] for part in PARTS[:5]]).reshape(-1, 3, 32, 32)
    got = data.train_x.reshape(-1, 32, 32, 3)
    np.testing.assert_array_equal(got, want.transpose(0, 2, 3, 1) / np.float32(255))
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    assert (data.train_x.shape, data.test_x.shape) == ((100, 3072), (20, 3072))
    assert data.train_y.tolist() == list(range(10)) * 10
    assert (data.image_shape, data.classes, data.name) == ((32, 32, 3), 10, "cifar10")
    assert data.names[9] == "truck"


def test_unpacked_files_may_lie_in_their_folder(tmp_path):
    known = write(tmp_path / "cifar-10-batches-bin", "files")
    assert len(load_cifar10(tmp_path, known).test_y) == 20


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_are_not_the_published_ones_are_refused(tmp_path, kind):
    known = write(tmp_path, kind)
    with pytest.raises(DataError, match="not the published file, whose SHA-256 is another"):
        load_cifar10(tmp_path)
    path = tmp_path / list(known)[-1]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=f"{path.name}: not the published file"):
        load_cifar10(tmp_path, known)
    assert all(len(digest) == 64 for digest in CIFAR10_SHA256.values())


def test_large_files_are_refused_before_they_are_read(tmp_path, monkeypatch):
    known = write(tmp_path, "binary")
    monkeypatch.setitem(cifar10._MOST_BYTES, ".gz", 100)
    with pytest.raises(DataError, match="too large for a file of CIFAR-10"):
        load_cifar10(tmp_path, known)


def test_missing_files(tmp_path):
    with pytest.raises(DataError, match=f"neither {BINARY} nor {PYTHON}"):
        load_cifar10(tmp_path)
    known = write(tmp_path, "files")
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load_cifar10(tmp_path, known)


def label(value):
    labels, images = batches(3)["test_batch"]
    return np.full_like(labels, value), images


@pytest.mark.parametrize(
    ("name", "members", "message"),
    [
        (BINARY, {"data_batch_1.bin": binary(*label(10))}, "a label that is not of the classes"),
        (BINARY, {"data_batch_1.bin": b""}, "0 bytes are not images"),
        (BINARY, {"data_batch_1.bin": b"123"}, "3 bytes are not images"),
        (BINARY, {"data_batch_1.bin": binary(*label(1))}, "no data_batch_2 in CIFAR-10"),
        (PYTHON, {"data_batch_1": pickled(*label(10))}, "a label that is not of the classes"),
        (PYTHON, {"data_batch_1": b"]."}, "not a batch of CIFAR-10"),
        (PYTHON, {"data_batch_1": b"\x80\x02}."}, "not a batch of CIFAR-10: 'data'"),
        (PYTHON, {"data_batch_1": pickled([1], label(1)[1])}, "do not fit"),
        (PYTHON, {}, "no data_batch_1 in CIFAR-10"),
    ],
)
def test_contents_that_are_refused(tmp_path, name, members, message):
    content = archive(members)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        load_cifar10(tmp_path, {name: hashlib.sha256(content).hexdigest()})
    assert "\n" not in str(error.value)


def test_damaged_archive(tmp_path):
    (tmp_path / BINARY).write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be unpacked"):
        load_cifar10(tmp_path, {BINARY: hashlib.sha256(b"no archive").hexdigest()})


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder whose files the examples take for the published ones."""
    for name, digest in write(tmp_path / "data", "binary").items():
        monkeypatch.setitem(CIFAR10_SHA256, name, digest)
    return tmp_path


@pytest.mark.parametrize("model", ["mlp", "cnn", "rnn"])
def test_torch_trains_on_it(small, model):
    from mnist import mnist_torch

    options = ["--data", "cifar10", "--data-dir", str(small / "data"), "--model", model]
    options += ["--epochs", "2", "--batch-size", "16", "--output", str(small / "run")]
    results = mnist_torch.main([*options, "--precision", "float32"])
    first, last = results["history"]
    assert last["loss"] < first["loss"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras_trains_on_it(small):
    from mnist import mnist_keras

    options = ["--data", "cifar10", "--data-dir", str(small / "data"), "--model", "rnn"]
    options += ["--epochs", "1", "--batch-size", "16", "--output", str(small / "run")]
    assert np.isfinite(mnist_keras.main(options)["history"][0]["loss"])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_images_of_keras(small):
    """Colours side by side, as the network takes them, also where they are moved and turned."""
    from mnist import mnist_keras

    images = load_cifar10(small / "data").test_x[:2]
    recipe = mnist_keras.RECIPES["cnn"]
    model = mnist_keras.build("cnn", "none", (32, 32, 3), 10)
    trainer = mnist_keras.KerasTrainer(model, recipe, (32, 32, 3), 0)
    shaped = trainer._shaped(images)
    np.testing.assert_array_equal(shaped, images.reshape(2, 32, 32, 3))
    assert trainer.predict(images, 2).shape == (2, 10)
    moved = mnist_keras.affine(shaped, recipe, np.random.default_rng(0))
    for k in range(3):
        alone = mnist_keras.affine(shaped[..., k], recipe, np.random.default_rng(0))
        np.testing.assert_array_equal(moved[..., k], alone)


def test_numpy_trains_on_it(small, capsys):
    from mnist import mnist_numpy

    options = ["--data", "cifar10", "--data-dir", str(small / "data"), "--layers", "synapse"]
    options += ["--epochs", "1", "--hidden", "8", "--output", str(small)]
    mnist_numpy.main(options)
    assert (small / "cifar10-decision.png").stat().st_size > 1000
    assert "saved and loaded again" in capsys.readouterr().out

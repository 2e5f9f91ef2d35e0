import gzip
import hashlib
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests

from examples import datasets
from examples.datasets import (
    DataError,
    download_mnist,
    load_digits,
    load_mnist,
    shift_and_noise,
)

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"


def idx(values, magic=None):
    values = np.asarray(values, dtype=np.uint8)
    magic = 0x0800 + values.ndim if magic is None else magic
    return struct.pack(f">{1 + values.ndim}I", magic, *values.shape) + values.tobytes()


def pixels(count, height=3, width=2):
    rng = np.random.default_rng(count)
    values = rng.integers(0, 256, (count, height, width), dtype=np.uint8)
    values[0, 0, :2] = 0, 255
    return values


@pytest.fixture
def files():
    """The four files of a tiny MNIST, as bytes, for a test to damage."""
    return {
        TRAIN_IMAGES: idx(pixels(5)),
        TRAIN_LABELS: idx([0, 9, 3, 3, 7]),
        TEST_IMAGES: idx(pixels(2)),
        TEST_LABELS: idx([1, 2]),
    }


def write(folder, files, compress=False):
    for name, content in files.items():
        if compress:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


def check_one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message


def test_digits_are_split_by_class_and_always_alike():
    data = load_digits()
    assert data.train_x.shape == (1437, 64)
    assert data.test_x.shape == (360, 64)
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    assert data.train_y.dtype == data.test_y.dtype == np.int64
    assert data.train_x.min() == 0
    assert data.train_x.max() == 1
    assert (data.image_shape, data.classes, data.name) == ((8, 8), 10, "digits")
    share = np.bincount(data.test_y) / (np.bincount(data.test_y) + np.bincount(data.train_y))
    np.testing.assert_allclose(share, 0.2, atol=0.005)  # half an image of about 180
    np.testing.assert_array_equal(load_digits().test_x, data.test_x)


@pytest.mark.parametrize("compress", [False, True])
def test_mnist_is_read_plain_or_compressed(tmp_path, files, compress):
    write(tmp_path, files, compress)
    data = load_mnist(str(tmp_path))
    expected = pixels(5).reshape(5, 6).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(data.train_x, expected)
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    assert data.train_x[0, :2].tolist() == [0, 1]
    assert data.train_y.tolist() == [0, 9, 3, 3, 7]
    assert data.test_y.tolist() == [1, 2]
    assert data.train_y.dtype == data.test_y.dtype == np.int64
    assert data.test_x.shape == (2, 6)
    assert (data.image_shape, data.classes, data.name) == ((3, 2), 10, "mnist")


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS])
def test_missing_file_says_what_to_pass(tmp_path, files, name):
    del files[name]
    write(tmp_path, files)
    with pytest.raises(DataError) as error:
        load_mnist(tmp_path)
    check_one_line(error, tmp_path / name, "--download", "--data-dir")


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        (TRAIN_IMAGES, lambda b: b[:-1], "29 bytes after the IDX header, which states 5×3×2 = 30"),
        (TRAIN_IMAGES, lambda b: b + b"\0", "31 bytes after the IDX header"),
        (TRAIN_IMAGES, lambda b: b[:15], "15 bytes, too short for an IDX header of 16"),
        (TRAIN_LABELS, lambda b: b"", "0 bytes, too short for an IDX header of 8"),
        (TRAIN_LABELS, lambda b: b[:8], "0 bytes after the IDX header, which states 5"),
        (TRAIN_IMAGES, lambda b: b[::-1], "IDX magic number is 0x"),
        (TEST_LABELS, lambda b: idx(pixels(2)), "magic number is 0x00000803, not 0x00000801"),
        (TEST_IMAGES, lambda b: idx(pixels(2), 0x0D03), "is 0x00000d03, not 0x00000803"),
        (TEST_IMAGES, lambda b: b"\xff" * 400, "is 0xffffffff, not 0x00000803"),
        (TEST_IMAGES, lambda b: idx(np.zeros((0, 3, 2))), "empty shape, 0×3×2"),
        (TEST_LABELS, lambda b: idx([1, 2, 3]), f"3 labels for the 2 images of {TEST_IMAGES}"),
        (TEST_LABELS, lambda b: idx([1, 10]), "label 10, but digits go from 0 to 9"),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_damaged_content_is_named(tmp_path, files, name, damage, reason, compress):
    files[name] = damage(files[name])
    write(tmp_path, files, compress)
    with pytest.raises(DataError) as error:
        load_mnist(tmp_path)
    check_one_line(error, tmp_path / name, reason)


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-20],  # cut off
        lambda b: b[:-8] + b"\0\0\0\0" + b[-4:],  # wrong checksum
        lambda b: b[:10] + b"\xff" * 20 + b[30:],  # no deflate stream
        lambda b: b"not gzip at all",
    ],
)
def test_damaged_gzip_is_named(tmp_path, files, damage):
    write(tmp_path, files, compress=True)
    path = tmp_path / f"{TEST_IMAGES}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as error:
        load_mnist(tmp_path)
    check_one_line(error, path, "cannot be read")


def test_images_of_another_size_in_the_test_set(tmp_path, files):
    files[TEST_IMAGES] = idx(pixels(2, height=2, width=3))
    write(tmp_path, files)
    with pytest.raises(DataError) as error:
        load_mnist(tmp_path)
    check_one_line(error, tmp_path, "3×2", "2×3")


@pytest.fixture
def server(files, monkeypatch):
    """A server on this machine with the tiny MNIST; gives (URL, contents, names asked for)."""
    contents = {f"{name}.gz": gzip.compress(b, mtime=0) for name, b in files.items()}
    sha256 = {name: hashlib.sha256(b).hexdigest() for name, b in contents.items()}
    monkeypatch.setattr(datasets, "MNIST_SHA256", sha256)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.removeprefix("/mnist/")
            asked.append(name)
            if name not in contents:
                self.send_error(404)
                return
            content, promised = contents[name], len(contents[name])
            if isinstance(content, tuple):
                content, promised = content
            self.send_response(200)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/mnist/", contents, asked
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("progressbar", [False, True])
def test_download_then_load(tmp_path, server, capfd, progressbar):
    url, contents, asked = server
    folder = tmp_path / "new" / "mnist"
    download_mnist(folder, url, progressbar=progressbar)
    assert sorted(asked) == sorted(contents) == sorted(p.name for p in folder.iterdir())
    assert load_mnist(folder).train_y.tolist() == [0, 9, 3, 3, 7]
    assert ("100%" in capfd.readouterr().err) == progressbar


def test_only_what_is_missing_or_wrong_is_fetched(tmp_path, server):
    url, contents, asked = server
    download_mnist(tmp_path, url, progressbar=False)
    asked.clear()
    (tmp_path / f"{TEST_LABELS}.gz").unlink()
    (tmp_path / f"{TEST_IMAGES}.gz").write_bytes(b"damaged")
    download_mnist(tmp_path, url.rstrip("/"), progressbar=False)
    assert sorted(asked) == sorted([f"{TEST_LABELS}.gz", f"{TEST_IMAGES}.gz"])
    for name, content in contents.items():
        assert (tmp_path / name).read_bytes() == content


def failed_download(folder, url, name):
    """Download, expect an error that names file and URL, and no trace of that file."""
    with pytest.raises(DataError) as error:
        download_mnist(folder, url, progressbar=False)
    check_one_line(error, folder / name, f"{url}{name}")
    left = {path.name for path in folder.iterdir()}
    assert left <= set(datasets.MNIST_SHA256) - {name}
    return str(error.value)


def test_corrupted_download(tmp_path, server):
    url, contents, _ = server
    name = f"{TEST_IMAGES}.gz"
    contents[name] = contents[name][:-1] + b"?"
    assert "wrong SHA-256" in failed_download(tmp_path, url, name)


def test_download_that_breaks_off(tmp_path, server):
    url, contents, _ = server
    name = f"{TRAIN_LABELS}.gz"
    contents[name] = contents[name][:9], len(contents[name])
    assert "broke off" in failed_download(tmp_path, url, name)


def test_server_without_the_file(tmp_path, server, monkeypatch):
    url, contents, _ = server
    closed = []
    close = requests.Response.close
    monkeypatch.setattr(requests.Response, "close", lambda r: (closed.append(r.url), close(r)))
    name = f"{TRAIN_IMAGES}.gz"
    del contents[name]
    assert "404 Not Found" in failed_download(tmp_path, url, name)
    assert closed == [f"{url}{name}"]


def test_no_server(tmp_path, server):
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        name = next(iter(datasets.MNIST_SHA256))
        assert "cannot be reached" in failed_download(tmp_path, url, name)


def test_failed_update_keeps_the_old_file(tmp_path, server):
    url, contents, _ = server
    name = f"{TRAIN_IMAGES}.gz"
    (tmp_path / name).write_bytes(b"older")
    del contents[name]
    with pytest.raises(DataError):
        download_mnist(tmp_path, url, progressbar=False)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"older"


def test_folder_that_cannot_be_made(tmp_path, server):
    url, _, _ = server
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError) as error:
        download_mnist(tmp_path / "file" / "mnist", url, progressbar=False)
    check_one_line(error, tmp_path / "file", url)


def shifted(image, down, right):
    """The shift of one image, pixel by pixel."""
    height, width = image.shape
    result = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                result[i, j] = image[i - down, j - right]
    return result


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shift", [0, 1, 2, 7])
def test_shift_equals_a_direct_loop(dtype, shift):
    height, width, count = 4, 6, 400
    images = np.random.default_rng(1).random((count, height * width)).astype(dtype)
    images.flags.writeable = False
    result = shift_and_noise(
        images, np.random.default_rng(2), image_shape=(height, width), shift=shift, noise=0
    )
    assert result.dtype == dtype
    down, right = np.random.default_rng(2).integers(-shift, shift + 1, size=(2, count))
    for k in range(count):
        image = images[k].reshape(height, width)
        np.testing.assert_array_equal(
            result[k].reshape(height, width), shifted(image, down[k], right[k])
        )
    assert set(zip(down, right, strict=True)) >= {(shift, -shift), (-shift, shift), (0, 0)} or (
        shift == 7  # 225 moves: not every one is among 400 draws
    )


def test_noise_has_its_size_and_is_clipped():
    images = np.full((500, 12), 0.5, dtype=np.float32)
    images[:, 0] = 1
    rng = np.random.default_rng(3)
    result = shift_and_noise(images, rng, image_shape=(3, 4), shift=0, noise=0.05)
    assert result.dtype == np.float32
    noise = result[:, 1:] - 0.5
    # 5500 draws: five standard errors of the mean and of the standard deviation.
    assert abs(noise.mean()) < 5 * 0.05 / 5500**0.5
    assert abs(noise.std() - 0.05) < 5 * 0.05 / 11000**0.5
    assert result.max() == 1
    wide = shift_and_noise(images, rng, image_shape=(3, 4), shift=0, noise=5.0)
    assert wide.min() == 0
    assert wide.max() == 1


def test_augmentation_repeats_with_the_seed_and_leaves_its_input():
    images = np.random.default_rng(4).random((20, 12)).astype(np.float32)
    before = images.copy()
    first = shift_and_noise(images, np.random.default_rng(5), image_shape=(3, 4))
    again = shift_and_noise(images, np.random.default_rng(5), image_shape=(3, 4))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(images, before)
    assert not np.shares_memory(first, images)
    still = shift_and_noise(images, np.random.default_rng(5), image_shape=(3, 4), shift=0, noise=0)
    np.testing.assert_array_equal(still, images)
    assert not np.shares_memory(still, images)


def test_augmentation_of_nothing():
    rng = np.random.default_rng(0)
    assert shift_and_noise(np.zeros((0, 12)), rng, image_shape=(3, 4)).shape == (0, 12)


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (np.zeros((2, 12), dtype=np.uint8), {}, TypeError, "`images` must hold floats.*uint8"),
        (np.zeros((2, 11)), {}, ValueError, r"`images` must have the shape \(N, 12\).*\(2, 11\)"),
        (np.zeros(12), {}, ValueError, r"`images` must have the shape.*\(12,\)"),
        (np.zeros((2, 12)), {"shift": -1}, ValueError, "`shift`.*-1"),
        (np.zeros((2, 12)), {"noise": -0.1}, ValueError, "`noise`.*-0.1"),
        (np.zeros((2, 12)), {"noise": float("nan")}, ValueError, "`noise`.*nan"),
    ],
)
def test_augmentation_refuses(images, options, error, message):
    with pytest.raises(error, match=message):
        shift_and_noise(images, np.random.default_rng(0), image_shape=(3, 4), **options)

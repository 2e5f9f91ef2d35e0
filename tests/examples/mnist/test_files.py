"""MNIST's files: what is read, what is refused, and how they are fetched."""

import argparse
import gzip
import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests

from mnist import files as module
from mnist.files import (
    FASHION_SHA256,
    FASHION_URL,
    MNIST_SHA256,
    DataError,
    download_mnist,
    load_mnist,
)
from tests.examples.mnist.idx_files import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    idx,
)
from tests.fuzz.harness import measure


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


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path, files):
    """Whatever its header says, and before it is unpacked."""
    files[TRAIN_IMAGES] = idx(np.zeros((30_000, 40, 50), np.uint8))
    write(tmp_path, files, compress=True)
    path = tmp_path / f"{TRAIN_IMAGES}.gz"
    size = path.stat().st_size
    assert size < 100_000
    error, seconds, peak = measure(lambda: load_mnist(tmp_path))
    assert (
        str(error) == f"{path}: unpacks to more than {10 * size + 3_000_000} bytes, not a data file"
    )
    assert isinstance(error, DataError)
    assert seconds < 5
    assert peak < 10 * size + 16_000_000


def test_memory_is_in_proportion_to_the_files(tmp_path, files):
    files[TRAIN_IMAGES], files[TRAIN_LABELS] = idx(pixels(3000, 28, 28)), idx([1] * 3000)
    files[TEST_IMAGES], files[TEST_LABELS] = idx(pixels(2, 28, 28)), idx([1, 2])
    write(tmp_path, files)
    error, _, peak = measure(lambda: load_mnist(tmp_path))
    assert error is None
    assert peak < 10 * sum(map(len, files.values()))


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
    monkeypatch.setattr(module, "MNIST_SHA256", sha256)
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
    assert left <= set(module.MNIST_SHA256) - {name}
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
        name = next(iter(module.MNIST_SHA256))
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


def test_fashion_comes_in_files_of_the_same_names(tmp_path, monkeypatch):
    asked = {}

    def download(folder, url, sha256):
        asked.update(folder=folder, url=url, sha256=sha256)
        for part, count in (("train", 3), ("t10k", 2)):
            for kind, array in (
                ("images-idx3", np.ones((count, 4, 4))),
                ("labels-idx1", [9] * count),
            ):
                (tmp_path / f"{part}-{kind}-ubyte").write_bytes(idx(array))

    monkeypatch.setattr(module, "download_mnist", download)
    parser = argparse.ArgumentParser()
    module.add_options(parser)
    options = ["--data", "fashion", "--data-dir", str(tmp_path), "--download"]
    data = module.load(parser.parse_args(options))
    assert asked == {"folder": tmp_path, "url": FASHION_URL, "sha256": FASHION_SHA256}
    assert (data.name, data.names[data.train_y[0]]) == ("fashion", "ankle boot")
    assert FASHION_SHA256.keys() == MNIST_SHA256.keys()
    assert len({*FASHION_SHA256.values(), *MNIST_SHA256.values()}) == 8

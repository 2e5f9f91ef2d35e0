"""CIFAR-10: its two archives, or the unpacked files of the binary one.

Every file is compared with the SHA-256 of the published one before anything is made of it. The
binary version is labels and pixels and nothing else; the other version is pickles, which are read
without calling what they name (`mnist.pickled`).
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from mnist.pickled import bytes_array, load_pickled
from shared.datasets import DataError, Dataset

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/"
BINARY, PYTHON = "cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"
CIFAR10_SHA256 = {
    BINARY: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    PYTHON: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
CLASSES += ("dog", "frog", "horse", "ship", "truck")

_PARTS = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch")
_UNPACKED = "cifar-10-batches-bin"
_SHAPE = (3, 32, 32)  # of an image in the files: all of red, then green, then blue
_PIXELS = 3 * 32 * 32
_MOST_BYTES = {".gz": 200_000_000, ".bin": 40_000_000}  # the published ones are smaller


def load_cifar10(data_dir: str | Path, sha256: Mapping[str, str] | None = None) -> Dataset:
    """Load CIFAR-10, with the three channels of a pixel side by side.

    Parameters
    ----------
    data_dir : path
        Folder with the six ``.bin`` files, by themselves or in ``cifar-10-batches-bin``, or with
        one of the archives ``cifar-10-binary.tar.gz`` and ``cifar-10-python.tar.gz``.
    sha256 : dict of file name to str, optional
        The SHA-256 that each file must have; the published ones if not given.

    Returns
    -------
    Dataset
        Its images are float32, 0.7 GB of them in all.

    Raises
    ------
    DataError
        If a file is missing or is not the published one.
    """
    known = CIFAR10_SHA256 if sha256 is None else sha256
    parts = {name: _rows(name, where, content) for name, where, content in _read(data_dir, known)}
    missing = [name for name in _PARTS if name not in parts]
    if missing:
        raise DataError(f"{data_dir}: no {missing[0]} in CIFAR-10")
    images, labels = zip(*(parts[name] for name in _PARTS), strict=True)
    train_x, test_x = (_scaled(np.concatenate(part)) for part in (images[:-1], images[-1:]))
    train_y, test_y = (np.concatenate(part) for part in (labels[:-1], labels[-1:]))
    return Dataset(train_x, train_y, test_x, test_y, (32, 32, 3), 10, "cifar10", CLASSES)


def _read(data_dir: str | Path, known: Mapping[str, str]):
    """Names, places and contents of the parts, from the first form of the data that is there."""
    for folder in (Path(data_dir), Path(data_dir, _UNPACKED)):
        if (folder / f"{_PARTS[0]}.bin").is_file():
            for name in _PARTS:
                path = folder / f"{name}.bin"
                yield name, path, _verified(path, known)
            return
    for name in (BINARY, PYTHON):
        path = Path(data_dir, name)
        if path.is_file():
            yield from _unpacked(path, _verified(path, known))
            return
    raise DataError(
        f"{data_dir}: neither {BINARY} nor {PYTHON} nor the files of the former; pass --download "
        "to fetch it, or --data-dir with the folder that holds it"
    )


def _verified(path: Path, known: Mapping[str, str]) -> bytes:
    """Content of a file that has its SHA-256."""
    try:
        if path.stat().st_size > _MOST_BYTES[path.suffix]:
            raise DataError(f"{path}: too large for a file of CIFAR-10")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != known.get(path.name):
        raise DataError(f"{path}: not the published file, whose SHA-256 is another")
    return content


def _unpacked(path: Path, content: bytes):
    """Names, places and contents of the parts in an archive; nothing is written to the disk."""
    suffix = ".bin" if path.name == BINARY else ""
    wanted = {f"{name}{suffix}": name for name in _PARTS}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                name = wanted.get(PurePosixPath(member.name).name)
                file = archive.extractfile(member) if name and member.isfile() else None
                if name and file and member.size <= _MOST_BYTES[".bin"]:
                    yield name, path / member.name, file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked: {error}") from error


def _rows(name: str, where: Path, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3072), as in the file, and labels of one part."""
    if where.suffix == ".bin":
        if not content or len(content) % (1 + _PIXELS):
            raise DataError(f"{where}: {len(content)} bytes are not images of CIFAR-10")
        rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + _PIXELS)
        images, labels = rows[:, 1:], rows[:, 0].astype(np.int64)
    else:
        try:
            batch = {_text(key): value for key, value in load_pickled(content).items()}
            images = bytes_array(batch["data"])
            labels = np.array(batch["labels"], dtype=np.int64)
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
            raise DataError(f"{where}: not a batch of CIFAR-10: {error}") from None
    if images.shape != (len(images), _PIXELS) or labels.shape != (len(images),) or not len(images):
        raise DataError(f"{where}: {images.shape} pixels and {labels.shape} labels do not fit")
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise DataError(f"{where}: a label that is not of the classes 0 to 9")
    return images, labels


def _text(key: object) -> object:
    return key.decode("latin-1") if isinstance(key, bytes) else key


def _scaled(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1], pixel by pixel rather than channel by channel."""
    pixels = images.reshape(-1, *_SHAPE).transpose(0, 2, 3, 1).reshape(len(images), -1)
    return np.divide(pixels, 255, dtype=np.float32)

"""Small made-up files as CIFAR-10 has them, in both of its versions, for the tests to read."""

import hashlib
import io
import struct
import tarfile

import numpy as np

from mnist.cifar10 import BINARY, PYTHON

PARTS = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch")


def batches(each=20):
    """Labels and pixels (N, 3072) by part: a bright square for each class, of one colour."""
    rng = np.random.default_rng(0)
    made = {}
    for part in PARTS:
        labels = (np.arange(each) % 10).astype(np.uint8)
        images = rng.integers(0, 60, (each, 3, 32, 32), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[label % 3, 16 * (label // 5) + 3 :, 6 * (label % 5) :][:10, :6] = 255
        made[part] = labels, images.reshape(each, -1)
    return made


def binary(labels, images):
    return np.column_stack([labels, images]).astype(np.uint8).tobytes()


def pickled(labels, images):
    """A batch as Python 2 and NumPy 1 wrote it: protocol 2, with strings of bytes."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    rows, columns = (b"M" + struct.pack("<H", n) for n in images.shape)
    content = images.tobytes()
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            text(b"batch_label") + b"q\x02" + text(b"training batch 1 of 5") + b"q\x03",
            text(b"labels") + b"q\x04]q\x05(" + numbers + b"e",
            text(b"data") + b"q\x06cnumpy.core.multiarray\n_reconstruct\nq\x07",
            b"cnumpy\nndarray\nq\x08K\x00\x85q\x09" + text(b"b") + b"q\x0a\x87q\x0bRq\x0c",
            b"(K\x01" + rows + columns + b"\x86q\x0dcnumpy\ndtype\nq\x0e",
            text(b"u1") + b"q\x0fK\x00K\x01\x87q\x10Rq\x11(K\x03" + text(b"|") + b"q\x12NNN",
            b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<I", len(content)) + content + b"q\x13tb",
            text(b"filenames") + b"q\x14]q\x15" + text(b"a.png") + b"q\x16au.",
        ]
    )


def archive(members):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def write(folder, kind, made=None):
    """Write one form of the data; returns the SHA-256 of its files by their names."""
    made = batches() if made is None else made
    if kind == "files":
        files = {f"{part}.bin": binary(*batch) for part, batch in made.items()}
    elif kind == "binary":
        members = {f"cifar-10-batches-bin/{p}.bin": binary(*batch) for p, batch in made.items()}
        files = {BINARY: archive(members)}
    else:
        members = {f"cifar-10-batches-py/{part}": pickled(*batch) for part, batch in made.items()}
        files = {PYTHON: archive(members)}
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}

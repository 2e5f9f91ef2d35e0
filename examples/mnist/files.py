"""MNIST, Fashion-MNIST and CIFAR-10: the options that name them, their download and their files."""

from __future__ import annotations

import argparse
import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mnist.cifar10 import BINARY, CIFAR10_SHA256, CIFAR10_URL, load_cifar10
from shared.datasets import DIGITS, DataError, Dataset

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_URL = "https://fashion-mnist.s3.eu-central-1.amazonaws.com/"

# SHA-256 of the four compressed files as they have been published since 1998.
MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "71524e2cd1ad2968737f7f2f2ff69cbfc32df8ccddff51593f7cb2d4e0eb5b64"
    ),
    "train-labels-idx1-ubyte.gz": (
        "fe03b8bd7915f70bf5aa08be480aa413fbd85afcaa58b35d230d335f284fd88e"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "5634745efa576a17e7d4cf5cd9d09123c75e6538e5114267c2d156edaf519341"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "ae18e77e031ccde52407f794d123116439864147d33ac992975f85dd4dc42af6"
    ),
}

# Fashion-MNIST has files of the same names and shapes.
FASHION_SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    ),
    "train-labels-idx1-ubyte.gz": (
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
    ),
}
SOURCES = {
    "mnist": (MNIST_URL, MNIST_SHA256),
    "fashion": (FASHION_URL, FASHION_SHA256),
    "cifar10": (CIFAR10_URL, {BINARY: CIFAR10_SHA256[BINARY]}),
}
GARMENTS = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

# IDX: two zero bytes, the element type (8 is an unsigned byte), the number of dimensions.
_IMAGES_MAGIC = 0x0803
_LABELS_MAGIC = 0x0801

# What a compressed file may unpack to: so many times its size, and so many bytes. MNIST's own files
# unpack to five times their size; zeros could be a thousand times as many.
_MOST_RATIO = 10
_MOST_BYTES = 3_000_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which data to load, and from where."""
    parser.add_argument("--data", choices=tuple(SOURCES), default="mnist")
    parser.add_argument("--data-dir", type=Path, help="folder of the data's files; data/NAME")
    parser.add_argument("--download", action="store_true", help="fetch the files first")


def load(options: argparse.Namespace) -> Dataset:
    """Load the data that the options name, after a download if they ask for one."""
    url, sha256 = SOURCES[options.data]
    folder = options.data_dir or Path("data") / options.data
    if options.download:
        download_mnist(folder, url, sha256=sha256)
    if options.data == "cifar10":
        return load_cifar10(folder)
    return load_mnist(folder, options.data)


def load_mnist(data_dir: str | Path, name: str = "mnist") -> Dataset:
    """Load MNIST, or a set that comes in files like it, from its four IDX files.

    Parameters
    ----------
    data_dir : path
        Folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the two ``t10k``
        files, each as it is or with ``.gz``; where both are there, ``.gz`` is read.
    name : str
        Name of the data; "fashion" for Fashion-MNIST gives its classes their names.

    Raises
    ------
    DataError
        If a file is missing or damaged, or if two files do not belong together.
    """
    folder = Path(data_dir)
    train_x, train_y, train_shape = _read_pair(folder, "train")
    test_x, test_y, test_shape = _read_pair(folder, "t10k")
    if train_shape != test_shape:
        raise DataError(
            f"{folder}: training images of {_times(train_shape)} pixels do not match "
            f"test images of {_times(test_shape)}"
        )
    names = GARMENTS if name == "fashion" else DIGITS
    return Dataset(train_x, train_y, test_x, test_y, train_shape, 10, name, names)


def download_mnist(
    data_dir: str | Path,
    base_url: str = MNIST_URL,
    *,
    sha256: Mapping[str, str] | None = None,
    progressbar: bool = True,
) -> None:
    """Fetch the four compressed files of MNIST, or of a set like it, into `data_dir`.

    A file that is already there with the right SHA-256 is not fetched again. A file appears under
    its name only once it is complete and verified.

    Parameters
    ----------
    data_dir : path
        Folder for the files, made where missing.
    base_url : str
        Folder on the server.
    sha256 : dict of file name to str, optional
        What to fetch, and the SHA-256 that each must have; MNIST's if not given.
    progressbar : bool
        Whether to show the progress of each file on standard error.

    Raises
    ------
    DataError
        If the server does not deliver a file, or delivers another one.
    """
    import pooch

    folder = Path(data_dir)
    for name, digest in (MNIST_SHA256 if sha256 is None else sha256).items():
        url = f"{base_url.rstrip('/')}/{name}"
        downloader = pooch.HTTPDownloader(progressbar=progressbar)
        try:
            pooch.retrieve(url, f"sha256:{digest}", name, folder, downloader=downloader)
        except OSError as error:  # of the network (those of requests are OSErrors) or the disk
            if getattr(error, "response", None) is not None:
                error.response.close()  # pooch leaves the connection of a refusal open
            raise DataError(f"{folder / name}: not fetched from {url}: {_why(error)}") from error
        except ValueError as error:  # what pooch raises where the hash differs
            raise DataError(
                f"{folder / name}: not fetched from {url}: "
                "the server sent a file with the wrong SHA-256"
            ) from error


def _read_pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Return the images, the labels and the image shape of one part, checked."""
    image_file = _find(folder, f"{part}-images-idx3-ubyte")
    label_file = _find(folder, f"{part}-labels-idx1-ubyte")
    images = _read_idx(image_file, _IMAGES_MAGIC)
    labels = _read_idx(label_file, _LABELS_MAGIC)
    if len(images) != len(labels):
        raise DataError(
            f"{label_file}: {len(labels)} labels for the {len(images)} images of {image_file.name}"
        )
    if labels.max() > 9:
        raise DataError(f"{label_file}: label {labels.max()}, but digits go from 0 to 9")
    x = np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)
    return x, labels.astype(np.int64), images.shape[1:]


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise DataError(
        f"{folder / name}[.gz]: file not found; pass --download to fetch it, "
        "or --data-dir with the folder that holds it"
    )


def _read_idx(path: Path, magic: int) -> np.ndarray:
    """Return the bytes of an IDX file in the shape that its header states."""
    try:
        if path.suffix == ".gz":
            most = _MOST_RATIO * path.stat().st_size + _MOST_BYTES
            with gzip.open(path) as file:
                content = file.read(most + 1)
            if len(content) > most:
                raise DataError(f"{path}: unpacks to more than {most} bytes, not a data file")
        else:
            content = path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:  # zlib.error is not an OSError
        raise DataError(f"{path}: cannot be read: {_why(error)}") from error

    dimensions = magic & 0xFF
    start = 4 * (1 + dimensions)
    if len(content) < start:
        raise DataError(f"{path}: {len(content)} bytes, too short for an IDX header of {start}")
    found, *shape = np.frombuffer(content, dtype=">u4", count=1 + dimensions).tolist()
    if found != magic:
        raise DataError(f"{path}: IDX magic number is 0x{found:08x}, not 0x{magic:08x}")
    if 0 in shape:
        raise DataError(f"{path}: the IDX header states an empty shape, {_times(shape)}")
    size = math.prod(shape)
    if len(content) - start != size:
        raise DataError(
            f"{path}: {len(content) - start} bytes after the IDX header, "
            f"which states {_times(shape)} = {size}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _times(shape: tuple[int, ...] | list[int]) -> str:
    return "×".join(map(str, shape))


def _why(error: Exception) -> str:
    """Return in a few words what went wrong; the texts of requests are long and repeat the URL."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    short = {
        "ConnectTimeout": "the server does not answer",
        "ReadTimeout": "the server does not answer",
        "ConnectionError": "the server cannot be reached",
        "ChunkedEncodingError": "the connection broke off",
    }
    if type(error).__name__ in short:
        return short[type(error).__name__]
    # str(OSError) would repeat the path after its reason.
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return reason.splitlines()[0]

"""A few drawings in place of MNIST, and random numbers that no other test sees."""

import numpy as np
import pytest
import torch

from tests.examples.mnist.idx_files import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    idx,
)


@pytest.fixture(autouse=True)
def _own_random_numbers():
    with torch.random.fork_rng():
        yield


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """Folder of four files: the class is the place of a bright bar, in noise."""
    return draw(tmp_path_factory.mktemp("mnist"), 264, 40)


@pytest.fixture(scope="module")
def few_drawings(tmp_path_factory):
    """A third of them, for the networks that take seconds an epoch."""
    return draw(tmp_path_factory.mktemp("few"), 96, 20)


def draw(folder, training, testing):
    rng = np.random.default_rng(0)
    for count, images, labels in (
        (training, TRAIN_IMAGES, TRAIN_LABELS),
        (testing, TEST_IMAGES, TEST_LABELS),
    ):
        y = np.arange(count) % 10
        x = rng.integers(0, 60, (count, 28, 28))
        for row, label in zip(x, y, strict=True):
            row[5 + 14 * (label // 5) : 9 + 14 * (label // 5), 4 + 4 * (label % 5) :][:, :4] = 255
        (folder / images).write_bytes(idx(x))
        (folder / labels).write_bytes(idx(y))
    return folder

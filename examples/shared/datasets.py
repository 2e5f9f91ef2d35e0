"""Handwritten digits for the examples: the small UCI set, and an augmentation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DIGITS = tuple("0123456789")


class DataError(ValueError):
    """A data file is missing, damaged or cannot be fetched; the message is one line."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification task, already split.

    Attributes
    ----------
    train_x, test_x : ndarray of float32, shape (N, h·w·channels)
        Images in [0, 1], one flattened image per row.
    train_y, test_y : ndarray of int64, shape (N,)
        Class of each image, in 0, …, classes − 1.
    image_shape : tuple of int
        (h, w), or (h, w, channels), to turn a row back into a picture.
    classes : int
        Number of classes.
    name : str
        Short name for tables and file names.
    names : tuple of str
        Names of the classes.
    """

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    image_shape: tuple[int, ...]
    classes: int
    name: str
    names: tuple[str, ...] = DIGITS


def load_digits() -> Dataset:
    """Load the 1797 UCI digits of 8×8 pixels that ship with scikit-learn.

    One fifth, stratified by class and always the same, is the test set.
    """
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    x, y = datasets.load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)  # the pixels are counts from 0 to 16
    train_x, test_x, train_y, test_y = train_test_split(
        x, y.astype(np.int64), test_size=0.2, random_state=0, stratify=y
    )
    return Dataset(train_x, train_y, test_x, test_y, (8, 8), 10, "digits")


def shift_and_noise(
    images: np.ndarray,
    rng: np.random.Generator,
    *,
    image_shape: tuple[int, ...],
    shift: int = 1,
    noise: float = 0.1,
) -> np.ndarray:
    """Return images moved at random, with noise: fresh training data from the same drawings.

    Parameters
    ----------
    images : ndarray of floats, shape (N, h·w·channels)
        Images in [0, 1]; not modified.
    rng : numpy.random.Generator
        Source of the offsets, then of the noise.
    image_shape : tuple of int
        (h, w), or (h, w, channels).
    shift : int
        Each image moves by a whole number of pixels, uniform in [−shift, shift], down and another
        to the right. Zeros move in.
    noise : float
        Standard deviation of the Gaussian noise added to each pixel before clipping to [0, 1].

    Returns
    -------
    ndarray, shape (N, h·w·channels)
        Of the dtype of `images`.
    """
    height, width, *channels = image_shape
    if not np.issubdtype(images.dtype, np.floating):
        raise TypeError(f"`images` must hold floats. Received: {images.dtype}")
    if images.ndim != 2 or images.shape[1] != math.prod(image_shape):
        raise ValueError(
            f"`images` must have the shape (N, {math.prod(image_shape)}) for `image_shape` "
            f"{image_shape}. Received: {images.shape}"
        )
    if shift < 0:
        raise ValueError(f"`shift` must be 0 or more. Received: {shift}")
    if not 0 <= noise < math.inf:
        raise ValueError(f"`noise` must be 0 or more and finite. Received: {noise}")

    count = len(images)
    border = ((0, 0), (shift, shift), (shift, shift)) + ((0, 0),) * len(channels)
    padded = np.pad(images.reshape(count, *image_shape), border)
    # Every possible move is a window on the padded image, and the windows are views: only the
    # chosen ones are copied. A window further up shows the image further down, hence the minus.
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    down, right = rng.integers(-shift, shift, size=(2, count), endpoint=True)
    moved = windows[np.arange(count), shift - down, shift - right]
    if channels:  # the windows' own axes are the last ones
        moved = np.moveaxis(moved, 1, -1)
    moved = moved.reshape(images.shape)
    if noise > 0:
        moved += rng.standard_normal(moved.shape, dtype=np.float32) * np.float32(noise)
    return np.clip(moved, 0, 1, out=moved)

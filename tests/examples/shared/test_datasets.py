"""The small digits, and the augmentation."""

import numpy as np
import pytest

from shared.datasets import load_digits, shift_and_noise


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


def test_channels_of_a_pixel_move_together():
    rng = np.random.default_rng(0)
    images = rng.random((5, 4, 3, 2)).astype(np.float32)
    options = {"shift": 2, "noise": 0.0}
    moved = shift_and_noise(
        images.reshape(5, -1), np.random.default_rng(1), image_shape=(4, 3, 2), **options
    ).reshape(images.shape)
    with pytest.raises(ValueError, match=r"\(N, 24\) for `image_shape` \(4, 3, 2\)"):
        shift_and_noise(images[..., 0].reshape(5, -1), rng, image_shape=(4, 3, 2))
    for k in range(2):
        alone = images[..., k].reshape(5, -1)
        want = shift_and_noise(alone, np.random.default_rng(1), image_shape=(4, 3), **options)
        np.testing.assert_array_equal(moved[..., k].reshape(5, -1), want)

"""Patches along an axis: counted one by one."""

import itertools

import pytest

from synann_core._lib.patches import PatchAxis, height_and_width

AXES = [PatchAxis(*numbers) for numbers in itertools.product((1, 2, 3, 5), (1, 2, 3), (1, 2))]


def starts(axis, pixels):
    """Where patches begin that end within the pixels."""
    places = range(0, pixels, axis.stride)
    return [k for k in places if k + axis.dilation * (axis.size - 1) < pixels]


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_patches_are_those_that_fit(axis):
    for pixels in range(axis.length, 15):
        assert axis.count(pixels) == len(starts(axis, pixels))
    assert axis.count(axis.length - 1) < 1


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_a_border_gives_a_patch_for_each_step(axis):
    for pixels in range(1, 15):
        before, behind = axis.same_border(pixels)
        assert 0 <= behind - before <= 1
        assert axis.count(before + pixels + behind) == len(range(0, pixels, axis.stride))
        if before + behind:  # one less would be too few
            assert axis.count(before + pixels + behind - 1) < len(range(0, pixels, axis.stride))


def test_the_middle_has_as_many_pixels_before_as_behind():
    assert [PatchAxis(size).middle for size in range(1, 6)] == [0, 0, 1, 1, 2]


def test_an_int_stands_for_both_axes():
    assert height_and_width("stride", 2, 1) == (2, 2)
    assert height_and_width("stride", [1, 3], 1) == (1, 3)
    for value, error, message in (
        ((1, 2, 3), ValueError, r"`stride` must be an int or two. Received: \(1, 2, 3\)"),
        ((1, 0), ValueError, "`stride` must be at least 1. Received: 0"),
        ("2", TypeError, "`stride` must be an int. Received: '2'"),
    ):
        with pytest.raises(error, match=message):
            height_and_width("stride", value, 1)

"""Place the patches of a convolution on images, one axis at a time.

Patches are those of torch, Keras and NIR: `size` pixels that are `dilation` apart, and from one
patch to the next it is `stride` pixels.
"""

from __future__ import annotations

from typing import NamedTuple

from synann_core._lib.checks import check_int


class PatchAxis(NamedTuple):
    """Patches along one axis; all three numbers are ≥ 1.

    Examples
    --------
    >>> from synann_core.extending import PatchAxis
    >>> axis = PatchAxis(size=3, stride=2)
    >>> axis.count(7), axis.same_border(8), axis.middle
    (3, (0, 1), 1)
    """

    size: int
    stride: int = 1
    dilation: int = 1

    @property
    def length(self) -> int:
        """Pixels from the first of a patch to the last, with the gaps between them."""
        return self.dilation * (self.size - 1) + 1

    @property
    def middle(self) -> int:
        """Place of the middle pixel in a patch; of an even number, the one before the middle."""
        return (self.size - 1) // 2

    def count(self, pixels: int) -> int:
        """Number of patches that fit into a row of pixels; below 1 if none does."""
        return (pixels - self.length) // self.stride + 1

    def same_border(self, pixels: int) -> tuple[int, int]:
        """Pixels to add before and behind, so that ⌈pixels / stride⌉ patches fit."""
        wanted = -(-pixels // self.stride)
        total = max((wanted - 1) * self.stride + self.length - pixels, 0)
        return total // 2, total - total // 2


def height_and_width(name: str, value: int | tuple[int, int], least: int) -> tuple[int, int]:
    """`value`, an int of at least `least` or two of them, as two."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"`{name}` must be an int or two. Received: {value!r}")
    return check_int(name, pair[0], least), check_int(name, pair[1], least)

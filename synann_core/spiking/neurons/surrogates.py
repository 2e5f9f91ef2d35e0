"""Surrogate gradients: what stands for the derivative of the firing test, which has none.

A spike is H(u), u = membrane − threshold. Backward passes put height · f(u / width) in place of
H′(u); forward passes are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from synann_core._lib.arguments import Arguments
from synann_core._lib.checks import check_number, check_option
from synann_core._lib.typing import ArrayT, Namespace

SurrogateShape = Literal[
    "fast_sigmoid", "arctan", "sigmoid", "triangle", "boxcar", "gaussian", "straight_through"
]
SHAPES: tuple[SurrogateShape, ...] = get_args(SurrogateShape)  # the kernels count them


@dataclass(frozen=True)
class Surrogate:
    """``height · f(u / width)``, called with u.

    Parameters
    ----------
    shape : str
        Name of f, which is 1 at 0: ``"fast_sigmoid"`` ``1/(1 + |z|)²``, ``"arctan"`` 1/(1 + z²),
        ``"sigmoid"`` 4p(1 − p) with p = 1/(1 + e^−z), ``"triangle"`` ``max(0, 1 − |z|)``,
        ``"boxcar"`` 1 for ``|z| ≤ 1``, ``"gaussian"`` e^(−z²/2), ``"straight_through"`` 1.
    width, height : float
        Finite, > 0.

    Raises
    ------
    ValueError
        If the name is unknown, or a number not finite and positive.
    TypeError
        If `width` or `height` is not a number; when called, if u is neither a real floating-point
        array nor a number.

    Notes
    -----
    Finite for every u but NaN: the sigmoid is written with ``e^(−|z|)``, which cannot overflow (as
    1/(1 + e^(kz)) it is NaN from moderate u on in other libraries). Source: Zenke and Ganguli
    (2018) for the fast sigmoid; Neftci, Mostafa and Zenke (2019) for the method.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import Surrogate
    >>> Surrogate("triangle", width=2.0)(np.array([-4.0, -1.0, 0.0, 1.0]))
    array([0. , 0.5, 1. , 0.5])
    """

    shape: SurrogateShape
    width: float = 1.0
    height: float = 1.0

    def __post_init__(self) -> None:
        check_option("shape", self.shape, SHAPES)
        for name in ("width", "height"):
            number = check_number(name, getattr(self, name), 0.0, ends="()")
            object.__setattr__(self, name, number)

    def __call__(self, u: ArrayT | float, /) -> ArrayT:
        """Return what stands for H′(u), like u."""
        with Arguments(u=u) as given:
            return given.result(self.derivative(given["u"], xp=given.xp))

    def derivative(self, u: Any, *, xp: Namespace) -> Any:
        """Return the same for a checked array."""
        z = u / self.width
        if self.shape == "fast_sigmoid":
            root = 1.0 + xp.abs(z)
            return self.height / (root * root)
        if self.shape == "arctan":
            return self.height / (1.0 + z * z)
        if self.shape == "sigmoid":
            e = xp.exp(-xp.abs(z))
            root = 1.0 + e
            return (4.0 * self.height) * e / (root * root)
        if self.shape == "triangle":
            inside = 1.0 - xp.abs(z)
            return self.height * xp.maximum(inside, xp.zeros_like(inside))
        if self.shape == "boxcar":
            return self.height * xp.astype(xp.abs(z) <= 1.0, u.dtype)
        if self.shape == "gaussian":
            return self.height * xp.exp(-0.5 * z * z)
        return xp.full_like(u, self.height)


def fast_sigmoid(width: float = 1 / 25, height: float = 1.0) -> Surrogate:
    """Make ``height / (1 + |u|/width)²``; the default is `snntorch.surrogate.fast_sigmoid`'s.

    Its slope is 1/width. What snnTorch's neurons use unless told otherwise is its `arctan`.

    Examples
    --------
    >>> from synann_core.spiking import fast_sigmoid
    >>> fast_sigmoid()
    Surrogate(shape='fast_sigmoid', width=0.04, height=1.0)
    """
    return Surrogate("fast_sigmoid", width, height)


def superspike(width: float = 1 / 100, height: float = 1.0) -> Surrogate:
    """`fast_sigmoid` under the name and with the width of SuperSpike.

    Norse's method "super" ignores its slope and is ``superspike(width=1.0)``.

    Examples
    --------
    >>> from synann_core.spiking import fast_sigmoid, superspike
    >>> superspike(0.04) == fast_sigmoid()
    True
    """
    return fast_sigmoid(width, height)


def arctan(width: float = 1 / math.pi, height: float = 1.0) -> Surrogate:
    """Make ``height / (1 + (u/width)²)``; snnTorch's atan(α) has width 2/(πα) and height α/2.

    The default is that of snnTorch's neurons, α = 2.

    Examples
    --------
    >>> from synann_core.spiking import arctan
    >>> round(float(arctan()(1.0)), 6)
    0.092
    """
    return Surrogate("arctan", width, height)


def sigmoid(width: float = 1 / 25, height: float = 25 / 4) -> Surrogate:
    """Make ``4 height p (1 − p)``, p = 1/(1 + e^(−u/width)); with height 1/(4 width) it is p′(u).

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import sigmoid
    >>> sigmoid()(np.array([0.0, -1e4]))
    array([6.25, 0.  ])
    """
    return Surrogate("sigmoid", width, height)


def triangle(width: float = 1.0, height: float = 1.0) -> Surrogate:
    """Make ``height · max(0, 1 − |u|/width)``.

    Examples
    --------
    >>> from synann_core.spiking import triangle
    >>> float(triangle(height=0.3)(0.5))
    0.15
    """
    return Surrogate("triangle", width, height)


def boxcar(width: float = 0.5, height: float = 1.0) -> Surrogate:
    """Make ``height`` for ``|u| ≤ width``, else 0.

    Examples
    --------
    >>> import numpy as np
    >>> from synann_core.spiking import boxcar
    >>> boxcar()(np.array([-0.6, 0.5]))
    array([0., 1.])
    """
    return Surrogate("boxcar", width, height)


def gaussian(width: float = 0.5, height: float = 1.0) -> Surrogate:
    """Make ``height · e^(−(u/width)²/2)``.

    Examples
    --------
    >>> from synann_core.spiking import gaussian
    >>> round(float(gaussian()(0.5)), 6)
    0.606531
    """
    return Surrogate("gaussian", width, height)


def straight_through(height: float = 1.0) -> Surrogate:
    """Make ``height`` everywhere.

    Examples
    --------
    >>> from synann_core.spiking import straight_through
    >>> float(straight_through()(1e4))
    1.0
    """
    return Surrogate("straight_through", 1.0, height)

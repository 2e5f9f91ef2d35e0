"""Types that the whole library shares: arrays of any library, their namespaces, shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

Shape = tuple[int, ...]
#: Whether numbers are probabilities or surprisals.
Space = Literal["probability", "surprisal"]
#: An array of NumPy, of any dtype.
NumpyArray = np.ndarray[Any, np.dtype[Any]]


class AnyArray(Protocol):
    """What a caller's array must have for a type checker: a shape and the type of its elements.

    Operators are left out: those of NumPy's stubs depend on the type of the elements.
    """

    @property
    def shape(self) -> Any:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """Type of the elements."""


class Frame(Protocol):
    """A table with names of its columns, of pandas or polars."""

    @property
    def shape(self) -> Any:
        """Rows and columns."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""


#: What stands for an array of NumPy: lists of numbers or labels, and frames.
Table = Sequence[Any] | Frame


class Array(AnyArray, Protocol):
    """An array of any library: what the array API standard gives to all of them."""

    @property
    def ndim(self) -> int:
        """Number of axes."""

    def __getitem__(self, key: Any, /) -> Array: ...
    def __add__(self, other: Any, /) -> Array: ...
    def __radd__(self, other: Any, /) -> Array: ...
    def __sub__(self, other: Any, /) -> Array: ...
    def __rsub__(self, other: Any, /) -> Array: ...
    def __mul__(self, other: Any, /) -> Array: ...
    def __rmul__(self, other: Any, /) -> Array: ...
    def __truediv__(self, other: Any, /) -> Array: ...
    def __rtruediv__(self, other: Any, /) -> Array: ...
    def __floordiv__(self, other: Any, /) -> Array: ...
    def __pow__(self, other: Any, /) -> Array: ...
    def __rpow__(self, other: Any, /) -> Array: ...
    def __matmul__(self, other: Any, /) -> Array: ...
    def __neg__(self) -> Array: ...
    def __eq__(self, other: object, /) -> Array: ...  # type: ignore[override]
    def __ne__(self, other: object, /) -> Array: ...  # type: ignore[override]
    def __lt__(self, other: Any, /) -> Array: ...
    def __le__(self, other: Any, /) -> Array: ...
    def __gt__(self, other: Any, /) -> Array: ...
    def __ge__(self, other: Any, /) -> Array: ...
    def __and__(self, other: Any, /) -> Array: ...
    def __or__(self, other: Any, /) -> Array: ...
    def __xor__(self, other: Any, /) -> Array: ...
    def __lshift__(self, other: Any, /) -> Array: ...
    def __rshift__(self, other: Any, /) -> Array: ...
    def __invert__(self) -> Array: ...
    def __float__(self) -> float: ...
    def __int__(self) -> int: ...
    def __bool__(self) -> bool: ...


class Namespace(Protocol):
    """The functions of an array library, under the names of the array API standard."""

    float32: Any
    float64: Any
    isdtype: Any
    finfo: Any
    iinfo: Any
    result_type: Any

    def __getattr__(self, name: str, /) -> Callable[..., Array]: ...


if TYPE_CHECKING:
    from typing_extensions import TypeVar  # typing's own has no default before Python 3.13

    # The caller's array type: what goes in comes out, and NumPy where there are only numbers.
    ArrayT = TypeVar("ArrayT", bound=AnyArray, default=NumpyArray)
else:
    from typing import TypeVar

    ArrayT = TypeVar("ArrayT")

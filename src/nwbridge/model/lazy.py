"""Arrays that are read only while they are written, and when their values were taken."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource


class Reader(Protocol):
    """What `LazyArray.open` yields: `reader[start:stop]` is a block along the first axis."""

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        """Return the block; `h5py.Dataset`, `numpy.ndarray` and `numpy.memmap` fit as they are."""


@dataclass(frozen=True)
class LazyArray:
    """An array that is read only while it is written to the output.

    `open()` is a context manager that yields a `Reader`. With `parallel`, that reader may be indexed from several
    threads at once and in any order; without, blocks are asked for in one thread, front to back. Two lazy arrays are
    equal if shape and type are; their values are only known once they are read.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    open: Callable[[], AbstractContextManager[Reader]] = field(compare=False, repr=False)
    parallel: bool = field(default=False, compare=False)
    field_of: tuple[LazyArray, str] | None = field(default=None, compare=False, repr=False)  # see `fields`

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        object.__setattr__(self, "shape", tuple(operator.index(size) for size in self.shape))
        if not self.shape or any(size < 0 for size in self.shape):
            raise BadSource(f"an array of shape {self.shape} was described; expected at least one axis, sizes ≥ 0")

    @property
    def nbytes(self) -> int:
        """Size of all values in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def first(self, count: int) -> LazyArray:
        """Return the first `count` entries of the first axis."""
        return replace(self, shape=(min(count, self.shape[0]), *self.shape[1:]), field_of=None)

    def fields(self) -> dict[str, LazyArray]:
        """Return the columns of a table whose rows are read at once, as of a text file: `dtype` has a field for each.

        Columns that are written together are filled from one reading of the rows.
        """

        def column(name: str) -> LazyArray:
            @contextmanager
            def open_field() -> Iterator[Reader]:
                with self.open() as rows:
                    yield _Field(rows, name)

            return LazyArray(self.shape, self.dtype[name], open_field, self.parallel, (self, name))

        return {name: column(name) for name in self.dtype.names or ()}


@dataclass(frozen=True)
class _Field:
    """One field of the rows that a reader gives."""

    rows: Reader
    name: str

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        return np.asarray(self.rows[key][self.name])


def is_number(dtype: np.dtype[Any]) -> bool:
    """Whether values are integers, float32 or float64: what NWB can hold."""
    return dtype.kind in "ui" or (dtype.kind == "f" and dtype.itemsize in (4, 8))


def is_positive(value: float) -> bool:
    """Whether a float can hold it, above 0; whole numbers may be longer than any float."""
    try:
        return 0 < float(value) < math.inf
    except OverflowError:
        return False


def check_clock(
    label: str, count: int, rate_hz: float | None, timestamps: LazyArray | None, start_s: float = 0.0
) -> None:
    """Raise BadSource unless rate, or timestamps, and start can be those of `count` samples."""
    if rate_hz is not None and not is_positive(rate_hz):
        raise BadSource(f"{label}: a rate of {rate_hz} Hz was found; expected more than 0")
    if not math.isfinite(start_s):
        raise BadSource(f"{label}: it starts at {start_s} s; expected a finite number")
    if timestamps is not None and (timestamps.shape != (count,) or not is_number(timestamps.dtype)):
        raise BadSource(
            f"{label}: timestamps of shape {timestamps.shape}, {timestamps.dtype}; "
            f"expected one number for each of {count} samples"
        )


def lazy_arrays(value: Any) -> Iterator[LazyArray]:
    """Yield every lazy array in an element, or in a tuple of them."""
    if isinstance(value, LazyArray):
        yield value
    elif isinstance(value, tuple):
        for inner in value:
            yield from lazy_arrays(inner)
    elif is_dataclass(value):
        for entry in fields(value):
            yield from lazy_arrays(getattr(value, entry.name))

"""The makers of lazy arrays: one function a kind of file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource
from nwbridge.model import LazyArray, Reader
from nwbridge.safety import check_hdf5


def from_numpy(array: npt.NDArray[Any]) -> LazyArray:
    """Return a lazy array over one in memory."""

    @contextmanager
    def open_array() -> Iterator[Reader]:
        yield array

    return LazyArray(array.shape, array.dtype, open_array, parallel=True)


def from_npy(path: Path) -> LazyArray:
    """Return a lazy array over a ``.npy`` file; object arrays (pickles) are refused."""
    path = Path(path)

    def mapped() -> npt.NDArray[Any]:
        try:
            # not np.load, which takes an .npz as well; object arrays cannot be mapped, so that nothing is unpickled
            return np.lib.format.open_memmap(path, mode="r")
        except Exception as error:
            raise BadSource(f"{path.name} cannot be read as a numpy array: {_line(error)}") from error

    @contextmanager
    def open_npy() -> Iterator[Reader]:
        yield mapped()

    head = mapped()
    return LazyArray(head.shape, head.dtype, open_npy, parallel=True)


def from_hdf5(path: Path, name: str, axes: Sequence[int] | None = None) -> LazyArray:
    """Return a lazy array over the data set `name` of an HDF5 file; BadSource where the file reaches out of itself.

    With `axes`, axis i of the array is axis ``axes[i]`` of the data set; an axis that is left out has to be of size 1.
    """
    path = Path(path)
    check_hdf5(path)
    try:
        with h5py.File(path, "r") as file:
            dataset = file.get(name)
            if not isinstance(dataset, h5py.Dataset):
                raise BadSource(f"{path.name} has no data set {name}; it has {', '.join(sorted(file)) or 'nothing'}")
            if not dataset.shape:
                raise BadSource(f"{path.name}: {name} is a single value; expected an array")
            stored, dtype = dataset.shape, dataset.dtype
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise BadSource(f"{path.name} cannot be read as HDF5 ({_line(error)}): download it again") from error
    order = tuple(axes) if axes is not None else tuple(range(len(stored)))
    left = [size for axis, size in enumerate(stored) if axis not in order]
    if not order or max(order) >= len(stored) or set(left) - {1}:
        raise BadSource(
            f"{path.name}: {name} has the shape {stored}; expected {len(order)} axes that are not of size 1"
        )
    return hdf5_view(path, name, tuple(stored[axis] for axis in order), dtype, order)


def hdf5_view(path: Path, name: str, shape: Sequence[int], dtype: np.dtype[Any], axes: Sequence[int]) -> LazyArray:
    """Return a lazy array over a data set of a file that `check_hdf5` has passed, and whose shape is known."""
    order = tuple(axes)

    @contextmanager
    def open_dataset() -> Iterator[Reader]:
        with h5py.File(path, "r") as file:
            dataset = file[name]
            yield dataset if order == tuple(range(dataset.ndim)) else _Axes(dataset, order)

    return LazyArray(tuple(shape), dtype, open_dataset)


@dataclass(frozen=True)
class _Axes:
    """A data set with its axes in another order."""

    dataset: h5py.Dataset
    axes: tuple[int, ...]

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        place: list[slice | int] = [slice(None) if axis in self.axes else 0 for axis in range(self.dataset.ndim)]
        place[self.axes[0]] = key
        kept = sorted(self.axes)
        values: npt.NDArray[Any] = self.dataset[tuple(place)].transpose([kept.index(axis) for axis in self.axes])
        return values


def from_function(
    shape: Sequence[int], dtype: npt.DTypeLike, read: Callable[[int, int], npt.NDArray[Any]], *, parallel: bool = True
) -> LazyArray:
    """Return a lazy array whose entries `start` to `stop` along the first axis are ``read(start, stop)``."""

    @contextmanager
    def open_function() -> Iterator[Reader]:
        yield _Computed(read, shape[0])

    return LazyArray(tuple(shape), np.dtype(dtype), open_function, parallel)


@dataclass(frozen=True)
class _Computed:
    """Values that a function gives."""

    read: Callable[[int, int], npt.NDArray[Any]]
    count: int

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        start, stop, _ = key.indices(self.count)
        return self.read(start, stop)


def _line(error: Exception) -> str:
    """Return the first line of what a library says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def only_frame(frames: LazyArray) -> LazyArray:
    """Return (row, column) of a (time, row, column) that has one frame; BadSource where it has another number."""
    if len(frames.shape) != 3 or frames.shape[0] != 1:
        raise BadSource(f"{frames.shape[0]} frames of {frames.shape[1:]} were found; expected one image")

    @contextmanager
    def open_frame() -> Iterator[Reader]:
        with frames.open() as reader:
            yield np.asarray(reader[0:1])[0]

    return LazyArray(frames.shape[1:], frames.dtype, open_frame, parallel=True)

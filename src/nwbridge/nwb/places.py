"""One data set that is filled and read back chunk by chunk: how it is cut, and what its chunks' bytes are.

`place` knows the data sets of h5py; nwbridge.nwb.zarr registers those of zarr.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt
import xxhash
from isal import isal_zlib

from nwbridge.errors import InvalidOutput
from nwbridge.nwb.chunks import Compression, compressor, inflate, shuffle, unshuffle


@dataclass(frozen=True)
class Grid:
    """How one array is cut into slabs and chunks."""

    shape: tuple[int, ...]  # of the array
    axes: tuple[int, ...]
    chunk: tuple[int, ...]  # as stored
    dtype: np.dtype[Any]

    @property
    def height(self) -> int:
        """Entries of the array's first axis in a slab."""
        return self.chunk[self.axes.index(0)]

    def slabs(self) -> Iterator[tuple[int, int]]:
        """Yield the first entry of each slab and the one after its last."""
        for start in range(0, self.shape[0], self.height):
            yield start, min(start + self.height, self.shape[0])

    def chunks(self, start: int, stop: int) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]]:
        """Yield, for each chunk of a slab, where it is stored, its place in the stored-order slab, and in the chunk."""
        shape = tuple(stop - start if axis == 0 else self.shape[axis] for axis in self.axes)
        for corner in itertools.product(*(range(0, n, c) for n, c in zip(shape, self.chunk, strict=True))):
            place = tuple(slice(low, min(low + c, n)) for low, c, n in zip(corner, self.chunk, shape, strict=True))
            inside = tuple(slice(0, part.stop - part.start) for part in place)
            stored = tuple(low + (start if axis == 0 else 0) for low, axis in zip(corner, self.axes, strict=True))
            yield stored, place, inside


class Buffers(threading.local):
    """Arrays that a worker uses again for every chunk: fresh ones cost a page fault each 4 KiB."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], npt.NDArray[Any]] = {}

    def get(self, use: str, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        """Return the array for a use; what it holds is left from the last time."""
        key = (use, shape, np.dtype(dtype))
        if key not in self.kept:
            self.kept = {k: v for k, v in self.kept.items() if k[0] != use}
            self.kept[key] = np.empty(shape, dtype)
        return self.kept[key]


Pack = Callable[[npt.NDArray[Any], Buffers], bytes]  # the values of a whole chunk -> what is stored


class Place(Protocol):
    """A data set whose chunks are stored and read one by one."""

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk."""

    def packer(self, compression: Compression) -> Pack:
        """Return the function that makes a chunk's bytes, in any thread."""

    def put(self, corner: tuple[int, ...], data: bytes) -> None:
        """Store the chunk that begins at `corner`."""

    def digest(
        self, workers: ThreadPoolExecutor, grid: Grid, start: int, stop: int, buffers: Buffers
    ) -> Future[int] | None:
        """Begin to read a slab back, and return the coming hash; None where it cannot be what was stored."""


@singledispatch
def place(dataset: Any) -> Place:
    """Return how a data set is filled and read; register a function for each library's."""
    raise TypeError(f"{type(dataset).__name__} is no data set that can be filled")


def hash_of(slab: npt.NDArray[Any]) -> int:
    """Return the XXH3 of a contiguous slab's bytes."""
    return int(xxhash.xxh3_64_intdigest(slab.view(np.uint8).reshape(-1).data)) if slab.size else 0


def slab_of(dataset: Any, grid: Grid, start: int, stop: int) -> npt.NDArray[Any]:
    """Return a slab in the array's own order, as the library reads it."""
    where = tuple(slice(start, stop) if axis == 0 else slice(None) for axis in grid.axes)
    return np.ascontiguousarray(dataset[where].transpose(np.argsort(grid.axes)))


@place.register(h5py.Dataset)
class _Hdf5Place:
    """Chunks are the bytes of HDF5's own filters, and are made and undone past HDF5, which uses one processor."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.chunks = dataset.chunks

    def packer(self, compression: Compression) -> Pack:
        """Shuffle and deflate."""
        return packer_of(compression)

    def put(self, corner: tuple[int, ...], data: bytes) -> None:
        """Store a chunk as it is."""
        self._dataset.id.write_direct_chunk(corner, data)

    def digest(
        self, workers: ThreadPoolExecutor, grid: Grid, start: int, stop: int, buffers: Buffers
    ) -> Future[int] | None:
        """Read the chunks as they are, and let a worker inflate them."""
        stored = [self._dataset.id.read_direct_chunk(corner) for corner, *_ in grid.chunks(start, stop)]
        if any(mask for mask, _ in stored):  # HDF5 would then skip a filter that was applied
            return None
        plain = self._dataset.compression is None
        return workers.submit(_decode, [data for _, data in stored], grid, start, stop, plain, buffers)


def packer_of(compression: Compression) -> Pack:
    """Return the function that makes the bytes of a chunk of HDF5."""
    if compression == "none":
        return lambda values, _: values.tobytes()
    deflate = compressor(compression)

    def pack(values: npt.NDArray[Any], buffers: Buffers) -> bytes:
        return deflate(shuffle(values, buffers.get("planes", (values.dtype.itemsize, values.size), np.uint8)))

    return pack


def _decode(raw: list[Any], grid: Grid, start: int, stop: int, plain: bool, buffers: Buffers) -> int:
    """Return the hash of a slab put together again from its stored chunks."""
    source = buffers.get("slab", (stop - start, *grid.shape[1:]), grid.dtype)
    stored = source.transpose(grid.axes)
    values = buffers.get("values", grid.chunk, grid.dtype)
    for data, (_, place, inside) in zip(raw, grid.chunks(start, stop), strict=True):
        if plain:
            stored[place] = np.frombuffer(data, grid.dtype).reshape(grid.chunk)[inside]
        else:
            try:
                unshuffle(inflate(data, values.nbytes), values)
            except (isal_zlib.error, ValueError) as error:  # type: ignore[misc]  # its stub says no exception
                raise InvalidOutput(f"a chunk cannot be inflated any more ({error}); nothing was kept") from error
            stored[place] = values[inside]
    return hash_of(source)

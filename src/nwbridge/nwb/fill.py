"""From a lazy array to compressed HDF5 chunks, in threads and bounded memory, and back again for verification.

The array is read in slabs: as many entries of its first axis as a chunk holds. A worker hashes the slab as it came
from the source, transposes, shuffles and deflates its chunks; the caller's thread stores them in order. To verify, a
worker takes the stored chunks of a slab, undoes all that, and compares the hash.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import h5py
import numpy as np
import numpy.typing as npt
import xxhash
from isal import isal_zlib

from nwbridge.errors import BadSource, InvalidOutput, NwbridgeError, PluginFault
from nwbridge.model import LazyArray, Reader
from nwbridge.nwb.chunks import Compression, compressor, inflate, shuffle, transpose, unshuffle

IN_FLIGHT = 96 << 20  # bytes of slabs read and not yet stored
Advance = Callable[[int], None]  # bytes done since the last call
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """One array and the data set that it fills."""

    name: str  # of the data set
    array: LazyArray
    axes: tuple[int, ...]

    @property
    def entry(self) -> int:
        """Bytes of one entry of the array's first axis."""
        return self.array.nbytes // max(1, self.array.shape[0])


def default_threads() -> int:
    """Return how many processors this process may use, at most 8: more wait for memory."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, min(8, len(affinity(0)) if affinity else os.cpu_count() or 1))


@dataclass(frozen=True)
class _Grid:
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


class _Buffers(threading.local):
    """Arrays that a worker uses again for every chunk: fresh ones cost a page fault each 4 KiB."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], npt.NDArray[Any]] = {}

    def get(self, use: str, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        key = (use, shape, np.dtype(dtype))
        if key not in self.kept:
            self.kept = {k: v for k, v in self.kept.items() if k[0] != use}
            self.kept[key] = np.empty(shape, dtype)
        return self.kept[key]


def _hash(slab: npt.NDArray[Any]) -> int:
    """Return the XXH3 of a contiguous slab's bytes."""
    return int(xxhash.xxh3_64_intdigest(slab.view(np.uint8).reshape(-1).data)) if slab.size else 0


def _encode(
    slab: npt.NDArray[Any], grid: _Grid, start: int, deflate: Callable[[Any], bytes] | None, buffers: _Buffers
) -> tuple[int, list[Any]]:
    """Return the slab's hash and, for each of its chunks, where it goes and its bytes."""
    source = np.ascontiguousarray(slab)
    digest = _hash(source)
    stored = source.transpose(grid.axes)
    chunks = []
    for corner, place, inside in grid.chunks(start, start + len(slab)):
        values = buffers.get("values", grid.chunk, grid.dtype)
        block = stored[place]
        if block.shape != grid.chunk:
            values.fill(0)  # HDF5 stores whole chunks; what lies past the edge is never read
        transpose(block, values[inside])
        if deflate is None:
            chunks.append((corner, values.tobytes()))
        else:
            planes = buffers.get("planes", (grid.dtype.itemsize, values.size), np.uint8)
            chunks.append((corner, deflate(shuffle(values, planes))))
    return digest, chunks


def _decode(raw: list[Any], grid: _Grid, start: int, stop: int, plain: bool, buffers: _Buffers) -> int:
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
    return _hash(source)


@contextmanager
def _opened(array: LazyArray, name: str) -> Iterator[Reader]:
    """Open a lazy array; what goes wrong there is the source's or its plugin's, never the output's."""
    with ExitStack() as stack:
        with _blamed(f"{name}: opening the source"):
            reader = stack.enter_context(array.open())
        yield reader


@contextmanager
def _blamed(doing: str) -> Iterator[None]:
    try:
        yield
    except (NwbridgeError, MemoryError):
        raise
    except OSError as error:
        raise BadSource(f"{doing} failed: {error}") from error
    except Exception as error:
        raise PluginFault(f"{doing} failed: {type(error).__name__}: {error}") from error


def _block(reader: Reader, start: int, stop: int, array: LazyArray, name: str) -> npt.NDArray[Any]:
    with _blamed(f"{name}: reading entries {start} to {stop} of the source"):
        block = np.asarray(reader[start:stop])
    if block.shape != (stop - start, *array.shape[1:]) or block.dtype != array.dtype:
        raise PluginFault(
            f"{name}: entries {start} to {stop} came as {block.shape} {block.dtype}; "
            f"{(stop - start, *array.shape[1:])} {array.dtype} was described"
        )
    return block


def fill(
    file: h5py.File, parts: Sequence[Part], threads: int, compression: Compression, advance: Advance
) -> list[list[int]]:
    """Fill one data set, or those of columns whose rows are read at once; return the hashes of each one's slabs.

    Hashes are of the values as they were read from the source. Memory is bounded by `IN_FLIGHT` (or two slabs, where
    one is larger) whatever the array's size.
    """
    first = parts[0]
    array, name = (first.array.field_of[0] if first.array.field_of else first.array), first.name
    datasets = [file[part.name] for part in parts]
    grids = [_Grid(p.array.shape, p.axes, d.chunks, p.array.dtype) for p, d in zip(parts, datasets, strict=True)]
    deflate = None if compression == "none" else compressor(compression)
    buffers = _Buffers()
    digests: list[list[int]] = [[] for _ in parts]

    with _opened(array, name) as reader, _pools(threads, alone=not array.parallel) as (workers, readers):

        def read(start: int, stop: int) -> npt.NDArray[Any]:
            return _block(reader, start, stop, array, name)

        def encode(block: npt.NDArray[Any], start: int) -> list[tuple[int, list[Any]]]:
            columns = [block[p.array.field_of[1]] if p.array.field_of else block for p in parts]
            return [_encode(c, grid, start, deflate, buffers) for c, grid in zip(columns, grids, strict=True)]

        def submit(start: int, stop: int) -> Future[list[tuple[int, list[Any]]]]:
            if readers is None:
                return workers.submit(lambda: encode(read(start, stop), start))
            coming = readers.submit(read, start, stop)
            return workers.submit(lambda: encode(coming.result(), start))

        slabs = ((stop - start, submit, (start, stop)) for start, stop in grids[0].slabs())
        entry = array.nbytes // max(1, array.shape[0])
        for count, encoded in _in_order(slabs, _depth(grids[0].height * entry, threads)):
            for dataset, found, (digest, chunks) in zip(datasets, digests, encoded, strict=True):
                for corner, data in chunks:
                    dataset.id.write_direct_chunk(corner, data)
                found.append(digest)
            advance(count * sum(part.entry for part in parts))
    return digests


def measure(
    array: LazyArray, axes: tuple[int, ...], chunk: tuple[int, ...], compression: Compression, blocks: int
) -> tuple[int, int]:
    """Encode a few blocks without storing them; return their bytes as read and as packed.

    Blocks are spread over an array that can be read at any place, and taken from the front of any other.
    """
    grid = _Grid(array.shape, axes, chunk, array.dtype)
    slabs = list(grid.slabs())
    if array.parallel:
        slabs = slabs[:: max(1, len(slabs) // blocks)]
    deflate = None if compression == "none" else compressor(compression)
    buffers = _Buffers()
    read = packed = 0
    with _opened(array, "the array") as reader:
        for start, stop in slabs[:blocks]:
            block = _block(reader, start, stop, array, "the array")
            _, chunks = _encode(block, grid, start, deflate, buffers)
            read += block.nbytes
            packed += sum(len(data) for _, data in chunks)
    return read, packed


def verify(file: h5py.File, part: Part, digests: list[int], threads: int, advance: Advance) -> None:
    """Read a data set back and compare every slab with the hash of what was read from the source.

    The chunks are inflated in threads by our own code; the first and the last slab also through HDF5's own filters.
    Raises InvalidOutput at the first difference.
    """
    dataset = file[part.name]
    grid = _Grid(part.array.shape, part.axes, dataset.chunks, part.array.dtype)
    if dataset.shape != tuple(grid.shape[axis] for axis in grid.axes) or dataset.dtype != grid.dtype:
        raise InvalidOutput(
            f"{part.name} was stored as {dataset.shape} {dataset.dtype}; expected {grid.shape} {grid.dtype}"
        )
    plain = dataset.compression is None
    buffers = _Buffers()
    slabs = list(grid.slabs())
    if len(slabs) != len(digests):
        raise InvalidOutput(f"{part.name}: {len(digests)} of {len(slabs)} blocks were written")
    entry = part.entry

    with _pools(threads, alone=False) as (workers, _):

        def submit(start: int, stop: int) -> Future[int]:
            stored = [dataset.id.read_direct_chunk(corner) for corner, *_ in grid.chunks(start, stop)]
            if any(mask for mask, _ in stored):  # HDF5 would then skip a filter that was applied
                raise InvalidOutput(_difference(part, (start, stop)))
            raw = [data for _, data in stored]
            return workers.submit(_decode, raw, grid, start, stop, plain, buffers)

        work = ((index, submit, slab) for index, slab in enumerate(slabs))
        for index, digest in _in_order(work, _depth(grid.height * entry, threads)):
            if digest != digests[index]:
                raise InvalidOutput(_difference(part, slabs[index]))
            advance((slabs[index][1] - slabs[index][0]) * entry)
    for index in {0, len(slabs) - 1} if slabs else ():
        start, stop = slabs[index]
        place = tuple(slice(start, stop) if axis == 0 else slice(None) for axis in grid.axes)
        values = np.ascontiguousarray(dataset[place].transpose(np.argsort(grid.axes)))
        if _hash(values) != digests[index]:
            raise InvalidOutput(_difference(part, slabs[index]))


def _difference(part: Part, slab: tuple[int, int]) -> str:
    return (
        f"{part.name}: entries {slab[0]} to {slab[1]} read back from the file differ from the source; "
        "nothing was kept. Check the disk, and report it if it happens again"
    )


def _depth(slab: int, threads: int) -> int:
    return max(2, min(threads + 3, IN_FLIGHT // max(1, slab)))


def _in_order(
    work: Iterable[tuple[Any, Callable[..., Future[T]], tuple[int, int]]], depth: int
) -> Iterator[tuple[Any, T]]:
    """Submit work with at most `depth` pieces under way and yield the results in order."""
    coming: deque[tuple[Any, Future[T]]] = deque()
    for key, submit, arguments in work:
        coming.append((key, submit(*arguments)))
        if len(coming) >= depth:
            done, future = coming.popleft()
            yield done, future.result()
    while coming:
        done, future = coming.popleft()
        yield done, future.result()


@contextmanager
def _pools(threads: int, *, alone: bool) -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor | None]]:
    """Yield a pool of workers, and with `alone` one more thread that does all the reading."""
    workers = ThreadPoolExecutor(threads, "nwbridge-worker")
    readers = ThreadPoolExecutor(1, "nwbridge-reader") if alone else None
    try:
        yield workers, readers
    except MemoryError as error:
        raise BadSource("there is not enough memory for one block of this recording: give smaller --chunks") from error
    finally:
        for pool in filter(None, (readers, workers)):
            pool.shutdown(wait=True, cancel_futures=True)

"""From a lazy array to compressed chunks, in threads and bounded memory, and back again for verification.

The array is read in slabs: as many entries of its first axis as a chunk holds. A worker hashes the slab as it came
from the source, transposes and compresses its chunks; the caller's thread stores them in order. To verify, a worker
takes the stored chunks of a slab, undoes all that, and compares the hash. What a chunk's bytes are is the matter of
`places`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource, InvalidOutput, NwbridgeError, PluginFault
from nwbridge.model import LazyArray, Reader
from nwbridge.nwb.chunks import Compression, transpose
from nwbridge.nwb.places import Buffers, Grid, Pack, hash_of, packer_of, place, slab_of

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


def _encode(slab: npt.NDArray[Any], grid: Grid, start: int, pack: Pack, buffers: Buffers) -> tuple[int, list[Any]]:
    """Return the slab's hash and, for each of its chunks, where it goes and its bytes."""
    source = np.ascontiguousarray(slab)
    digest = hash_of(source)
    stored = source.transpose(grid.axes)
    chunks = []
    for corner, where, inside in grid.chunks(start, start + len(slab)):
        values = buffers.get("values", grid.chunk, grid.dtype)
        block = stored[where]
        if block.shape != grid.chunk:
            values.fill(0)  # whole chunks are stored; what lies past the edge is never read
        transpose(block, values[inside])
        chunks.append((corner, pack(values, buffers)))
    return digest, chunks


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


def fill(file: Any, parts: Sequence[Part], threads: int, compression: Compression, advance: Advance) -> list[list[int]]:
    """Fill one data set, or those of columns whose rows are read at once; return the hashes of each one's slabs.

    Hashes are of the values as they were read from the source. Memory is bounded by `IN_FLIGHT` (or two slabs, where
    one is larger) whatever the array's size.
    """
    first = parts[0]
    array, name = (first.array.field_of[0] if first.array.field_of else first.array), first.name
    places = [place(file[part.name]) for part in parts]
    grids = [Grid(p.array.shape, p.axes, d.chunks, p.array.dtype) for p, d in zip(parts, places, strict=True)]
    packs = [one.packer(compression) for one in places]
    buffers = Buffers()
    digests: list[list[int]] = [[] for _ in parts]

    with _opened(array, name) as reader, _pools(threads, alone=not array.parallel) as (workers, readers):

        def read(start: int, stop: int) -> npt.NDArray[Any]:
            return _block(reader, start, stop, array, name)

        def encode(block: npt.NDArray[Any], start: int) -> list[tuple[int, list[Any]]]:
            columns = [block[p.array.field_of[1]] if p.array.field_of else block for p in parts]
            return [_encode(c, g, start, pack, buffers) for c, g, pack in zip(columns, grids, packs, strict=True)]

        def submit(start: int, stop: int) -> Future[list[tuple[int, list[Any]]]]:
            if readers is None:
                return workers.submit(lambda: encode(read(start, stop), start))
            coming = readers.submit(read, start, stop)
            return workers.submit(lambda: encode(coming.result(), start))

        slabs = ((stop - start, submit, (start, stop)) for start, stop in grids[0].slabs())
        entry = array.nbytes // max(1, array.shape[0])
        for count, encoded in _in_order(slabs, _depth(grids[0].height * entry, threads)):
            for one, found, (digest, chunks) in zip(places, digests, encoded, strict=True):
                for corner, data in chunks:
                    one.put(corner, data)
                found.append(digest)
            advance(count * sum(part.entry for part in parts))
    return digests


def measure(
    array: LazyArray, axes: tuple[int, ...], chunk: tuple[int, ...], compression: Compression, blocks: int
) -> tuple[int, int]:
    """Encode a few blocks without storing them; return their bytes as read and as packed.

    Blocks are spread over an array that can be read at any place, and taken from the front of any other.
    """
    grid = Grid(array.shape, axes, chunk, array.dtype)
    slabs = list(grid.slabs())
    if array.parallel:
        slabs = slabs[:: max(1, len(slabs) // blocks)]
    pack = packer_of(compression)
    buffers = Buffers()
    read = packed = 0
    with _opened(array, "the array") as reader:
        for start, stop in slabs[:blocks]:
            block = _block(reader, start, stop, array, "the array")
            _, chunks = _encode(block, grid, start, pack, buffers)
            read += block.nbytes
            packed += sum(len(data) for _, data in chunks)
    return read, packed


def verify(file: Any, part: Part, digests: list[int], threads: int, advance: Advance) -> None:
    """Read a data set back and compare every slab with the hash of what was read from the source.

    Of HDF5, the chunks are inflated in threads by our own code; the first and the last slab also as any reader does.
    Raises InvalidOutput at the first difference.
    """
    dataset = file[part.name]
    grid = Grid(part.array.shape, part.axes, dataset.chunks, part.array.dtype)
    if dataset.shape != tuple(grid.shape[axis] for axis in grid.axes) or dataset.dtype != grid.dtype:
        raise InvalidOutput(
            f"{part.name} was stored as {dataset.shape} {dataset.dtype}; expected {grid.shape} {grid.dtype}"
        )
    stored = place(dataset)
    buffers = Buffers()
    slabs = list(grid.slabs())
    if len(slabs) != len(digests):
        raise InvalidOutput(f"{part.name}: {len(digests)} of {len(slabs)} blocks were written")
    entry = part.entry

    with _pools(threads, alone=False) as (workers, _):

        def submit(start: int, stop: int) -> Future[int]:
            coming = stored.digest(workers, grid, start, stop, buffers)
            if coming is None:
                raise InvalidOutput(_difference(part, (start, stop)))
            return coming

        work = ((index, submit, slab) for index, slab in enumerate(slabs))
        for index, digest in _in_order(work, _depth(grid.height * entry, threads)):
            if digest != digests[index]:
                raise InvalidOutput(_difference(part, slabs[index]))
            advance((slabs[index][1] - slabs[index][0]) * entry)
    for index in {0, len(slabs) - 1} if slabs else ():
        start, stop = slabs[index]
        if hash_of(slab_of(dataset, grid, start, stop)) != digests[index]:
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

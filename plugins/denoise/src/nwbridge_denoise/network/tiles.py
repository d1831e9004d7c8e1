"""Denoising a movie of any length piece by piece: overlapping tiles, blended, on a grid that the movie alone fixes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nwbridge import BadOption
from nwbridge_denoise.method import Block
from nwbridge_denoise.network.guides import Guided
from nwbridge_denoise.network.machine import out_of_memory

Compute = Callable[[Block], Block]  # (movie, time, row, column), normalised, to (time, row, column)

EDGE = 4  # values nearer to a tile's edge than this count for nothing where tiles overlap
OVERLAP = 16  # frames, rows or columns that two neighbouring tiles share
BEYOND = 8  # frames, rows and columns reflected at the movie's own edges
LARGEST = (64, 160, 160)  # of a tile: frames, rows, columns
LONG = 2**20  # pixels of a frame from which on tiles hold half as many frames
SMALLEST = 32
RETRIES = 4


@dataclass(frozen=True)
class Axis:
    """How one axis is cut into tiles: the same whatever is asked for."""

    size: int  # of the movie
    tile: int
    starts: tuple[int, ...]  # of tiles; the first begins before the movie, where it is reflected

    @property
    def borders(self) -> tuple[int, ...]:
        """Where one tile fades into the next."""
        return tuple(start + OVERLAP // 2 for start in self.starts[1:] if start + OVERLAP // 2 < self.size)

    def weights(self, number: int) -> npt.NDArray[np.float32]:
        """Return how much each value of a tile counts; over all tiles they add up to 1."""
        ramps = []
        for other in range(max(0, number - 1), min(len(self.starts), number + 2)):
            inside = np.arange(self.tile) + self.starts[number] - self.starts[other]
            ramps.append((other == number, self._ramp(inside, other)))
        total = np.sum([ramp for _, ramp in ramps], axis=0)
        own = next(ramp for is_own, ramp in ramps if is_own)
        shares = np.divide(own, total, out=np.zeros_like(own), where=total > 0)
        return np.asarray(shares, np.float32)

    def _ramp(self, inside: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.float64]:
        """Return the weight of a tile at places counted from its start: smooth towards neighbours, else full."""
        ramp = np.ones(len(inside))
        ramp[(inside < 0) | (inside >= self.tile)] = 0
        span = OVERLAP - 2 * EDGE
        if number > 0:
            ramp *= _rise((inside - EDGE + 0.5) / span)
        if number < len(self.starts) - 1:
            ramp *= _rise((self.tile - 1 - inside - EDGE + 0.5) / span)
        return ramp


def _rise(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(at, 0, 1))


def cut(size: int, largest: int, multiple: int) -> Axis:
    """Cut an axis into tiles as equal as possible, all of one size, none larger than `largest`."""
    padded = size + 2 * BEYOND
    if padded <= largest:
        return Axis(size, -(-padded // multiple) * multiple, (-BEYOND,))
    pieces = -(-(padded - OVERLAP) // (largest - OVERLAP))
    tile = -(-(-(-(padded - OVERLAP) // pieces) + OVERLAP) // multiple) * multiple
    step = (tile - OVERLAP) // multiple * multiple  # so that pooling falls on the same frames in all tiles
    return Axis(size, tile, tuple(range(-BEYOND, size + BEYOND - OVERLAP, step)))


class Tiles:
    """Frames denoised tile by tile; a slab of frames at a time is kept."""

    def __init__(self, movie: Guided, compute: Compute, multiple: int) -> None:
        self.movie, self.compute, self.multiple = movie, compute, multiple
        self.shape = count, rows, columns = movie.frames.shape
        long, self._most, _ = LARGEST
        self.time = cut(count, long if rows * columns <= LONG else long // 2, multiple)
        self.retries = 0
        self._slabs: OrderedDict[int, Block] = OrderedDict()
        self._lock = threading.RLock()
        self._lay()

    def _lay(self) -> None:
        _, rows, columns = self.shape
        self.rows, self.columns = (cut(size, self._most, self.multiple) for size in (rows, columns))

    @property
    def tile(self) -> tuple[int, int, int]:
        """Frames, rows and columns of a tile."""
        return self.time.tile, self.rows.tile, self.columns.tile

    def try_one(self) -> None:
        """Denoise one tile of nothing, so that tiles that are too large are made smaller before work begins."""
        self._smaller_when_full(lambda: self.compute(np.zeros((self.movie.count, *self.tile), np.float32)))

    def read(self, start: int, stop: int) -> Block:
        """Return denoised frames in the movie's own units."""
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        out = np.zeros((max(0, stop - start), *self.shape[1:]), np.float32)
        with self._lock:
            for number, begin in enumerate(self.time.starts):
                first, last = max(start, begin), min(stop, begin + self.time.tile)
                if first < last:
                    weights = self.time.weights(number)[first - begin : last - begin, None, None]
                    if weights.any():
                        slab = self._slab(number)
                        out[first - start : last - start] += (
                            weights * slab[first - max(0, begin) : last - max(0, begin)]
                        )
        out *= np.float32(self.movie.scale)
        out += np.float32(self.movie.mean)
        return out

    def _slab(self, number: int) -> Block:
        if number in self._slabs:
            self._slabs.move_to_end(number)
            return self._slabs[number]
        while len(self._slabs) > 1:  # two are needed where they overlap
            self._slabs.popitem(last=False)
        self._slabs[number] = slab = self._smaller_when_full(lambda: self._denoise(number))
        return slab

    def _smaller_when_full(self, work: Callable[[], Block]) -> Block:
        while True:
            try:
                return work()
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                if self.retries >= RETRIES or self._most // 2 < SMALLEST:
                    tile = " × ".join(map(str, self.tile))
                    raise BadOption(
                        f"memory ran out, even for tiles of {tile}: end other programs, take --device cpu, or weights "
                        "of fewer --features"
                    ) from error
            self.retries += 1
            self._most //= 2
            self._lay()

    def _denoise(self, number: int) -> Block:
        """Return the frames of one tile in time that lie in the movie, over the whole field of view, normalised."""
        count, rows, columns = self.shape
        begin = self.time.starts[number]
        read = _reflected(np.arange(begin, begin + self.time.tile), count)
        low = int(read.min())
        block = self.movie.read(low, int(read.max()) + 1)
        inside = slice(max(0, -begin), min(self.time.tile, count - begin))
        out = np.zeros((inside.stop - inside.start, rows, columns), np.float32)
        for row, top in enumerate(self.rows.starts):
            at_rows = np.arange(top, top + self.rows.tile)
            for column, left in enumerate(self.columns.starts):
                at_columns = np.arange(left, left + self.columns.tile)
                whole = np.ix_(
                    np.arange(len(block)), read - low, _reflected(at_rows, rows), _reflected(at_columns, columns)
                )
                done = self.compute(np.ascontiguousarray(block[whole]))[inside]
                weights = self.rows.weights(row)[:, None] * self.columns.weights(column)[None, :]
                in_rows, in_columns = (at_rows >= 0) & (at_rows < rows), (at_columns >= 0) & (at_columns < columns)
                part = (done * weights)[:, in_rows][:, :, in_columns]
                out[:, max(0, top) : top + self.rows.tile, max(0, left) : left + self.columns.tile] += part
        return out


def _reflected(places: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Return places within an axis for any places, as in a mirror at both ends that does not repeat the last one."""
    if size == 1:
        return np.zeros_like(places)
    folded = np.abs(places) % (2 * size - 2)
    return np.asarray(np.minimum(folded, 2 * size - 2 - folded), np.int64)

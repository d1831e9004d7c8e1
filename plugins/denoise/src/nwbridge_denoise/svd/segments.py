"""Streaming: a movie in segments of time, each with filters of its own, blended where they overlap."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from nwbridge_denoise.frames import Frames
from nwbridge_denoise.method import Block
from nwbridge_denoise.svd.lowrank import HALO, Filter, cut, each, learn, noise_variance, pilot_patch
from nwbridge_denoise.svd.patches import Grid, Matrix

SEGMENT = 1024  # frames of a segment
OVERLAP = 128  # frames over which one segment passes into the next
CHUNK = 128  # frames computed at once, always the same ones, so that no value depends on the blocks asked for
LARGE = 96 << 20  # bytes of a chunk above which it has half as many frames
READ = 32  # frames read at once while filters are learnt
BAND = 160 << 20  # bytes of values that are held at a time while filters are learnt


@dataclass(frozen=True)
class Choice:
    """What is chosen for a movie."""

    patch: int
    width: float  # over which components are smoothed in space
    rank: int | None = None


@dataclass(frozen=True)
class Model:
    """What was learnt from one segment."""

    mean: Matrix  # (row, column)
    noise: Matrix  # (row, column): standard deviation, in stored units
    filters: dict[tuple[int, int], Filter]


def segments(count: int) -> list[tuple[int, int]]:
    """Return starts and stops of segments of equal length, which overlap."""
    pieces = max(1, round((count - OVERLAP) / (SEGMENT - OVERLAP)))
    length = -(-(count + (pieces - 1) * OVERLAP) // pieces)
    step = length - OVERLAP
    return [(n * step, count if n == pieces - 1 else n * step + length) for n in range(pieces)]


def statistics(frames: Frames, start: int, stop: int) -> tuple[Matrix, Matrix]:
    """Return mean and standard deviation of the noise of each pixel; the latter smoothed over neighbours."""
    total = np.zeros(frames.shape[1:])
    variance = np.zeros(frames.shape[1:])
    seconds = 0
    for begin in range(start, stop, READ):
        block = frames.read(begin, min(begin + READ + 2, stop))
        total += block[:READ].sum(axis=0, dtype=np.float64)
        variance += noise_variance(block) * float(max(0, len(block) - 2))
        seconds += max(0, len(block) - 2)
    noise = np.sqrt(gaussian_filter(variance / max(1, seconds), 1.0, mode="nearest"))
    floor = 1e-3 * float(noise.max(initial=0)) or 1.0
    noise[variance == 0] = floor  # a pixel that never changes, as at the edge after registration, stays as it is
    return (total / (stop - start)).astype(np.float32), np.maximum(noise, floor).astype(np.float32)


def _band(frames: Frames, start: int, stop: int, rows: slice, mean: Matrix, noise: Matrix) -> Matrix:
    """Return rows of a segment without their mean, in units of the noise."""
    values = np.empty((stop - start, rows.stop - rows.start, frames.shape[2]), np.float32)
    for begin in range(start, stop, READ):
        end = min(begin + READ, stop)
        values[begin - start : end - start] = frames.read(begin, end)[:, rows]
    values -= mean[rows]
    values /= noise[rows]
    return values


def _pilot(values: Matrix, grid: Grid, top: int, choice: Choice, threads: int) -> Matrix:
    """Return the pilot of a band whose first row is row `top` of the field of view."""
    rows = [row for row in grid.rows if row >= top and row + grid.size[0] <= top + values.shape[1]]
    window = grid.window

    def strip(row: int) -> Matrix:
        total = np.zeros((len(values), grid.size[0], values.shape[2]), np.float32)
        for column in grid.columns:
            patch, _ = pilot_patch(cut(values, row - top, column, grid), grid.size, choice.width, choice.rank)
            total[:, :, column : column + grid.size[1]] += patch.reshape(len(values), *grid.size) * window
        return total

    pilot = np.zeros_like(values)
    for batch in range(0, len(rows), threads):
        for row, total in zip(rows[batch:], each(strip, rows[batch : batch + threads], threads), strict=False):
            pilot[:, row - top : row - top + grid.size[0]] += total
    weight = np.zeros(values.shape[1:], np.float32)
    for row in rows:
        for column in grid.columns:
            weight[row - top : row - top + grid.size[0], column : column + grid.size[1]] += window
    pilot /= np.maximum(weight, np.finfo(np.float32).tiny)
    return pilot


def _learnt(
    values: Matrix,
    pilot: Matrix,
    grid: Grid,
    places: list[tuple[int, int]],
    top: int,
    choice: Choice,
    threads: int,
) -> list[Filter]:
    """Return the filters of the patches of a band whose first row is row `top` of the field of view."""

    def one(place: tuple[int, int]) -> Filter:
        row, column = place[0] - top, place[1]
        return learn(cut(values, row, column, grid), cut(pilot, row, column, grid), choice.rank)

    return each(one, places, threads)


def model(frames: Frames, start: int, stop: int, grid: Grid, choice: Choice, threads: int) -> Model:
    """Learn the filters of one segment, band after band of rows."""
    mean, noise = statistics(frames, start, stop)
    most = BAND // (4 * (stop - start) * grid.shape[1])
    filters: dict[tuple[int, int], Filter] = {}
    for rows, span in grid.bands(max(most - 2 * grid.size[0], grid.size[0])):
        # the pilot of a patch needs every patch that overlaps it
        near = [row for row in grid.rows if row + grid.size[0] > span.start and row < span.stop]
        wide = slice(near[0], near[-1] + grid.size[0])
        values = _band(frames, start, stop, wide, mean, noise)
        pilot = _pilot(values, grid, wide.start, choice, threads)
        places = [(row, column) for row in rows for column in grid.columns]
        filters |= zip(places, _learnt(values, pilot, grid, places, wide.start, choice, threads), strict=True)
    return Model(mean, noise, filters)


def _filtered(block: Block, model: Model, grid: Grid, weight: Matrix, threads: int) -> Block:
    """Return frames denoised by one segment's filters; HALO frames at each end are lost."""
    window = grid.window
    count = len(block) - 2 * HALO

    def strip(row: int) -> Matrix:
        rows = slice(row, row + grid.size[0])
        values = (block[:, rows] - model.mean[rows]) / model.noise[rows]
        total = np.zeros((count, grid.size[0], grid.shape[1]), np.float32)
        for column in grid.columns:
            patch = model.filters[row, column].apply(cut(values, 0, column, grid))
            total[:, :, column : column + grid.size[1]] += patch.reshape(count, *grid.size) * window
        return total

    result = np.zeros((count, *grid.shape), np.float32)
    for batch in range(0, len(grid.rows), threads):
        rows = grid.rows[batch : batch + threads]
        for row, total in zip(rows, each(strip, rows, threads), strict=True):
            result[:, row : row + grid.size[0]] += total
    result *= model.noise / weight
    result += model.mean
    return result


class Denoised:
    """The denoised movie; segments are learnt when they are first needed, and the last ones are kept."""

    def __init__(self, frames: Frames, grid: Grid, choice: Choice, threads: int) -> None:
        self.frames, self.grid, self.choice, self.threads = frames, grid, choice, threads
        self.segments = segments(len(frames))
        self._weight = grid.weight()
        self._length = CHUNK if CHUNK * 4 * math.prod(grid.shape) <= LARGE else CHUNK // 2
        self._models: OrderedDict[int, Model] = OrderedDict()
        self._last: tuple[int, Block] | None = None  # the chunk computed last
        self._lock = threading.RLock()

    def read(self, start: int, stop: int) -> Block:
        """Return denoised frames."""
        stop = min(stop, len(self.frames))
        parts = [np.empty((0, *self.grid.shape), np.float32)]
        for number in range(start // self._length, -(-stop // self._length)):
            begin = number * self._length
            parts.append(self._chunk(number)[max(0, start - begin) : stop - begin])
        return np.concatenate(parts)

    def _chunk(self, number: int) -> Block:
        with self._lock:
            if self._last is None or self._last[0] != number:
                self._last = None
                start = number * self._length
                self._last = (number, self._computed(start, min(start + self._length, len(self.frames))))
            return self._last[1]

    def _model(self, number: int) -> Model:
        if number not in self._models:
            while len(self._models) > 1:
                self._models.popitem(last=False)
            self._models[number] = model(self.frames, *self.segments[number], self.grid, self.choice, self.threads)
        self._models.move_to_end(number)
        return self._models[number]

    def _computed(self, start: int, stop: int) -> Block:
        """Return one chunk: of one segment, or blended where several overlap."""
        numbers = [n for n, (begin, end) in enumerate(self.segments) if begin < stop and end > start]
        models = [(n, self._model(n)) for n in numbers]  # learnt before the frames are held
        block = _with_halo(self.frames, start, stop)
        if len(models) == 1:
            return _filtered(block, models[0][1], self.grid, self._weight, self.threads)
        result = np.zeros((stop - start, *self.grid.shape), np.float32)
        for number, one in models:
            share = self._share(number, np.arange(start, stop))
            result += _filtered(block, one, self.grid, self._weight, self.threads) * share[:, None, None]
        return result

    def _share(self, number: int, time: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Matrix:
        """Return how much a segment weighs at each frame; shares of overlapping segments add up to 1."""
        begin, end = self.segments[number]
        share = np.ones(len(time))
        if number:
            share = np.minimum(share, (time - begin + 0.5) / OVERLAP)
        if number < len(self.segments) - 1:
            share = np.minimum(share, (end - time - 0.5) / OVERLAP)
        return np.clip(share, 0, 1).astype(np.float32)


def _with_halo(frames: Frames, start: int, stop: int) -> Block:
    """Return frames with HALO more at each end; beyond the movie's ends it is mirrored."""
    first, last = max(0, start - HALO), min(len(frames), stop + HALO)
    block = frames.read(first, last)
    if (first, last) == (start - HALO, stop + HALO):
        return block
    # the first and the last frame are repeated and all before them comes back: so a filter moves no pixel's mean
    around = np.arange(start - HALO, stop + HALO) % (2 * len(frames))
    return np.asarray(block[np.minimum(around, 2 * len(frames) - 1 - around) - first])

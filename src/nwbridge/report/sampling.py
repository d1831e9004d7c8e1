"""Which parts of a long array are read, and what is kept of them: bounded, whatever the recording's length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource
from nwbridge.model import LazyArray, Movie, Reader
from nwbridge.report.markup import count, number

BLOCK = 16 << 20  # bytes that are read at a time
LARGEST = 1 << 25  # pixels of a frame; of one so large, mean and maximum alone would fill the memory
RUNS = 12  # places of a long movie that are looked at, at least
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """What the frames that were looked at have in common."""

    mean: Floats  # (row, column[, plane])
    highest: Floats
    frames: npt.NDArray[np.int64]  # numbers of the frames, from 0
    brightness: Floats  # the mean of each of them
    words: str  # which they are

    def flat(self) -> tuple[Floats, Floats]:
        """Return mean and maximum as (row, column); of volumes the brightest plane at each pixel."""
        if self.mean.ndim == 2:
            return self.mean, self.highest
        with np.errstate(all="ignore"):
            return np.fmax.reduce(self.mean, axis=2), np.fmax.reduce(self.highest, axis=2)


def chunk_length(reader: Reader, axis: int = 0) -> int:
    """Return how many entries of the first axis are stored together, where that can be seen."""
    dataset = getattr(reader, "dataset", reader)
    axes = getattr(reader, "axes", (axis,))
    chunks = getattr(dataset, "chunks", None)
    return int(chunks[axes[0]]) if chunks else 1


def runs(frames: int, together: int, frame_bytes: int, budget: int) -> list[tuple[int, int]]:
    """Return the runs of frames to read: all of a short movie, else whole chunks of frames, evenly spread."""
    longest = max(1, BLOCK // max(1, frame_bytes))
    if frames * frame_bytes <= budget:
        step = max(1, longest // together) * together if longest > together else longest
        return [(start, min(start + step, frames)) for start in range(0, frames, step)]
    together = max(1, min(together, frames))
    chunks = math.ceil(frames / together)
    wanted = min(chunks, max(RUNS, budget // (together * frame_bytes)))
    starts = np.linspace(0, chunks - 1, wanted).round().astype(int) * together
    return [(int(start), min(int(start) + min(together, longest), frames)) for start in dict.fromkeys(starts)]


def project(movie: Movie, budget: int) -> Projection:
    """Return mean and maximum of evenly spread frames; values that are no numbers count for nothing."""
    shape, frames = movie.data.shape, movie.data.shape[0]
    each = math.prod(shape[1:]) * movie.data.dtype.itemsize
    if math.prod(shape[1:]) > LARGEST:
        raise BadSource(f"its frames of {' × '.join(map(str, shape[1:]))} pixels are too large")
    total, known, highest = np.zeros(shape[1:]), np.zeros(shape[1:], np.int64), np.full(shape[1:], -np.inf)
    brightness, numbers = [], []
    with movie.data.open() as reader:
        parts = runs(frames, chunk_length(reader), each, budget)
        for start, stop in parts:
            block = np.asarray(reader[start:stop])
            finite = np.isfinite(block) if block.dtype.kind == "f" else None
            if finite is not None and not finite.all():
                filled = np.where(finite, block, 0)
                np.maximum(highest, np.where(finite, block, -np.inf).max(axis=0), out=highest)
                seen = finite.reshape(len(block), -1).sum(axis=1)
                known += finite.sum(axis=0)
            else:
                filled, seen = block, np.full(len(block), math.prod(shape[1:]))
                np.maximum(highest, block.max(axis=0), out=highest)
                known += len(block)
            total += filled.sum(axis=0, dtype=np.float64)
            with np.errstate(all="ignore"):
                brightness.append(filled.reshape(len(block), -1).sum(axis=1, dtype=np.float64) / seen)
            numbers.append(np.arange(start, stop))
    with np.errstate(all="ignore"):
        mean = total / known
    highest[known == 0] = np.nan
    used = np.concatenate(numbers)
    return Projection(mean, highest, used, np.concatenate(brightness), _words(parts, len(used), frames))


def _words(parts: Sequence[tuple[int, int]], used: int, frames: int) -> str:
    if used == frames:
        return "the only frame" if frames == 1 else f"all {number(frames, 7)} frames"
    length = parts[0][1] - parts[0][0]
    spread = f"{count(len(parts), 'run')} of {length}, evenly spread" if length > 1 else "evenly spread"
    return f"{number(used, 7)} of {number(frames, 7)} frames ({spread})"


@dataclass(frozen=True)
class Envelope:
    """A line cut into pieces of equally many samples, with the lowest and highest value of each: nothing vanishes."""

    low: Floats
    high: Floats
    each: int  # samples in a piece; 1: every sample is there


def pieces(samples: int, points: int) -> int:
    """Return how many samples go into a piece so that there are at most so many pieces."""
    return max(1, math.ceil(samples / max(1, points)))


def envelope(array: LazyArray, points: int, channel: int = 0) -> Envelope:
    """Return the envelope of (time,), or of one channel of (time, …)."""
    samples = array.shape[0]
    each = pieces(samples, points)
    lows, highs = [], []
    for block in _blocks(array, each, channel):
        low, high = extremes(block, each)
        lows.append(low)
        highs.append(high)
    return Envelope(np.concatenate(lows), np.concatenate(highs), each)


def _blocks(array: LazyArray, each: int, channel: int) -> Iterator[Floats]:
    row = math.prod(array.shape[1:]) * array.dtype.itemsize
    with array.open() as reader:
        chunk = chunk_length(reader)
        fits = max(1, BLOCK // max(1, row))
        length = max(chunk if chunk <= 4 * fits else fits, fits) // each * each or each
        for start in range(0, array.shape[0], length):
            block = np.asarray(reader[start : start + length])
            yield block.reshape(len(block), -1)[:, channel]


def extremes(values: npt.NDArray[Any], each: int) -> tuple[Floats, Floats]:
    """Return the lowest and highest of every so many values; the last piece may be shorter; NaN where none is known."""
    values = np.asarray(values)
    starts = np.arange(0, len(values), each)
    with np.errstate(all="ignore"):
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        if values.dtype.kind == "f" and not (np.isfinite(low).all() and np.isfinite(high).all()):
            known = np.where(np.isfinite(values), values, np.nan)
            low, high = np.fmin.reduceat(known, starts), np.fmax.reduceat(known, starts)
    return low.astype(np.float64), high.astype(np.float64)


def middles(times: LazyArray, each: int) -> Floats:
    """Return the time in the middle of every so many samples."""
    found = []
    for block in _blocks(times, each, 0):
        starts = np.arange(0, len(block), each)
        ends = np.minimum(starts + each, len(block)) - 1
        found.append((block[starts].astype(np.float64) + block[ends]) / 2)
    return np.concatenate(found)

"""Where pixels' traces come from: arrays as they are, or a scratch file laid out so that patches are read quickly."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
BLOCK = 32 << 20  # bytes of frames read at a time
ROUNDING = 1e-6  # share of a mean, by which means of what is constant may differ


class BadMovie(ValueError):
    """A movie that cells cannot be looked for in, in one line."""


@runtime_checkable
class Movie(Protocol):
    """One movie, or several of one field of view one after the other."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames of all movies, rows, columns."""

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame of every movie."""

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """Pixels that have a number in every frame, (row, column)."""

    def patch(self, rows: slice, cols: slice) -> Array:
        """Return the traces of the pixels of a rectangle, (pixel, time), rows first; 0 where not usable."""


@dataclass(frozen=True, eq=False)
class ArrayMovie:
    """Arrays (time, row, column) in memory or mapped; nothing is copied but the patches that are asked for."""

    arrays: tuple[npt.NDArray[Any], ...]
    usable: npt.NDArray[np.bool_]
    held: npt.NDArray[np.bool_]  # (time,): frames without any number, which hold what was there before

    @classmethod
    def of(cls, arrays: Sequence[npt.NDArray[Any]]) -> ArrayMovie:
        """Return the movie, after looking for values that are no numbers."""
        frames, rows, cols = check_shapes([array.shape for array in arrays])
        _type_of([array.dtype for array in arrays])
        holes, held = np.zeros((rows, cols), bool), np.zeros(frames, bool)
        for array, start in zip(arrays, _starts([len(array) for array in arrays]), strict=True):
            for at in range(0, len(array) if array.dtype.kind == "f" else 0, 256):
                finite = np.isfinite(_as_float32(array[at : at + 256]))
                empty = ~finite.any(axis=(1, 2))
                held[start + at : start + at + len(empty)] = empty
                holes |= ~finite[~empty].all(axis=0)
        return cls(tuple(arrays), _usable(holes, held), held)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames of all movies, rows, columns."""
        return (sum(len(array) for array in self.arrays), *self.usable.shape)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame of every movie."""
        return _starts([len(array) for array in self.arrays])

    def patch(self, rows: slice, cols: slice) -> Array:
        """Return the traces of a rectangle."""
        size = (rows.stop - rows.start) * (cols.stop - cols.start)
        made = np.empty((size, self.shape[0]), np.float32)
        for array, start in zip(self.arrays, self.starts, strict=True):
            made[:, start : start + len(array)] = _as_float32(array[:, rows, cols]).reshape(len(array), size).T
        if self.held.any():
            made = made[:, _shown(self.held)]
        made[~self.usable[rows, cols].ravel()] = 0
        return made


@dataclass(frozen=True, eq=False)
class ScratchMovie:
    """A file in which each row of pixels has all of its frames: (row, time, column), read by position in any thread."""

    path: Path
    lengths: tuple[int, ...]
    dtype: np.dtype[Any]
    usable: npt.NDArray[np.bool_]
    held: npt.NDArray[np.bool_]  # (time,): frames without any number, which hold what was there before

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames of all movies, rows, columns."""
        return (sum(self.lengths), *self.usable.shape)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame of every movie."""
        return _starts(self.lengths)

    def patch(self, rows: slice, cols: slice) -> Array:
        """Return the traces of a rectangle."""
        frames, _, width = self.shape
        made = np.empty((rows.stop - rows.start, cols.stop - cols.start, frames), np.float32)
        size = frames * width * self.dtype.itemsize
        with self.path.open("rb", buffering=0) as file:
            for place, row in enumerate(range(rows.start, rows.stop)):
                line = memoryview(bytearray(size))
                file.seek(row * size)
                got = 0
                while got < size:  # one call reads 2 GB at most
                    got += file.readinto(line[got:])
                made[place] = np.frombuffer(line, self.dtype).reshape(frames, width)[:, cols].T
        flat = made.reshape(-1, frames)
        flat[~self.usable[rows, cols].ravel()] = 0
        return flat


def _starts(lengths: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(n) for n in np.cumsum([0, *lengths[:-1]]))


def _as_float32(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers as float32, those too large for it as infinite; integers as they are."""
    if values.dtype.kind != "f" or values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _type_of(kinds: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """Return a type that holds the values of all movies; raise BadMovie where that is none of numbers."""
    if strange := sorted({str(kind) for kind in kinds if kind.kind not in "biuf"}):
        raise BadMovie(f"a movie of type {', '.join(strange)}; expected real numbers")
    found = np.result_type(*kinds)
    return np.dtype(np.float32) if found.kind == "f" else found


def _usable(holes: npt.NDArray[np.bool_], held: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels that have a number in every frame that has any; raise BadMovie where that is none."""
    if held.all() or holes.all():
        raise BadMovie("no pixel has a number in every frame: leave out the frames that hold NaN")
    return ~holes


def _shown(held: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return which frame each shows: itself, or the last one before it that has numbers; the first one that has any."""
    last = np.maximum.accumulate(np.where(held, -1, np.arange(len(held))))
    return np.where(last < 0, int(np.argmin(held)), last)


def check_shapes(shapes: Sequence[tuple[int, ...]]) -> tuple[int, int, int]:
    """Return (frames of all, rows, columns); raise BadMovie where they do not belong together."""
    if not shapes:
        raise BadMovie("no movie was given; expected one or more")
    for shape in shapes:
        if len(shape) != 3 or 0 in shape:
            raise BadMovie(f"a movie of shape {shape}; expected (time, row, column), none of them 0")
        if shape[1:] != shapes[0][1:]:
            raise BadMovie(f"frames of {shape[1:]} after frames of {shapes[0][1:]}; expected one field of view")
    return (sum(shape[0] for shape in shapes), shapes[0][1], shapes[0][2])


@contextmanager
def scratch(
    opened: Sequence[tuple[tuple[int, ...], np.dtype[Any], Callable[[], Any]]],
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[ScratchMovie]:
    """Lay movies out in a temporary file, front to back in one reading, and remove it at the end.

    Args:
        opened: shape, type, and a function that returns a context manager of a reader, for every movie.
        told: called with the frames that are done, and all.
    """
    frames, rows, cols = check_shapes([shape for shape, _, _ in opened])
    dtype = _type_of([kind for _, kind, _ in opened])
    step = max(1, BLOCK // (rows * cols * dtype.itemsize))
    with _room(frames * rows * cols * dtype.itemsize):
        descriptor, name = tempfile.mkstemp(suffix=".movie", prefix="nwbridge-extract-")
    try:
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            layer = _Layer(file, frames, rows, cols, dtype)
            for number, (shape, _, open_movie) in enumerate(opened, 1):
                with open_movie() as reader:
                    for at in range(0, shape[0], step):
                        end = min(shape[0], at + step)
                        block = np.asarray(reader[at:end])
                        if block.shape != (end - at, rows, cols):
                            found = f"frames {at} to {end - 1} of movie {number} came as {block.shape}"
                            raise BadMovie(f"{found}; expected {(end - at, rows, cols)}: the file is cut short")
                        layer.add(block)
                        told(layer.done, frames)
        usable = _usable(layer.holes, layer.held)
        yield ScratchMovie(Path(name), tuple(shape[0] for shape, _, _ in opened), dtype, usable, layer.held)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _room(size: int) -> Iterator[None]:
    """Say what is missing where the temporary folder does not take a file of so many bytes."""
    try:
        yield
    except OSError as error:
        raise BadMovie(
            f"the movie cannot be laid out in {tempfile.gettempdir()} ({error.strerror}), which needs {size / 1e9:.1f} "
            "GB: free some, or set TMPDIR to another folder"
        ) from error


class _Layer:
    """Writes frames to the file of a ScratchMovie."""

    def __init__(self, file: BinaryIO, frames: int, rows: int, cols: int, dtype: np.dtype[Any]) -> None:
        self.file, self.shape, self.dtype = file, (frames, rows, cols), dtype
        self.done = 0
        self.holes = np.zeros((rows, cols), bool)  # pixels without a number in a frame that has others
        self.held = np.zeros(frames, bool)
        self.last: npt.NDArray[Any] | None = None  # frame that had numbers
        self.size = frames * rows * cols * dtype.itemsize
        with _room(self.size):
            file.truncate(self.size)

    def add(self, block: npt.NDArray[Any]) -> None:
        """Write some frames."""
        block = _as_float32(block).astype(self.dtype, copy=True)
        if self.dtype.kind == "f":
            self._fill(block)
        self._write(block, self.done)
        self.done += len(block)

    def _write(self, block: npt.NDArray[Any], first: int) -> None:
        frames, rows, cols = self.shape
        laid = np.ascontiguousarray(block.transpose(1, 0, 2))
        with _room(self.size):
            for row in range(rows):
                self.file.seek((row * frames + first) * cols * self.dtype.itemsize)
                line = memoryview(laid[row]).cast("B")
                while len(line):  # one call may write less than all
                    line = line[self.file.write(line) :]

    def _fill(self, block: npt.NDArray[Any]) -> None:
        """Let frames without any number hold what was there before; note pixels without a number in others."""
        finite = np.isfinite(block)
        empty = ~finite.any(axis=(1, 2))
        self.held[self.done : self.done + len(block)] = empty
        self.holes |= ~finite[~empty].all(axis=0)
        block[~finite] = 0
        leading = len(block) if empty.all() else int(np.argmin(empty))
        if empty.any():
            block[:] = block[_shown(empty)]
        if self.last is not None:
            block[:leading] = self.last
        elif self.done and leading < len(block):  # nothing had numbers yet: what came shows the first frame that has
            self._write(np.broadcast_to(block[0], (self.done, *block.shape[1:])), 0)
        if self.last is not None or leading < len(block):
            self.last = block[-1].copy()


def _cut(starts: Sequence[int], count: int, step: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return where groups of `step` frames begin and end, none across two movies."""
    ends = [*starts[1:], count]
    edges = np.concatenate([np.arange(start, end, step) for start, end in zip(starts, ends, strict=True)])
    return edges, np.append(edges[1:], count)


def averaged(movie: Array, starts: Sequence[int], step: int) -> Array:
    """Return a movie (pixel, time) of means of `step` frames, none across two movies; what is constant stays so."""
    if step == 1:
        return movie
    edges, ends = _cut(starts, movie.shape[1], step)
    means = np.add.reduceat(movie, edges, axis=1) / (ends - edges).astype(np.float32)
    steady = np.ptp(means, axis=1) <= ROUNDING * np.abs(means[:, 0])
    means[steady] = means[steady, :1]
    return np.asarray(means, np.float32)


def stretched(traces: Array, starts: Sequence[int], count: int, step: int) -> Array:
    """Return traces of means of `step` frames at every one of `count` frames, by lines between their middles."""
    if step == 1:
        return traces
    edges, ends = _cut(starts, count, step)
    middles, frames = (edges + ends - 1) / 2, np.arange(count)
    made = np.empty((len(traces), count), np.float32)
    for k, trace in enumerate(traces):
        made[k] = np.interp(frames, middles, trace)
    return made

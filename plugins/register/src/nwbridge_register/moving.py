"""Frames that are moved: by whole pixels, or between them by interpolation; and the array of them, computed lazily."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from nwbridge import LazyArray, Reader

Interpolation = Literal["cubic", "linear"]
_PAD = 2


def moved(frame: npt.NDArray[Any], shift: npt.NDArray[np.float64], how: Interpolation) -> npt.NDArray[Any]:
    """Return a frame, or volume, moved by (rows, columns): what lay at (r, c) lies at (r + rows, c + columns).

    What comes from outside is the nearest pixel that does not. Integers stay integers of their type, rounded; moved
    by whole pixels they are the very values. A frame that holds NaN is moved by the nearest whole pixels.
    """
    if frame.ndim == 3:
        return np.stack([moved(frame[..., plane], shift, how) for plane in range(frame.shape[2])], axis=2)
    whole = np.rint(shift)
    if np.array_equal(whole, shift) or (frame.dtype.kind == "f" and not np.isfinite(frame).all()):
        places = (np.clip(np.arange(n) - int(by), 0, n - 1) for n, by in zip(frame.shape, whole, strict=True))
        whole_frame: npt.NDArray[Any] = frame[np.ix_(*places)]
        return whole_frame
    precise = np.float32 if frame.dtype.itemsize <= 2 or frame.dtype == np.float32 else np.float64
    values = frame.astype(precise)
    if how == "cubic":
        values = ndimage.spline_filter(values, 3, output=precise, mode="mirror")
    for axis, by in enumerate(shift):
        values = _between(values, float(by), axis, how)
    if frame.dtype.kind == "f":
        return np.asarray(values, frame.dtype)
    bounds = np.iinfo(frame.dtype)
    most = bounds.max if frame.dtype.itemsize < 8 else np.nextafter(float(bounds.max), 0)  # that a float can hold
    return np.asarray(np.clip(np.rint(values), bounds.min, most), frame.dtype)


def _between(values: npt.NDArray[Any], by: float, axis: int, how: Interpolation) -> npt.NDArray[Any]:
    """Return values between those along one axis, and the nearest of them where there are none."""
    count = values.shape[axis]
    low, fraction = math.floor(-by), -by - math.floor(-by)
    first, last = inside(by, by, count)
    padded = np.pad(values, [(_PAD, _PAD) if one == axis else (0, 0) for one in range(2)], "reflect")
    parts = [
        (padded[begin : begin + last - first] if axis == 0 else padded[:, begin : begin + last - first], weight)
        for begin, weight in ((_PAD + first + low + tap, weight) for tap, weight in _weights(fraction, how))
    ]
    out: npt.NDArray[Any] = np.zeros_like(parts[0][0])
    for part, weight in parts:
        out += part * values.dtype.type(weight)
    edges = [(first, count - last) if one == axis else (0, 0) for one in range(2)]
    return np.pad(out, edges, "edge")


def _weights(fraction: float, how: Interpolation) -> tuple[tuple[int, float], ...]:
    """Return which neighbours count, and how much: of a straight line, or of a cubic B-spline."""
    f, g = fraction, 1 - fraction
    if how == "linear":
        return (0, g), (1, f)
    return (-1, g**3 / 6), (0, 2 / 3 - f**2 * (2 - f) / 2), (1, 2 / 3 - g**2 * (2 - g) / 2), (2, f**3 / 6)


def inside(least: float, most: float, count: int) -> tuple[int, int]:
    """Return the first, and the one after the last, of `count` places that come from inside for all these shifts."""
    return max(0, math.ceil(most)), min(count, count + math.floor(least))


def moving(frames: LazyArray, shifts: npt.NDArray[np.float64], how: Interpolation, threads: int) -> LazyArray:
    """Return frames, each moved by its shift; each depends on itself only, so that blocks may be of any size."""

    @contextmanager
    def opened() -> Iterator[Reader]:
        with frames.open() as reader, ThreadPoolExecutor(threads, "nwbridge-register") as pool:
            # where many threads may read, those that ask do the work
            yield _Moving(reader, frames, shifts, how, None if frames.parallel else pool)

    return LazyArray(frames.shape, frames.dtype, opened, frames.parallel)


@dataclass(frozen=True)
class _Moving:
    reader: Reader
    frames: LazyArray
    shifts: npt.NDArray[np.float64]
    how: Interpolation
    pool: ThreadPoolExecutor | None

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        start, stop, _ = key.indices(self.frames.shape[0])
        block = np.asarray(self.reader[start:stop])
        out = np.empty((max(0, stop - start), *self.frames.shape[1:]), self.frames.dtype)

        def move(at: int) -> None:
            out[at] = moved(block[at], self.shifts[start + at], self.how)

        for _ in (self.pool.map if self.pool else map)(move, range(len(out))):
            pass
        return out

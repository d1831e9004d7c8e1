"""A lazy array whose frames are those of another one in another order: channels and planes taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource
from nwbridge.model import LazyArray, Reader


def rearranged(frames: LazyArray, places: npt.NDArray[np.integer[Any]]) -> LazyArray:
    """Return (time, row, column), or (time, row, column, plane), made of the frames of a (frame, row, column).

    Entry `t`, or plane `p` of it, is frame ``places[t]``, or ``places[t, p]``.
    """
    if len(frames.shape) != 3 or places.ndim not in (1, 2) or not places.size:
        raise BadSource(f"frames of {frames.shape} were put in an order of {places.shape}; expected one or two axes")
    if places.min() < 0 or places.max() >= frames.shape[0]:
        raise BadSource(
            f"frames {places.min()} to {places.max()} were asked for; expected 0 to {frames.shape[0] - 1}, "
            "as many as there are"
        )
    times, planes = places.shape[0], places.shape[1:]

    @contextmanager
    def open_rearranged() -> Iterator[Reader]:
        with frames.open() as reader:
            yield _Rearranged(reader, frames, places)

    return LazyArray((times, *frames.shape[1:], *planes), frames.dtype, open_rearranged, frames.parallel)


@dataclass(frozen=True)
class _Rearranged:
    """Reads runs of frames, in the order in which they lie, to where they belong."""

    reader: Reader
    frames: LazyArray
    places: npt.NDArray[np.integer[Any]]

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        start, stop, _ = key.indices(len(self.places))
        wanted = self.places[start:stop]
        out = np.empty((*wanted.shape, *self.frames.shape[1:]), self.frames.dtype)
        flat, places = out.reshape(-1, *self.frames.shape[1:]), wanted.reshape(-1)
        order = np.argsort(places, kind="stable")  # so that a stream need not go back
        ends = np.flatnonzero(np.diff(places[order]) != 1) + 1
        for run in np.split(order, ends):
            if len(run):
                first = int(places[run[0]])
                flat[run] = self.reader[first : first + len(run)]
        if stop == len(self.places) and not self.frames.parallel:
            # a stream compares its checksum with its last frame, which may belong to none of these
            self.reader[self.frames.shape[0] - 1 : self.frames.shape[0]]
        return np.moveaxis(out, 1, -1) if self.places.ndim == 2 else out

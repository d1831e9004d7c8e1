"""Patches of the field of view, and how many are worked on at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Patch:
    """A rectangle of the field of view; `core` is the part that no other patch has as its own."""

    rows: slice
    cols: slice
    core_rows: slice
    core_cols: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @property
    def core_shape(self) -> tuple[int, int]:
        """Rows and columns of the core."""
        return self.core_rows.stop - self.core_rows.start, self.core_cols.stop - self.core_cols.start

    def pixels(self, width: int) -> npt.NDArray[np.intp]:
        """Return the numbers of its pixels in a field of so many columns."""
        rows, cols = np.arange(self.rows.start, self.rows.stop), np.arange(self.cols.start, self.cols.stop)
        return np.asarray((rows[:, np.newaxis] * width + cols).ravel())

    def core(self) -> npt.NDArray[np.bool_]:
        """Return which of its pixels are its own, (row, column)."""
        inside = np.zeros(self.shape, bool)
        top, left = self.core_rows.start - self.rows.start, self.core_cols.start - self.cols.start
        bottom, right = self.core_rows.stop - self.rows.start, self.core_cols.stop - self.cols.start
        inside[top:bottom, left:right] = True
        return inside


def overlapping(shape: tuple[int, int], rf: int | None, stride: int, block: int = 1) -> list[Patch]:
    """Return patches of 2 `rf` pixels that overlap by `stride`, in steps of `block` pixels; one where rf is None."""
    axes = [_spans(size, size if rf is None else 2 * rf, stride, block) for size in shape]
    return [Patch(rows, cols, top, left) for rows, top in axes[0] for cols, left in axes[1]]


def _spans(size: int, width: int, overlap: int, block: int) -> list[tuple[slice, slice]]:
    width = max(block, _up(width, block))
    step = max(block, (width - overlap) // block * block)
    if width >= size:
        return [(slice(0, size), slice(0, size))]
    last = (size - width) // block * block
    starts = [*range(0, last, step), last]
    stops = [*(min(size, start + width) for start in starts[:-1]), size]
    middles = ((stop + start) // 2 for start, stop in zip(starts[1:], stops[:-1], strict=True))
    cuts = [0, *(middle // block * block for middle in middles), size]
    ends = zip(starts, stops, cuts[:-1], cuts[1:], strict=True)
    return [(slice(start, stop), slice(low, high)) for start, stop, low, high in ends]


def _up(size: int, block: int) -> int:
    """Return the next multiple of a block."""
    return -(-size // block) * block


def tiles(shape: tuple[int, int], side: int, halo: int, block: int = 1) -> list[Patch]:
    """Return tiles that do not overlap, of about `side` pixels, each within a rectangle that is `halo` larger."""
    halo = _up(halo, block)
    axes = []
    for size in shape:
        number = max(1, round(size / side))
        step = _up(_up(size, number) // number, block)
        cores = [slice(at, min(size, at + step)) for at in range(0, size, step)]
        axes.append([(slice(max(0, c.start - halo), min(size, c.stop + halo)), c) for c in cores])
    return [Patch(rows, cols, top, left) for rows, top in axes[0] for cols, left in axes[1]]


def in_order(work: Callable[[T], R], tasks: Sequence[T], workers: int, told: Callable[[int, int], None]) -> Iterator[R]:
    """Yield what `work` makes of every task, in order, at most `workers` at a time, BLAS with one thread each."""
    with threadpool_limits(1, "blas"):
        if workers == 1:
            for number, task in enumerate(tasks):
                told(number, len(tasks))
                yield work(task)
            told(len(tasks), len(tasks))
            return
        with ThreadPoolExecutor(workers, "nwbridge-extract") as pool:
            coming: deque[Future[R]] = deque()
            left = iter(tasks)
            try:
                for number in range(len(tasks)):
                    told(number, len(tasks))
                    coming += (pool.submit(work, task) for task in islice(left, workers - len(coming)))
                    yield coming.popleft().result()
            finally:
                for future in coming:
                    future.cancel()
            told(len(tasks), len(tasks))

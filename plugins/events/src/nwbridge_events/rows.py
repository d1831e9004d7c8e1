"""Traces region by region: read in blocks of bounded size, worked on in threads, computed while they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge import LazyArray, Reader

BLOCK = 1 << 25  # bytes of traces that are held at once, as float64
Rows = npt.NDArray[Any]
T = TypeVar("T")
R = TypeVar("R")


def blocks(data: LazyArray) -> Iterator[tuple[int, Rows]]:
    """Yield the number of the first row, and rows, of (region, time)."""
    count = data.shape[0]
    height = max(1, BLOCK // (8 * data.shape[1]))
    with data.open() as reader:
        for start in range(0, count, height):
            yield start, np.asarray(reader[start : min(count, start + height)])


def each(work: Callable[[T], R], items: Iterable[T], threads: int) -> list[R]:
    """Return what becomes of each item, in order."""
    if threads < 2:
        return list(map(work, items))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def computed(data: LazyArray, dtype: npt.DTypeLike, work: Callable[[int, Rows], Rows]) -> LazyArray:
    """Return a lazy array of ``work(number, row)`` for each row of another, in threads where one reads."""
    threads = 1 if data.parallel else nwbridge.threads()

    @contextmanager
    def opened() -> Iterator[Reader]:
        with data.open() as reader:
            yield _Computed(reader, data.shape[0], np.dtype(dtype), work, threads)

    return LazyArray(data.shape, np.dtype(dtype), opened, data.parallel)


@dataclass(frozen=True)
class _Computed:
    rows: Reader
    count: int
    dtype: np.dtype[Any]
    work: Callable[[int, Rows], Rows]
    threads: int

    def __getitem__(self, key: slice, /) -> Rows:
        start, stop, _ = key.indices(self.count)
        numbered = enumerate(np.asarray(self.rows[start:stop]), start)
        made = each(lambda one: self.work(*one), numbered, self.threads)
        return np.stack(made).astype(self.dtype, copy=False)

"""The frames of a movie as float32, opened when they are first read; and views of some of them."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import LazyArray, Reader
from nwbridge_denoise.method import Block

Window = tuple[slice, slice]  # rows, columns


class _Source:
    """A lazy array that is opened when it is first read, and closed when nobody holds it any more."""

    def __init__(self, data: LazyArray) -> None:
        self.data = data
        self._lock = threading.RLock()
        self._stack = ExitStack()
        self._reader: Reader | None = None
        self._holders = 0

    def hold(self) -> None:
        with self._lock:
            self._holders += 1

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._reader = None
                self._stack.close()

    def read(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        with self._lock:
            if self._reader is None:
                self._reader = self._stack.enter_context(self.data.open())
            reader = self._reader
            if not self.data.parallel:
                return np.asarray(reader[start:stop])
        return np.asarray(reader[start:stop])


class Frames:
    """Frames (time, row, column) as float32, in stored units; every `step`-th one from `start`, within a window.

    `read` may be called from several threads. The source is opened at the first `read`, and closed when the last
    ``with frames:`` is left (a later `read` opens it again).
    """

    def __init__(
        self, data: LazyArray, start: int = 0, stop: int | None = None, step: int = 1, window: Window | None = None
    ) -> None:
        self._source = _Source(data)
        self._take(start, data.shape[0] if stop is None else stop, step, window or (slice(None), slice(None)))

    def _take(self, start: int, stop: int, step: int, window: Window) -> None:
        self._numbers = range(start, stop, step)
        self._window = window
        rows, columns = (
            len(range(*part.indices(size))) for part, size in zip(window, self._source.data.shape[1:3], strict=True)
        )
        self.shape: tuple[int, int, int] = (len(self._numbers), rows, columns)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type in which values are stored."""
        return self._source.data.dtype

    def view(self, start: int = 0, stop: int | None = None, step: int = 1, window: Window | None = None) -> Frames:
        """Return every `step`-th of these frames from `start` on, or a window of them; it shares the open source."""
        numbers = self._numbers[start:stop:step]
        other = Frames.__new__(Frames)
        other._source = self._source
        other._take(numbers.start, numbers.stop, numbers.step, window or self._window)
        return other

    def read(self, start: int, stop: int) -> Block:
        """Return frames `start` to `stop` as float32, a copy of its own."""
        numbers = self._numbers[start:stop]
        if not numbers:
            return np.empty((0, *self.shape[1:]), np.float32)
        block = self._source.read(numbers.start, numbers[-1] + 1)[:: numbers.step]
        return np.array(block[:, self._window[0], self._window[1]], np.float32, order="C")

    def __enter__(self) -> Frames:
        self._source.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.release()

"""Method gaussian: a separable Gaussian over time, rows and columns; the baseline that every other has to beat."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from nwbridge import BadOption
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.heldout import split
from nwbridge_denoise.method import Block, Fitted, Read
from nwbridge_denoise.options import Options

TRUNCATE = 4.0  # standard deviations to each side
PIECE = 16  # frames smoothed over space at once
AHEAD = 128  # frames that threads may be apart without smoothing any twice
TIMES = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)  # widths that are tried, in frames
SPACES = (0.0, 0.4, 0.55, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0, 3.0)  # and in pixels
Sigma = tuple[float, float, float]  # of frames, rows, columns


class _Smoothed:
    """Frames smoothed over space, computed once by whichever thread needs them first, and over time from these."""

    def __init__(self, frames: Frames, sigma: Sigma) -> None:
        self.frames, self.sigma = frames, sigma
        self.reach = math.ceil(TRUNCATE * sigma[0]) + 1
        self._most = (2 * self.reach + AHEAD) // PIECE + 2
        self._pieces: OrderedDict[int, Future[Block]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, start: int, stop: int) -> Block:
        """Return smoothed frames; sums are in float64 and the same ones for a value whatever block it is in."""
        first, last = max(0, start - self.reach), min(len(self.frames), stop + self.reach)
        numbers = range(first // PIECE, -(-last // PIECE))
        pieces = np.concatenate([self._piece(number) for number in numbers])
        block = pieces[first - numbers.start * PIECE : last - numbers.start * PIECE]
        if self.sigma[0]:
            block = gaussian_filter1d(block, self.sigma[0], axis=0, mode="reflect", truncate=TRUNCATE)
        return np.ascontiguousarray(block[start - first : stop - first])

    def _piece(self, number: int) -> Block:
        with self._lock:
            known = self._pieces.get(number)
            piece = known or self._pieces.setdefault(number, Future())
            while len(self._pieces) > self._most:
                self._pieces.popitem(last=False)
        if known is None:
            try:
                piece.set_result(self._over_space(number * PIECE))
            except BaseException as error:
                piece.set_exception(error)
                with self._lock:
                    self._pieces.pop(number, None)
                raise
        return piece.result()

    def _over_space(self, start: int) -> Block:
        block = self.frames.read(start, start + PIECE)
        return np.asarray(gaussian_filter(block, (0, *self.sigma[1:]), mode="reflect", truncate=TRUNCATE))


def smoothed(frames: Frames, sigma: Sigma) -> Read:
    """Return the reader of smoothed frames; beyond its ends the movie is mirrored."""
    return _Smoothed(frames, sigma).read


def _descend(error: Callable[[tuple[int, int]], float], start: tuple[int, int]) -> tuple[int, int]:
    """Go from a place in the grid of widths to a neighbour with a lower error, until there is none."""
    sizes = (len(TIMES), len(SPACES))
    known = {start: error(start)}
    place = start
    while True:
        near = [(place[0] + a, place[1] + b) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1))]
        for other in near:
            if other not in known and all(0 <= at < size for at, size in zip(other, sizes, strict=True)):
                known[other] = error(other)
        best = min(known, key=lambda other: known[other])
        if best == place:
            return place
        place = best


def _given(options: Options) -> tuple[float | None, ...]:
    widths = (options.sigma_time, options.sigma_rows, options.sigma_columns)
    for name, width in zip(("time", "rows", "columns"), widths, strict=True):
        if width is not None and not 0 <= width < math.inf:
            raise BadOption(f"--sigma-{name} {width}: expected 0 or more")
    return widths


def fit(frames: Frames, options: Options) -> Fitted:
    """Choose the widths that were not given by the held-out error."""
    held = split(frames)
    given = _given(options)
    errors: dict[Sigma, float] = {}

    def sigma(place: tuple[int, int]) -> Sigma:
        tried = (TIMES[place[0]], SPACES[place[1]], SPACES[place[1]])
        time, row, column = (a if b is None else b for a, b in zip(tried, given, strict=True))
        return time, row, column

    def error(place: tuple[int, int]) -> float:
        widths = sigma(place)
        if widths not in errors:  # even frames are half as many a second
            errors[widths] = held.error(smoothed(held.even, (widths[0] / 2, *widths[1:])))
        return errors[widths]

    chosen = sigma(_descend(error, (TIMES.index(3.0), SPACES.index(0.85))))
    parameters = {
        "sigma_time": chosen[0],
        "sigma_rows": chosen[1],
        "sigma_columns": chosen[2],
        "truncate": TRUNCATE,
        "widths_tried": len(errors),
    }
    return Fitted("gaussian", parameters, smoothed(frames, chosen), True, errors[chosen])

"""When frames were taken: which of them a time falls into, and where some are missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
GAP = 1.5  # times the median step between frames: a longer one is a gap


def step_of(clock: Floats) -> float:
    """Return the median step between frames; NaN where there are fewer than two."""
    return float(np.median(np.diff(clock))) if len(clock) > 1 else float("nan")


def gaps(clock: Floats) -> npt.NDArray[np.bool_]:
    """Return whether each step from a frame to the next is a gap."""
    return np.asarray(np.diff(clock) > GAP * step_of(clock), np.bool_)


def frames_of(times: Floats, clock: Floats) -> Counts:
    """Return the number of the frame that is nearest to each time; -1 where none is.

    Into a gap, before the first frame and after the last one, a frame reaches for half a median step.
    """
    half, apart = step_of(clock) / 2, gaps(clock)
    middles = (clock[:-1] + clock[1:]) / 2
    ends = clock + half
    ends[:-1] = np.where(apart, ends[:-1], middles)
    begins = clock - half
    begins[1:] = np.where(apart, begins[1:], middles)
    found = np.searchsorted(ends, times, side="right")
    inside = (found < len(clock)) & (times >= begins[np.minimum(found, len(clock) - 1)])
    return np.where(inside, found, -1)


def places(clock: Floats, most: int) -> Counts:
    """Return the place of each frame where none is missing: gaps count as many as fit, `most` at most."""
    steps = np.diff(clock)
    missing = np.where(gaps(clock), np.minimum(np.round(steps / step_of(clock)) - 1, most), 0)
    return np.concatenate(([0], np.cumsum(1 + missing.astype(np.int64))))


def spread(values: Floats, at: Counts) -> Floats:
    """Return values at their places, and NaN between them."""
    filled = np.full(int(at[-1]) + 1, np.nan)
    filled[at] = values
    return filled

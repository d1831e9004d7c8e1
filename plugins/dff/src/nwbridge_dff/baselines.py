"""Baselines of one trace."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def compiled(function: Any) -> Any:
    """Compile a function; it lets other threads run, and is kept on disk for the next process."""
    return nb.njit(function, cache=True, nogil=True)


def smoothed(trace: Floats, sd: float) -> Floats:
    """Return a trace smoothed with a Gaussian of `sd` samples, cut at four, over what is no NaN."""
    seen = np.isfinite(trace)
    if sd <= 0 or not seen.any():
        return trace
    reach = int(np.ceil(4 * sd))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd) ** 2)
    values = np.convolve(np.where(seen, trace, 0.0), kernel)[reach : reach + len(trace)]
    weights = np.convolve(seen.astype(np.float64), kernel)[reach : reach + len(trace)]
    return np.where(seen, values / np.where(seen, weights, 1.0), np.nan)


@compiled
def running_percentile(trace: Floats, half: int, percent: float) -> Floats:
    """Return the percentile (numpy's "linear") of what is no NaN among the samples at most `half` away; else NaN.

    A Fenwick tree counts which of all samples, in order of their values, are in the window, so that the time it takes
    hardly depends on the window.
    """
    length = len(trace)
    seen = np.flatnonzero(~np.isnan(trace))
    order = seen[np.argsort(trace[seen])]
    values = trace[order]
    rank = np.zeros(length, np.int64)  # from 1; 0: NaN
    rank[order] = np.arange(1, len(order) + 1)
    tree = np.zeros(len(order) + 1, np.int64)
    found = np.full(length, np.nan)
    count = 0
    for entering in range(length + half):
        if entering < length and rank[entering]:
            _add(tree, rank[entering], 1)
            count += 1
        leaving = entering - 2 * half - 1
        if leaving >= 0 and rank[leaving]:
            _add(tree, rank[leaving], -1)
            count -= 1
        at = entering - half
        if at >= 0 and count:
            position = percent / 100 * (count - 1)
            low = int(position)
            value = values[_place(tree, low)]
            if position > low:
                value += (position - low) * (values[_place(tree, low + 1)] - value)
            found[at] = value
    return found


@compiled
def _add(tree: Counts, rank: int, change: int) -> None:
    while rank < len(tree):
        tree[rank] += change
        rank += rank & -rank


@compiled
def _place(tree: Counts, number: int) -> int:
    """Return the place, in order of values, of the window's entry of this number; both from 0."""
    place, step = 0, 1
    while 2 * step < len(tree):
        step *= 2
    while step:
        if place + step < len(tree) and tree[place + step] <= number:
            place += step
            number -= tree[place]
        step //= 2
    return place

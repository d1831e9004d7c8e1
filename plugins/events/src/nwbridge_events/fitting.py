"""How strongly spikes are penalised, and above which baseline: what leaves a residual as large as the noise."""

from __future__ import annotations

import numpy as np

from nwbridge_events.pivoting import pivoted
from nwbridge_events.pools import Bools, Counts, Floats, Moments, Trace, calcium, compiled, moments, pooled

STEPS = 60  # of each search; a handful is usual
CLOSE = 1e-9  # relative


@compiled
def spikes_at(x: Trace, b: float, lam: float, active: Bools, c: Floats) -> Counts:
    """Return the samples of the optimal spikes for a baseline and a penalty; the search begins and ends in `active`."""
    starts: Counts
    if x.g2 == 0.0:
        starts = pooled(x, b, lam, 0.0)
        return starts
    pivoted(x, b, lam, active, c)
    return np.flatnonzero(active)


@compiled
def _at_best_baseline(x: Trace, b: float, floor: float, lam: float, active: Bools, c: Floats) -> tuple[float, Moments]:
    """Return the optimal baseline for a penalty, `floor` at least, and the moments; the cost is convex in it."""
    low, high = floor, np.inf
    size = np.abs(x.y).max()
    found = moments(x, spikes_at(x, b, lam, active, c))
    for _ in range(STEPS):
        slope = found.y1 - b * found.ones + lam * found.q1  # the sum of the residual
        if slope > 0.0:
            low = b
        else:
            high = b
        held = found.ones <= CLOSE * len(x.y)
        better = b + slope / len(x.y) if held else (found.y1 + lam * found.q1) / found.ones
        if better <= floor:
            better = floor
        elif not low <= better <= high:
            better = 0.5 * (low + high) if high - low < np.inf else b + slope / len(x.y)
        if abs(better - b) <= 1e-3 * CLOSE * size:
            return better, found
        b = better
        found = moments(x, spikes_at(x, b, lam, active, c))
    return b, found


@compiled
def _largest(x: Trace, b: float) -> float:
    """Return the smallest penalty under which there is no spike at all."""
    after = later = most = 0.0
    for t in range(len(x.y) - 1, -1, -1):
        now = x.g1 * after + x.g2 * later + (x.y[t] - b if x.seen[t] else 0.0)
        later, after = after, now
        if x.seen[t]:
            most = max(most, now)
    return most


@compiled
def penalised(x: Trace, lam: float, b: float, floor: float, c: Floats) -> tuple[float, Counts]:
    """Return baseline and samples of spikes for a penalty; the baseline is to be found where it is NaN."""
    active = np.zeros(len(x.y), np.bool_)
    if np.isnan(b):
        b, _ = _at_best_baseline(x, max(floor, x.y.sum() / x.seen.sum()), floor, lam, active, c)
    return b, spikes_at(x, b, lam, active, c)


@compiled
def constrained(x: Trace, target: float, given: float, floor: float, c: Floats) -> tuple[float, float, Counts]:
    """Return baseline, penalty and the samples of spikes; the baseline is to be found where NaN is given.

    The baseline minimises the cost, and is `floor` at least; the penalty is the one under which the residual's sum of
    squares is `target`: 0 where even that leaves more, and the smallest without a spike where less is left.
    """
    active = np.zeros(len(x.y), np.bool_)
    b = max(floor, x.y.sum() / x.seen.sum()) if np.isnan(given) else given
    low, high, lam = 0.0, _largest(x, b), 0.0
    if np.sum((x.y - b) ** 2 * x.seen) <= target or high <= 0.0:
        return b, high * (1 + CLOSE), np.empty(0, np.int64)
    for _ in range(STEPS):
        if np.isnan(given):
            b, m = _at_best_baseline(x, b, floor, lam, active, c)
        else:
            m = moments(x, spikes_at(x, b, lam, active, c))
        rest = m.yy - 2.0 * b * m.y1 + b * b * m.ones + lam * lam * m.qq
        if abs(rest - target) <= CLOSE * target or (lam == 0.0 and rest >= target):
            break
        if rest < target:
            low = lam
        else:
            high = lam
        least, per = m.yy - 2.0 * b * m.y1 + b * b * m.ones, m.qq  # rest = least + per lam², while spikes stay
        if np.isnan(given) and b > floor and m.ones > 0.0:
            least, per = m.yy - m.y1 * m.y1 / m.ones, m.qq + m.q1 * m.q1 / m.ones
        better = np.sqrt((target - least) / per) if per > 0.0 and target > least else -1.0
        lam = better if low < better < high else 0.5 * (low + high)
        if np.isnan(given) and m.ones > CLOSE * len(x.y):
            b = max(floor, (m.y1 + lam * m.q1) / m.ones)  # where the search for it begins
        if high - low <= CLOSE * high:
            break
    return b, lam, spikes_at(x, b, lam, active, c)


@compiled
def thresholded(x: Trace, b: float, s_min: float, c: Floats) -> Counts:
    """Return the samples of spikes that are all at least `s_min`, without a penalty; the smallest are left out first.

    There is no convex problem behind it. An AR(1) trace is done in one pass, as in the paper; of an AR(2) trace the
    spikes that are too small and the smallest among their neighbours leave together, until none is too small.
    """
    starts: Counts
    if x.g2 == 0.0:
        starts = pooled(x, b, 0.0, s_min)
        return starts
    active = np.zeros(len(x.y), np.bool_)
    pivoted(x, b, 0.0, active, c)
    starts = np.flatnonzero(active)
    while True:
        jumps = calcium(x, starts, b, 0.0, c)
        if len(starts) and starts[0] == 0 and jumps[0] >= 0.0:
            jumps[0] = np.inf  # calcium from before the recording is no spike, and stands in no spike's way
        keep = np.ones(len(starts), np.bool_)
        for i in range(len(starts)):
            before = jumps[i - 1] if i else np.inf
            after = jumps[i + 1] if i + 1 < len(starts) else np.inf
            keep[i] = not (jumps[i] < s_min and jumps[i] <= before and jumps[i] < after)
        if keep.all():
            return starts
        starts = starts[keep]

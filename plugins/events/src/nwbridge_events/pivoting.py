"""Where an AR(2) trace has its spikes: an active set that is exchanged until no spike is negative and none is missing.

Pools of an AR(2) trace depend on each other, so that merging neighbours, which is exact for AR(1), only approximates
the optimum. The conditions of the optimum (Karush, Kuhn, Tucker) are checked for the whole trace at once instead:
negative spikes leave the set, samples where a spike would lower the cost join it (block principal pivoting; Portugal,
Júdice and Vicente 1994).
"""

from __future__ import annotations

import numpy as np

from nwbridge_events.pools import Bools, Floats, Trace, calcium, compiled

PATIENCE = 10  # exchanges of everything that do not lower the number of violations, before small steps
MOST = 100_000  # small steps; only rounding could ask for as many
OVER = 1e-2  # of its peak: where the response to a spike counts as over


@compiled
def pivoted(x: Trace, b: float, lam: float, active: Bools, c: Floats) -> int:
    """Make `active` the samples of the optimal spikes, whatever it was, and c the calcium; return the exchanges."""
    least, patience = len(x.y) + 1, PATIENCE
    exchanges: int = 0
    negative, missing, _ = _tolerances(x, b)
    slope = np.empty(len(x.y))
    while True:
        starts = np.flatnonzero(active)
        jumps = calcium(x, starts, b, lam, c)
        _slopes(x, b, lam, active, c, slope)
        low = starts[jumps < negative]
        wrong = len(low) + np.sum(slope < missing)
        if wrong == 0:
            return exchanges
        if wrong < least:
            least, patience = wrong, PATIENCE
        elif patience > 0:
            patience -= 1
        else:
            exchanges += descended(x, b, lam, active, c, slope)
            return exchanges
        active |= slope < missing
        active[low] = False
        exchanges += 1


@compiled
def descended(x: Trace, b: float, lam: float, active: Bools, c: Floats, slope: Floats) -> int:
    """Do the same by small steps that only ever lower the cost, after Lawson and Hanson; return how many.

    Spikes stay positive: a step goes no further than to where the first of them vanishes, and that one leaves. Then the
    samples join where a spike lowers the cost most, one in every stretch as long as the response to a spike.
    """
    negative, missing, reach = _tolerances(x, b)
    spikes = np.zeros(len(x.y))
    starts = np.flatnonzero(active)
    spikes[starts] = np.maximum(calcium(x, starts, b, lam, c), 0.0)
    active[:] = spikes > 0.0
    alone = False
    for step in range(MOST):
        starts = np.flatnonzero(active)
        jumps = calcium(x, starts, b, lam, c)
        share = 1.0
        for i in range(len(starts)):
            if jumps[i] < negative:
                share = min(share, spikes[starts[i]] / (spikes[starts[i]] - jumps[i]))
        for i in range(len(starts)):
            t = starts[i]
            spikes[t] += share * (jumps[i] - spikes[t])
            if jumps[i] < negative and spikes[t] <= -negative:
                spikes[t] = 0.0
                active[t] = False
        if share < 1.0:
            alone = alone or share == 0.0  # what joined together stood in each other's way
            continue
        _slopes(x, b, lam, active, c, slope)
        if not _joined(slope, missing, len(x.y) if alone else reach, active):
            return step
        alone = False
    return MOST


@compiled
def _joined(slope: Floats, missing: float, reach: int, active: Bools) -> bool:
    """Let the steepest sample of every stretch join, and say whether any did."""
    found = False
    for start in range(0, len(slope), reach):
        best = start + np.argmin(slope[start : start + reach])
        if slope[best] < missing:
            active[best] = True
            found = True
    return found


@compiled
def _tolerances(x: Trace, b: float) -> tuple[float, float, int]:
    """Return what counts as a negative spike, as a missing one, and how far the response to a spike reaches."""
    scale = gain = 0.0
    reach, peak = len(x.y), x.a.max()
    for t in range(len(x.y) - 1, -1, -1):
        scale = max(scale, abs(x.y[t] - b))
        gain += abs(x.a[t])
        if x.a[t] < OVER * peak and reach == t + 1:
            reach = t
    return -1e-10 * scale, -1e-10 * scale * gain, reach


@compiled
def _slopes(x: Trace, b: float, lam: float, active: Bools, c: Floats, slope: Floats) -> None:
    """Fill what a spike would change the cost by, where none is: the residual, filtered backwards; elsewhere 0."""
    after = later = 0.0
    for t in range(len(c) - 1, -1, -1):
        now = x.g1 * after + x.g2 * later + lam * x.q[t]
        if x.seen[t]:
            now += c[t] - x.y[t] + b
        later, after = after, now
        slope[t] = now if x.seen[t] and not active[t] else 0.0

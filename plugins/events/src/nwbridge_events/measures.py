"""How well an estimate of spikes agrees with recorded ones, on the clock of the imaging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge_events.derivative import smoothed
from nwbridge_events.frames import frames_of, gaps, step_of

Floats = npt.NDArray[np.float64]
FALSE = 0.01  # false positives
ENOUGH = 100  # windows without a spike, without which one in a hundred cannot be told
DECAY_S = 2.0  # after a spike, in which no window counts as one without


def noise_level(dff: npt.NDArray[np.floating], rate_hz: float) -> float:
    """Return ν in % per √Hz: the median step of ΔF/F over the square root of the rate (Rupprecht et al. 2021)."""
    steps = np.abs(np.diff(dff))
    return float(100 * np.nanmedian(steps) / np.sqrt(rate_hz)) if np.isfinite(steps).any() else float("nan")


def correlation(one: Floats, other: Floats) -> float:
    """Return Pearson's r over the times at which both are numbers; NaN where one of them does not vary."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 3 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return float("nan")
    return float(np.corrcoef(one[both], other[both])[0, 1])


def correlations(spikes: Floats, estimate: Floats, sd: float, most: int) -> tuple[float, float, float]:
    """Return r at no lag, the best r, and by how many samples the estimate is late there; `sd` is of both Gaussians.

    Where the estimate is NaN, as in gaps, neither counts.
    """
    truth = smoothed(np.where(np.isfinite(estimate), spikes, np.nan), sd)
    found = smoothed(estimate, sd)
    length = len(truth)
    lags = range(-min(most, length - 3), min(most, length - 3) + 1)
    by_lag = {
        lag: correlation(truth[max(0, -lag) : length - max(0, lag)], found[max(0, lag) : length - max(0, -lag)])
        for lag in lags
    }
    known = {lag: r for lag, r in by_lag.items() if np.isfinite(r)}
    if not known:
        return float("nan"), float("nan"), 0
    best = max(known, key=lambda lag: (known[lag], -abs(lag)))
    return by_lag[0], known[best], best


@dataclass(frozen=True)
class Detection:
    """How many isolated events of a number of spikes there were, and which share of them was detected."""

    events: int
    share: float  # NaN: no event, or no threshold


def events_in(times: Floats, burst_s: float, isolation_s: float) -> list[tuple[float, int]]:
    """Return start and number of spikes of isolated events: spikes within `burst_s` of the first, no others near."""
    found = []
    times = np.sort(times)
    first = 0
    while first < len(times):
        last = int(np.searchsorted(times, times[first] + burst_s, side="right")) - 1
        before = times[first] - times[first - 1] if first else np.inf
        after = times[last + 1] - times[last] if last + 1 < len(times) else np.inf
        if before >= isolation_s and after >= isolation_s:
            found.append((float(times[first]), last - first + 1))
        first = last + 1
    return found


def detected(
    times: Floats,
    clock: Floats,
    estimate: Floats,
    window_s: float,
    burst_s: float,
    isolation_s: float,
    sizes: Sequence[int],
) -> tuple[dict[int, Detection], int]:
    """Return the detection of isolated events of each size (the last: or more), and how many windows had no spike.

    The statistic of an event is the sum of the estimate over a window of frames, from that of its first spike on. The
    threshold is exceeded by 1 % of windows of that length with no spike in them and none shortly before. A window
    counts, be it of an event or of none, where all of its frames are there and none is NaN.
    """
    step = step_of(clock)
    width = max(1, round(window_s / step))
    seen = np.isfinite(estimate)
    sums = _sums(np.where(seen, estimate, 0.0), width)  # by the first frame
    whole = (_sums(seen.astype(np.float64), width) == width) & (_sums(gaps(clock), width - 1)[: len(sums)] == 0)
    starts = clock[: len(sums)]
    ordered = np.sort(times)
    nearest = np.searchsorted(ordered, starts + window_s + step) - 1
    since = np.where(nearest >= 0, starts - ordered[np.maximum(nearest, 0)], np.inf)
    windows: list[float] = []
    free = -1
    for first in np.flatnonzero(whole & (since >= DECAY_S)):  # windows that do not overlap
        if first >= free:
            windows.append(sums[first])
            free = int(first) + width
    threshold = float(np.quantile(windows, 1 - FALSE, method="higher")) if len(windows) >= ENOUGH else np.nan
    events = events_in(times, burst_s, isolation_s)
    frames = frames_of(np.array([start for start, _ in events]), clock)
    known = [(at, n) for at, (_, n) in zip(frames, events, strict=True) if 0 <= at < len(sums) and whole[at]]
    found = {}
    for size in sizes:
        of_size = [at for at, n in known if n == size or (size == sizes[-1] and n >= size)]
        share = float(np.mean(sums[of_size] > threshold)) if of_size and np.isfinite(threshold) else float("nan")
        found[size] = Detection(len(of_size), share)
    return found, len(windows)


def _sums(values: npt.NDArray[Any], width: int) -> Floats:
    """Return the sum of each `width` values in a row."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray(total[width:] - total[: max(0, len(total) - width)], np.float64)

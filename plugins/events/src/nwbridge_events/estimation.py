"""What a trace says of itself: its noise, and how calcium rises and decays in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SEGMENT = 256  # samples of a periodogram
LAGS = 5  # of the autocovariance, besides the order of the model
SLOWEST = 0.9995  # a root of 1 would never decay


def noise(trace: npt.NDArray[np.floating], segment: int = SEGMENT) -> float:
    """Return the standard deviation of white noise with the power that the trace has above half of Nyquist's frequency.

    Calcium is slow, so what lies between 0.25 and 0.5 of the sampling rate is taken for noise. The power is the mean
    over periodograms (Hann windows, half overlapping) of the stretches without NaN. NaN where no stretch is as long
    as 16 samples.
    """
    powers, weights = [], []
    for stretch in stretches(trace):
        size = min(segment, len(stretch))
        if size < 16:
            continue
        window = np.hanning(size + 1)[:-1]
        pieces = np.lib.stride_tricks.sliding_window_view(stretch, size)[:: size // 2]
        spectrum = np.fft.rfft((pieces - pieces.mean(axis=1, keepdims=True)) * window)
        power = np.abs(spectrum) ** 2 / np.sum(window**2)
        high = np.fft.rfftfreq(size) >= 0.25
        powers.append(power[:, high].mean())
        weights.append(len(pieces))
    return float(np.sqrt(np.average(powers, weights=weights))) if powers else float("nan")


def stretches(trace: npt.NDArray[np.floating]) -> list[npt.NDArray[np.float64]]:
    """Return the parts of a trace between NaN."""
    seen = np.isfinite(trace)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], seen, [False])).astype(np.int8)))
    return [np.asarray(trace[low:high], np.float64) for low, high in zip(edges[::2], edges[1::2], strict=True)]


def autocovariance(trace: npt.NDArray[np.floating], lags: int) -> npt.NDArray[np.float64]:
    """Return the autocovariance at lags 0 to `lags`, each over the pairs of samples of which neither is NaN."""
    seen = np.isfinite(trace)
    values = np.where(seen, trace - np.mean(trace[seen]), 0.0)
    found = np.empty(lags + 1)
    for lag in range(lags + 1):
        pairs = np.count_nonzero(seen[lag:] & seen[: len(seen) - lag])
        found[lag] = np.dot(values[lag:], values[: len(values) - lag]) / max(1, pairs)
    return found


def coefficients(
    trace: npt.NDArray[np.floating], order: int, sigma: float, lags: int = LAGS
) -> tuple[float, float] | None:
    """Return (g1, g2) from the autocovariance, g2 being 0 for order 1; None where it does not decay as calcium does.

    The autocovariance of an AR(p) process obeys its recursion from lag 1 on. White noise adds to lag 0 only, and its
    variance is taken off there. Least squares over lags 1 to `lags` + p. Roots are held real, positive and below 1,
    so that calcium decays without ringing.
    """
    covariance = autocovariance(trace, lags + order)
    covariance[0] -= sigma**2
    if covariance[0] <= 0 or covariance[1] <= 0:
        return None
    rows = np.array([[covariance[abs(lag - k)] for k in range(1, order + 1)] for lag in range(1, lags + order + 1)])
    g = np.linalg.lstsq(rows, covariance[1:], rcond=None)[0]
    roots = np.roots([1.0, *-g])
    if order == 1:
        return (float(min(g[0], SLOWEST)), 0.0) if g[0] > 0 else None
    decay, rise = sorted(np.clip(roots.real, 1e-3, SLOWEST), reverse=True)
    if decay <= 0.05:
        return None
    rise = min(rise, decay - 1e-6)
    return float(decay + rise), float(-decay * rise)


def from_times(decay_s: float, rise_s: float | None, rate_hz: float) -> tuple[float, float]:
    """Return (g1, g2) of calcium that decays, and rises where a time is given, with these time constants."""
    decay = float(np.exp(-1 / (decay_s * rate_hz)))
    if not rise_s:
        return decay, 0.0
    rise = float(np.exp(-1 / (rise_s * rate_hz)))
    return decay + rise, -decay * rise


def times(g: Sequence[float], rate_hz: float) -> tuple[float, float]:
    """Return the time constants of decay and rise in seconds; the rise of AR(1) takes none."""
    g1, g2 = (*g, 0.0)[:2]
    root = np.sqrt(max(0.0, g1 * g1 + 4 * g2))
    slow, fast = (g1 + root) / 2, (g1 - root) / 2
    decay = -1 / (np.log(slow) * rate_hz) if 0 < slow < 1 else float("nan")
    return float(decay), float(-1 / (np.log(fast) * rate_hz)) if g2 < 0 and 0 < fast < 1 else 0.0

"""What traces and pixels say of themselves: their noise, and how calcium decays in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft

Floats = npt.NDArray[np.floating]

SEGMENT = 256  # samples of a periodogram
SEGMENTS = 12  # periodograms, spread over the movie, that pixels' noise is averaged over
LAGS = 5  # of the autocovariance, besides the order of the model
SLOWEST = 0.9995  # a root of 1 would never decay


def noise_of(traces: Floats, segments: int = SEGMENTS) -> npt.NDArray[np.float32]:
    """Return the standard deviation of each trace's white noise, for traces (…, time).

    Calcium is slow: the mean power between 0.25 and 0.5 of the sampling rate is taken for noise (Pnevmatikakis et al.
    2016). Periodograms with Hann windows of at most 256 samples, at most `segments` of them over the whole time.
    """
    count = traces.shape[-1]
    if count < 2:
        return np.zeros(traces.shape[:-1], np.float32)
    size = min(SEGMENT, count)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    high = np.fft.rfftfreq(size) >= 0.25
    places = sorted({int(at) for at in np.linspace(0, count - size, max(1, min(segments, 2 * count // size - 1)))})
    power = np.zeros(traces.shape[:-1], np.float64)
    for at in places:
        piece = traces[..., at : at + size]
        spectrum = fft.rfft((piece - piece.mean(axis=-1, keepdims=True)) * window, axis=-1)[..., high]
        power += np.mean(spectrum.real**2 + spectrum.imag**2, axis=-1)
    return np.sqrt(power / (len(places) * np.sum(window**2, dtype=np.float64))).astype(np.float32)


def autocovariance(trace: Floats, lags: int) -> npt.NDArray[np.float64]:
    """Return the autocovariance of a trace (time,) at lags 0 to `lags`."""
    values = np.asarray(trace, np.float64)
    values = values - values.mean()
    return np.array([values[lag:] @ values[: len(values) - lag] for lag in range(lags + 1)]) / len(values)


def decay_of(trace: Floats, order: int, sigma: float, lags: int = LAGS) -> tuple[float, ...] | None:
    """Return the coefficients of AR(`order`), 1 or 2, that a trace decays with; None where it does not as calcium.

    The autocovariance obeys the process' recursion from lag 1 on; white noise adds to lag 0 only, where its variance
    is taken off. Least squares over lags 1 to `lags` + order. Roots are held real, positive and below 1, so that
    calcium decays without ringing.
    """
    lags = min(lags, len(trace) // 4)
    covariance = autocovariance(trace, lags + order)
    covariance[0] -= sigma**2
    if lags < 1 or covariance[0] <= 0 or covariance[1] <= 0:
        return None
    rows = np.array([[covariance[abs(lag - k)] for k in range(1, order + 1)] for lag in range(1, lags + order + 1)])
    found = np.linalg.lstsq(rows, covariance[1:], rcond=None)[0]
    if order == 1:
        return (float(min(found[0], SLOWEST)),) if found[0] > 0 else None
    decay, rise = sorted(np.clip(np.roots([1.0, *-found]).real, 1e-3, SLOWEST), reverse=True)
    if decay <= 0.05:
        return None
    rise = min(rise, decay - 1e-6)
    return float(decay + rise), float(-decay * rise)


def decay_from(seconds: float, rate_hz: float, order: int) -> tuple[float, ...]:
    """Return the coefficients of calcium that decays to 1/e in so many seconds, and for order 2 rises in a tenth."""
    decay = float(np.exp(-1 / (seconds * rate_hz)))
    if order == 1:
        return (decay,)
    rise = float(np.exp(-10 / (seconds * rate_hz)))
    return decay + rise, -decay * rise


def seconds_of(coefficients: Sequence[float], rate_hz: float) -> float:
    """Return in how many seconds calcium with these coefficients decays to 1/e."""
    g1, g2 = (*coefficients, 0.0)[:2]
    slow = (g1 + np.sqrt(max(0.0, g1 * g1 + 4 * g2))) / 2
    return float(-1 / (np.log(slow) * rate_hz)) if 0 < slow < 1 else float("nan")


def running_percentile(traces: Floats, window: int, percent: float) -> npt.NDArray[np.float32]:
    """Return a slow baseline of traces (region, time): percentiles of windows half overlapping, joined by lines."""
    count = traces.shape[1]
    window = min(max(2, window), count)
    starts = np.unique(np.linspace(0, count - window, max(1, -(-2 * (count - window) // window) + 1)).astype(int))
    knots = np.stack([np.percentile(traces[:, at : at + window], percent, axis=1) for at in starts], axis=1)
    centres = starts + (window - 1) / 2
    return np.stack([np.interp(np.arange(count), centres, row) for row in knots]).astype(np.float32)

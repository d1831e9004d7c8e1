"""The rectified derivative: the simplest estimate of spikes, beside which every other has to prove itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def smoothed(trace: npt.NDArray[np.floating], sd: float) -> npt.NDArray[np.float64]:
    """Return a trace smoothed with a Gaussian of `sd` samples, cut at four, over what is no NaN."""
    seen = np.isfinite(trace)
    if sd <= 0 or not seen.any():
        return np.asarray(trace, np.float64)
    reach = int(np.ceil(4 * sd))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd) ** 2)
    values = np.convolve(np.where(seen, trace, 0.0), kernel)[reach : reach + len(trace)]
    weights = np.convolve(seen.astype(np.float64), kernel)[reach : reach + len(trace)]
    return np.where(seen, values / np.where(seen, weights, 1.0), np.nan)


def rectified_derivative(trace: npt.NDArray[np.floating], sd: float = 0.0) -> npt.NDArray[np.float64]:
    """Return ``max(0, x[t] - x[t-1])`` of the trace smoothed with a Gaussian of `sd` samples; the first value is 0."""
    values = smoothed(trace, sd)
    rise = np.maximum(np.diff(values, prepend=values[:1]), 0.0)
    return np.where(np.isnan(rise) & np.isfinite(values), 0.0, rise)  # the first after a gap

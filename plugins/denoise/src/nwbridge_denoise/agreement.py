"""How well a movie agrees with a reference of the same scene, from sums that are kept while both are streamed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


def decibel(signal: float, error: float) -> float:
    """Return a ratio of powers in dB; infinite where there is no error."""
    if error <= 0:
        return math.inf
    return 10 * math.log10(signal / error) if signal > 0 else -math.inf


@dataclass(frozen=True)
class Scale:
    """What values are multiplied by, and what is then added."""

    gain: float = 1.0
    offset: float = 0.0


class Agreement:
    """Sums over a reference r and a movie x = r + d. Frames may come in any order, each once.

    Differences are summed, not x: what is left of large squares taken from each other would be rounding.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.frames = np.full((5, shape[0]), np.nan)  # r, d, r², d², r·d, each summed over one frame
        self.pixels = np.zeros((5, *shape[1:]))  # the same, each summed over one pixel's trace

    def add(
        self, numbers: npt.NDArray[np.int64], reference: npt.NDArray[np.float32], movie: npt.NDArray[np.float32]
    ) -> None:
        """Take in frames, whose numbers are given."""
        r = reference.astype(np.float64)
        d = movie - r
        for number, product in enumerate((r, d, r * r, d * d, r * d)):
            self.frames[number, numbers] = product.reshape(len(r), -1).sum(axis=1)
            self.pixels[number] += product.sum(axis=0)

    @property
    def complete(self) -> bool:
        """Whether every frame has been taken in."""
        return not np.isnan(self.frames[0]).any()

    def fitted(self) -> Scale:
        """Return the one gain and offset that bring the movie closest to the reference."""
        if self.equal_frames().all():
            return Scale()
        count = math.prod(self.shape)
        r, x, _, xx, rx = _of_both(self.frames.sum(axis=1))
        spread = xx - x * x / count
        if spread <= 0:
            return Scale(0.0, r / count)
        gain = (rx - r * x / count) / spread
        return Scale(gain, (r - gain * x) / count)

    def _errors(self, sums: Numbers, count: int, scale: Scale) -> Numbers:
        """Return the sum of squared differences, over what each entry sums `count` values of."""
        r, d, rr, dd, rd = sums
        a, b, rest = scale.gain, scale.offset, 1 - scale.gain  # r - a x - b = rest r - a d - b
        found = rest * rest * rr + a * a * dd + count * b * b - 2 * rest * (a * rd + b * r) + 2 * a * b * d
        return np.asarray(found).clip(0)

    def equal_frames(self) -> npt.NDArray[np.bool_]:
        """Return which frames are the same in both movies."""
        return np.asarray(self.frames[3] == 0)

    def snr_frames(self, scale: Scale) -> Numbers:
        """Return the SNR of each frame in dB: 10 log10(Σ r² / Σ (r - x)²); NaN where the reference is dark."""
        return _each(self.frames[2], self._errors(self.frames, self.shape[1] * self.shape[2], scale))

    def snr_traces(self, scale: Scale) -> Numbers:
        """Return the SNR of each pixel's trace in dB, in the same way."""
        return _each(self.pixels[2], self._errors(self.pixels, self.shape[0], scale)).ravel()

    def tsnr(self, scale: Scale) -> float:
        """Return the SNR of what changes, in dB: of all values, after each pixel's mean is taken from both movies."""
        count, (r, d, rr, _, _) = self.shape[0], self.pixels
        difference = (1 - scale.gain) * r - scale.gain * d - count * scale.offset
        errors = self._errors(self.pixels, count, scale) - difference**2 / count
        return decibel(float((rr - r * r / count).sum()), float(np.maximum(errors, 0).sum()))

    def mean_error(self, scale: Scale) -> float:
        """Return the mean squared error of all values."""
        errors = self._errors(self.frames, self.shape[1] * self.shape[2], scale)
        return float(errors.sum()) / math.prod(self.shape)

    def pearson(self) -> float:
        """Return the correlation of all values."""
        count = math.prod(self.shape)
        r, x, rr, xx, rx = _of_both(self.frames.sum(axis=1))
        spread = (rr - r * r / count) * (xx - x * x / count)
        return float((rx - r * x / count) / math.sqrt(spread)) if spread > 0 else math.nan

    def brightness(self) -> float:
        """Return the movie's mean over the reference's."""
        r, d = self.frames[:2].sum(axis=1)
        return float((r + d) / r) if r else math.nan


def _of_both(sums: Numbers) -> tuple[float, float, float, float, float]:
    """Return sums of r, x, r², x² and r·x."""
    r, d, rr, dd, rd = map(float, sums)
    return r, r + d, rr, rr + 2 * rd + dd, rr + rd


def _each(signal: Numbers, error: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(signal > 0, 10 * np.log10(signal / error), np.nan)


def mean(values: Numbers) -> float:
    """Return the mean of what is defined and finite; NaN where nothing is."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else math.nan

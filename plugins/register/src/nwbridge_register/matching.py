"""What lays one frame on a picture: the peak of their phase correlation, in fractions of a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from nwbridge_register.moving import inside, moved

Floats = npt.NDArray[np.float32]
TAPER = 0.25  # of a frame's sides fade out: what enters at one edge and leaves at another matches nothing
REACH = 4  # pixels around the peak that it is interpolated from
LESS = 0.05  # of a correlation that a frame may lose by being moved: noise, and light that does not move along
LARGE = 2  # pixels of a shift that is found twice
SURE = 2.0  # standard deviations above the highest peak that noise is expected to have


@dataclass(frozen=True)
class Match:
    """What a frame has to be moved by, in pixels, to lie on the picture."""

    rows: float
    columns: float
    found: bool  # whether there is a peak, within the limit, that stands out of the noise
    beyond: bool = False  # whether the highest peak lies beyond the limit


class Matcher:
    """Compares frames with one picture; may be used from several threads.

    Kuglin and Hines (1975): of the product of both spectra only the phases are kept, here weighted with those of a
    Gaussian of `smoothing` pixels, so that the noise of high frequencies does not count, and without what varies over
    more than `high_pass` pixels, where that is more than 0.
    """

    def __init__(self, picture: Floats, limit: int, upsample: int, smoothing: float, high_pass: float) -> None:
        self.shape = picture.shape
        self._limit, self._upsample, self._high_pass, self._plain = limit, upsample, high_pass, picture
        self._taper = np.outer(*(_faded(size) for size in picture.shape)).astype(np.float32)
        spectrum = self._spectrum(picture)
        size = np.abs(spectrum)
        self._picture = np.divide(spectrum, size, out=np.zeros_like(spectrum), where=size > 0)
        self._picture *= _weights(picture.shape, smoothing, high_pass)
        self._window = tuple(np.arange(-limit, limit + 1) % size for size in picture.shape)
        self._near, self._everywhere = (_noise_peak(count) for count in ((2 * limit + 1) ** 2, picture.size))
        foot = min(math.ceil(3 * smoothing), (min(picture.shape) - 1) // 3)  # of a peak
        self._foot = np.arange(-foot, foot + 1)
        steps = np.arange(-upsample, upsample + 1) / upsample
        self._steps, self._kernel = steps, _lanczos(steps)

    def _spectrum(self, frame: Floats) -> npt.NDArray[np.complex64]:
        # float32 throughout: twice as fast, and a phase needs no more
        found: npt.NDArray[np.complex64] = fft.rfft2((frame - frame.mean(dtype=np.float64)).astype("f4") * self._taper)
        return found

    def match(self, frame: Floats) -> Match:
        """Return what a frame has to be moved by.

        A large shift is found twice, the second time from where the first has put the frame: the fading edges, which
        stay where they are, draw every peak towards 0, by about a hundredth of the shift.
        """
        correlation = self._correlation(frame)
        near = correlation[np.ix_(*self._window)]
        row, column = (int(at) - self._limit for at in np.unravel_index(near.argmax(), near.shape))
        best = int(correlation.argmax())
        spread = self._spread(correlation, best)
        highest = float(correlation.flat[best])
        if highest > near.max() and highest > self._everywhere * spread:
            far = (_signed(int(at), n) for at, n in zip(np.unravel_index(best, self.shape), self.shape, strict=True))
            return Match(0.0, 0.0, found=False, beyond=self._is_alike(frame, *far))
        found = spread > 0 and float(near.max()) > self._near * spread and self._is_alike(frame, row, column)
        rows, columns = self._finer(correlation, row, column)
        if found and max(abs(row), abs(column)) >= LARGE:
            again = self._correlation(moved(frame, np.array([row, column], float), "linear"))
            corner = again[np.ix_((-1, 0, 1), (-1, 0, 1))]
            down, across = (int(at) - 1 for at in np.unravel_index(corner.argmax(), corner.shape))
            down_by, across_by = self._finer(again, down, across)
            rows, columns = row + down_by, column + across_by
        rows, columns = (float(np.clip(by, -self._limit, self._limit)) for by in (rows, columns))
        return Match(rows, columns, found=found)

    def _is_alike(self, frame: Floats, row: int, column: int) -> bool:
        """Whether a frame that is moved so is not clearly less like the picture than where it was.

        Phases alone take a cell that is active for another one of its shape. Without what is wide, which `high_pass`
        leaves out, brightness tells nothing.
        """
        if (row, column) == (0, 0) or self._high_pass > 0:
            return True
        rows, columns = (slice(*inside(by, by, n)) for by, n in zip((row, column), self.shape, strict=True))
        before = slice(rows.start - row, rows.stop - row), slice(columns.start - column, columns.stop - column)
        picture = self._plain[rows, columns]
        return _likeness(frame[before], picture) > _likeness(frame[rows, columns], picture) - LESS

    def _correlation(self, frame: Floats) -> Floats:
        spectrum = self._spectrum(frame)
        size = np.abs(spectrum)
        product = np.conj(spectrum, out=spectrum)
        product *= self._picture
        np.divide(product, size, out=product, where=size > 0)
        correlation: Floats = fft.irfft2(product, s=self.shape)
        return correlation

    def _spread(self, correlation: Floats, best: int) -> float:
        """Return the standard deviation away from the highest peak."""
        row, column = np.unravel_index(best, self.shape)
        peak = correlation[np.ix_((row + self._foot) % self.shape[0], (column + self._foot) % self.shape[1])]
        rest = float(np.vdot(correlation, correlation)) - float(np.vdot(peak, peak))
        return math.sqrt(max(0.0, rest) / max(1, correlation.size - peak.size))

    def _finer(self, correlation: Floats, row: int, column: int) -> tuple[float, float]:
        """Return the peak's place between pixels: the highest of the values interpolated around it."""
        if self._upsample == 1:
            return float(row), float(column)
        around = np.arange(-REACH, REACH + 1)
        patch = correlation[np.ix_((row + around) % self.shape[0], (column + around) % self.shape[1])]
        fine = self._kernel @ patch @ self._kernel.T
        up, across = np.unravel_index(fine.argmax(), fine.shape)
        return float(row + self._steps[up]), float(column + self._steps[across])


def _faded(size: int) -> npt.NDArray[np.float64]:
    """Return a window that rises and falls like a cosine at both ends."""
    width = max(1, int(TAPER / 2 * size))
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(width) + 0.5) / width)
    window = np.ones(size)
    window[:width], window[size - width :] = rise, rise[::-1]
    return window


def _weights(shape: tuple[int, ...], smoothing: float, high_pass: float) -> Floats:
    rows, columns = np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]), indexing="ij")
    square = rows**2 + columns**2
    weights = np.exp(-2 * np.pi**2 * smoothing**2 * square)
    if high_pass > 0:
        weights *= 1 - np.exp(-2 * np.pi**2 * high_pass**2 * square)
    found: Floats = weights.astype(np.float32)
    return found


def _noise_peak(count: int) -> float:
    """Return how many standard deviations the highest of so many values has to reach to be no noise."""
    return math.sqrt(2 * math.log(max(2, count))) + SURE


def _lanczos(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the weights, a row for each step, of the values around a place."""
    away = steps[:, np.newaxis] - np.arange(-REACH, REACH + 1)
    weights = np.where(np.abs(away) < REACH, np.sinc(away) * np.sinc(away / REACH), 0)
    kernel: npt.NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return kernel


def _likeness(one: Floats, other: Floats) -> float:
    """Return Pearson's correlation; 0 where an image is one value."""
    one, other = one - one.mean(dtype=np.float64), other - other.mean(dtype=np.float64)
    size = math.sqrt(float(np.vdot(one, one)) * float(np.vdot(other, other)))
    return float(np.vdot(one, other)) / size if size > 0 else 0.0


def _signed(at: int, size: int) -> int:
    return at - size if at > size // 2 else at

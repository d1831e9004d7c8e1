"""What lays one frame on a picture: the peak of their phase correlation, in fractions of a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from nwbridge_register.moving import inside

Floats = npt.NDArray[np.float32]
Shift = tuple[float, float]  # rows, columns
TAPER = 0.4  # of a frame's sides fade out: what enters at one edge and leaves at another matches nothing
LESS = 0.05  # of a correlation that a frame may lose by being moved: noise, and light that does not move along
LOOKS = 8  # at a frame, at most
CLOSE = 0.2  # steps, or less, to go from one look to the next, to be the last
LEAST = 0.25  # of what is left that a look is taken to find
AROUND = np.arange(-2, 3) / 2  # pixels around a shift that the next look evaluates
KEPT = 64 << 20  # bytes of spectra of the picture's parts
SURE = 2.0  # standard deviations above the highest peak that noise is expected to have


@dataclass(frozen=True)
class Match:
    """What a frame has to be moved by, in pixels, to lie on the picture."""

    rows: float
    columns: float
    found: bool  # whether there is a peak, within the limit, that stands out of the noise
    beyond: bool = False  # whether the highest peak lies beyond the limit
    whole: bool = False  # whether the frame is moved by whole pixels: it holds values that are not finite


class Matcher:
    """Compares frames with one picture; may be used from several threads.

    Kuglin and Hines (1975): of the product of both spectra only the phases are kept, here weighted with those of a
    Gaussian of `smoothing` pixels, so that the noise of high frequencies does not count, and without what varies over
    more than `high_pass` pixels, where that is more than 0.
    """

    def __init__(self, picture: Floats, limit: int, upsample: int, smoothing: float, high_pass: float) -> None:
        self.shape = picture.shape
        self._limit, self._upsample, self._high_pass, self._plain = limit, upsample, high_pass, picture
        self._weights = _weights(picture.shape, smoothing, high_pass)
        self._taper = self._window((0, 0), (0.0, 0.0))
        self._part = lru_cache(max(4, KEPT // self._weights.nbytes // 2))(self._part_of)
        self._near = tuple(np.arange(-limit, limit + 1) % size for size in picture.shape)
        self._noise_near, self._noise = (_noise_peak(count) for count in ((2 * limit + 1) ** 2, picture.size))
        foot = min(math.ceil(3 * smoothing), (min(picture.shape) - 1) // 3)  # of a peak
        self._foot = np.arange(-foot, foot + 1)
        rows, columns = np.fft.fftfreq(picture.shape[0]), np.fft.rfftfreq(picture.shape[1])
        self._waves = 2j * np.pi * rows, 2j * np.pi * columns
        self._twice = np.where((columns == 0) | (columns == 0.5), 1, 2)  # of the half of a spectrum that is computed

    def _window(self, whole: tuple[int, int], shift: tuple[float, float]) -> Floats:
        """Return what fades out the edges of the part that a frame moved by `whole` shares, before it is moved."""
        rows, columns = (_faded(n, by, less) for n, by, less in zip(self.shape, whole, shift, strict=True))
        return np.outer(rows, columns).astype(np.float32)

    def _spectrum(self, frame: Floats, window: Floats) -> npt.NDArray[np.complex64]:
        # float32 throughout: twice as fast, and a phase needs no more
        level = float(np.vdot(frame, window)) / float(window.sum())
        found: npt.NDArray[np.complex64] = fft.rfft2((frame - np.float32(level)) * window)
        return found

    def _part_of(self, whole: tuple[int, int]) -> npt.NDArray[np.complex64]:
        """Return the weighted phases of that part of the picture that a frame moved by `whole` pixels shows."""
        spectrum = self._spectrum(self._plain, self._window(whole, (0.0, 0.0)))
        size = np.abs(spectrum)
        phases = np.divide(spectrum, size, out=np.zeros_like(spectrum), where=size > 0)
        phases *= self._weights
        return phases

    def match(self, frame: Floats) -> Match:
        """Return what a frame has to be moved by: to the pixel by one look at all shifts, then between pixels.

        The fading edges draw a peak towards the shift between those of picture and frame: in small fields of soft
        cells, a third or less of the rest is found. So a shift is looked at again, from where the last look has put
        it, with edges that fade where the frame's and the picture's parts of one scene do, until it stays.
        """
        frame = frame - np.float32(frame.mean(dtype=np.float64))
        product = self._product(frame, (0, 0), self._taper)
        correlation: Floats = fft.irfft2(product, s=self.shape)
        near = correlation[np.ix_(*self._near)]
        row, column = (int(at) - self._limit for at in np.unravel_index(near.argmax(), near.shape))
        best = int(correlation.argmax())
        spread = self._spread(correlation, best)
        highest = float(correlation.flat[best])
        if highest > near.max() and highest > self._noise * spread:
            far = (_signed(int(at), n) for at, n in zip(np.unravel_index(best, self.shape), self.shape, strict=True))
            return Match(0.0, 0.0, found=False, beyond=self._is_alike(frame, *far))
        if not (spread > 0 and float(near.max()) > self._noise_near * spread and self._is_alike(frame, row, column)):
            return Match(0.0, 0.0, found=False)
        rows, columns = self._settled(frame, np.array([row, column]) + self._peak(product, (row, column)))
        return Match(rows, columns, found=True)

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

    def _product(self, frame: Floats, whole: tuple[int, int], window: Floats) -> npt.NDArray[np.complex64]:
        """Return the spectrum of the correlation with the picture's part."""
        spectrum = self._spectrum(frame, window)
        size = np.abs(spectrum)
        product = np.conj(spectrum, out=spectrum)
        product *= self._part(whole)
        np.divide(product, size, out=product, where=size > 0)
        return product

    def _spread(self, correlation: Floats, best: int) -> float:
        """Return the standard deviation away from the highest peak."""
        row, column = np.unravel_index(best, self.shape)
        peak = correlation[np.ix_((row + self._foot) % self.shape[0], (column + self._foot) % self.shape[1])]
        rest = float(np.vdot(correlation, correlation)) - float(np.vdot(peak, peak))
        return math.sqrt(max(0.0, rest) / max(1, correlation.size - peak.size))

    def _settled(self, frame: Floats, first: npt.NDArray[np.float64]) -> Shift:
        """Return the shift that a look from where it puts the frame does not change any more, in steps.

        Every look finds about the same share of the rest, so that two tell how far to go: a secant's step.
        """
        place, rest = np.zeros(2), first
        step = rest
        for _ in range(LOOKS - 1):
            place = np.clip(place + step, -self._limit, self._limit)
            last, rest = rest, self._rest(frame, place)
            share = np.divide(last - rest, step, out=np.ones(2), where=np.abs(step) > CLOSE / self._upsample)
            step = rest / np.clip(share, LEAST, 1)
            if np.abs(step).max() < CLOSE / self._upsample:
                break
        place = np.clip(place + step, -self._limit, self._limit)
        rows, columns = np.rint(place * self._upsample) / self._upsample + 0.0  # no -0
        return float(rows), float(columns)

    def _rest(self, frame: Floats, place: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what is left of a shift, looked at from a place."""
        (whole_rows, rows), (whole_columns, columns) = ((round(by), float(by)) for by in place)
        whole = whole_rows, whole_columns
        return self._peak(self._product(frame, whole, self._window(whole, (rows, columns))), (rows, columns))

    def _peak(self, product: npt.NDArray[np.complex64], place: Shift) -> npt.NDArray[np.float64]:
        """Return how far from a place, at most a pixel, a correlation is highest; of half pixels by a parabola."""
        down, across = (np.exp(np.outer(AROUND + by, wave)) for by, wave in zip(place, self._waves, strict=True))
        found = (down.astype("c8") @ product @ (across * self._twice).T.astype("c8")).real
        row, column = (int(at) for at in np.unravel_index(found.argmax(), found.shape))
        return np.array([_vertex(found[:, column], row), _vertex(found[row], column)])


def _faded(size: int, whole: int, shift: float) -> npt.NDArray[np.float64]:
    """Return a window that rises and falls like a cosine at both ends of what a frame moved by `whole` shares.

    It lies where that is before the frame is moved by `shift`.
    """
    first, last = inside(whole, whole, size)
    width = max(1, int(TAPER / 2 * (last - first)))
    place = np.arange(size) + shift
    near = np.minimum(place + 0.5 - first, last - 0.5 - place) / width
    window: npt.NDArray[np.float64] = 0.5 - 0.5 * np.cos(np.pi * np.clip(near, 0, 1))
    return window


def _vertex(values: npt.NDArray[np.float32], at: int) -> float:
    """Return the place of the highest of values half a pixel apart, by the parabola through it and its neighbours."""
    place = float(AROUND[at])
    if not 0 < at < len(values) - 1:
        return place
    before, here, after = (float(value) for value in values[at - 1 : at + 2])
    bend = 2 * here - before - after
    return place + (after - before) / bend / 4 if bend > 0 else place


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


def _likeness(one: Floats, other: Floats) -> float:
    """Return Pearson's correlation; 0 where an image is one value."""
    one, other = one - one.mean(dtype=np.float64), other - other.mean(dtype=np.float64)
    size = math.sqrt(float(np.vdot(one, one)) * float(np.vdot(other, other)))
    return float(np.vdot(one, other)) / size if size > 0 else 0.0


def _signed(at: int, size: int) -> int:
    return at - size if at > size // 2 else at

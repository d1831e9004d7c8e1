"""Fourier ring correlation: how alike two images are at every spatial frequency, and where they cease to be."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, Column, Table
from nwbridge_render_smlm.grid import Grid
from nwbridge_render_smlm.molecules import Half, Molecules
from nwbridge_render_smlm.picture import BAND, Picture, Style

THRESHOLD = 1 / 7
TAPER = 1 / 8  # of each side of the image, by which it fades to 0: its edges would correlate as well
SMOOTHED = 40  # the curve is averaged over this part of the rings before it is held against the threshold
SPECTRUM_ROWS = 128  # that are looked at at once
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The correlation in each ring, from the first above frequency 0 to the finest that the pixels can hold."""

    frequency: Floats  # 1/nm
    correlation: Floats
    smoothed: Floats
    pixels: npt.NDArray[np.int64]  # of the spectrum that lie in the ring

    @property
    def resolution_nm(self) -> float | None:
        """One over the frequency where the smoothed curve first falls below 1/7; None where it starts or stays so."""
        below = np.flatnonzero(self.smoothed < THRESHOLD)
        if not len(below) or not below[0]:
            return None
        low, high = self.smoothed[below[0] - 1 : below[0] + 1]
        start, stop = self.frequency[below[0] - 1 : below[0] + 1]
        return float(1 / (start + (stop - start) * (low - THRESHOLD) / (low - high)))

    def table(self, name: str, description: str) -> Table:
        """Return it as an element."""
        columns = (
            Column("frequency", self.frequency, "spatial frequency of the ring", "1/nm"),
            Column("correlation", self.correlation, "Fourier ring correlation"),
            Column("smoothed", self.smoothed, f"mean over {width(len(self.frequency))} rings, held against 1/7"),
            Column("pixels", self.pixels, "pixels of the spectrum in the ring"),
        )
        return Table(name, columns, description)


def width(rings: int) -> int:
    """Return over how many rings a curve is averaged: an odd number."""
    return max(3, rings // SMOOTHED) | 1


def fade(size: int) -> npt.NDArray[np.float32]:
    """Return a window that rises from 0 to 1 and falls again as a cosine does (Tukey's)."""
    ramp = (np.arange(size) + 0.5) / (TAPER * size)
    rise = np.minimum(ramp, ramp[::-1])
    return np.asarray(np.where(rise < 1, 0.5 - 0.5 * np.cos(np.pi * np.minimum(rise, 1)), 1), np.float32)


def correlate(one: npt.NDArray[Any], other: npt.NDArray[Any], pixel_nm: tuple[float, float]) -> Curve:
    """Return the correlation of two images of one shape; rings are as wide as the longer side's frequency step."""
    rows, columns = one.shape
    window = fade(rows)[:, None] * fade(columns)
    # without the mean, which would leak from the window into the first rings and correlate there whatever is shown
    spectra = [np.fft.rfft2((image - float(image.mean(dtype=np.float64))) * window) for image in (one, other)]
    side = max(rows * pixel_nm[0], columns * pixel_nm[1])
    count = math.floor(side / (2 * max(pixel_nm)) + 1e-9) + 1
    down, across = np.fft.fftfreq(rows, pixel_nm[0]), np.fft.rfftfreq(columns, pixel_nm[1])
    twice = np.full(len(across), 2.0)  # the half that rfft2 leaves out is this half's mirror image
    twice[0] = 1.0
    if columns % 2 == 0:
        twice[-1] = 1.0
    sums = np.zeros((4, count))
    for start in range(0, rows, SPECTRUM_ROWS):
        part = slice(start, start + SPECTRUM_ROWS)
        ring = np.rint(side * np.hypot(down[part, None], across)).astype(np.int64)
        inside = ring < count
        ring, weight = ring[inside], np.broadcast_to(twice, inside.shape)[inside]
        first, second = (spectrum[part][inside].astype(np.complex128) for spectrum in spectra)
        for row, values in enumerate(((first * second.conj()).real, abs(first) ** 2, abs(second) ** 2, 1.0)):
            sums[row] += np.bincount(ring, weight * values, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = sums[0] / np.sqrt(sums[1] * sums[2])
    found = np.nan_to_num(found[1:], nan=0.0)
    pixels = np.rint(sums[3][1:]).astype(np.int64)
    return Curve(np.arange(1, count) / side, found, smooth(found), pixels)


def smooth(values: Floats) -> Floats:
    """Return the moving mean; at the ends of what is there."""
    kernel = np.ones(width(len(values)))
    sums = [np.convolve(part, kernel)[len(kernel) // 2 :][: len(values)] for part in (values, np.ones(len(values)))]
    return np.asarray(sums[0] / sums[1], np.float64)


def halves(molecules: Molecules, blocks: int) -> tuple[Molecules, Molecules]:
    """Return the two halves of the frames, in blocks in turn: a molecule seen in several frames stays in one."""
    first, last = molecules.frames()
    if not last > first:
        where = "no frame" if last < first else f"frame {first:g} only"
        raise BadSource(f"{molecules.table.name} has localizations in {where}; expected several frames to halve")
    frames = max((last - first + 1) / blocks, 1)
    return molecules.with_half(Half(first, frames, 0)), molecules.with_half(Half(first, frames, 1))


def between(one: Molecules, other: Molecules, grid: Grid) -> tuple[Curve, tuple[int, int]]:
    """Return the correlation of two sets' histograms, and how many localizations each has in the image."""
    if math.prod(grid.shape) > BAND:
        raise BadSource(
            f"Fourier ring correlation of {grid.shape[0]:,} × {grid.shape[1]:,} pixels would take too much memory; "
            f"expected at most {BAND:,} pixels: give a larger --pixel-nm"
        )
    pictures = [Picture(molecules, grid, Style("histogram")) for molecules in (one, other)]
    curve = correlate(pictures[0].whole(), pictures[1].whole(), grid.pixel_nm)
    counts = pictures[0].tally.used, pictures[1].tally.used
    for molecules, count in zip((one, other), counts, strict=True):
        if not count:
            raise BadSource(f"{molecules.table.name}: one of the two sets that are compared has no localization")
    return curve, counts

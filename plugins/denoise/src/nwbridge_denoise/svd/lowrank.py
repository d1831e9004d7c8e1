"""Local low rank: what a few components of a patch explain is signal, and a Wiener filter takes the rest of the noise.

Everything here works on values from which the mean image has been taken, in units of each pixel's noise.

First a pilot: the singular vectors of a patch whose singular values exceed what noise alone would give (the edge of
the Marchenko-Pastur law), smoothed a little because footprints are, each with a Wiener filter over time. Then, as in
BM3D, the pilot shows what the signal is like: its own singular vectors and spectra filter the noisy values once more.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import scipy.fft
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from threadpoolctl import ThreadpoolController

from nwbridge_denoise.svd.patches import Grid, Matrix

HALO = 64  # frames to each side that a filter over time may use
BIN = 8  # frames averaged to find components: signals are slower than noise
SMOOTH = 8  # frequencies over which a spectrum is averaged, in a segment of 1,000 frames
FAINT = 0.005  # variance of a component of the pilot, in units of the noise, below which it is left out
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Filter:
    """The filter of one patch: projection on components, each filtered over time."""

    components: Matrix  # (pixel, component), orthonormal
    kernels: Matrix  # (lag, component), lags -HALO to HALO

    def apply(self, values: Matrix) -> Matrix:
        """Filter (time, pixel) values; HALO frames at each end are lost."""
        count = len(values) - 2 * HALO
        size = scipy.fft.next_fast_len(len(values) + 2 * HALO, real=True)
        spectrum = scipy.fft.rfft(values @ self.components, size, axis=0)
        spectrum *= scipy.fft.rfft(self.kernels, size, axis=0)
        activity = scipy.fft.irfft(spectrum, size, axis=0)[2 * HALO : 2 * HALO + count]
        return np.asarray(activity @ self.components.T, np.float32)


def noise_variance(values: Matrix) -> Matrix:
    """Return the variance of noise that is white over time, from second differences, which slow signals hardly move."""
    if len(values) < 3:
        return np.zeros(values.shape[1:], np.float32)
    second = values[2:] - 2 * values[1:-1] + values[:-2]
    return np.asarray(np.einsum("t...,t...->...", second, second) / (6 * len(second)), np.float32)


def noise_edge(pixels: int, count: int) -> float:
    """Return the largest eigenvalue that the covariance of `count` frames of unit noise has."""
    return (1 + math.sqrt(pixels / count)) ** 2


def _components(values: Matrix) -> tuple[Matrix, Matrix]:
    """Return eigenvalues and eigenvectors of the covariance of (time, pixel) values, largest first."""
    eigenvalues, vectors = np.linalg.eigh(values.T @ values / np.float32(len(values)))
    return eigenvalues[::-1], vectors[:, ::-1]


def _smooth(vectors: Matrix, size: tuple[int, int], width: float) -> Matrix:
    """Smooth components over space, and make them orthonormal again."""
    if not width or not vectors.shape[1]:
        return vectors
    images = gaussian_filter(vectors.reshape(*size, -1), (width, width, 0), mode="nearest")
    return np.asarray(np.linalg.qr(images.reshape(vectors.shape))[0], np.float32)


def _reflected(activity: Matrix, pad: int) -> Matrix:
    pad_ = min(pad, len(activity) - 1)
    return np.pad(activity, ((pad_, pad_), (0, 0)), mode="reflect")


def _power(activity: Matrix, size: int) -> Matrix:
    """Return the smoothed spectrum of activity; unit noise has 1 at every frequency."""
    power = np.square(np.abs(scipy.fft.rfft(activity, size, axis=0))) / np.float32(len(activity))
    return np.asarray(gaussian_filter1d(power, SMOOTH * size / 1256, axis=0, mode="nearest"), np.float32)


def binned(values: Matrix) -> tuple[Matrix, int]:
    """Average every few frames; return these, and how many were averaged."""
    count = max(1, min(BIN, len(values) // 16))
    kept = len(values) // count * count
    return values[:kept].reshape(-1, count, *values.shape[1:]).mean(axis=1), count


def pilot_patch(values: Matrix, size: tuple[int, int], width: float, rank: int | None) -> tuple[Matrix, int]:
    """Return the first estimate of a patch (time, pixel), and how many components it has."""
    averaged, count = binned(values)
    eigenvalues, vectors = _components(averaged)
    edge = noise_edge(values.shape[1], len(averaged)) / count
    kept = int((eigenvalues > edge).sum()) if rank is None else min(rank, len(eigenvalues))
    if not kept:
        return np.zeros_like(values), 0
    vectors = _smooth(vectors[:, :kept], size, width)
    activity = values @ vectors
    padded = _reflected(activity, 2 * HALO)
    power = _power(activity, len(padded))
    gain = np.maximum(power - noise_variance(activity), 0) / np.maximum(power, np.finfo(np.float32).tiny)
    filtered = scipy.fft.irfft(scipy.fft.rfft(padded, axis=0) * gain, len(padded), axis=0)
    pad = (len(padded) - len(activity)) // 2
    return np.asarray(filtered[pad : pad + len(activity)] @ vectors.T, np.float32), kept


def learn(values: Matrix, pilot: Matrix, rank: int | None) -> Filter:
    """Return the filter of a patch, from noisy values and their pilot, both (time, pixel)."""
    eigenvalues, vectors = _components(pilot - pilot.mean(axis=0))
    kept = int((eigenvalues > FAINT).sum())
    kept = kept if rank is None else min(rank, kept)
    vectors = np.ascontiguousarray(vectors[:, :kept])
    size = len(values) + 4 * HALO
    signal = _power(pilot @ vectors, size)
    noise = np.maximum(noise_variance(values @ vectors), np.finfo(np.float32).tiny)
    kernel = scipy.fft.irfft(signal / (signal + noise), size, axis=0)
    lags = np.arange(-HALO, HALO + 1)
    taper = np.cos(np.pi / 2 * lags / (HALO + 1)).astype(np.float32) ** 2
    return Filter(vectors, np.asarray(kernel[lags] * taper[:, None], np.float32))


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def each(work: Callable[[T], R], things: Iterable[T], threads: int) -> list[R]:
    """Do the work for each thing, in threads; results in order. Libraries below start no threads of their own."""
    with _blas().limit(limits=1):
        if threads == 1:
            return [work(thing) for thing in things]
        with ThreadPoolExecutor(threads, "nwbridge-denoise") as pool:
            return list(pool.map(work, things))


def cut(values: Matrix, row: int, column: int, grid: Grid) -> Matrix:
    """Return one patch of (time, row, column) as (time, pixel)."""
    part = values[:, row : row + grid.size[0], column : column + grid.size[1]]
    return np.ascontiguousarray(part).reshape(len(values), -1)

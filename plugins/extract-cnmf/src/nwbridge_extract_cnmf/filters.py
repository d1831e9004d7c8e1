"""Spatial filters as sparse matrices over the pixels of a patch, and summary images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

Array = npt.NDArray[np.float32]
STRONG = 3.0  # times the noise: what is below tells nothing of neighbours (Zhou et al. 2018)


def gaussian_filter(
    shape: tuple[int, int], sigma: tuple[float, float], size: tuple[int, int], *, centred: bool
) -> sparse.csr_matrix:
    """Return the filter as a matrix (pixel, pixel): a Gaussian of some width, cut to an ellipse of `size` pixels.

    `centred` takes the mean off, so that the filter sees no background that is even over its size. At the border of
    the patch the picture is mirrored.
    """
    half = tuple(max(1, n // 2) for n in size)
    y, x = np.mgrid[-half[0] : half[0] + 1, -half[1] : half[1] + 1]
    kernel = np.exp(-0.5 * ((y / sigma[0]) ** 2 + (x / sigma[1]) ** 2))
    inside = (y / (half[0] + 0.5)) ** 2 + (x / (half[1] + 0.5)) ** 2 <= 1
    kernel = np.where(inside, kernel, 0.0)
    kernel /= kernel.sum()
    if centred:
        kernel -= np.where(inside, kernel[inside].mean(), 0.0)
    dy, dx = np.nonzero(inside)
    rows, cols = np.indices(shape).reshape(2, -1)
    at_y = _mirrored(np.arange(shape[0])[:, np.newaxis] + (dy - half[0]), shape[0])[rows]
    at_x = _mirrored(np.arange(shape[1])[:, np.newaxis] + (dx - half[1]), shape[1])[cols]
    values = np.broadcast_to(kernel[inside].astype(np.float32), at_y.shape)
    pixels = np.repeat(np.arange(at_y.shape[0]), at_y.shape[1])
    made = sparse.coo_matrix((values.ravel(), (pixels, (at_y * shape[1] + at_x).ravel())), (at_y.shape[0],) * 2)
    return sparse.csr_matrix(made)


def _mirrored(places: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    if size == 1:
        return np.zeros_like(places)
    folded = np.abs(places) % (2 * size - 2)
    return np.where(folded >= size, 2 * size - 2 - folded, folded)


def cell_filter(shape: tuple[int, int], sigma: tuple[float, float], *, centred: bool) -> sparse.csr_matrix:
    """Return the filter that cells are looked for with: as wide as a cell, four times its sigma."""
    width = (round(4 * sigma[0]) // 2 * 2 + 1, round(4 * sigma[1]) // 2 * 2 + 1)
    return gaussian_filter(shape, sigma, width, centred=centred)


class Summary(NamedTuple):
    """What seeds are chosen by, (row, column) each."""

    correlation: Array  # of each pixel with its eight neighbours
    pnr: Array  # largest value over noise
    noise: Array


def calm_noise(movie: Array) -> Array:
    """Return the standard deviation of what lies below each trace's median, where no transients are.

    `movie` is (pixel, time) without its median. For white noise it is the noise; what else fluctuates counts as well.
    """
    below = np.minimum(movie, 0)
    number = np.maximum(np.count_nonzero(movie < 0, axis=1), 1)
    return np.asarray(np.sqrt(np.einsum("pt,pt->p", below, below) / number), np.float32)


def summary(filtered: Array, shape: tuple[int, int], noise: Array, gain: float = 1.0) -> Summary:
    """Return correlation and peak-to-noise images of a filtered movie (pixel, time) without its median.

    `noise` is that of this movie; where its frames are means of several, the recording's is larger by the factor
    `gain`, and that is what peaks are compared with. Values below three times the noise count as 0 in the correlation
    (Zhou et al. 2018).
    """
    noise = np.maximum(noise, 1e-12)
    strong = np.where(filtered > STRONG * noise[:, np.newaxis], filtered, 0)
    pnr = (filtered.max(axis=1) / (gain * noise)).astype(np.float32)
    return Summary(correlation_image(strong, shape), pnr.reshape(shape), noise.reshape(shape))


def correlation_image(movie: Array, shape: tuple[int, int]) -> Array:
    """Return the mean correlation of each pixel's trace with those of its neighbours; `movie` is (pixel, time)."""
    steady = movie - movie.mean(axis=1, keepdims=True)
    size = np.sqrt(np.einsum("pt,pt->p", steady, steady))
    steady /= np.where(size > 1e-9 * max(float(size.max()), 1e-30), size, np.inf)[:, np.newaxis]
    picture = steady.reshape(*shape, -1)
    total, number = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, shape[0] - dy), slice(max(0, -dx), shape[1] - max(0, dx)))
        there = (slice(dy, shape[0]), slice(max(0, dx), shape[1] - max(0, -dx)))
        alike = np.einsum("yxt,yxt->yx", picture[here], picture[there])
        for place in (here, there):
            total[place] += alike
            number[place] += 1
    return np.asarray(total / np.maximum(number, 1), np.float32)


def largest_part(weights: Array, seed: tuple[int, int] | None = None) -> npt.NDArray[np.bool_]:
    """Return the connected part of an image's positive weights that holds a seed, or the most weight."""
    labels, count = ndimage.label(weights > 0, np.ones((3, 3)))
    if count == 0:
        return np.zeros(weights.shape, bool)
    if seed is not None and labels[seed]:
        return np.asarray(labels == labels[seed])
    sums = ndimage.sum_labels(weights, labels, np.arange(1, count + 1))
    return np.asarray(labels == 1 + int(np.argmax(sums)))

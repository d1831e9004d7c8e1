"""Two-photon initialisation: rank-one cells where most energy is left (Pnevmatikakis et al. 2016), and sparse NMF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from nwbridge_extract_cnmf.factors import factorize
from nwbridge_extract_cnmf.filters import Array, calm_noise, cell_filter
from nwbridge_extract_cnmf.signals import noise_of

ROLLING = 100  # frames of the window that energy is summed over
REFITS = 5  # of a cell's footprint and trace
STANDS_OUT = 5.0  # times the noise: a filtered trace's mean over its brightest moments, for a cell that nobody counted
FEWEST = 5  # pixels
PIECE = 0.6  # correlation with a cell that was taken out, above which what is found beside it is its rest
SPARSITY = 0.05  # penalty of sparse NMF, as a share of each component's largest weight


@dataclass(frozen=True)
class Greed:
    """How cells are looked for, in the pixels of the movie that is looked at."""

    sigma: tuple[float, float]
    size: tuple[int, int]
    most: int | None  # cells; None: as many as stand out of the noise
    rolling: bool = True  # look for the most energy within a window, not in the whole movie
    transient: int = 4  # frames that a transient lasts
    centred: bool = False  # look through a filter of mean 0


def find(
    movie: Array, shape: tuple[int, int], how: Greed, usable: npt.NDArray[np.bool_] | None = None
) -> tuple[Array, Array]:
    """Return footprints (pixel, component) and traces (component, time) above their baselines.

    `movie` is (pixel, time) without its median.
    """
    left = movie.copy()
    counted = how.most is not None  # otherwise cells have to stand out of what is around them too
    smooth = cell_filter(shape, how.sigma, centred=how.centred or not counted)
    filtered = np.asarray(smooth @ left, np.float32)
    noise = np.maximum(noise_of(filtered), 1e-12)
    if not counted:  # what fluctuates slowly counts as well, and little is left of the rest in denoised movies
        noise = np.maximum(noise, calm_noise(filtered))
    allowed = np.ones(len(left), bool) if usable is None else usable.ravel().copy()
    score = _score(filtered, noise, how)
    footprints: list[Array] = []
    traces: list[Array] = []
    while how.most is None or len(traces) < how.most:
        seed = int(np.argmax(np.where(allowed, score, 0)))
        if not allowed[seed] or score[seed] <= 0:
            break
        allowed[seed] = False
        pixels = _box(seed, shape, how.size)
        image, course = _rank_one(left[pixels], filtered[seed])
        if image is None or np.count_nonzero(image) < min(FEWEST, len(pixels)):
            continue
        left[pixels] -= np.outer(image, course)
        footprint = np.zeros(len(left), np.float32)
        footprint[pixels] = image
        seen = np.asarray(smooth @ footprint, np.float32)
        reach = np.flatnonzero(seen)
        filtered[reach] -= np.outer(seen[reach], course)
        score[reach] = _score(filtered[reach], noise[reach], how)
        if any(_piece(footprint, course, *cell, pixels) for cell in zip(footprints, traces, strict=True)):
            continue  # what a cell left behind, which is fitted later
        footprints.append(footprint)
        traces.append(course)
    weights = np.stack(footprints, axis=1) if footprints else np.zeros((len(left), 0), np.float32)
    return weights, np.stack(traces) if traces else np.zeros((0, left.shape[1]), np.float32)


def _score(filtered: Array, noise: Array, how: Greed) -> Array:
    """Return each pixel's energy, 0 where nothing stands out of the noise."""
    energy = _energy(filtered, how.rolling)
    means = ndimage.uniform_filter1d(filtered - np.median(filtered, axis=1, keepdims=True), how.transient, axis=1)
    return np.where(means.max(axis=1) > STANDS_OUT * noise, energy, 0)


def _piece(footprint: Array, course: Array, cell: Array, trace: Array, pixels: npt.NDArray[np.intp]) -> bool:
    """Whether a component lies beside a cell, is smaller, and has its trace."""
    if not cell[pixels].any() or np.linalg.norm(course) > np.linalg.norm(trace):
        return False
    return bool(np.corrcoef(course, trace)[0, 1] > PIECE)


def _energy(filtered: Array, rolling: bool) -> Array:
    """Return each pixel's energy: the sum of squares, the largest of any window where `rolling`."""
    count = filtered.shape[1]
    if not rolling or count <= ROLLING:
        return np.asarray(np.einsum("pt,pt->p", filtered, filtered), np.float32)
    sums = np.cumsum(filtered.astype(np.float64) ** 2, axis=1)
    return np.asarray((sums[:, ROLLING:] - sums[:, :-ROLLING]).max(axis=1), np.float32)


def _box(seed: int, shape: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.intp]:
    row, col = divmod(seed, shape[1])
    half = [max(1, n // 2) for n in size]
    rows = np.arange(max(0, row - half[0]), min(shape[0], row + half[0] + 1))
    cols = np.arange(max(0, col - half[1]), min(shape[1], col + half[1] + 1))
    return np.asarray((rows[:, np.newaxis] * shape[1] + cols).ravel())


def _rank_one(near: Array, trace: Array) -> tuple[Array | None, Array]:
    """Return the footprint ≥ 0 of unit norm and the trace ≥ 0 that fit best, begun with a trace."""
    course = np.maximum(trace, 0)
    image = None
    for _ in range(REFITS):
        power = float(course @ course)
        if power <= 0:
            return None, course
        image = np.maximum(near @ course / power, 0)
        size = float(np.linalg.norm(image))
        if size <= 0:
            return None, course
        image /= size
        course = np.maximum(image @ near, 0)
    return image, course


def sparse_nmf(movie: Array, count: int, ground: int, seed: int = 0) -> tuple[Array, Array]:
    """Return footprints and traces of sparse NMF, for dendrites and other shapes that are no discs.

    The `ground` components that are spread widest are the background's, and left out.
    """
    weights, traces = factorize(movie, count + ground, sweeps=60, sparsity=SPARSITY, seed=seed)
    wide = (weights.sum(axis=0) / np.maximum(np.linalg.norm(weights, axis=0), 1e-12)).argsort()
    cells = np.sort(wide[: max(0, weights.shape[1] - ground)])
    weights, traces = weights[:, cells], traces[cells]
    weights = np.where(weights < 0.1 * weights.max(axis=0, initial=0), 0, weights)
    kept = np.flatnonzero(np.count_nonzero(weights, axis=0) >= FEWEST)
    return weights[:, kept].astype(np.float32), traces[kept] - np.median(traces[kept], axis=1, keepdims=True)

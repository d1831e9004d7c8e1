"""One-photon initialisation: cells one after the other from peaks of correlation × peak-to-noise (Zhou et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nwbridge_extract_cnmf.filters import Array, Summary, calm_noise, cell_filter, largest_part, summary

ALIKE, UNLIKE = 0.8, 0.3  # correlations with the seed: of the cell's pixels, and of the background's
FAINT = 0.1  # share of the largest weight, below which a pixel is not the cell's
FEWEST = 5  # pixels of a cell
STEEP = 0.75  # of min_pnr, by which a trace has to rise at once: background that shows through rises slowly


@dataclass(frozen=True)
class Seeding:
    """How cells are looked for, in the pixels of the movie that is looked at."""

    sigma: tuple[float, float]
    size: tuple[int, int]
    min_corr: float
    min_pnr: float
    most: int | None = None
    centred: bool = True
    gain: float = 1.0  # noise of the recording over that of this movie, whose frames are means of several
    rise: int = 1  # frames within which a transient rises


def find(
    movie: Array,
    shape: tuple[int, int],
    how: Seeding,
    usable: npt.NDArray[np.bool_] | None = None,
) -> tuple[Array, Array, Summary]:
    """Return footprints (pixel, component), traces (component, time), and the images that seeds were chosen by.

    `movie` is (pixel, time). `usable` says which pixels may be seeds.
    """
    search = _Search(movie.copy(), shape, how, usable)
    before = search.images
    footprints: list[Array] = []
    traces: list[Array] = []
    while how.most is None or len(traces) < how.most:
        seed = search.next()
        if seed is None:
            break
        if (found := search.cell(*seed)) is not None:
            footprints.append(found[0])
            traces.append(found[1])
    weights = np.stack(footprints, axis=1) if footprints else np.zeros((movie.shape[0], 0), np.float32)
    courses = np.stack(traces) if traces else np.zeros((0, movie.shape[1]), np.float32)
    return weights, courses, before


class _Search:
    """A movie that cells are taken out of, as it is and filtered."""

    def __init__(
        self,
        movie: Array,
        shape: tuple[int, int],
        how: Seeding,
        usable: npt.NDArray[np.bool_] | None,
    ) -> None:
        self.movie, self.shape, self.how = movie, shape, how
        self.filter = cell_filter(shape, how.sigma, centred=how.centred)
        self.filtered = np.asarray(self.filter @ movie, np.float32)
        self.filtered -= np.median(self.filtered, axis=1, keepdims=True)
        self.noise = calm_noise(self.filtered)
        self.images = summary(self.filtered, shape, self.noise, how.gain)
        self.allowed = np.ones(shape, bool) if usable is None else usable.reshape(shape).copy()
        self.score = self._score(self.images.correlation, self.images.pnr)

    def _score(self, correlation: Array, pnr: Array) -> Array:
        good = (correlation >= self.how.min_corr) & (pnr >= self.how.min_pnr)
        return np.where(good, correlation * pnr, 0).astype(np.float32)

    def next(self) -> tuple[int, int] | None:
        """Return the best pixel that is left."""
        at = int(np.argmax(np.where(self.allowed, self.score, 0)))
        row, col = divmod(at, self.shape[1])
        return (row, col) if self.allowed[row, col] and self.score[row, col] > 0 else None

    def _box(self, row: int, col: int, scale: int) -> tuple[slice, slice]:
        half = [max(2, n * scale // 2) for n in self.how.size]
        return (
            slice(max(0, row - half[0]), min(self.shape[0], row + half[0] + 1)),
            slice(max(0, col - half[1]), min(self.shape[1], col + half[1] + 1)),
        )

    def _pixels(self, box: tuple[slice, slice]) -> npt.NDArray[np.intp]:
        rows, cols = (np.arange(part.start, part.stop) for part in box)
        return (rows[:, np.newaxis] * self.shape[1] + cols).ravel()

    def cell(self, row: int, col: int) -> tuple[Array, Array] | None:
        """Take one cell out of the movie and return its footprint and trace; None where the seed is none."""
        self.allowed[row, col] = False
        box = self._box(row, col, 2)
        pixels = self._pixels(box)
        size = (box[0].stop - box[0].start, box[1].stop - box[1].start)
        seed = (row - box[0].start, col - box[1].start)
        at = row * self.shape[1] + col
        middle, lag = self.filtered[at], min(self.how.rise, self.movie.shape[1] - 1)
        if float((middle[lag:] - middle[:-lag]).max()) < STEEP * self.how.min_pnr * self.how.gain * self.noise[at]:
            return None
        near = self.filtered[pixels]
        alike = _correlations(near, middle)
        like = alike > ALIKE
        trace = np.asarray(near[like].mean(axis=0) if like.any() else middle, np.float32)
        image = _footprint(self.movie[pixels], trace, alike < UNLIKE, size, seed)
        if image is None:
            return None
        footprint = np.zeros(self.movie.shape[0], np.float32)
        footprint[pixels] = image
        seen = np.asarray(self.filter @ footprint)
        reach = np.flatnonzero(seen)
        course = (seen[reach] @ self.filtered[reach]) / max(float(seen[reach] @ seen[reach]), 1e-12)
        course = (course - np.median(course)).astype(np.float32)
        if course.max() <= 0:
            return None
        self.movie[pixels] -= np.outer(image, course)
        self.filtered[reach] -= np.outer(seen[reach], course)
        self._look_again(row, col)
        return footprint, course

    def _look_again(self, row: int, col: int) -> None:
        """Look again at the correlations and peaks around a cell that was taken out."""
        box = self._box(row, col, 3)
        size = (box[0].stop - box[0].start, box[1].stop - box[1].start)
        pixels = self._pixels(box)
        here = summary(self.filtered[pixels], size, self.noise[pixels], self.how.gain)
        self.score[box] = self._score(here.correlation, here.pnr)


def _footprint(
    near: Array, trace: Array, outside: npt.NDArray[np.bool_], size: tuple[int, int], seed: tuple[int, int]
) -> Array | None:
    """Regress pixels (pixel, time) on the trace, on the background, which is that of pixels outside, and 1."""
    ground = np.median(near[outside], axis=0) if outside.any() else near.mean(axis=0)
    known = np.stack([trace, ground, np.ones_like(trace)]).astype(np.float64)
    gram = known @ known.T
    gram[np.arange(3), np.arange(3)] *= 1 + 1e-9
    weights = np.linalg.solve(gram, known @ near.T.astype(np.float64))[0]
    image = np.maximum(weights, 0).reshape(size).astype(np.float32)
    peak = float(image[seed[0], seed[1]])
    image[image < FAINT * image.max()] = 0
    image *= largest_part(image, seed)
    if peak <= 0 or np.count_nonzero(image) < FEWEST:
        return None
    return np.asarray(image.ravel(), np.float32)


def _correlations(traces: Array, one: Array) -> Array:
    steady, other = traces - traces.mean(axis=1, keepdims=True), one - one.mean()
    sizes = np.linalg.norm(steady, axis=1) * np.linalg.norm(other)
    return np.asarray((steady @ other) / np.maximum(sizes, 1e-12), np.float32)


def centres(footprints: sparse.csc_matrix, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return the centre of mass of every footprint, (component, 2): row, column."""
    rows, cols = np.indices(shape).reshape(2, -1)
    total = np.maximum(np.asarray(footprints.sum(axis=0)).ravel(), 1e-12)
    return np.stack([np.asarray(footprints.T @ rows) / total, np.asarray(footprints.T @ cols) / total], axis=1)

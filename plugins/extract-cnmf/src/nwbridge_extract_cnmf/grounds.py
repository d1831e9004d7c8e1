"""The background of a patch as it enters into products, so that it is never made as large as the movie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nwbridge_extract_cnmf.ring import Ring, block_means, spread

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Background:
    """What the field has beside cells: courses with an image each, and what is needed to find it again."""

    courses: Array  # f (component, time); (0, time) with the ring model
    images: sparse.csc_matrix  # b (pixel, component)
    regions: tuple[npt.NDArray[np.intp], ...] | None = None  # pixels of each component; None: all pixels
    constant: Array | None = None  # b0 (pixel,)
    weights: dict[int, sparse.csr_matrix] = field(default_factory=dict)  # W of every tile, in its own blocks

    @classmethod
    def of(cls, courses: Array, pixels: int, regions: tuple[npt.NDArray[np.intp], ...] | None = None) -> Background:
        """Return a background of known courses, whose images are not known yet."""
        return cls(courses, sparse.csc_matrix((pixels, len(courses)), dtype=np.float32), regions)


@dataclass(frozen=True, eq=False)
class State:
    """Cells and background, as they are between passes."""

    footprints: sparse.csc_matrix  # A (pixel, component), of norm 1
    traces: Array  # C (component, time)
    background: Background


class Ground(Protocol):
    """A background B, (pixel, time)."""

    @property
    def constant(self) -> Array | None:
        """Return what does not change, (pixel,); None where that is not told apart."""

    def times(self, traces: Array) -> Array:
        """Return B Cᵀ, (pixel, component), for traces (component, time)."""

    def under(self, footprints: sparse.csc_matrix) -> Array:
        """Return A'B, (component, time)."""

    def movie(self) -> Array:
        """Return B itself."""


@dataclass(frozen=True, eq=False)
class RingGround:
    """b0 + W (Y - A C - b0), on blocks of pixels."""

    constant: Array  # b0, (pixel,)
    weights: sparse.csr_matrix  # W, (block, block)
    residual: Array  # Y - A C - b0 in blocks, (block, time)
    grid: tuple[int, int]
    block: int
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        movie: Array,
        shape: tuple[int, int],
        footprints: sparse.csc_matrix,
        traces: Array,
        ring: Ring,
        block: int,
        core: npt.NDArray[np.bool_] | None = None,
        weights: sparse.csr_matrix | None = None,
    ) -> RingGround:
        """Find the background of a movie (pixel, time) with these cells, for the pixels in `core`."""
        mean = movie.mean(axis=1)
        if traces.size:
            mean = mean - footprints @ traces.mean(axis=1)
        blocks, grid = block_means(movie, shape, block)
        blocks = blocks - block_means(mean[:, np.newaxis], shape, block)[0]
        if traces.size:
            blocks -= sparse.csr_matrix(in_blocks(footprints, shape, block, mean=True)) @ traces
        if weights is None:
            inside = None if core is None else block_means(core.reshape(-1, 1).astype(np.float32), shape, block)[0] > 0
            weights = ring.fit(np.asarray(blocks, np.float32), grid, inside)
        return cls(mean.astype(np.float32), weights, np.asarray(blocks, np.float32), grid, block, shape)

    def times(self, traces: Array) -> Array:
        """Return B Cᵀ."""
        blocks = self.weights @ (self.residual @ traces.T)
        constant = self.constant[:, np.newaxis] * traces.sum(axis=1, dtype=np.float64).astype(np.float32)
        return np.asarray(constant + spread(blocks, self.grid, self.block, self.shape), np.float32)

    def under(self, footprints: sparse.csc_matrix) -> Array:
        """Return A'B."""
        inside = in_blocks(footprints, self.shape, self.block, mean=False)
        constant = np.asarray(footprints.T @ self.constant)[:, np.newaxis]
        return np.asarray((sparse.csr_matrix(inside.T) @ self.weights) @ self.residual + constant, np.float32)

    def movie(self) -> Array:
        """Return B itself, (pixel, time)."""
        blocks = np.asarray(self.weights @ self.residual, np.float32)
        return spread(blocks, self.grid, self.block, self.shape) + self.constant[:, np.newaxis]


def in_blocks(footprints: sparse.csc_matrix, shape: tuple[int, int], block: int, *, mean: bool) -> sparse.csc_matrix:
    """Return footprints summed, or averaged, over blocks of pixels, (block, component)."""
    if block == 1:
        return footprints
    rows, cols = np.indices(shape).reshape(2, -1)
    grid = (-(-shape[0] // block), -(-shape[1] // block))
    number = (rows // block) * grid[1] + cols // block
    counts = np.bincount(number, minlength=grid[0] * grid[1]).astype(np.float32)
    values = 1 / counts[number] if mean else np.ones(len(number), np.float32)
    places = (number, np.arange(len(number)))
    binning = sparse.csr_matrix((values.astype(np.float32), places), (len(counts), len(number)))
    return sparse.csc_matrix(binning @ footprints)


@dataclass(frozen=True, eq=False)
class LowRank:
    """b f, with components b (pixel, component) and courses f (component, time)."""

    images: Array
    courses: Array
    constant: Array | None = None  # (pixel,), where it is all there is

    def times(self, traces: Array) -> Array:
        """Return B Cᵀ."""
        return np.asarray(self.images @ (self.courses @ traces.T), np.float32)

    def under(self, footprints: sparse.csc_matrix) -> Array:
        """Return A'B."""
        return np.asarray((footprints.T @ self.images) @ self.courses, np.float32)

    def movie(self) -> Array:
        """Return B itself."""
        return self.images @ self.courses


def floor_of(movie: Array) -> Array | None:
    """Return the lowest value of each pixel of a movie (pixel, time) that goes below 0, 0 for others; None for none.

    A background b f ≥ 0 cannot be below 0, as movies are after an offset was taken off; it is found above this floor.
    """
    return np.minimum(movie.min(axis=1), 0) if movie.min(initial=0) < 0 else None


def constant_of(level: Array, frames: int) -> LowRank:
    """Return a background that does not change."""
    images = level.reshape(-1, 1).astype(np.float32)
    return LowRank(images, np.ones((1, frames), np.float32), images[:, 0])

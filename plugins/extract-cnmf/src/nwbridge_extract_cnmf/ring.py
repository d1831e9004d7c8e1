"""The ring model of one-photon background: each pixel's is a weighted sum of the pixels on a ring around it.

Zhou et al. 2018 (eLife 7:e28728), on a grid of blocks of `ssub_B` pixels. Weights are found by least squares, drawn
towards the mean of the ring as far as noise makes them uncertain, so that short movies are not fitted exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nwbridge_extract_cnmf.signals import noise_of

Array = npt.NDArray[np.float32]
SAMPLES = 1000  # of a movie that weights are fitted on; longer ones are averaged down
BATCH = 16 << 20  # bytes of ring traces gathered at a time
SPREAD = 2.0  # of weights around the mean of the ring, in units of that mean, that is expected before looking


def block_means(movie: Array, shape: tuple[int, int], block: int) -> tuple[Array, tuple[int, int]]:
    """Return a movie (pixel, time) averaged over blocks of pixels, (block, time), and the blocks' rows and columns."""
    if block == 1:
        return movie, shape
    picture: Array = movie.reshape(*shape, -1)
    for axis in (0, 1):
        lines = np.moveaxis(picture, axis, 0)
        sums = lines[::block].copy()
        for offset in range(1, min(block, len(lines))):
            part = lines[offset::block]
            sums[: len(part)] += part
        sizes = np.diff([*range(0, len(lines), block), len(lines)]).astype(np.float32)
        sums /= sizes[:, np.newaxis, np.newaxis]
        picture = np.moveaxis(sums, 0, axis)
    return picture.reshape(-1, picture.shape[2]), (picture.shape[0], picture.shape[1])


def spread(values: Array, grid: tuple[int, int], block: int, shape: tuple[int, int]) -> Array:
    """Return (block, time) for every pixel of the blocks, (pixel, time)."""
    if block == 1:
        return values
    picture = values.reshape(*grid, -1)
    picture = np.repeat(picture, block, axis=0)[: shape[0]]
    return np.repeat(picture, block, axis=1)[:, : shape[1]].reshape(shape[0] * shape[1], -1)


def shorter(movie: Array, most: int = SAMPLES) -> Array:
    """Return a movie (pixel, time) averaged over as many frames as leave at most `most`."""
    step = -(-movie.shape[1] // most)
    if step == 1:
        return movie
    kept = movie.shape[1] // step * step
    return np.asarray(movie[:, :kept].reshape(movie.shape[0], -1, step).mean(axis=2), np.float32)


@dataclass(frozen=True)
class Ring:
    """Offsets of a ring on the grid of blocks."""

    rows: npt.NDArray[np.intp]
    cols: npt.NDArray[np.intp]

    @classmethod
    def of_radius(cls, radius: float, block: int) -> Ring:
        """Return the blocks between `radius` pixels and one block more."""
        inner = max(1.0, radius / block)
        reach = int(np.ceil(inner + 1))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        distance = np.hypot(y, x)
        rows, cols = np.nonzero((distance >= inner) & (distance < inner + 1))
        return cls(rows - reach, cols - reach)

    @property
    def reach(self) -> int:
        """Blocks that the ring reaches away."""
        return int(np.abs(self.rows).max())

    def fit(self, movie: Array, grid: tuple[int, int], core: npt.NDArray[np.bool_] | None = None) -> sparse.csr_matrix:
        """Return the weights (block, block) of the blocks in `core`; other rows are empty.

        `movie` is (block, time), without cells and without its mean.
        """
        short = shorter(movie)
        noise = noise_of(short) if short.shape[1] >= 16 else short.std(axis=1)
        power = np.float32(np.median(noise**2))
        targets = np.arange(grid[0] * grid[1]) if core is None else np.flatnonzero(core.ravel())
        padded = np.concatenate([short, np.zeros((1, short.shape[1]), np.float32)])
        size = max(1, BATCH // (padded.shape[1] * len(self.rows) * 4))
        rows, cols, values = [], [], []
        for at in range(0, len(targets), size):
            some = targets[at : at + size]
            places = self._places(some, grid)
            inside = places >= 0
            weights = _weights(padded[places], padded[some], inside, power)
            number = inside.sum(axis=1)
            rows.append(np.repeat(some, number))
            cols.append(places[inside])
            values.append(weights[inside])
        shape = (grid[0] * grid[1],) * 2
        triples = (np.concatenate(values), (np.concatenate(rows), np.concatenate(cols)))
        return sparse.csr_matrix(triples, shape, dtype=np.float32)

    def _places(self, blocks: npt.NDArray[np.intp], grid: tuple[int, int]) -> npt.NDArray[np.intp]:
        """Return the blocks on the ring around each, -1 where it leaves the grid."""
        reach = (np.abs(self.rows) < grid[0]) & (np.abs(self.cols) < grid[1])
        row = (blocks // grid[1])[:, np.newaxis] + self.rows[reach]
        col = (blocks % grid[1])[:, np.newaxis] + self.cols[reach]
        inside = (row >= 0) & (row < grid[0]) & (col >= 0) & (col < grid[1])
        return np.where(inside, row * grid[1] + col, -1)


def joined(
    parts: Iterable[tuple[slice, slice, sparse.csr_matrix]], shape: tuple[int, int], block: int
) -> tuple[sparse.csr_matrix, tuple[int, int]]:
    """Return the weights of rectangles (rows, columns, weights) on the blocks of the field, and its grid of blocks."""
    grid = (-(-shape[0] // block), -(-shape[1] // block))
    total = sparse.csr_matrix((grid[0] * grid[1],) * 2, dtype=np.float32)
    for high, wide, weights in parts:
        rows = np.arange(high.start // block, -(-high.stop // block))
        cols = np.arange(wide.start // block, -(-wide.stop // block))
        places = (rows[:, np.newaxis] * grid[1] + cols).ravel()
        entries = weights.tocoo()
        total = total + sparse.csr_matrix((entries.data, (places[entries.row], places[entries.col])), total.shape)
    return sparse.csr_matrix(total), grid


def _weights(ring: Array, centre: Array, inside: npt.NDArray[np.bool_], power: np.float32) -> Array:
    """Return the weights of each ring, (block, place): ridge regression towards its mean."""
    number = np.maximum(inside.sum(axis=1), 1).astype(np.float32)
    prior = inside / number[:, np.newaxis]
    gram = np.matmul(ring, ring.transpose(0, 2, 1))
    ridge = power * (number / SPREAD) ** 2 + 1e-6 * np.einsum("bii->b", gram) / number + 1e-12
    diagonal = np.arange(ring.shape[1])
    gram[:, diagonal, diagonal] += ridge[:, np.newaxis] + np.where(inside, 0, 1)
    wanted = np.einsum("bmt,bt->bm", ring, centre) + ridge[:, np.newaxis] * prior
    return np.asarray(np.linalg.solve(gram, wanted[..., np.newaxis])[..., 0] * inside, np.float32)

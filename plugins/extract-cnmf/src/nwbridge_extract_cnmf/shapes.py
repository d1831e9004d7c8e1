"""What footprints may look like: where they may grow, and how they are tidied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from nwbridge_extract_cnmf.filters import largest_part

Array = npt.NDArray[np.float32]
FAINT = 0.05  # share of the largest weight, below which a pixel is left out
FEWEST = 3  # pixels, below which a component is none


def disc(by: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which pixels lie at most so many rows and columns from the middle one, in an ellipse."""
    y, x = np.mgrid[-by[0] : by[0] + 1, -by[1] : by[1] + 1]
    return np.asarray((y / (by[0] + 0.5)) ** 2 + (x / (by[1] + 0.5)) ** 2 <= 1)


def grown(footprints: sparse.csc_matrix, shape: tuple[int, int], by: tuple[int, int]) -> sparse.csc_matrix:
    """Return where components may have weights: their pixels, and those at most `by` away, as ones."""
    near = disc(by)
    columns = []
    for rows, cols, image in images_of(footprints, shape):
        pad = ((by[0], by[0]), (by[1], by[1]))
        wide = ndimage.binary_dilation(np.pad(image > 0, pad), near)
        at_y, at_x = np.nonzero(wide)
        at_y, at_x = at_y + rows.start - by[0], at_x + cols.start - by[1]
        inside = (at_y >= 0) & (at_y < shape[0]) & (at_x >= 0) & (at_x < shape[1])
        columns.append((at_y * shape[1] + at_x)[inside])
    return from_columns(columns, [np.ones(len(column), np.float32) for column in columns], shape[0] * shape[1])


def images_of(footprints: sparse.csc_matrix, shape: tuple[int, int]) -> Iterator[tuple[slice, slice, Array]]:
    """Yield for each component the rows and columns that hold it, and its weights there."""
    for k in range(footprints.shape[1]):
        part = slice(footprints.indptr[k], footprints.indptr[k + 1])
        pixels, weights = footprints.indices[part], footprints.data[part]
        if not len(pixels):
            yield slice(0, 1), slice(0, 1), np.zeros((1, 1), np.float32)
            continue
        row, col = np.divmod(pixels, shape[1])
        rows, cols = slice(row.min(), row.max() + 1), slice(col.min(), col.max() + 1)
        image = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.float32)
        image[row - rows.start, col - cols.start] = weights
        yield rows, cols, image


def from_columns(pixels: Sequence[npt.NDArray[np.intp]], weights: Sequence[Array], count: int) -> sparse.csc_matrix:
    """Return a matrix (pixel, component) of each component's pixels and weights."""
    ends = np.concatenate([[0], np.cumsum([len(column) for column in pixels])]).astype(np.int64)
    indices = np.concatenate(pixels) if pixels else np.empty(0, np.int64)
    data = np.concatenate(weights) if weights else np.empty(0, np.float32)
    made = sparse.csc_matrix((data, indices, ends), (count, len(pixels)))
    made.sort_indices()
    return made


def tidied(footprints: sparse.csc_matrix, shape: tuple[int, int], *, connected: bool = True) -> sparse.csc_matrix:
    """Return footprints without faint pixels and, where cells are one piece, without all but the largest."""
    pixels, weights = [], []
    for rows, cols, image in images_of(footprints, shape):
        image = np.where(image < FAINT * image.max(), 0, image)
        if connected and image.any():
            image = image * largest_part(image)
        if np.count_nonzero(image) < FEWEST:
            image = np.zeros_like(image)
        at_y, at_x = np.nonzero(image)
        pixels.append((at_y + rows.start) * shape[1] + at_x + cols.start)
        weights.append(image[at_y, at_x].astype(np.float32))
    return from_columns(pixels, weights, shape[0] * shape[1])


def to_unit_norm(footprints: sparse.csc_matrix, traces: Array) -> tuple[sparse.csc_matrix, Array]:
    """Return footprints of norm 1 and traces that make up for it; without components that have no pixel left."""
    norms = np.sqrt(np.asarray(footprints.multiply(footprints).sum(axis=0)).ravel())
    kept = np.flatnonzero(norms > 0)
    scaled = footprints[:, kept] @ sparse.diags(1 / norms[kept])
    return sparse.csc_matrix(scaled).astype(np.float32), traces[kept] * norms[kept, np.newaxis].astype(np.float32)


def together(parts: Sequence[tuple[npt.NDArray[np.intp], sparse.csc_matrix]], pixels: int) -> sparse.csc_matrix:
    """Return footprints of patches, each (pixel of the patch, component), as one matrix of the field's pixels."""
    columns = []
    for places, footprints in parts:
        entries = footprints.tocoo()
        where = (places[entries.row], entries.col)
        columns.append(sparse.csc_matrix((entries.data, where), (pixels, entries.shape[1])))
    return sparse.csc_matrix(sparse.hstack(columns)).astype(np.float32)

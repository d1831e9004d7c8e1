"""The background: spatial components b with traces f, or the ring model W with the constant b0."""

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge import Column, LazyArray, Plane, Segmentation, Table, Traces
from nwbridge_caiman.results import Results
from nwbridge_caiman.sparse import columns
from nwbridge_caiman.traces import Movement


def low_rank(results: Results, dims: tuple[int, ...], plane: Plane, movement: Movement) -> Segmentation | None:
    """Return b as image masks and f as their traces; None where CaImAn had none."""
    pixels = int(np.prod(dims))
    masks = _masks(results, pixels, dims)
    why = "the frames of C and the components of b"
    if masks is None:
        if results.shape("estimates/f", "(component, frame)", (None, movement.frames), why):
            results.note("warning", "estimates/f is there and estimates/b is not: this background is not carried")
        return None
    if not masks.shape[0]:
        return None
    if results.shape("estimates/f", "(component, frame)", (masks.shape[0], movement.frames), why) is None:
        raise results.bad("estimates/b", f"has {masks.shape[0]} components and estimates/f is absent; expected both")
    words = "CaImAn's f: traces of the background"
    trace = Traces("background", results.rows("estimates/f"), "background", words, movement.rate_hz)
    words = "CaImAn's b: the background is b · f, the sum of every mask times its trace"
    return Segmentation("Background", masks, dims, plane, words, traces=(trace,), role="background")


def _masks(results: Results, pixels: int, dims: tuple[int, ...]) -> LazyArray | None:
    sparse = columns(results, "estimates/b") if results.group("estimates/b") is not None else None
    if sparse is not None:
        if sparse.shape[0] != pixels:
            raise results.bad("estimates/b", f"has {sparse.shape[0]} rows; expected {pixels}, the pixels of {dims}")
        matrix = sparse

        def fill(file: h5py.File, start: int, stop: int) -> npt.NDArray[np.generic]:
            images = np.zeros((pixels, stop - start), matrix.data.dtype)
            first, last = matrix.ends[start], matrix.ends[stop]
            column = matrix.column_of_entries()[first:last] - start
            images[matrix.indices[first:last], column] = matrix.data[first:last]
            return _images(images, dims)

        return results.lazy((sparse.shape[1], *dims), sparse.data.dtype, fill)
    shape = results.shape(
        "estimates/b", "(pixel, component)", (pixels, None), f"an image of {dims} has {pixels} pixels"
    )
    if shape is None:
        return None
    dtype = results.file["estimates/b"].dtype
    return results.lazy((shape[1], *dims), dtype, lambda f, start, stop: _images(f["estimates/b"][:, start:stop], dims))


def _images(values: npt.NDArray[np.generic], dims: tuple[int, ...]) -> npt.NDArray[np.generic]:
    """Return (component, row, column[, plane]) of (pixel, component); pixels are in Fortran order."""
    return np.moveaxis(values.reshape((*dims, -1), order="F"), -1, 0)


def ring_model(results: Results, dims: tuple[int, ...]) -> Table | None:
    """Return W, a row for each of its columns as they are stored."""
    weights = columns(results, "estimates/W")
    if weights is None:
        return None
    size = weights.shape[0]
    if weights.shape[1] != size:
        raise results.bad("estimates/W", f"is {size} × {weights.shape[1]}; expected as many rows as columns")
    block, grid = _grid(results, size, dims)
    row, column, *_ = np.unravel_index(np.arange(size), grid, order="F")
    blocks = "pixels" if block == 1 else f"blocks of {block} × {block} pixels (the last ones may be smaller)"
    words = (
        f"CaImAn's ring model W ({size} × {size}) by columns, on a grid of {grid[0]} × {grid[1]} {blocks}, numbered "
        "down the columns (Fortran order). Row j of this table is column j of W: W[targets[k], j] = weights[k]. "
        "The background is B = W (Y - A C - b0) + b0"
        + ("" if block == 1 else "; W takes the means of blocks, and its result counts for every pixel of a block")
    )
    return Table(
        "ring_model",
        (
            Column("row", row.astype(np.int32), "row of block j in the grid, from 0"),
            Column("column", column.astype(np.int32), "column of block j in the grid, from 0"),
            Column(
                "targets",
                weights.indices,
                "rows of W: the blocks into whose background block j enters",
                ends=weights.ends[1:],
            ),
            Column("weights", weights.data, "values of W: with what weight it enters", ends=weights.ends[1:]),
        ),
        words,
    )


def _grid(results: Results, size: int, dims: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Return the size of a block, CaImAn's ssub_B, and how many there are along each axis."""
    if len(dims) == 2:
        for block in range(1, max(dims) + 1):
            grid = tuple(-(-axis // block) for axis in dims)
            if int(np.prod(grid)) == size:
                return block, grid
    raise results.bad("estimates/W", f"has {size} rows; that is no grid of blocks in an image of {dims}")

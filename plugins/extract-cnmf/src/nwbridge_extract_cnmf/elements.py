"""What was extracted as elements of a session: regions with traces, background, images, and all parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

import nwbridge
from nwbridge import Column, Image, Images, LazyArray, Reader, Region, Segmentation, arrays
from nwbridge_extract_cnmf import evaluation
from nwbridge_extract_cnmf.extraction import Extraction
from nwbridge_extract_cnmf.grouped import grouped
from nwbridge_extract_cnmf.seeds import centres
from nwbridge_extract_cnmf.signals import seconds_of

SOFTWARE = "nwbridge-extract-cnmf"
CELLS, GROUND, RING, IMAGES, PARAMETERS = (
    "PlaneSegmentation",
    "Background",
    "ring_model",
    "SummaryImages",
    "extraction_parameters",
)


def elements_of(found: Extraction, movie: nwbridge.Movie, part: slice, held: npt.NDArray[np.bool_]) -> list[Any]:
    """Return the elements for one movie, whose frames are `part` of all; traces are NaN in the frames in `held`."""
    made: list[Any] = [_cells(found, movie, part, held)]
    if found.background_courses.size:
        made.append(_ground(found, movie, part))
    if found.ring is not None:
        made.append(_ring(found))
    made.append(_images(found, movie))
    values = grouped(found.parameters)
    values["data"] |= {"fr": found.rate_hz, "dims": list(found.shape)}
    about = "what cells were extracted with, in CaImAn's groups"
    made.append(nwbridge.Parameters(PARAMETERS, values, about, SOFTWARE, version(SOFTWARE)))
    return made


def _cells(found: Extraction, movie: nwbridge.Movie, part: slice, held: npt.NDArray[np.bool_]) -> Segmentation:
    status = None
    if found.accepted is not None:
        status = tuple("accepted" if good else "rejected" for good in found.accepted)
    return Segmentation(
        CELLS,
        tuple(_region(found, k) for k in range(len(found))),
        found.shape,
        movie.plane,
        f"cells found in {movie.name} by {_method(found)}: footprints A of norm 1",
        status=status,  # type: ignore[arg-type]
        columns=tuple(_columns(found)) if len(found) else (),
        traces=tuple(_traces(found, movie, part, held)) if len(found) else (),
    )


def _method(found: Extraction) -> str:
    chosen = found.parameters
    way = "CNMF-E" if chosen.one_photon else "CNMF"
    return f"{way} ({chosen.method_init})"


def _region(found: Extraction, k: int) -> Region:
    inside = slice(found.footprints.indptr[k], found.footprints.indptr[k + 1])
    row, col = np.divmod(found.footprints.indices[inside].astype(np.int64), found.shape[1])
    return Region(np.stack([row, col], axis=1), found.footprints.data[inside].astype(np.float32), id=k)


def _columns(found: Extraction) -> Iterator[Column]:
    if found.snr is not None and found.r_values is not None:
        words = "signal-to-noise ratio: the largest mean over a transient, over the noise below the median"
        yield Column("SNR_comp", found.snr, words)
        words = "correlation of the footprint with what the movie shows more of when the region is active"
        yield Column("r_values", found.r_values, words)
    yield Column("center", centres(found.footprints, found.shape), "centre of mass: row, column, in pixels from 0")
    sizes = evaluation.sizes_of(found.footprints, found.parameters.dxy)
    yield Column("diameter_um", sizes, "of a disc as large as the footprint above half of its peak, by dxy", unit="µm")
    yield Column("bl", found.baseline, "baseline of the denoised trace")
    yield Column("neurons_sn", found.noise, "standard deviation of the raw trace's noise")
    if found.parameters.p:
        yield Column("g", found.g, "coefficients of the calcium's autoregressive process, one for each order")
        decay = np.array([seconds_of(tuple(g), found.rate_hz) for g in found.g])
        yield Column("decay_time", decay, "seconds in which calcium decays to 1/e, by g", unit="s")
        yield Column("lam", found.lam, "penalty on spikes; inf where the trace is noise alone")


def _traces(
    found: Extraction, movie: nwbridge.Movie, part: slice, held: npt.NDArray[np.bool_]
) -> Iterator[nwbridge.Traces]:
    of = f"of {movie.name}"
    kinds = [
        ("raw", found.raw, "fluorescence", f"C + what is left {of} in a footprint without background and other cells"),
        (
            "denoised",
            found.denoised,
            "denoised",
            "C: baseline and calcium" if found.parameters.p else "C: the trace above its baseline",
        ),
        ("deconvolved", found.deconvolved, "deconvolved", "S: by how much calcium jumps at each sample; not counts"),
        (
            "dff",
            found.dff,
            "dff",
            "change of raw over its running 8th percentile, over that of all light in the footprint",
        ),
    ]
    for name, values, kind, words in kinds:
        if values is None:
            continue
        if name == "dff" and not np.isfinite(values).any():
            continue
        data = np.array(values[:, part], np.float32)
        data[:, held[part]] = np.nan
        yield nwbridge.Traces(name, arrays.from_numpy(data), kind, words, made_from=movie.name, **_clock(movie))  # type: ignore[arg-type]


def _clock(movie: nwbridge.Movie) -> dict[str, Any]:
    return {"rate_hz": movie.rate_hz, "timestamps": movie.timestamps, "start_s": movie.start_s}


def _ground(found: Extraction, movie: nwbridge.Movie, part: slice) -> Segmentation:
    courses = np.ascontiguousarray(found.background_courses[:, part], np.float32)
    words = "f: courses of the background"
    trace = nwbridge.Traces(
        "background", arrays.from_numpy(courses), "background", words, made_from=movie.name, **_clock(movie)
    )
    words = "b: the background is b · f, the sum of every mask times its trace"
    masks = _masks(found.background_images, found.shape)
    return Segmentation(GROUND, masks, found.shape, movie.plane, words, traces=(trace,), role="background")


def _masks(images: sparse.csc_matrix, shape: tuple[int, int]) -> LazyArray:
    """Return images (component, row, column) of the columns of a sparse matrix, made as they are written."""

    @contextmanager
    def opened() -> Iterator[Reader]:
        yield _Images(images, shape)

    return LazyArray((images.shape[1], *shape), np.dtype(np.float32), opened, parallel=True)


@dataclass(frozen=True)
class _Images:
    images: sparse.csc_matrix
    shape: tuple[int, int]

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        start, stop, _ = key.indices(self.images.shape[1])
        return np.ascontiguousarray(self.images[:, start:stop].toarray().T.reshape(-1, *self.shape), np.float32)


def _ring(found: Extraction) -> nwbridge.Table:
    """Return W by columns, its blocks numbered down the columns of the grid as CaImAn's."""
    grid, block = found.ring_grid or (0, 0), found.parameters.ssub_B
    size = grid[0] * grid[1]
    row, column = np.unravel_index(np.arange(size), grid, order="F")
    number = np.arange(size).reshape(grid, order="F").ravel()  # of a block that is numbered along rows
    entries = sparse.coo_matrix(found.ring)
    weights = sparse.csc_matrix((entries.data, (number[entries.row], number[entries.col])), (size, size))
    weights.sort_indices()
    blocks = "pixels" if block == 1 else f"blocks of {block} × {block} pixels (the last ones may be smaller)"
    words = (
        f"ring model W ({size} × {size}) by columns, on a grid of {grid[0]} × {grid[1]} {blocks}, numbered down the "
        "columns (Fortran order). Row j of this table is column j of W: W[targets[k], j] = weights[k]. Background: "
        "B = W (Y - A C - b0) + b0"
        + ("" if block == 1 else "; W takes the means of blocks, and its result counts for every pixel of a block")
    )
    ends = weights.indptr[1:].astype(np.int64)
    return nwbridge.Table(
        RING,
        (
            Column("row", row.astype(np.int32), "row of block j in the grid, from 0"),
            Column("column", column.astype(np.int32), "column of block j in the grid, from 0"),
            Column(
                "targets",
                weights.indices.astype(np.int32),
                "rows of W: the blocks whose background it enters",
                ends=ends,
            ),
            Column("weights", weights.data.astype(np.float32), "values of W: with what weight it enters", ends=ends),
        ),
        words,
    )


def _images(found: Extraction, movie: nwbridge.Movie) -> Images:
    images = [Image("Cn", arrays.from_numpy(found.correlation), "correlation of each pixel with its neighbours")]
    if found.pnr is not None:
        images.append(
            Image(
                "PNR",
                arrays.from_numpy(found.pnr),
                "peak of each pixel over its noise, after the filter that cells are looked for with",
            )
        )
    if found.constant.any():
        constant = np.ascontiguousarray(found.constant.reshape(found.shape))
        images.append(Image("b0", arrays.from_numpy(constant), "b0: constant background of each pixel"))
    return Images(IMAGES, tuple(images), "images that cells were looked for in", made_from=movie.name)

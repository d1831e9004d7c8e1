"""How good components are: SNR of their transients, and whether their footprints are seen when they are active."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from nwbridge_extract_cnmf.movies import Movie
from nwbridge_extract_cnmf.parameters import Parameters
from nwbridge_extract_cnmf.patches import Patch
from nwbridge_extract_cnmf.shapes import images_of

Array = npt.NDArray[np.float32]
PEAKS = 10  # transients of a component that its footprint is compared with
MARGIN = 2  # pixels around a footprint that are looked at as well
CALM = 30.0  # percentile of a trace, below which frames are those in which a component is silent


def snr_of(raw: Array, transient: int) -> npt.NDArray[np.float64]:
    """Return the SNR of every trace (component, time): its largest mean over a transient's samples, over its noise.

    The baseline is the trace's median, the noise is that of what lies below it, so that transients do not count.
    """
    found = np.zeros(len(raw))
    for k, trace in enumerate(raw):
        level = float(np.median(trace))
        below = trace[trace < level] - level
        noise = float(np.sqrt(np.mean(below**2))) if len(below) else 0.0
        means = ndimage.uniform_filter1d(trace.astype(np.float64), min(transient, len(trace))) - level
        found[k] = means.max() / noise if noise > 0 else (np.inf if means.max() > 0 else 0.0)
    return found


def consistency(
    movie: Movie, footprints: sparse.csc_matrix, traces: Array, tiles: Sequence[Patch], transient: int
) -> npt.NDArray[np.float64]:
    """Return the correlation of every footprint with what the movie shows more of when its component is active.

    The mean of the frames around its largest transients, less the mean of frames in which it is silent, around the
    footprint. Components are looked at tile by tile (`tiles` cover the field), so that few pixels are read twice.
    """
    found = np.zeros(footprints.shape[1])
    shape = (movie.shape[1], movie.shape[2])
    boxes = [_Box.around(*place, shape) for place in images_of(footprints, shape)]
    for tile in tiles:
        here = [k for k, box in enumerate(boxes) if box.image.any() and box.begins_in(tile)]
        if not here:
            continue
        rows = slice(min(boxes[k].rows.start for k in here), max(boxes[k].rows.stop for k in here))
        cols = slice(min(boxes[k].cols.start for k in here), max(boxes[k].cols.stop for k in here))
        pixels = movie.patch(rows, cols).reshape(rows.stop - rows.start, cols.stop - cols.start, -1)
        for k in here:
            box = boxes[k]
            near = pixels[box.rows.start - rows.start :, box.cols.start - cols.start :]
            near = near[: box.image.shape[0], : box.image.shape[1]].reshape(box.image.size, -1)
            seen = _seen(near, traces[k], transient)
            if seen is not None and seen.std() > 0 and box.image.std() > 0:
                found[k] = np.corrcoef(seen, box.image.ravel())[0, 1]
    return found


class _Box(NamedTuple):
    """A rectangle around a footprint, and its weights there."""

    rows: slice
    cols: slice
    image: Array

    @classmethod
    def around(cls, rows: slice, cols: slice, image: Array, shape: tuple[int, int]) -> _Box:
        wide = [
            slice(max(0, at.start - MARGIN), min(size, at.stop + MARGIN))
            for at, size in zip((rows, cols), shape, strict=True)
        ]
        padded = np.zeros((wide[0].stop - wide[0].start, wide[1].stop - wide[1].start), np.float32)
        top, left = rows.start - wide[0].start, cols.start - wide[1].start
        padded[top : top + image.shape[0], left : left + image.shape[1]] = image
        return cls(wide[0], wide[1], padded)

    def begins_in(self, tile: Patch) -> bool:
        """Whether its first pixel is the tile's own."""
        rows, cols = tile.core_rows, tile.core_cols
        return bool(rows.start <= self.rows.start < rows.stop and cols.start <= self.cols.start < cols.stop)


def _seen(pixels: Array, trace: Array, transient: int) -> npt.NDArray[np.float64] | None:
    """Return the mean of what pixels (pixel, time) show more of at a trace's transients than before and after."""
    calm = np.flatnonzero(trace <= np.percentile(trace, CALM))
    peaks = peaks_of(trace, transient)
    if not len(calm) or not len(peaks):
        return None
    shown = []
    for at in peaks:
        active = pixels[:, at : min(len(trace), at + transient)]
        silent = calm[np.argsort(np.abs(calm - at), kind="stable")[: max(3 * transient, 10)]]
        shown.append(active.mean(axis=1, dtype=np.float64) - pixels[:, silent].mean(axis=1, dtype=np.float64))
    return np.asarray(np.mean(shown, axis=0))


def peaks_of(trace: Array, transient: int, most: int = PEAKS) -> npt.NDArray[np.intp]:
    """Return where the largest transients of a trace begin to fall, at least one transient apart."""
    left = trace.astype(np.float64) - np.median(trace)
    largest = left.max()
    found: list[int] = []
    while len(found) < most and left.max() > 0.3 * largest > 0:
        at = int(np.argmax(left))
        found.append(at)
        left[max(0, at - 2 * transient) : at + 2 * transient + 1] = 0
    return np.array(found, np.intp)


def accepted(snr: npt.NDArray[np.float64], r: npt.NDArray[np.float64], chosen: Parameters) -> npt.NDArray[np.bool_]:
    """Return which components are cells: by either measure, and not hopeless by any."""
    good = (snr >= chosen.min_SNR) | (r >= chosen.rval_thr)
    return good & (snr >= chosen.SNR_lowest) & (r >= chosen.rval_lowest)


def sizes_of(footprints: sparse.csc_matrix, dxy: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the diameter in µm of the disc that is as large as each footprint where it is above half of its peak.

    `dxy` is in pixels per µm.
    """
    found = np.zeros(footprints.shape[1])
    for k in range(len(found)):
        weights = footprints.data[footprints.indptr[k] : footprints.indptr[k + 1]]
        pixels = np.count_nonzero(weights > 0.5 * weights.max(initial=0))
        found[k] = 2 * np.sqrt(pixels / (np.pi * dxy[0] * dxy[1]))
    return found

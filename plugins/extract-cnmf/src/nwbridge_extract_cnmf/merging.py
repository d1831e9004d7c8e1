"""Components that are one cell: found in two patches, or in two pieces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from nwbridge_extract_cnmf.looking import Found
from nwbridge_extract_cnmf.parameters import Parameters
from nwbridge_extract_cnmf.seeds import centres
from nwbridge_extract_cnmf.shapes import grown, together

Array = npt.NDArray[np.float32]
SHARE = 0.25  # of the smaller component's pixels, at least, in or beside the other, for the two to be one cell
JOINING = 10  # rounds of power iteration
SAME = 0.5  # cosine of footprints, above which components of two patches are one


def one_set(found: Sequence[Found], shape: tuple[int, int], chosen: Parameters) -> tuple[sparse.csc_matrix, Array, int]:
    """Return the cells of all patches, each once, their traces, and how many were merged with others."""
    pixels = shape[0] * shape[1]
    footprints = together([(one.patch.pixels(shape[1]), one.footprints) for one in found], pixels)
    traces = np.concatenate([one.traces for one in found])
    if chosen.del_duplicates and len(found) > 1 and len(traces):
        patches = np.repeat(np.arange(len(found)), [len(one.traces) for one in found])
        depths = _depths(found, footprints, shape)
        kept = without_duplicates(footprints, traces, patches, depths, chosen.merge_thr)
        footprints, traces = sparse.csc_matrix(footprints[:, kept]), traces[kept]
    return merged(footprints, traces, shape, chosen.merge_thr)


def _depths(found: Sequence[Found], footprints: sparse.csc_matrix, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return how far from the border of its patch each component lies, where the patch ends inside of the field."""
    places = iter(centres(footprints, shape))
    depths = []
    for patch, count in ((one.patch, len(one.traces)) for one in found):
        for row, col in islice(places, count):
            sides = [
                row - patch.rows.start if patch.rows.start else np.inf,
                patch.rows.stop - row if patch.rows.stop < shape[0] else np.inf,
                col - patch.cols.start if patch.cols.start else np.inf,
                patch.cols.stop - col if patch.cols.stop < shape[1] else np.inf,
            ]
            depths.append(min(sides))
    return np.array(depths)


def without_duplicates(
    footprints: sparse.csc_matrix,
    traces: Array,
    patches: npt.NDArray[np.intp],
    depths: npt.NDArray[np.float64],
    threshold: float,
) -> npt.NDArray[np.intp]:
    """Return the components to keep: of one cell found in two patches, that which lies deeper in its patch.

    Args:
        footprints: (pixel, component), of norm 1.
        traces: (component, time).
        patches: number of the patch that each was found in.
        depths: how far from the border of its patch each lies.
        threshold: correlation of traces, above which components are one cell.
    """
    near = sparse.coo_matrix(sparse.triu(footprints.T @ footprints, 1))
    same = (near.data > SAME) & (patches[near.row] != patches[near.col])
    gone: set[int] = set()
    for i, j in sorted(zip(near.row[same].tolist(), near.col[same].tolist(), strict=True)):
        if i in gone or j in gone or _correlation(traces[i], traces[j]) <= threshold:
            continue
        gone.add(i if depths[i] < depths[j] else j)
    return np.array([k for k in range(len(traces)) if k not in gone], np.intp)


def _correlation(one: Array, other: Array) -> float:
    one, other = one - one.mean(), other - other.mean()
    size = max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12)
    return min(float(one @ other / size), 1.0)  # rounding: a threshold of 1 merges nothing


def merged(
    footprints: sparse.csc_matrix, traces: Array, shape: tuple[int, int], threshold: float
) -> tuple[sparse.csc_matrix, Array, int]:
    """Return components with those merged that overlap and whose traces correlate, and how many went.

    A merged component is the best of rank one for the sum of its parts.
    """
    count = len(traces)
    if count < 2:
        return footprints, traces, 0
    pairs = [(i, j) for i, j in _neighbours(footprints, shape) if _correlation(traces[i], traces[j]) > threshold]
    if not pairs:
        return footprints, traces, 0
    links = sparse.coo_matrix((np.ones(len(pairs)), np.array(pairs).T), (count, count))
    number, groups = connected_components(links, directed=False)
    columns, courses = [], []
    for group in range(number):
        parts = np.flatnonzero(groups == group)
        image, course = footprints[:, parts], traces[parts[0]]
        if len(parts) > 1:
            image, course = _joined(image, traces[parts])
        columns.append(image)
        courses.append(course)
    return sparse.csc_matrix(sparse.hstack(columns)).astype(np.float32), np.stack(courses), count - number


def _neighbours(footprints: sparse.csc_matrix, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the pairs of which one lies in or beside the other with some of its pixels."""
    own = (footprints > 0).astype(np.float32)
    shared = sparse.coo_matrix(grown(footprints, shape, (1, 1)).T @ own)
    sizes = np.asarray(own.sum(axis=0)).ravel()
    near = (shared.data > SHARE * np.maximum(sizes[shared.col], 1)) & (shared.row != shared.col)
    pairs = zip(shared.row[near].tolist(), shared.col[near].tolist(), strict=True)
    return sorted({(min(i, j), max(i, j)) for i, j in pairs})


def _joined(footprints: sparse.csc_matrix, traces: Array) -> tuple[sparse.csc_matrix, Array]:
    """Return the footprint, of norm 1, and the trace of rank one that come nearest to a sum of components."""
    course = traces[int(np.argmax(np.linalg.norm(traces, axis=1)))]
    for _ in range(JOINING):
        image = sparse.csc_matrix(footprints @ np.maximum(traces @ course, 0)[:, np.newaxis])
        image = image / max(float(np.sqrt(image.multiply(image).sum())), 1e-12)
        course = np.maximum(np.asarray((image.T @ footprints) @ traces).ravel(), 0)
    return sparse.csc_matrix(image), course.astype(np.float32)

"""Cells of a two-photon patch: greedy or by sparse NMF, beside a background of low rank."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nwbridge_extract_cnmf import factors, greedy
from nwbridge_extract_cnmf.filters import Array, correlation_image, gaussian_filter
from nwbridge_extract_cnmf.grounds import LowRank, constant_of
from nwbridge_extract_cnmf.looking import Found, Look, coarse_of, divided
from nwbridge_extract_cnmf.ring import block_means
from nwbridge_extract_cnmf.shapes import to_unit_norm
from nwbridge_extract_cnmf.temporal import Denoiser

SWEEPS = 5  # over footprints and traces, before they are refined together


def look_for(look: Look, denoise: Denoiser, *, alone: bool) -> Found:
    """Return the cells of a patch; `alone` where it is the whole field of view."""
    chosen = look.parameters
    binned, grid, usable = look.binned()
    scale = look.scale_of(binned)
    movie = divided(look.in_time(binned), scale)
    weights, traces = _cells(movie, grid, look, usable)
    rank = max(chosen.nb_patch, chosen.nb if alone else 0)
    weights, traces, courses = _alternated(movie, weights, traces, rank, chosen.seed)
    if scale is not None:
        weights = weights * scale
    footprints, traces = to_unit_norm(look.to_pixels(weights, grid), traces)
    traces, courses = look.to_frames(traces), look.to_frames(courses)
    footprints, traces = _at_full_rate(look, footprints, traces, courses, denoise)
    picture = look.enlarged(correlation_image(movie, grid))
    return Found(look.patch, footprints, traces, {"correlation": picture}, coarse_of(look, footprints, traces), courses)


def _cells(movie: Array, grid: tuple[int, int], look: Look, usable: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    chosen = look.parameters
    rank = max(chosen.nb_patch, chosen.nb)
    if chosen.method_init == "sparse_NMF":
        smooth = gaussian_filter(grid, (0.7, 0.7), (3, 3), centred=False)
        above = np.maximum(smooth @ (movie - np.percentile(movie, 20, axis=1, keepdims=True)), 0)
        above = np.asarray(above * usable.reshape(-1, 1), np.float32)
        return greedy.sparse_nmf(above, chosen.K or 1, rank, chosen.seed)
    sigma, size = look.cell()
    transient = max(1, round(chosen.decay_time * look.rate_hz / chosen.tsub))
    how = greedy.Greed(sigma, size, chosen.K, chosen.rolling_sum, transient, chosen.center_psf)
    steady = movie - np.median(movie, axis=1, keepdims=True)
    return greedy.find(without_ground(steady, grid, rank, max(size)), grid, how, usable)


def without_ground(steady: Array, grid: tuple[int, int], rank: int, cell: int) -> Array:
    """Return a movie without the `rank` courses that fluctuate most in blocks larger than cells: the background's.

    `steady` is (pixel, time) without its median, `cell` the size of a cell in pixels.
    """
    blocks, _ = block_means(steady, grid, 2 * cell)
    rank = min(rank, min(blocks.shape) - 1)
    if rank < 1:
        return steady
    courses = np.linalg.svd(blocks, full_matrices=False)[2][:rank]
    return np.asarray(steady - (steady @ courses.T) @ courses, np.float32)


def _alternated(movie: Array, weights: Array, traces: Array, rank: int, seed: int) -> tuple[Array, Array, Array]:
    """Return footprints, traces and courses of the background after some sweeps over all of them."""
    if not rank:
        movie = movie - np.median(movie, axis=1, keepdims=True)
        ground, courses = np.zeros((len(movie), 0), np.float32), np.zeros((0, movie.shape[1]), np.float32)
    else:
        ground, courses = factors.factorize(np.maximum(movie - weights @ traces, 0), rank, seed=seed)
    count = weights.shape[1]
    support = np.concatenate([weights > 0, np.ones(ground.shape, bool)], axis=1)
    both, all_courses = np.concatenate([weights, ground], axis=1), np.concatenate([traces, courses])
    for _ in range(SWEEPS):
        both = factors.footprints(movie @ all_courses.T, all_courses @ all_courses.T, both, support, sweeps=2)
        solved = factors.Traces(both.T @ movie, sparse.csr_matrix(both.T @ both), all_courses)
        solved.sweep(2)
        all_courses = solved.traces
    return both[:, :count], all_courses[:count], all_courses[count:]


def _at_full_rate(
    look: Look, footprints: sparse.csc_matrix, traces: Array, courses: Array, denoise: Denoiser
) -> tuple[sparse.csc_matrix, Array]:
    """Return the cells with the traces that they have in the recording."""
    movie, refined = look.movie, not look.parameters.only_init
    if len(courses):
        ground = LowRank(_images_of(movie, footprints, traces, courses), courses)
    else:
        ground = constant_of(np.median(movie, axis=1), movie.shape[1])
    if refined:
        footprints, traces = look.weighed(footprints, traces, ground)
    products = np.asarray(footprints.T @ movie, np.float32) - ground.under(footprints)
    solved = factors.Traces(products, factors.gram_of(footprints), traces.copy())
    solved.sweep(3)
    if refined:
        for k in range(len(traces)):
            solved.traces[k] = denoise(solved.raw(k)).model
    return footprints, solved.traces


def _images_of(movie: Array, footprints: sparse.csc_matrix, traces: Array, courses: Array) -> Array:
    """Return the images of a background with known courses, (pixel, component), beside cells as they are."""
    products = np.asarray(movie @ courses.T - footprints @ (traces @ courses.T), np.float32)
    level = max(float(movie.mean()), 0) / max(float(courses.mean()) * len(courses), 1e-12)
    start, everywhere = np.full(products.shape, level, np.float32), np.ones(products.shape, bool)
    return factors.footprints(products, courses @ courses.T, start, everywhere)

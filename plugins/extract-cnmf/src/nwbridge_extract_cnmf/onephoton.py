"""Cells of a one-photon patch: seeds, the ring model of the background, and a second look at what is left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from nwbridge_extract_cnmf import factors, seeds
from nwbridge_extract_cnmf.grounds import RingGround
from nwbridge_extract_cnmf.looking import SHRINK, Found, Look, divided
from nwbridge_extract_cnmf.ring import Ring
from nwbridge_extract_cnmf.seeds import Seeding
from nwbridge_extract_cnmf.shapes import disc, to_unit_norm
from nwbridge_extract_cnmf.signals import noise_of
from nwbridge_extract_cnmf.temporal import Denoiser

Array = npt.NDArray[np.float32]


def look_for(look: Look, denoise: Denoiser) -> Found:
    """Return the cells of a patch."""
    binned, grid, usable = look.binned()
    scale = look.scale_of(binned)
    movie = divided(look.in_time(binned), scale)
    how = seeding(look)
    weights, traces, images = seeds.find(movie, grid, how, usable)
    if len(traces):
        weights, traces = _refined(movie, grid, weights, traces, look, how, usable)
    if scale is not None:
        weights = weights * scale
    footprints, courses = to_unit_norm(look.to_pixels(weights, grid), look.to_frames(traces))
    if len(courses):
        footprints, courses = _at_full_rate(look, footprints, courses, denoise)
    pictures = {"correlation": look.enlarged(images.correlation), "pnr": look.enlarged(images.pnr)}
    nothing = np.zeros((0, look.movie.shape[1]), np.float32)
    return Found(look.patch, footprints, courses, pictures, nothing, nothing)


def seeding(look: Look) -> Seeding:
    """Return how cells are looked for.

    Peaks are compared with the noise of the recording, which is larger by √tsub than that of means of `tsub` frames:
    `min_pnr` means the same whatever `tsub` is.
    """
    chosen = look.parameters
    sigma, size = look.cell()
    rise = max(1, round(chosen.decay_time * look.rate_hz / chosen.tsub / 2))
    gain = float(np.sqrt(chosen.tsub))
    return Seeding(sigma, size, chosen.min_corr, chosen.min_pnr, chosen.K, chosen.center_psf, gain, rise)


def _refined(
    movie: Array,
    grid: tuple[int, int],
    weights: Array,
    traces: Array,
    look: Look,
    how: Seeding,
    usable: npt.NDArray[np.bool_],
) -> tuple[Array, Array]:
    """Take the background off, look a second time at what is left, and fit all cells again."""
    chosen = look.parameters
    block = max(1, round(chosen.ssub_B / chosen.ssub))
    ring = Ring.of_radius(chosen.radius / chosen.ssub, block)
    sigma = noise_of(movie)
    for more in (True, False):
        ground = RingGround.of(movie, grid, sparse.csc_matrix(weights), traces, ring, block)
        clean = movie - ground.movie()
        weights, traces = _fitted(clean, grid, weights, traces, sigma, how)
        limit = None if how.most is None else how.most - len(traces)
        if not more or limit == 0:
            break
        left = clean - weights @ traces
        extra, courses, _ = seeds.find(left, grid, replace(how, most=limit), usable)
        if not len(courses):
            break
        weights, traces = np.concatenate([weights, extra], axis=1), np.concatenate([traces, courses])
    return weights, traces


def _fitted(
    clean: Array, grid: tuple[int, int], weights: Array, traces: Array, sigma: Array, how: Seeding
) -> tuple[Array, Array]:
    """Fit footprints, then traces, to a movie without background."""
    traces = above(traces)
    gram = traces @ traces.T
    support = _grown(weights, grid, how)
    weights = factors.footprints(clean @ traces.T, gram, weights, support, factors.penalty(sigma, gram, SHRINK))
    kept = np.flatnonzero(weights.any(axis=0))
    weights, traces = weights[:, kept], traces[kept]
    solved = factors.Traces(weights.T @ clean, sparse.csr_matrix(weights.T @ weights), traces)
    solved.sweep(2)
    raw = np.array([solved.raw(k) for k in range(len(traces))], np.float32).reshape(traces.shape)
    return weights, raw - np.median(raw, axis=1, keepdims=True)


def above(traces: Array) -> Array:
    """Return traces where they are above their noise, 0 elsewhere: a cheap stand-in for denoised ones."""
    noise = noise_of(traces)[:, np.newaxis]
    return np.where(traces > noise, traces, 0).astype(np.float32)


def _grown(weights: Array, grid: tuple[int, int], how: Seeding) -> npt.NDArray[np.bool_]:
    near = disc((max(1, round(how.sigma[0])), max(1, round(how.sigma[1]))))
    support = np.zeros(weights.shape, bool)
    for k, image in enumerate((weights > 0).T):
        support[:, k] = ndimage.binary_dilation(image.reshape(grid), near).ravel()
    return support


def _at_full_rate(
    look: Look, footprints: sparse.csc_matrix, traces: Array, denoise: Denoiser
) -> tuple[sparse.csc_matrix, Array]:
    """Return the cells with the traces that they have in the recording, denoised."""
    chosen = look.parameters
    ring = Ring.of_radius(chosen.radius, chosen.ssub_B)
    for again in (False,) if chosen.only_init else (False, True):
        ground = RingGround.of(look.movie, look.patch.shape, footprints, above(traces), ring, chosen.ssub_B)
        if again:
            footprints, traces = look.weighed(footprints, above(traces), ground)
        products = np.asarray(footprints.T @ look.movie, np.float32) - ground.under(footprints)
        solved = factors.Traces(products, factors.gram_of(footprints), above(traces))
        solved.sweep(2)
        for k in range(len(solved.traces)):
            solved.traces[k] = denoise(solved.raw(k)).model
        traces = solved.traces
    return footprints, traces

"""The whole way from a movie to cells: patches, one set of components, passes over the field, evaluation."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nwbridge_extract_cnmf import evaluation, factors, merging, onephoton, twophoton
from nwbridge_extract_cnmf.grounds import Background, State
from nwbridge_extract_cnmf.looking import Found, Look, pictures
from nwbridge_extract_cnmf.movies import ArrayMovie, BadMovie, Movie
from nwbridge_extract_cnmf.parameters import Parameters
from nwbridge_extract_cnmf.patches import Patch, in_order, overlapping
from nwbridge_extract_cnmf.refining import Refined, Refiner
from nwbridge_extract_cnmf.ring import joined
from nwbridge_extract_cnmf.signals import running_percentile
from nwbridge_extract_cnmf.temporal import Denoiser

Array = npt.NDArray[np.float32]
Tell = Callable[[str, int, int], None]
FEWEST = 16  # frames that are looked at, after averaging
RATE = 30.0  # frames a second where nobody says it, as the IDEAS tool takes it
BASELINE_S, BASELINE_PERCENT = 60.0, 8.0  # the running baseline of ΔF/F


@dataclass(frozen=True, eq=False)
class Extraction:
    """Cells of one field of view, on the frames of one movie or of several one after the other.

    Pixels are numbered along rows (C order). Footprints have norm 1; raw, denoised and deconvolved traces are in the
    movie's unit times that norm, so that A times a trace is in the movie's unit.
    """

    shape: tuple[int, int]  # rows, columns
    starts: tuple[int, ...]  # the first frame of every movie
    rate_hz: float
    parameters: Parameters
    footprints: sparse.csc_matrix  # A (pixel, component)
    denoised: Array  # C (component, time), with the baseline
    raw: Array  # C + what is left of the movie in a footprint (CaImAn's YrA)
    deconvolved: Array | None  # S (component, time); None without deconvolution
    dff: Array  # (component, time); NaN where the baseline is not above 0
    baseline: npt.NDArray[np.float64]  # (component,)
    noise: npt.NDArray[np.float64]  # of the raw trace
    g: npt.NDArray[np.float64]  # (component, p)
    lam: npt.NDArray[np.float64]  # penalty on spikes
    snr: npt.NDArray[np.float64] | None  # None: not evaluated
    r_values: npt.NDArray[np.float64] | None
    accepted: npt.NDArray[np.bool_] | None
    background_images: sparse.csc_matrix  # b (pixel, component)
    background_courses: Array  # f (component, time)
    constant: Array  # b0 (pixel,): with the ring model, or without any background; else what lies below 0
    ring: sparse.csr_matrix | None  # W (block, block) on `ring_grid`
    ring_grid: tuple[int, int] | None
    correlation: Array  # (row, column)
    pnr: Array | None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.raw)


def extract(
    movies: npt.NDArray[Any] | Sequence[npt.NDArray[Any]] | Movie,
    parameters: Parameters,
    *,
    rate_hz: float | None = None,
    dark: float = 0.0,
    tell: Tell = lambda doing, done, total: None,
) -> Extraction:
    """Find the cells of a movie, or of several of one field of view as if they were one after the other.

    Args:
        movies: arrays (time, row, column), or a `Movie`.
        parameters: what to run with.
        rate_hz: frames a second where `parameters.fr` is None; 30 where neither is known.
        dark: the value of a pixel without light, which ΔF/F is to be free of.
        tell: called as ``tell(phase, done, in_all)``.

    Raises:
        BadMovie: for what cells cannot be looked for in, in one line.
    """
    if not isinstance(movies, Movie):
        movies = ArrayMovie.of([movies] if isinstance(movies, np.ndarray) else movies)
    return _extracted(movies, parameters, parameters.fr or rate_hz or RATE, dark, tell)


def _extracted(movie: Movie, parameters: Parameters, rate: float, dark: float, tell: Tell) -> Extraction:
    notes: list[str] = []
    usable = _usable(movie, parameters, notes)
    shape = (movie.shape[1], movie.shape[2])
    workers = parameters.n_processes or _processors()
    denoise = Denoiser.of(parameters, rate, movie.starts)
    found = _look(movie, _patches(shape, parameters, notes), parameters, rate, usable, denoise, workers, tell)
    refiner = Refiner(movie, parameters, usable, workers, tell)
    footprints, traces, gone = merging.one_set(found, shape, parameters)
    _note_found(found, gone, parameters, notes)
    state = State(footprints, traces, _background(found, parameters, shape, movie.shape[0]))
    for _ in range(2 if parameters.refit else 1):
        state = _merged(refiner.footprints(state), shape, parameters, notes)
        refined = refiner.traces(state, denoise)
        state = refined.state
    if parameters.one_photon:
        refined = replace(refined, state=_with_low_rank(refiner, state, found, parameters))
    if not len(refined.pieces):
        notes.append("no cell was found")
    light = np.asarray(state.footprints.sum(axis=0), np.float32).reshape(-1, 1)
    refined = replace(refined, below=refined.below - np.float32(dark) * light)
    return _finished(refiner, refined, pictures(found, shape), rate, notes)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _usable(movie: Movie, chosen: Parameters, notes: list[str]) -> npt.NDArray[np.bool_]:
    """Return the pixels that take part; raise BadMovie where nothing can be found."""
    frames, rows, cols = movie.shape
    ends = (*movie.starts[1:], frames)
    looked = sum(-(-(end - start) // chosen.tsub) for start, end in zip(movie.starts, ends, strict=True))
    if looked < FEWEST:
        raise BadMovie(
            f"the movie has {frames} frames, {looked} after averaging {chosen.tsub}; expected {FEWEST} or more to tell "
            "cells from noise"
        )
    border = chosen.border_pix
    if 2 * border >= min(rows, cols):
        raise BadMovie(f"border_pix {border} leaves nothing of {rows} × {cols} pixels: give a smaller one")
    usable = movie.usable.copy()
    if (holes := int(np.count_nonzero(~usable))) > 0:
        notes.append(f"{holes} of {usable.size} pixels have no number in some frames and are left out")
    if border:
        inside = np.zeros_like(usable)
        inside[border : rows - border, border : cols - border] = True
        usable &= inside
    if not usable.any():
        raise BadMovie("no pixel is left: every one lies on the border or has no number in some frame")
    return usable


def _patches(shape: tuple[int, int], chosen: Parameters, notes: list[str]) -> list[Patch]:
    if chosen.rf is not None and 2 * chosen.rf >= max(shape):
        notes.append(
            f"rf {chosen.rf}: one patch of {2 * chosen.rf} pixels holds the whole field of {shape[0]} × {shape[1]}"
        )
    if chosen.one_photon:
        side = min(max(shape), 2 * chosen.rf) if chosen.rf is not None else max(shape)
        if side <= chosen.radius:
            notes.append(
                f"ring_size_factor {chosen.ring_size_factor:g}: a ring of radius {chosen.radius:g} does not fit in "
                f"patches of {side} pixels, whose background is taken as constant where cells are looked for"
            )
    block = math.lcm(chosen.ssub, chosen.ssub_B if chosen.one_photon else 1)
    return overlapping(shape, chosen.rf, chosen.stride, block)


def _look(
    movie: Movie,
    patches: list[Patch],
    chosen: Parameters,
    rate: float,
    usable: npt.NDArray[np.bool_],
    denoise: Denoiser,
    workers: int,
    tell: Tell,
) -> list[Found]:
    def work(patch: Patch) -> Found:
        look = Look.at(movie, patch, chosen, rate, usable)
        if chosen.one_photon:
            return onephoton.look_for(look, denoise)
        return twophoton.look_for(look, denoise, alone=len(patches) == 1)

    return list(in_order(work, patches, workers, lambda done, total: tell("looking for cells", done, total)))


def _note_found(found: list[Found], gone: int, chosen: Parameters, notes: list[str]) -> None:
    if gone:
        notes.append(
            f"{gone} components were merged with others: overlap, and traces that correlate by more than "
            f"{chosen.merge_thr:g}"
        )
    most = max(len(one.traces) for one in found)
    if chosen.K is not None and most < chosen.K:
        notes.append(f"K {chosen.K} cells in a patch: no more than {most} were found in any")


def _background(found: list[Found], chosen: Parameters, shape: tuple[int, int], frames: int) -> Background:
    """Return the courses that the background of the field begins with; none with the ring model."""
    pixels = shape[0] * shape[1]
    nothing = Background.of(np.zeros((0, frames), np.float32), pixels)
    if chosen.one_photon or (chosen.low_rank_background and not chosen.nb):
        return nothing
    if chosen.low_rank_background:
        coarse = np.concatenate([one.coarse for one in found])
        return Background.of(factors.factorize(np.maximum(coarse, 0), chosen.nb, seed=chosen.seed)[1], pixels)
    courses = np.concatenate([one.courses for one in found])
    if not len(courses):
        return nothing
    regions = [region for one, region in zip(found, _cores(found, shape), strict=True) for _ in one.courses]
    return Background.of(courses, pixels, tuple(regions))


def _cores(found: list[Found], shape: tuple[int, int]) -> tuple[npt.NDArray[np.intp], ...]:
    """Return the pixels that are each patch's own."""
    return tuple(one.patch.pixels(shape[1])[one.patch.core().ravel()] for one in found)


def _with_low_rank(refiner: Refiner, state: State, found: list[Found], chosen: Parameters) -> State:
    """Return the state with a background of low rank that comes near to the ring model's, where one is asked for."""
    whole = chosen.low_rank_background or not chosen.nb_patch
    components = chosen.nb if whole else chosen.nb_patch
    if not components:
        return state
    regions = None if whole else _cores(found, refiner.shape)
    return replace(state, background=refiner.approximated(state, components, regions))


def _merged(state: State, shape: tuple[int, int], chosen: Parameters, notes: list[str]) -> State:
    footprints, traces, gone = merging.merged(state.footprints, state.traces, shape, chosen.merge_thr)
    if gone:
        notes.append(f"{gone} more components were merged after footprints were refined")
    return State(footprints, traces, state.background)


def _finished(
    refiner: Refiner, refined: Refined, images: dict[str, Array], rate: float, notes: list[str]
) -> Extraction:
    state, chosen, pieces = refined.state, refiner.parameters, refined.pieces
    count, frames = refined.raw.shape
    snr = r = good = None
    if chosen.evaluate:
        transient = max(1, math.ceil(chosen.decay_time * rate))
        snr = evaluation.snr_of(refined.raw, transient)
        r = evaluation.consistency(refiner.movie, state.footprints, state.traces, refiner.tiles, transient)
        good = evaluation.accepted(snr, r, chosen)
    ring, grid = _ring(refiner, state)
    background = state.background
    spikes = np.array([piece.spikes for piece in pieces], np.float32).reshape(count, frames)
    return Extraction(
        shape=refiner.shape,
        starts=refiner.movie.starts,
        rate_hz=rate,
        parameters=chosen,
        footprints=state.footprints,
        denoised=state.traces,
        raw=refined.raw,
        deconvolved=spikes if chosen.p else None,
        dff=_dff(refined.raw, refined.below, rate),
        baseline=np.array([piece.baseline for piece in pieces]),
        noise=np.array([piece.noise for piece in pieces]),
        g=np.array([piece.g for piece in pieces]).reshape(count, chosen.p),
        lam=np.array([piece.lam for piece in pieces]),
        snr=snr,
        r_values=r,
        accepted=good,
        background_images=background.images,
        background_courses=background.courses,
        constant=np.zeros(refiner.usable.size, np.float32) if background.constant is None else background.constant,
        ring=ring,
        ring_grid=grid,
        correlation=images["correlation"],
        pnr=images.get("pnr"),
        notes=tuple(notes),
    )


def _dff(raw: Array, below: Array, rate: float) -> Array:
    """Return the change of raw traces over their running baseline, over that of all light in their footprints."""
    if not len(raw):
        return raw.copy()
    window = max(2, round(BASELINE_S * rate))
    level = running_percentile(raw + below, window, BASELINE_PERCENT)
    change = raw - running_percentile(raw, window, BASELINE_PERCENT)
    return np.where(level > 0, change / np.where(level > 0, level, 1), np.nan).astype(np.float32)


def _ring(refiner: Refiner, state: State) -> tuple[sparse.csr_matrix | None, tuple[int, int] | None]:
    """Return W of all tiles on the blocks of the field, and their grid."""
    if refiner.ring is None:
        return None, None
    kept = [(refiner.tiles[number], weights) for number, weights in state.background.weights.items()]
    parts = ((tile.rows, tile.cols, weights) for tile, weights in kept)
    return joined(parts, refiner.shape, refiner.parameters.ssub_B)

"""Score: how close movies are to a reference of the same scene, streamed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

import nwbridge
from nwbridge import BadOption, BadSource, Finding, Movie, Scores
from nwbridge_denoise.agreement import Agreement, Scale, decibel, mean
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.options import ScoreOptions
from nwbridge_denoise.percentiles import percentiles
from nwbridge_denoise.survey import blocks

SIDE = 7  # pixels of the window of SSIM
Pair = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Values:
    """A movie in its unit: after conversion and offset."""

    movie: Movie
    frames: Frames

    def read(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return frames `start` to `stop`."""
        block = self.frames.read(start, stop)
        if self.movie.conversion != 1 or self.movie.offset:
            block = block * np.float32(self.movie.conversion) + np.float32(self.movie.offset)
        return block


def _movies(path: Path) -> dict[str, Movie]:
    session = nwbridge.describe(path)
    return {movie.name: movie for movie in session.of(Movie) if len(movie.data.shape) == 3}


def _reference(path: Path, name: str | None) -> Movie:
    """Return the movie that was named, or the only one, or the only one that was acquired."""
    movies = _movies(path)
    acquired = [movie for movie in movies.values() if movie.made_from is None]
    found = [movies[name]] if name in movies else []
    if name is None:
        found = acquired if len(movies) > 1 else list(movies.values())
    if len(found) != 1:
        known = ", ".join(movies) or "none"
        what = f"has no movie {name}" if name else f"has {len(found)} movies that could be the reference"
        raise BadOption(f"{path.name} {what}; choose one with --reference NAME, of frames (time, row, column): {known}")
    return found[0]


def _compared(path: Path, reference: Movie, name: str | None) -> list[Movie]:
    """Return the movies to score, all of the size of the reference."""
    movies = _movies(path)
    if name is not None and name not in movies:
        raise BadOption(f"{path.name} has no movie {name}; it has {', '.join(movies) or 'none'}")
    chosen = [movies[name]] if name is not None else list(movies.values())
    fitting = [movie for movie in chosen if movie.data.shape == reference.data.shape]
    if not fitting:
        sizes = ", ".join(f"{movie.name} {movie.data.shape}" for movie in chosen) or "no movie"
        raise BadSource(
            f"{path.name} has {sizes}; the reference {reference.name} is {reference.data.shape}: "
            "only movies of one size can be compared frame by frame"
        )
    return fitting


def _pairs(reference: Values, movie: Values, doing: str) -> Iterator[tuple[int, Pair]]:
    """Yield blocks of both movies; BadSource where a value is no finite number."""
    starts = blocks(reference.frames)
    for start in starts:
        nwbridge.progress(doing, start, len(reference.frames))
        pair = (reference.read(start, start + starts.step), movie.read(start, start + starts.step))
        for one, block in zip((reference, movie), pair, strict=True):
            bad = ~np.isfinite(block).all(axis=(1, 2))
            if bad.any():
                raise BadSource(
                    f"movie {one.movie.name}: frame {start + int(bad.argmax())} holds values that are not finite "
                    "numbers, and cannot be compared; cut such frames, or fill them, first"
                )
        yield start, pair


def _span(reference: Values) -> float:
    """Return the reference's 97th percentile less its 3rd."""

    def values() -> Iterator[npt.NDArray[np.float32]]:
        starts = blocks(reference.frames)
        for start in starts:
            nwbridge.progress(f"range of {reference.movie.name}", start, len(reference.frames))
            yield reference.read(start, start + starts.step)

    low, high = percentiles(values, (3, 97))
    return high - low


def ssim(one: npt.NDArray[Any], other: npt.NDArray[Any], span: float) -> npt.NDArray[np.float64]:
    """Return the structural similarity of each frame (Wang et al. 2004), of uniform windows that lie in the frame."""
    x, y = one.astype(np.float64), other.astype(np.float64)
    level = x.mean(axis=(1, 2), keepdims=True)  # far from 0, squares would leave no digits for what varies
    x, y = x - level, y - level

    def local(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        edge = SIDE // 2  # each window is summed by itself: a sum that runs on carries what a hot pixel rounds away
        for axis in (1, 2):
            values = correlate1d(values, np.full(SIDE, 1 / SIDE), axis)
        return np.asarray(values[:, edge:-edge, edge:-edge])

    mean_x, mean_y = local(x), local(y)
    sample = SIDE**2 / (SIDE**2 - 1)
    var_x, var_y = sample * (local(x * x) - mean_x**2), sample * (local(y * y) - mean_y**2)
    both = sample * (local(x * y) - mean_x * mean_y)
    mean_x, mean_y = mean_x + level, mean_y + level
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    return np.asarray((above / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean(axis=(1, 2)))


def _similarity(reference: Values, movie: Values, scale: Scale, span: float) -> float | None:
    if min(reference.frames.shape[1:]) < SIDE or not span:
        return None
    found = []
    for _, (r, x) in _pairs(reference, movie, f"SSIM of {movie.movie.name}"):
        found.append(ssim(r, x * np.float32(scale.gain) + np.float32(scale.offset), span))
    return float(np.concatenate(found).mean())


def _row(reference: Values, movie: Values, agreement: Agreement, span: float, fit: bool) -> dict[str, Any]:
    scale = agreement.fitted() if fit else Scale()
    error = agreement.mean_error(scale)
    row = {
        "movie": movie.movie.name,
        "snr_db": mean(agreement.snr_frames(scale)),
        "trace_snr_db": mean(agreement.snr_traces(scale)),
        "tsnr_db": agreement.tsnr(scale),
        "psnr_db": decibel(span**2, error) if span else None,
        "ssim": _similarity(reference, movie, scale, span),
        "pearson": agreement.pearson(),
        "brightness": agreement.brightness(),
    }
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}


def _agreement(reference: Values, movie: Values) -> Agreement:
    agreement = Agreement(reference.frames.shape)
    for start, (r, x) in _pairs(reference, movie, f"comparing {movie.movie.name}"):
        agreement.add(start + np.arange(len(r)), r, x)
    return agreement


def _findings(movie: str, agreement: Agreement, fit: bool) -> Iterator[Finding]:
    """Yield where an SNR is not defined, so that means leave it out."""
    if agreement.equal_frames().all():
        yield Finding("hint", f"{movie} equals the reference", "check that RESULT is not TRUTH", check="movie")
        return
    scale = agreement.fitted() if fit else Scale()
    for found, what, name in (
        (agreement.snr_frames(scale), "frame", "snr_db"),
        (agreement.snr_traces(scale), "pixel", "trace_snr_db"),
    ):
        for left, why in (
            (np.isposinf(found), f"equal in {movie} and the reference"),
            (np.isnan(found), "dark in the reference"),
        ):
            if number := int(left.sum()):
                many = f"{number} of {len(found)} {what}s {'is' if number == 1 else 'are'} {why}"
                yield Finding("hint", f"{many}, and left out of {name}", "nothing, if that is known", check="movie")


def score(truth: Path, result: Path, options: ScoreOptions) -> Scores:
    """Score every movie of `result` that has the size of the reference in `truth`."""
    reference = _reference(truth, options.reference)
    rows, same = [], []
    findings: list[Finding] = []
    with ExitStack() as stack:

        def opened(movie: Movie) -> Values:
            return Values(movie, stack.enter_context(Frames(movie.data)))

        against = opened(reference)
        compared = _compared(result, reference, options.movie)
        span = _span(against)
        for movie in compared:
            values = opened(movie)
            agreement = _agreement(against, values)
            if len(compared) > 1 and agreement.equal_frames().all():
                same.append(movie.name)
                continue
            rows.append(_row(against, values, agreement, span, options.fit))
            findings += _findings(movie.name, agreement, options.fit)
    conventions = {
        "reference": reference.name + (f"; not compared with itself, {', '.join(same)}" if same else ""),
        "values": "after conversion and offset"
        + ("; one gain and offset fitted to the reference for each movie" if options.fit else ""),
        "snr_db": "10 log10(Σ r² / Σ (r - x)²) of each frame; mean over frames where it is defined",
        "trace_snr_db": "the same of each pixel's trace, mean over pixels (the other half of AI4Life's stSNR)",
        "tsnr_db": "the same over all values, each pixel's mean over time taken from both movies first",
        "psnr_db": "10 log10(range² / mean squared error of all values)",
        "range": f"{span:.6g}: 97th percentile of the reference less its 3rd",
        "ssim": f"{SIDE}×{SIDE} uniform windows, sample covariance, K1 = 0.01, K2 = 0.03; mean over frames",
        "pearson": "of all values",
        "brightness": "mean of the movie over that of the reference",
    }
    return Scores(tuple(rows), conventions, tuple(findings))

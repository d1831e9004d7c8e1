"""The step: a movie in, the denoised movie, its parameters and its measures out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadOption, BadSource, Finding, LazyArray, Movie, Parameters
from nwbridge_denoise import network
from nwbridge_denoise.before import DENOISED, denoised_before
from nwbridge_denoise.choice import Chosen, choose
from nwbridge_denoise.frames import Frames
from nwbridge_denoise.heldout import LAST, PAIRS, WINDOW
from nwbridge_denoise.measures import Meter
from nwbridge_denoise.method import Fitted, Read
from nwbridge_denoise.options import Options
from nwbridge_denoise.survey import survey

SAMPLE = 8  # frames in which it is looked whether anything changed


@dataclass(frozen=True)
class _Blocks:
    """What a lazy array yields when it is opened."""

    read: Read
    count: int
    dtype: np.dtype[Any]

    def __getitem__(self, key: slice, /) -> npt.NDArray[np.generic]:
        start, stop, _ = key.indices(self.count)
        return self.read(start, stop).astype(self.dtype)


def _rounded(read: Read, dtype: np.dtype[Any]) -> Read:
    """Return values as an integer type holds them, still as float32 where that is exact."""
    if dtype.kind not in "ui":
        return read
    limits = np.iinfo(dtype)
    top = np.nextafter(np.float32(limits.max), np.float32(0)) if limits.bits > 24 else np.float32(limits.max)
    return lambda start, stop: np.clip(np.rint(read(start, stop)), np.float32(limits.min), top)


def _lazy(meter: Meter, dtype: np.dtype[Any], parallel: bool) -> LazyArray:
    """Return the denoised frames, measured as they are read; the source is open as long as they are."""
    shape = meter.frames.shape

    @contextmanager
    def open_frames() -> Iterator[_Blocks]:
        with meter.opened():
            yield _Blocks(meter.watch, shape[0], dtype)

    return LazyArray(shape, dtype, open_frames, parallel)


def _reference(movie: Movie, elements: Sequence[object], name: str) -> Frames:
    movies = {other.name: other for other in elements if isinstance(other, Movie)}
    if name not in movies:
        known = ", ".join(movies) or "none"
        raise BadOption(f"--reference {name}: expected the name of another movie; there is {known}")
    other = movies[name]
    if other.data.shape != movie.data.shape:
        raise BadOption(f"--reference {name} is {other.data.shape}; expected {movie.data.shape}, as {movie.name} is")
    return Frames(other.data)


def _unchanged(frames: Frames, read: Read, fitted: Fitted) -> tuple[Finding, ...]:
    if not np.array_equal(read(0, SAMPLE), frames.read(0, SAMPLE)):
        return ()
    text = f"method {fitted.name} leaves the movie as it is: the result equals its source"
    return (Finding("warning", text, "it may have been denoised before", check="denoise"),)


def _parameters(name: str, movie: Movie, chosen: Chosen) -> Parameters:
    compared = (
        "mean squared error, in stored units squared, of odd frames predicted from even ones, over the last "
        f"1/{LAST} of the movie, at most {PAIRS // LAST} frames and {WINDOW} × {WINDOW} pixels in the middle"
    )
    fitted = chosen.fitted
    values = {
        "method": fitted.name,
        **fitted.parameters,
        "heldout_error": chosen.errors,
        "heldout_convention": compared,
    }
    text = f"How {movie.name} was denoised."  # not the result's name: that gets a number where the file has it
    return Parameters(f"{name}Parameters", values, text, "nwbridge-denoise", version("nwbridge-denoise"))


def run(elements: Sequence[object], options: Options) -> list[object]:
    """Denoise a movie."""
    movie = elements[0]
    assert isinstance(movie, Movie)  # noqa: S101 (what the step takes)
    if len(movie.data.shape) != 3:
        raise BadSource(
            f"movie {movie.name} holds volumes {movie.data.shape}; expected (time, row, column): save each plane as a "
            "movie of its own and denoise these"
        )
    if "deepcad" in options.tried:
        network.check(options)
    with Frames(movie.data) as frames:
        reference = None if options.reference is None else _reference(movie, elements[1:], options.reference)
        seen = survey(frames, movie.name)
        chosen = choose(frames, options, movie)
        fitted = chosen.fitted
        dtype = np.dtype(np.float32) if options.dtype == "float32" else movie.data.dtype
        read = fitted.read if options.dtype == "float32" else _rounded(fitted.read, dtype)
        unchanged = _unchanged(frames, read, fitted)
    name = f"Denoised{movie.name}"
    meter = Meter(frames, seen.sums, read, fitted.borders)
    if reference is not None:
        meter.compare(reference)
    data = _lazy(meter, dtype, fitted.parallel)
    words = f"{movie.name} {DENOISED} {fitted.name}."
    made = replace(movie, name=name, data=data, description=words, made_from=movie.name, shifts=None)
    results: list[object] = [made, _parameters(name, movie, chosen), meter.table(f"{name}Measures")]
    if seen.constant:  # there is nothing to choose between
        return [*results, *seen.findings]
    return [*results, *denoised_before(movie, elements[1:]), *seen.findings, *chosen.findings, *unchanged]

"""The step: a picture of the movie, what each frame has to be moved by to lie on it, and the movie moved so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

import nwbridge
from nwbridge import BadOption, BadSource, LazyArray, Movie, Parameters, arrays, option
from nwbridge_register.matching import Floats, Match, Matcher
from nwbridge_register.moving import moving
from nwbridge_register.sampling import as_picture, likeness, picture_of, sample, true_area
from nwbridge_register.telling import findings, measured

BLOCK = 16 << 20  # bytes of frames that are read at a time
SMALLEST = 8  # pixels a side
LAID = 0.5  # of all frames that have to match for any to be moved
MATCHED = "finding shifts"


@dataclass(frozen=True)
class RegisterOptions:
    """What can be chosen."""

    max_shift: int | None = option(
        None, "largest shift looked for, in pixels; unset: a tenth of the shorter side, or 10 in small frames"
    )
    upsample: int = option(10, "steps in a pixel that shifts are found in")
    whole_pixels: bool = option(False, "move by whole pixels only: every value stays exactly what it was")
    interpolation: Literal["cubic", "linear"] = option(
        "cubic", "between pixels: cubic B-spline, or linear (faster, blurs more)"
    )
    smoothing: float = option(1.0, "width of the Gaussian that noise is smoothed by to find shifts, in pixels")
    high_pass: float = option(0.0, "leave out what is wider than so many pixels when finding shifts; 0: nothing")
    template_frames: int = option(200, "frames from all over the movie that the template is made of")


def run(elements: tuple[Any, ...], options: RegisterOptions) -> Sequence[Any]:
    """Find the shifts of the first element, a movie; return it moved, what was measured, and what is odd."""
    movie: Movie = elements[0]
    limit = _checked(movie, options)
    threads = nwbridge.threads()
    # a thread of BLAS's for each of ours: its own wait for each other, ten times as long as they compute
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads, "nwbridge-register") as pool:
        nwbridge.progress("making the template", 0, 1)
        some = sample(movie.data, options.template_frames)
        frames = list(some.values())
        if len(frames) < 2 or all(frame.min() == frame.max() for frame in frames):
            raise BadSource(
                f"{movie.name} shows nothing, every frame is one value or NaN; expected a picture that moves"
            )
        steps = 1 if options.whole_pixels else options.upsample
        smoothing, high_pass = options.smoothing, options.high_pass
        matcher = partial(Matcher, limit=limit, upsample=steps, smoothing=smoothing, high_pass=high_pass)
        picture = picture_of(frames, matcher, pool)
        matches = _matches(movie.data, matcher(picture).match, pool)
        laid = sum(match.found for match in matches) >= LAID * len(matches)
        shifts = _shifts(matches, whole=options.whole_pixels) if laid else np.zeros((len(matches), 2))
        area = true_area(shifts, movie.data.shape[1:3])
        ours = shifts[list(some)]
        before, after = (likeness(frames, by, area, pool) for by in (np.zeros_like(ours), ours))
    if after.correlation < before.correlation:  # what was found is activity, or noise, and no motion
        shifts = np.zeros_like(shifts)
        area = true_area(shifts, movie.data.shape[1:3])
    made = replace(
        movie,
        name=f"Registered{movie.name}",
        data=moving(movie.data, shifts, options.interpolation, threads),
        description=_words(movie, options),
        made_from=movie.name,
        shifts=arrays.from_numpy(shifts),
    )
    values = asdict(options) | {"max_shift": limit} | measured(shifts, matches, area, before, after, len(frames))
    about = "what the frames were laid on each other with, and how alike they are"
    used = Parameters(f"{made.name}Parameters", values, about, "nwbridge-register", version("nwbridge-register"))
    return [made, used, *findings(movie, matches, shifts, limit, before, after, laid=laid)]


def _checked(movie: Movie, options: RegisterOptions) -> int:
    """Return the largest shift that is looked for; raise where there is nothing to register, or options do not fit."""
    frames, *sides = movie.data.shape[:3]
    if frames < 2:
        raise BadSource(f"{movie.name} has one frame; expected two or more: there is nothing to register it to")
    if min(sides) < SMALLEST:
        raise BadSource(
            f"{movie.name} has frames of {sides[0]} × {sides[1]} pixels; expected {SMALLEST} or more a side to register"
        )
    most = (min(sides) - 1) // 2
    limit = (
        min(most, max(min(sides) // 10, min(10, min(sides) // 4))) if options.max_shift is None else options.max_shift
    )
    if not 1 <= limit <= most:
        raise BadOption(
            f"--max-shift {limit}: expected 1 to {most}, less than half of the shorter side of {movie.name}"
        )
    least = {"upsample": 1, "template_frames": 2, "smoothing": 0.5, "high_pass": 0}
    for name, low in least.items():
        if not low <= getattr(options, name) < np.inf:
            raise BadOption(f"--{name.replace('_', '-')} {getattr(options, name)}: expected {low} or more")
    return limit


def _matches(frames: LazyArray, match: Callable[[Floats], Match], pool: ThreadPoolExecutor) -> list[Match]:
    """Compare every frame; one block is read while the frames of the one before are compared."""
    count = frames.shape[0]
    size = max(1, BLOCK // max(1, frames.nbytes // count))
    found: list[Match] = []
    coming: deque[list[Future[Match]]] = deque()

    def one(frame: npt.NDArray[Any]) -> Match:
        picture = as_picture(frame)
        found = Match(0.0, 0.0, found=False) if picture is None else match(picture)
        return found if np.isfinite(frame).all() else replace(found, whole=True)

    def take() -> None:
        found.extend(future.result() for future in coming.popleft())
        nwbridge.progress(MATCHED, len(found), count)

    with frames.open() as reader:
        for start in range(0, count, size):
            block = np.asarray(reader[start : min(start + size, count)])
            coming.append([pool.submit(one, frame) for frame in block])
            if len(coming) > 1:
                take()
    while coming:
        take()
    return found


def _shifts(matches: Sequence[Match], *, whole: bool) -> npt.NDArray[np.float64]:
    """Return what each frame is moved by; one without a match by what lies between those before and after.

    Whole pixels for all frames, or for those that hold values that are not finite.
    """
    found = np.flatnonzero([match.found for match in matches])
    shifts = np.zeros((len(matches), 2))
    if len(found):
        for axis, name in enumerate(("rows", "columns")):
            shifts[:, axis] = np.interp(
                np.arange(len(matches)), found, [getattr(matches[int(at)], name) for at in found]
            )
    rounded = np.array([whole or match.whole for match in matches])
    shifts[rounded] = np.rint(shifts[rounded]) + 0.0  # without a -0
    return shifts


def _words(movie: Movie, options: RegisterOptions) -> str:
    way = "by whole pixels" if options.whole_pixels else f"between pixels by {options.interpolation} interpolation"
    kept = movie.data.dtype.kind == "f" or options.whole_pixels
    rounded = "" if kept else f", rounded to {movie.data.dtype.name}"
    said = "" if movie.description is None else f" What it was registered from: {movie.description}"
    return f"Frames moved {way}{rounded}, to lie on each other; what came from outside repeats the nearest pixel.{said}"

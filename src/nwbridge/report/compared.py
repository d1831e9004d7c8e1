"""Figures of a movie that was made from another one in the file: before, after, the residual, and a place's trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.model import Movie, Segmentation
from nwbridge.report.figures import Figure, time_figure
from nwbridge.report.markup import Markup, count, el, number
from nwbridge.report.pictures import HIGHEST, cut, limits_of, pane, picture
from nwbridge.report.regions import pixels_of
from nwbridge.report.sampling import BLOCK, Floats, chunk_length, extremes, pieces
from nwbridge.report.sheet import Sheet
from nwbridge.report.traces import chosen_regions, id_of, said
from nwbridge.report.tracks import Line, Track, line

LEAST = 100  # frames that are compared, where there are as many
BRIGHT = 99.0  # percentile that is white in a single frame: its noise has to be seen beside its brightest cell
BEFORE, AFTER, BETWEEN = "Before", "After", "Residual: before − after"


@dataclass(frozen=True)
class Place:
    """Some pixels whose mean is drawn over time."""

    name: str
    pixels: npt.NDArray[np.int64]  # (n, 2 or 3): row, column[, plane]


@dataclass(frozen=True)
class Stretch:
    """Frames that follow one another."""

    start: int
    stop: int


def original_of(movie: Movie, sheet: Sheet) -> Movie | None:
    """Return the movie that a movie was made from, if the file holds it and both have the same frames."""
    found = next((one for one in sheet.of(Movie) if one.name == movie.made_from and one is not movie), None)
    return found if found is not None and found.data.shape == movie.data.shape else None


def comparison(before: Movie, after: Movie, sheet: Sheet) -> Iterator[Figure]:
    """Yield pictures before and after, and of what was not moved also the residual and a place's trace."""
    if after.shifts is not None:
        yield _means(before, after, sheet)
        return
    stretch = _stretch(after, sheet.detail.read // 2)
    places = _places(after, stretch, sheet)
    traces = [_traces(movie, places, stretch) for movie in (before, after)]
    brightest = int(np.argmax(np.nan_to_num(traces[1][0], nan=-np.inf)))
    yield _pictures(before, after, stretch.start + brightest, places[0], sheet)
    if stretch.stop - stretch.start > 1 and (after.rate_hz is not None or after.timestamps is not None):
        yield _over_time(before, after, places, traces, stretch, sheet)


def moved(movie: Movie, sheet: Sheet) -> Iterator[Track]:
    """Yield by how many rows and columns each frame was moved."""
    if movie.shifts is not None and movie.data.shape[0] > 1:
        for channel, words in enumerate(("moved down by rows", "moved right by columns")):
            label = f"{movie.name}: {words}"
            yield line(label, "pixels", movie.shifts, movie, sheet.detail.points, channel)


def values_of(movie: Movie, values: npt.NDArray[Any]) -> Floats:
    """Return stored values in the movie's unit."""
    return np.asarray(values, np.float64) * movie.conversion + movie.offset


def _means(before: Movie, after: Movie, sheet: Sheet) -> Figure:
    """Return the means of a movie whose frames were moved: the second is the sharper one."""
    means = [values_of(movie, sheet.projection(movie).flat()[0]) for movie in (before, after)]
    words = f"Means of {before.name} and {after.name}, in one grey scale: {_scale(limits := _common(means), after)}"
    if after.shifts is not None:
        with after.shifts.open() as reader:
            largest = np.nanmax(np.abs(np.asarray(reader[0 : after.shifts.shape[0]], np.float64)), axis=0)
        words += f" Frames were moved by up to {number(largest[0])} rows and {number(largest[1])} columns."
    panes = [
        _pane(values, name, limits, movie, f"{after.name} {name}", sheet)
        for values, name, movie in zip(means, ("Mean before", "Mean after"), (before, after), strict=True)
    ]
    body = el("div", panes, class_="panes two")
    return Figure("picture", "Before and after registration", words, body, {}, name=after.name)


def _pictures(before: Movie, after: Movie, frame: int, place: Place, sheet: Sheet) -> Figure:
    """Return one frame, pixel by pixel around a place, and the means of the whole field."""
    side, movies = sheet.detail.compared, (before, after)
    rows, columns = cut(after.data.shape[1:3], place.pixels[:, :2].mean(axis=0).round().astype(int).tolist(), side)
    plane = int(place.pixels[0, 2]) if place.pixels.shape[1] == 3 else None
    frames = [values_of(movie, _frame(movie, frame, plane)[rows, columns]) for movie in movies]
    key, limits = f"{after.name} frame", _common(frames, BRIGHT)
    panes = [_pane(v, n, limits, after, f"{key} {n}", sheet) for v, n in zip(frames, (BEFORE, AFTER), strict=True)]
    panes.append(_between(frames, after, key, sheet))
    words = f"{after.name} was made from {before.name}. Frame {number(frame, 7)}"
    if plane is not None:
        words += f", plane {plane + 1}"
    if frames[0].shape != after.data.shape[1:3]:
        words += f", rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}"
    words += (
        f", where {place.name[0].lower()}{place.name[1:]} is brightest; both in one grey scale: {_scale(limits, after)}"
    )
    if sheet.detail.means:
        means = [values_of(movie, sheet.projection(movie).flat()[0]) for movie in movies]
        limits, key = _common(means), f"{after.name} mean"
        names = ("Mean before", "Mean after")
        panes += [_pane(v, n, limits, after, f"{key} {n}", sheet) for v, n in zip(means, names, strict=True)]
        panes.append(_between(means, after, key, sheet))
        words += f" Below, the means of {sheet.projection(after).words}: {_scale(limits, after)}"
    return Figure("picture", "Before and after", words, el("div", panes, class_="panes three"), {}, name=after.name)


def _between(pair: Sequence[Floats], movie: Movie, key: str, sheet: Sheet) -> Markup:
    """Return the residual in a scale whose middle is no difference."""
    residual = pair[0] - pair[1]
    known = np.abs(residual[np.isfinite(residual)])
    most = float(np.percentile(known, 99.8)) if known.size else 1.0
    most = most or float(known.max(initial=0)) or 1.0
    under = f"Black {number(-most)}, white {number(most)}; middle grey is no difference."
    return _pane(residual, BETWEEN, (-most, most), movie, f"{key} residual", sheet, under)


def _pane(
    values: Floats, title: str, limits: tuple[float, float], movie: Movie, key: str, sheet: Sheet, under: str = ""
) -> Markup:
    shown = picture(values, sheet.detail.compared, limits=limits)
    identity = sheet.show(key, shown)
    label = f"{title}: {movie.name}, {values.shape[0]} by {values.shape[1]} pixels."
    return pane(shown, title, label, identity=identity, pixel_um=movie.plane.pixel_um, under=under or None)


def _common(pair: Sequence[Floats], highest: float = HIGHEST) -> tuple[float, float]:
    return limits_of(np.concatenate([values.ravel() for values in pair]), highest)


def _scale(limits: tuple[float, float], movie: Movie) -> str:
    unit = f" {movie.unit}" if movie.unit else ""
    return f"black {number(limits[0])}, white {number(limits[1])}{unit}."


def _stretch(movie: Movie, budget: int) -> Stretch:
    """Return the frames to compare: all of a short movie, else as many from its middle as may be read."""
    frames = movie.data.shape[0]
    wanted = min(frames, max(LEAST, budget // max(1, movie.data.nbytes // frames)))
    with movie.data.open() as reader:
        together = chunk_length(reader)
    start = (frames - wanted) // 2 // together * together
    return Stretch(start, start + wanted)


def _blocks(movie: Movie, stretch: Stretch) -> Iterator[Floats]:
    each = max(1, movie.data.nbytes // movie.data.shape[0])
    step = max(1, BLOCK // each)
    with movie.data.open() as reader:
        for start in range(stretch.start, stretch.stop, step):
            yield np.asarray(reader[start : min(start + step, stretch.stop)])


def _places(movie: Movie, stretch: Stretch, sheet: Sheet) -> list[Place]:
    """Return regions of the movie's plane, else the pixel that changes most."""
    for segmentation in sheet.of(Segmentation):
        alike = segmentation.plane.name == movie.plane.name and segmentation.image_shape == movie.data.shape[1:]
        if alike and len(segmentation) and segmentation.role == "cells" and len(movie.data.shape) == 3:
            rows = chosen_regions(segmentation, sheet.detail.places).tolist()
            found = zip(rows, pixels_of(segmentation, rows), strict=True)
            if places := [Place(f"Region {id_of(segmentation, row)}", pixels) for row, pixels in found if len(pixels)]:
                return places
    shape = movie.data.shape[1:]
    total, squares, seen = np.zeros(shape), np.zeros(shape), 0
    for block in _blocks(movie, stretch):
        known = np.nan_to_num(np.asarray(block, np.float64), posinf=0, neginf=0)
        total, squares, seen = total + known.sum(axis=0), squares + (known**2).sum(axis=0), seen + len(block)
    spot = np.unravel_index(int(np.argmax(squares / seen - (total / seen) ** 2)), shape)
    return [Place(f"The pixel at row {spot[0]}, column {spot[1]}", np.array([spot], np.int64))]


def _traces(movie: Movie, places: Sequence[Place], stretch: Stretch) -> list[Floats]:
    parts: list[list[Floats]] = [[] for _ in places]
    for block in _blocks(movie, stretch):
        for found, place in zip(parts, places, strict=True):
            found.append(np.asarray(block[:, *place.pixels.T], np.float64).mean(axis=1))
    return [values_of(movie, np.concatenate(found)) for found in parts]


def _frame(movie: Movie, frame: int, plane: int | None) -> npt.NDArray[Any]:
    with movie.data.open() as reader:
        found: npt.NDArray[Any] = np.asarray(reader[frame : frame + 1])
    return found[0] if plane is None else found[0, :, :, plane]


def _over_time(
    before: Movie, after: Movie, places: Sequence[Place], traces: Sequence[list[Floats]], stretch: Stretch, sheet: Sheet
) -> Figure:
    """Return the places' traces, those after over those before."""
    each = pieces(stretch.stop - stretch.start, max(200, sheet.detail.points // 2))
    times, unit = _times(after, stretch, each), after.unit or "stored values"
    lines = []
    for place, first, second in zip(places, *traces, strict=True):
        behind = Line(before.name, unit, times, *extremes(first, each), each)
        lines.append(Line(f"{place.name}: {after.name}", unit, times, *extremes(second, each), each, under=behind))
    words = "The mean of the place's pixels." if places[0].pixels.shape[0] > 1 else "The pixel that changes most."
    shown, frames = stretch.stop - stretch.start, after.data.shape[0]
    if shown < frames:
        words += f" {count(shown, 'frame')} from the middle, of {number(frames, 7)}."
    return time_figure(
        "Over time before and after", words + said(lines), lines, sheet.detail.static // 2, name=after.name
    )


def _times(movie: Movie, stretch: Stretch, each: int) -> Floats:
    """Return the time in the middle of every so many frames."""
    if movie.timestamps is not None:
        with movie.timestamps.open() as reader:
            times = np.asarray(reader[stretch.start : stretch.stop], np.float64)
    else:
        times = movie.start_s + np.arange(stretch.start, stretch.stop) / (movie.rate_hz or 1.0)
    starts = np.arange(0, len(times), each)
    return np.asarray((times[starts] + times[np.minimum(starts + each, len(times)) - 1]) / 2)

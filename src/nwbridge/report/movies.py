"""Figures of movies: mean and maximum side by side, brightness and frame intervals over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nwbridge.model import Movie
from nwbridge.report.compared import comparison, moved, original_of
from nwbridge.report.figures import Figure
from nwbridge.report.markup import Markup, count, el, number
from nwbridge.report.pictures import contrast, pane, picture
from nwbridge.report.sampling import Envelope, Floats, extremes, pieces
from nwbridge.report.sheet import Sheet, panels, tracks
from nwbridge.report.tracks import Line, Track, on_clock

LATE = 1.5  # times the usual interval: a frame is missing
PLANES = 9  # of a volume that are shown one by one


@panels.register
def _(movie: Movie, sheet: Sheet) -> Iterator[Figure]:
    original = original_of(movie, sheet)
    if original is not None:
        yield from comparison(original, movie, sheet)
        return
    pair = _pair(movie, sheet)
    if pair and movie is not pair[0]:
        return
    yield _projections(pair or (movie,), sheet)
    for one in pair or (movie,):
        if len(one.data.shape) == 4 and one.data.shape[3] > 1:
            yield _planes(one, sheet)


def _pair(movie: Movie, sheet: Sheet) -> Sequence[Movie]:
    """Return the two movies of a session that acquired exactly two of one field of view, as low and high power."""
    alike = [one for one in sheet.of(Movie) if one.data.shape[1:] == movie.data.shape[1:] and one.made_from is None]
    if movie.made_from is not None:
        return ()
    return alike if len(alike) == 2 else ()


def _projections(movies: Sequence[Movie], sheet: Sheet) -> Figure:
    panes = [_pane(movie, kind, sheet, named=len(movies) > 1) for kind in ("mean", "maximum") for movie in movies]
    name = " and ".join(movie.name for movie in movies)
    title = f"{movies[0].kind.capitalize()} movie{'s' if len(movies) > 1 else ''}"
    body = el("div", panes, class_="panes two")
    words = " ".join(dict.fromkeys(_words(movie, sheet) for movie in movies))
    return Figure("picture", title, words, body, {}, name=name)


def _pane(movie: Movie, kind: str, sheet: Sheet, *, named: bool) -> Markup:
    mean, highest = sheet.projection(movie).flat()
    values = mean if kind == "mean" else highest
    shown = picture(values, sheet.detail.side, highest=kind == "maximum")
    identity = sheet.show(f"{movie.name} {kind}", shown)
    title = f"{kind.capitalize()}{f' of {movie.name}' if named else ''}"
    label = f"{kind.capitalize()} projection of {movie.name}, {values.shape[0]} by {values.shape[1]} pixels."
    pixel = movie.plane.pixel_um
    return pane(shown, title, label, identity=identity, pixel_um=pixel, under=contrast(shown))


def _words(movie: Movie, sheet: Sheet) -> str:
    """Say what was looked at, how large the field is and how time runs."""
    frames, rows, columns, *planes = movie.data.shape
    found = sheet.projection(movie)
    words = f"{number(rows, 6)} × {number(columns, 6)} pixels (row × column)"
    if movie.plane.pixel_um:
        tall, wide = movie.plane.pixel_um[0] * rows, movie.plane.pixel_um[1] * columns
        words += f", {number(tall)} × {number(wide)} µm"
    else:
        words += ", whose size in µm is not known"
    words += f", {count(frames, 'frame')}, {_clock(movie)}. Drawn from {found.words}."
    if planes:
        words += f" A volume of {count(planes[0], 'plane')}: each pixel shows its brightest plane."
    if movie.made_from in {name for step in sheet.session.steps for name in step.left_out}:
        words += f" Made from {movie.made_from}, which is not in this file: the history names the file that has it."
    return words


def _clock(movie: Movie) -> str:
    if movie.timestamps is None:
        return "rate not known" if movie.rate_hz is None else f"constant rate of {number(movie.rate_hz, 4)} Hz"
    intervals = np.diff(_times(movie))
    usual = float(np.median(intervals)) if len(intervals) else 0.0
    gaps = intervals > LATE * usual
    words = f"a time for every frame, usually {number(usual * 1000)} ms apart"
    if not gaps.any():
        return words + ", none missing"
    after = ", ".join(str(int(n)) for n in np.flatnonzero(gaps)[:5] + 1)
    more = "…" if gaps.sum() > 5 else ""
    return words + f"; {count(int(gaps.sum()), 'gap')} after frame {after}{more}"


def _times(movie: Movie) -> Floats:
    assert movie.timestamps is not None  # noqa: S101  asked before
    with movie.timestamps.open() as reader:
        return np.asarray(reader[0 : movie.timestamps.shape[0]], np.float64)


def _planes(movie: Movie, sheet: Sheet) -> Figure:
    mean = sheet.projection(movie).mean
    chosen = np.unique(np.linspace(0, mean.shape[2] - 1, PLANES).round().astype(int))
    panes = []
    for plane in chosen.tolist():
        shown = picture(mean[:, :, plane], sheet.detail.side // 2)
        identity = sheet.show(f"{movie.name} plane {plane}", shown)
        label = f"Mean of plane {plane + 1} of {movie.name}."
        pixel = movie.plane.pixel_um
        panes.append(pane(shown, f"Plane {plane + 1}", label, identity=identity, pixel_um=pixel))
    words = f"Mean of {len(chosen)} of {count(mean.shape[2], 'plane')}, each with its own contrast."
    return Figure("picture", "Plane by plane", words, el("div", panes, class_="panes many"), {}, name=movie.name)


@tracks.register
def _(movie: Movie, sheet: Sheet) -> Iterator[Track]:
    if movie.data.shape[0] < 2 or (movie.timestamps is None and movie.rate_hz is None):
        return
    yield _brightness(movie, sheet)
    yield from moved(movie, sheet)
    if movie.timestamps is not None and original_of(movie, sheet) is None:  # else they are those of the original
        yield _intervals(movie, sheet)


def _brightness(movie: Movie, sheet: Sheet) -> Line:
    found, label, points = sheet.projection(movie), f"{movie.name}: mean brightness", sheet.detail.points
    values = found.brightness * movie.conversion + movie.offset
    unit, frames = movie.unit or "stored values", movie.data.shape[0]
    if len(found.frames) == frames:
        each = pieces(frames, points)
        return on_clock(label, unit, Envelope(*extremes(values, each), each), frames, movie)
    times = _times(movie)[found.frames] if movie.timestamps is not None else _even(movie, found.frames)
    breaks = np.flatnonzero(np.diff(found.frames) > 1) + 1  # nothing is drawn where nothing was looked at
    times, values = np.insert(times, breaks, times[breaks - 1]), np.insert(values, breaks, np.nan)
    return Line(label, unit, times, values, values)


def _even(movie: Movie, frames: np.ndarray) -> Floats:
    return np.asarray(movie.start_s + frames / (movie.rate_hz or 1.0), np.float64)


def _intervals(movie: Movie, sheet: Sheet) -> Line:
    times = _times(movie)
    intervals = np.diff(times)
    late = times[1:][intervals > LATE * np.median(intervals)]
    late = late[np.isfinite(late)]
    each = pieces(len(intervals), sheet.detail.points)
    low, high = extremes(intervals * 1000, each)
    starts = np.arange(len(low)) * each
    middle = (times[1:][starts] + times[1:][np.minimum(starts + each, len(intervals)) - 1]) / 2
    marked = count(len(late), "gap") if len(late) else ""
    return Line(f"{movie.name}: time since the frame before", "ms", middle, low, high, each, late, marked)

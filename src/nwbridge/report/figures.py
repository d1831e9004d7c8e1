"""Figures: a title, words, a drawing, the buttons to keep it, and the numbers behind it."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.report.markup import Markup, data, el, join, number
from nwbridge.report.sampling import Floats
from nwbridge.report.tracks import Line, Spans, Ticks, Track, extent

WIDTH, HEIGHT = 1000, 100  # of every plot's own units; the page stretches them
STEPS = 65535  # between the lowest and the highest value of a line


@dataclass(frozen=True)
class Figure:
    """One figure of a recording."""

    kind: str  # picture, time, plot, table or words: what the page's program does with it
    title: str
    words: str
    body: Markup
    data: dict[str, Any] | None = None  # what the program needs, plain values
    controls: Markup | None = None
    name: str = ""  # of the element that is drawn
    half: bool = False  # two of these fit beside each other
    folded: bool = True  # of a table: it is looked up rather than looked at

    def html(self, identity: str, name: str) -> Markup:
        """Return the figure; `name` is how its downloads begin."""
        inside = data(self.data, class_="data") if self.data is not None else None
        keep = [("picture", "Save picture", "a picture, as SVG")] if self.kind in ("picture", "time", "plot") else []
        keep += [("csv", "Save data", "what is drawn, as CSV")] if self.kind != "words" else []
        buttons = [
            el("button", words, type="button", data_save=what, aria_label=f"{self.title} {self.name}: save {more}")
            for what, words, more in keep
        ]
        tools = el("div", self.controls, el("span", buttons, class_="keep"), class_="tools") if buttons else None
        title = el(
            "h4", self.title, el("span", f" {self.name}", class_="unit") if self.name not in ("", self.title) else None
        )
        head = el("figcaption", title, el("p", self.words) if self.words else None)
        return el(
            "figure",
            head,
            self.body,
            tools,
            inside,
            id=identity,
            class_=f"fig {self.kind}{' half' if self.half else ''}",
            data_kind=self.kind,
            data_name=f"{name} {self.title} {self.name}".strip(),
        )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers between two values."""
    if not high > low or not math.isfinite(high - low):
        return [low] if math.isfinite(low) else []
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next((m * power for m in (1, 2, 5) if m * power >= least * 0.999), 10 * power)
    first = math.ceil(low / step - 1e-9)
    found: list[float] = []
    while (value := (first + len(found)) * step) <= high + step * 1e-9 and len(found) < 20:
        found.append(0.0 if abs(value) < step * 1e-9 else value)
    return found


def line_path(low: Floats, high: Floats, x: Floats, bounds: tuple[float, float]) -> str:
    """Return the path of an envelope: at every x from the lowest to the highest value; gaps where none is known."""
    bottom, top = bounds
    scale = HEIGHT / (top - bottom)
    with np.errstate(invalid="ignore"):
        upper, lower = (np.round((top - part) * scale, 1) for part in (high, low))
    places = np.round(x, 1)
    words, pen = [], False
    for column, y0, y1 in zip(places.tolist(), lower.tolist(), upper.tolist(), strict=True):
        if y0 != y0 or y1 != y1:
            pen = False
            continue
        words.append(f"{'L' if pen else 'M'}{column:g} {y0:g}" + (f"V{y1:g}" if y1 != y0 else "" if pen else "h.1"))
        pen = True
    return "".join(words)


def coarser(one: Line, points: int) -> tuple[Floats, Floats, Floats]:
    """Return times, lowest and highest of at most so many pieces."""
    each = max(1, math.ceil(len(one.low) / points))
    if each == 1:
        return one.times, one.low, one.high
    starts = np.arange(0, len(one.low), each)
    with np.errstate(all="ignore"):
        low, high = np.fmin.reduceat(one.low, starts), np.fmax.reduceat(one.high, starts)
    ends = np.minimum(starts + each, len(one.low)) - 1
    return (one.times[starts] + one.times[ends]) / 2, low, high


def bounds_of(low: Floats, high: Floats, *, marked: bool = False) -> tuple[float, float]:
    """Return the value axis that holds a line, with a little room, and more above it for marks."""
    known = np.concatenate((low, high))
    known = known[np.isfinite(known)]
    if not known.size:
        return 0.0, 1.0
    bottom, top = float(known.min()), float(known.max())
    room = (top - bottom) * 0.06 or abs(top) * 0.1 or 1.0
    return bottom - room, top + (3 * room if marked else room)


def time_figure(
    title: str, words: str, tracks: Sequence[Track], static: int, groups: Sequence[tuple[str, str]] = (), name: str = ""
) -> Figure:
    """Return a figure with tracks above one another on one time axis; of several groups, the first is shown."""
    axis = extent(tracks)
    shown = groups[0][0] if groups else ""
    rows = [_track(track, axis, static, hidden=track.group not in ("", shown)) for track in tracks]
    marks = [(value, (value - axis[0]) / (axis[1] - axis[0])) for value in ticks(*axis)]
    labels = [el("span", number(value, 6), style=f"left:{100 * place:.2f}%") for value, place in marks]
    x = el("div", el("div", labels, class_="xs"), el("p", "time (s)", class_="unit"), class_="xaxis")
    what = f"{title}. Arrow keys move, plus and minus zoom, 0 shows everything."
    body = el("div", rows, x, class_="time", tabindex="0", role="group", aria_label=what)
    known = {"axis": list(axis), "tracks": [_data(track) for track in tracks]}
    return Figure("time", title, words, body, known, _controls(title, groups), name)


def _controls(title: str, groups: Sequence[tuple[str, str]]) -> Markup:
    choose = None
    if len(groups) > 1:
        options = [el("option", words, value=group) for group, words in groups]
        choose = join([
            el("button", "‹", type="button", data_page="-1", aria_label=f"{title}: show the previous ones"),
            el("select", options, class_="group", aria_label=f"{title}: which ones to show"),
            el("button", "›", type="button", data_page="1", aria_label=f"{title}: show the next ones"),
        ])  # fmt: skip
    zoom = [
        el("button", sign, type="button", data_zoom=factor, aria_label=f"{title}: {words}")
        for sign, factor, words in (("−", "2", "zoom out"), ("+", "0.5", "zoom in"), ("All", "0", "show everything"))
    ]
    return join([choose, el("span", zoom, class_="zoom"), el("output", class_="range", aria_live="polite")])


def _track(track: Track, axis: tuple[float, float], static: int, *, hidden: bool) -> Markup:
    head: list[Markup] = [el("span", track.label)]
    if isinstance(track, Line):
        head += [el("span", track.unit, class_="unit")] if track.unit else []
        head += [el("span", f"grey: {track.under.label}", class_="unit")] if track.under else []
        head += [el("span", "▼ " + track.marked, class_="marked")] if track.marked else []
        area = _line_area(track, axis, static, drawn=not hidden)
    elif isinstance(track, Ticks):
        area = _ticks_area(track, axis, drawn=not hidden)
    else:
        area = _spans_area(track, axis)
    kind = f"track {type(track).__name__.lower()}"
    return el("div", el("p", head, class_="label"), area, class_=kind, hidden=hidden, data_group=track.group or None)


def stretched(label: str, *inside: Any, height: int = HEIGHT) -> Markup:
    """Return a drawing that is stretched to the room that it has; words stand beside it, not in it."""
    return el(
        "svg", *inside, class_="plot", viewBox=f"0 0 {WIDTH} {height}", preserveAspectRatio="none", role="img",
        aria_label=label,
    )  # fmt: skip


def across(times: npt.ArrayLike, axis: tuple[float, float]) -> Floats:
    """Return times as places on a plot."""
    return (np.asarray(times, np.float64) - axis[0]) / (axis[1] - axis[0]) * WIDTH


def _line_area(track: Line, axis: tuple[float, float], static: int, *, drawn: bool) -> Markup:
    bounds = _bounds(track)
    path = _path(track, axis, static, bounds) if drawn else ""
    behind = (
        el("path", class_="bf", d=_path(track.under, axis, static, bounds) if drawn else "") if track.under else None
    )
    marks = "".join(f"M{x:.4g} 0V9" for x in np.unique(np.round(across(track.marks, axis), 1))) if drawn else ""
    known = "no numbers"
    if np.isfinite(track.low).any():
        known = f"from {number(np.nanmin(track.low))} to {number(np.nanmax(track.high))} {track.unit}".rstrip()
    more = f", {len(track.marks)} {track.marked}" if track.marked else ""
    drawing = stretched(
        f"{track.label}: {known}{more}", behind, el("path", class_="ln", d=path), el("path", class_="ev", d=marks)
    )
    ys = [
        el("span", number(value), style=f"top:{100 * (bounds[1] - value) / (bounds[1] - bounds[0]):.1f}%")
        for value in ticks(*bounds, 3)
    ]
    return el("div", el("div", ys, class_="ys"), drawing, class_="area")


def _bounds(track: Line) -> tuple[float, float]:
    """Return the value axis that holds a line and what lies behind it."""
    lines = [track] if track.under is None else [track, track.under]
    low, high = (np.concatenate(parts) for parts in ([one.low for one in lines], [one.high for one in lines]))
    return bounds_of(low, high, marked=bool(len(track.marks)))


def _path(track: Line, axis: tuple[float, float], static: int, bounds: tuple[float, float]) -> str:
    times, low, high = coarser(track, static)
    return line_path(low, high, across(times, axis), bounds)


def ticks_path(rows: Sequence[Floats], axis: tuple[float, float]) -> str:
    """Return the path of ticks, row above row."""
    height = HEIGHT / max(1, len(rows))
    return "".join(
        f"M{x:.4g} {row * height + height * 0.12:.4g}v{height * 0.76:.4g}"
        for row, times in enumerate(rows)
        for x in np.unique(np.round(across(times, axis), 1))
    )


def spans_path(starts: Floats, stops: Floats, axis: tuple[float, float]) -> str:
    """Return the path of stretches of time; the shortest can be seen as well."""
    pairs = zip(across(starts, axis), across(stops, axis), strict=True)
    return "".join(f"M{x:.5g} 15H{max(y, x + 0.5):.5g}V85H{x:.5g}z" for x, y in pairs)


def _ticks_area(track: Ticks, axis: tuple[float, float], *, drawn: bool) -> Markup:
    path = ticks_path(track.rows, axis) if drawn else ""
    rows = min(len(track.rows), 12)
    drawing = stretched(f"{track.label}: {track.total} in {len(track.rows)} rows", el("path", class_="ev", d=path))
    names = [
        el("span", name, style=f"top:{100 * (row + 0.5) / len(track.rows):.1f}%")
        for row, name in enumerate(track.names)
        if 1 < len(track.names) <= 8
    ]
    return el("div", el("div", names, class_="ys"), drawing, class_=f"area rows{max(1, rows)}")


def _spans_area(track: Spans, axis: tuple[float, float]) -> Markup:
    path = spans_path(track.starts, track.stops, axis)
    drawing = stretched(f"{track.label}: {track.total}", el("path", class_="sp", d=path))
    return el("div", el("div", class_="ys"), drawing, class_="area rows1")


def packed(values: npt.NDArray[Any], kind: str) -> str:
    """Return little-endian numbers as base64."""
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()).decode("ascii")


def _data(track: Track) -> dict[str, Any]:
    """Return what the page's program draws and saves."""
    common = {"label": track.label, "group": track.group}
    if isinstance(track, Ticks):
        rows = [np.round(times, 6).tolist() for times in track.rows]
        return common | {"kind": "ticks", "rows": rows, "names": list(track.names), "total": track.total}
    if isinstance(track, Spans):
        pairs = [np.round(times, 6).tolist() for times in (track.starts, track.stops)]
        return common | {"kind": "spans", "starts": pairs[0], "stops": pairs[1], "total": track.total}
    bounds = list(_bounds(track))
    behind = (
        {} if track.under is None else {"under": {"label": track.under.label, "bounds": bounds, **_curve(track.under)}}
    )
    marks = {"marks": np.round(track.marks, 6).tolist(), "marked": track.marked}
    return common | {"kind": "line", "bounds": bounds, **marks, **_curve(track), **behind}


def _curve(track: Line) -> dict[str, Any]:
    """Return the values of a line and their times."""
    known = np.concatenate((track.low, track.high))
    known = known[np.isfinite(known)]
    bottom, top = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    lines = {"low": steps(track.low, bottom, top)}
    if track.each > 1:
        lines["high"] = steps(track.high, bottom, top)
    return _times(track.times) | lines | {"unit": track.unit, "min": bottom, "max": top, "each": track.each}


def steps(values: Floats, bottom: float, top: float) -> str:
    """Return values as 1 to 65535 between the lowest and the highest; 0 where no number is known."""
    width = (top - bottom) or 1.0
    with np.errstate(invalid="ignore"):
        steps = 1 + np.round((values - bottom) / width * (STEPS - 1))
    return packed(np.nan_to_num(np.where(np.isfinite(values), steps, 0)), "u2")


def _times(times: Floats) -> dict[str, Any]:
    """Return times by their first and their step where they are even, else one by one after the first."""
    if len(times) < 2:
        return {"t0": float(times[0]) if len(times) else 0.0, "dt": 0.0, "n": len(times)}
    step = float(times[1] - times[0])
    if step > 0 and np.isfinite(times).all() and np.abs(np.diff(times[:-1]) - step).max(initial=0) < 1e-6 * step:
        return {"t0": float(times[0]), "dt": step, "n": len(times), "last": float(times[-1])}
    first = float(times[np.isfinite(times)][0]) if np.isfinite(times).any() else 0.0
    return {"t0": first, "n": len(times), "t": packed(np.nan_to_num(times - first), "f4")}

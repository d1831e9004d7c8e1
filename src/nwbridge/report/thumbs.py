"""The small picture that stands for a recording in the overview."""

from __future__ import annotations

from collections.abc import Sequence

from nwbridge.report.figures import HEIGHT, WIDTH, across, bounds_of, coarser, line_path, spans_path, ticks_path
from nwbridge.report.markup import el
from nwbridge.report.sheet import Sheet
from nwbridge.report.tracks import Line, Ticks, Track, extent, thinned

POINTS, MARKS = 120, 40  # of a line, and of a row of ticks: more run together into a block


def thumb(sheet: Sheet, found: Sequence[Track]) -> str:
    """Return a picture that the page shows anyway, else the first line, else what happened when; "" without any."""
    if sheet.thumb is not None:
        identity, shown = sheet.thumb
        box = f"0 0 {shown.shape[1]} {shown.shape[0]}"
        return el("svg", el("use", href=f"#{identity}"), viewBox=box, class_="thumb picture", aria_hidden="true")
    known = [track for track in found if track.span is not None]
    if not known:
        return ""
    kind, path = _small(next((track for track in known if isinstance(track, Line)), known[0]))
    curve, box = el("path", class_=kind, d=path), f"0 0 {WIDTH} {HEIGHT}"
    return el("svg", curve, viewBox=box, preserveAspectRatio="none", class_="thumb plot", aria_hidden="true")


def _small(track: Track) -> tuple[str, str]:
    """Return the class and the path of a track in few points."""
    axis = extent([track])
    if isinstance(track, Line):
        times, low, high = coarser(track, POINTS)
        return "ln", line_path(low, high, across(times, axis), bounds_of(low, high))
    if isinstance(track, Ticks):
        return "ev", ticks_path([thinned(row, MARKS)[0] for row in track.rows], axis)
    return "sp", spans_path(track.starts[:MARKS], track.stops[:MARKS], axis)

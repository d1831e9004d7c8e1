"""What lies on a time axis: lines, ticks and spans, as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource
from nwbridge.model import LazyArray
from nwbridge.report.sampling import Envelope, Floats, envelope, middles

TICKS = 4000  # ticks of a row that travel with the page


@dataclass(frozen=True)
class Line:
    """Values over time, lowest and highest of every piece."""

    label: str
    unit: str
    times: Floats  # seconds, of each piece
    low: Floats
    high: Floats
    each: int = 1  # samples in a piece
    marks: Floats = field(default_factory=lambda: np.empty(0))  # seconds: events that belong to the line
    marked: str = ""  # what the marks are
    group: str = ""  # lines of other groups are shown instead
    under: Line | None = None  # what it was made from, drawn behind it in the same scale

    @property
    def span(self) -> tuple[float, float] | None:
        """The first and the last second."""
        return _span(self.times, self.marks)


@dataclass(frozen=True)
class Ticks:
    """Times of things that happened, in one or several rows."""

    label: str
    rows: tuple[Floats, ...]
    names: tuple[str, ...] = ()  # of the rows
    total: int = 0  # with those that are not drawn
    group: str = ""

    @property
    def span(self) -> tuple[float, float] | None:
        """The first and the last second."""
        return _span(*self.rows)


@dataclass(frozen=True)
class Spans:
    """Stretches of time."""

    label: str
    starts: Floats
    stops: Floats
    total: int = 0
    group: str = ""

    @property
    def span(self) -> tuple[float, float] | None:
        """The first and the last second."""
        return _span(self.starts, self.stops)


Track = Line | Ticks | Spans


def _span(*times: Floats) -> tuple[float, float] | None:
    finite = [part[np.isfinite(part)] for part in times]
    known = np.concatenate(finite) if finite else np.empty(0)
    return (float(known.min()), float(known.max())) if known.size else None


def line(label: str, unit: str, values: LazyArray, clock: Any, points: int, channel: int = 0, **more: Any) -> Line:
    """Return the line of values whose `clock` has rate_hz, timestamps and start_s."""
    found = envelope(values, points, channel)
    return on_clock(label, unit, found, values.shape[0], clock, **more)


def on_clock(label: str, unit: str, found: Envelope, samples: int, clock: Any, **more: Any) -> Line:
    """Return the line of an envelope whose samples were taken as a clock says; BadSource where nobody knows when."""
    if clock.timestamps is not None:
        times = middles(clock.timestamps, found.each)
    elif clock.rate_hz is None:
        raise BadSource("neither its rate nor its times are known")
    else:
        starts = np.arange(len(found.low)) * found.each
        ends = np.minimum(starts + found.each, samples) - 1
        times = clock.start_s + (starts + ends) / 2 / clock.rate_hz
    return Line(label, unit, times, found.low, found.high, found.each, **more)


def scaled(one: Line, conversion: float = 1.0, offset: float = 0.0) -> Line:
    """Return the line in its unit, and small voltages in milli- or microvolts."""
    low, high = (part * conversion + offset for part in (one.low, one.high))
    if conversion < 0:
        low, high = high, low
    unit = {"volts": "V", "amperes": "A", "seconds": "s", "meters": "m"}.get(one.unit, one.unit)
    if unit in ("V", "A"):
        finite = np.concatenate((low, high))
        top = float(np.abs(finite[np.isfinite(finite)]).max(initial=0))
        factor, prefix = (1e6, "µ") if 0 < top < 1e-3 else (1e3, "m") if 0 < top < 1 else (1.0, "")
        low, high, unit = low * factor, high * factor, prefix + unit
    return replace(one, low=low, high=high, unit=unit)


def marked(one: Line, times: npt.ArrayLike, words: str) -> Line:
    """Return the line with events."""
    return replace(one, marks=thinned(np.asarray(times, np.float64))[0], marked=words)


def thinned(times: Floats, most: int = TICKS) -> tuple[Floats, int]:
    """Return the times in order, evenly thinned to as many as can be shown, and how many there are."""
    known = np.sort(times[np.isfinite(times)])
    if len(known) <= most:
        return known, len(known)
    return known[np.linspace(0, len(known) - 1, most).round().astype(int)], len(known)


def extent(tracks: Sequence[Track]) -> tuple[float, float]:
    """Return the time axis that holds all tracks."""
    spans = [track.span for track in tracks if track.span is not None]
    if not spans:
        return 0.0, 1.0
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)
    return (low, high) if high > low else (low - 0.5, low + 0.5)

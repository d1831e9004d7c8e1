"""Traces of regions: a few at a time on one time axis, with their events, page by page and kind by kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource
from nwbridge.model import Events, LazyArray, Segmentation, Series, Traces, Units
from nwbridge.report.figures import Figure, time_figure
from nwbridge.report.markup import count, number
from nwbridge.report.sampling import Envelope, Floats, extremes, pieces
from nwbridge.report.sheet import Sheet, column_values, tracks
from nwbridge.report.tracks import Line, Track, marked, on_clock

FEW = 3  # regions whose traces stand on the recording's own time axis, beside its voltages
PAGE = 6  # traces above one another
LONGEST = 256 << 20  # bytes of one trace
NAMES = {
    "dff": "ΔF/F",
    "fluorescence": "fluorescence",
    "denoised": "denoised fluorescence",
    "deconvolved": "deconvolved activity",
    "detrended": "detrended fluorescence",
    "background": "background",
    "other": "other values",
}
ORDER = list(NAMES)


def chosen_regions(segmentation: Segmentation, most: int) -> npt.NDArray[np.int64]:
    """Return the regions whose traces are shown: accepted ones before all, evenly spread."""
    rows: npt.NDArray[np.int64] = np.arange(len(segmentation))
    if segmentation.status is not None:
        accepted = np.array([status == "accepted" for status in segmentation.status])
        rows = rows[accepted] if accepted.any() else rows
    return np.asarray(rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))])


def beside_voltage(segmentation: Segmentation, sheet: Sheet) -> bool:
    """Whether the traces stand on the recording's own time axis."""
    return len(segmentation) <= FEW and bool(sheet.of(Series))


@tracks.register
def _(segmentation: Segmentation, sheet: Sheet) -> Iterator[Track]:
    if beside_voltage(segmentation, sheet):
        for traces in segmentation.traces:
            yield from _lines(segmentation, traces, np.arange(len(segmentation)), sheet)


def trace_figure(segmentation: Segmentation, sheet: Sheet) -> Iterator[Figure]:
    """Yield the figure of a segmentation's traces, unless they stand beside a voltage."""
    if not segmentation.traces or beside_voltage(segmentation, sheet):
        return
    rows = chosen_regions(segmentation, sheet.detail.regions)
    several = sorted(segmentation.traces, key=lambda one: ORDER.index(one.kind))[: sheet.detail.kinds]
    lines: list[Line] = []
    groups: list[tuple[str, str]] = []
    for number_of_kind, traces in enumerate(several):
        for page, start in enumerate(range(0, len(rows), PAGE)):
            part, group = rows[start : start + PAGE], f"{number_of_kind}-{page}"
            words = f"{_name(traces, several)}, regions {_id(segmentation, part[0])} to {_id(segmentation, part[-1])}"
            groups.append((group, words))
            lines += _lines(segmentation, traces, part, sheet, group)
    words = _which(segmentation, len(rows))
    if len(several) < len(segmentation.traces):
        words += f" {len(several)} of {len(segmentation.traces)} kinds of traces."
    words += said(lines)
    yield time_figure("Traces", words, lines, sheet.detail.static // 2, groups, segmentation.name)


def said(lines: list[Line]) -> str:
    """Say how many samples a drawn piece holds at most."""
    each = max((line.each for line in lines), default=1)
    return "" if each == 1 else f" Drawn as the lowest and highest of every {number(each, 7)} samples."


def _which(segmentation: Segmentation, shown: int) -> str:
    """Say whose traces are shown."""
    accepted = (segmentation.status or ()).count("accepted")
    total = count(accepted or len(segmentation), "accepted region" if accepted else "region")
    if shown == (accepted or len(segmentation)):
        return f"{'The only' if shown == 1 else 'All'} {total.removeprefix('1 ')}."
    return f"{number(shown, 7)} of {total}, evenly chosen."


def _name(traces: Traces, several: list[Traces]) -> str:
    alike = [one for one in several if one.kind == traces.kind]
    return NAMES[traces.kind] if len(alike) == 1 else f"{NAMES[traces.kind]} ({traces.name})"


def _id(segmentation: Segmentation, row: int) -> int:
    regions = segmentation.regions
    known = None if isinstance(regions, LazyArray) else regions[row].id
    return int(row) if known is None else known


def _lines(
    segmentation: Segmentation, traces: Traces, rows: npt.NDArray[np.int64], sheet: Sheet, group: str = ""
) -> list[Line]:
    samples = traces.data.shape[1]
    if samples * traces.data.dtype.itemsize > LONGEST:
        raise BadSource(f"the traces {traces.name} are too long to be drawn")
    points = sheet.detail.points if not group else max(200, sheet.detail.points // 2)
    each, events, found = pieces(samples, points), _events(segmentation, sheet), []
    kind = NAMES[traces.kind]
    with traces.data.open() as reader:
        for row in rows.tolist():
            values = np.asarray(reader[row : row + 1])[0]
            label = f"Region {_id(segmentation, row)}: {kind}" if len(segmentation) > 1 or group else f"{kind}"
            unit = traces.unit or ("" if traces.kind == "dff" else "no unit stated")
            one = on_clock(label, unit, Envelope(*extremes(values, each), each), samples, traces, group=group)
            own = events.get(row)
            found.append(one if own is None else marked(one, own, count(len(own), "event")))
    return found


def _events(segmentation: Segmentation, sheet: Sheet) -> dict[int, Floats]:
    """Return the times of what happened in each region, where a table of events or units says so."""
    found: dict[int, Floats] = {}
    for table in sheet.of(Events):
        column = next((c for c in table.columns if c.rows_of == segmentation.name and c.ends is None), None)
        if column is not None:
            times, rows = column_values(table["timestamp"]), column_values(column)
            for row in np.unique(rows).tolist():
                found[int(row)] = np.asarray(times[rows == row], np.float64)
    for units in sheet.of(Units):
        column = next((c for c in units.columns if c.rows_of == segmentation.name and c.ends is None), None)
        ends = units["spike_times"].ends
        if column is not None and ends is not None:
            spikes = column_values(units["spike_times"])
            for unit, row in enumerate(column_values(column).tolist()):
                found[int(row)] = np.asarray(spikes[ends[unit - 1] if unit else 0 : ends[unit]], np.float64)
    return found

"""Traces of regions: a few at a time on one time axis, with their events, page by page and kind by kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

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
COMPUTED = ("denoised", "deconvolved")  # kinds that are drawn with what they were computed from


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


@dataclass(frozen=True)
class Chain:
    """Traces that are drawn together: what was recorded, what was computed from it in its unit, and what below it."""

    source: Traces
    over: Traces | None = None
    below: tuple[Traces, ...] = ()

    @property
    def words(self) -> str:
        """What is drawn."""
        made = [NAMES[one.kind] for one in (self.over, *self.below) if one is not None]
        return NAMES[self.source.kind] + (f" with {' and '.join(dict.fromkeys(made))}" if made else "")


def chains(segmentation: Segmentation) -> list[Chain]:
    """Return the traces with those that were computed from them; processed ones come first."""
    known = {traces.name: traces for traces in segmentation.traces}
    made: dict[str, list[Traces]] = {name: [] for name in known}
    for traces in segmentation.traces:
        root = _root(traces, known)
        if root is not traces:
            made[root.name].append(traces)
    derived = {traces.name for several in made.values() for traces in several}
    found = []
    for traces in segmentation.traces:
        if traces.name not in derived:
            below = made[traces.name]
            over = next((one for one in below if one.kind == "denoised" and one.unit == traces.unit), None)
            found.append(Chain(traces, over, tuple(one for one in below if one is not over)))
    return sorted(found, key=lambda one: (one.over is None and not one.below, ORDER.index(one.source.kind)))


def _root(traces: Traces, known: Mapping[str, Traces]) -> Traces:
    """Return what traces were computed from, as long as the regions have it; themselves where that leads nowhere."""
    found = traces
    for _ in known:
        origin = known.get(found.made_from or "")
        if found.kind not in COMPUTED or origin is None:
            return found
        found = origin
    return traces  # a circle


@tracks.register
def _(segmentation: Segmentation, sheet: Sheet) -> Iterator[Track]:
    if beside_voltage(segmentation, sheet):
        for chain in chains(segmentation):
            yield from _lines(segmentation, chain, np.arange(len(segmentation)), sheet)


def drawn_regions(segmentation: Segmentation, sheet: Sheet) -> npt.NDArray[np.int64]:
    """Return the regions whose traces are drawn: fewer where each of them takes several lines."""
    most = max((len(chain.below) for chain in chains(segmentation)), default=0)
    return chosen_regions(segmentation, max(1, sheet.detail.regions // (1 + most)))


def trace_figure(segmentation: Segmentation, sheet: Sheet) -> Iterator[Figure]:
    """Yield the figure of a segmentation's traces, unless they stand beside a voltage."""
    if not segmentation.traces or beside_voltage(segmentation, sheet):
        return
    rows = drawn_regions(segmentation, sheet)
    every = chains(segmentation)
    several = every[: sheet.detail.kinds]
    lines: list[Line] = []
    groups: list[tuple[str, str]] = []
    for number_of_kind, chain in enumerate(several):
        length = max(1, PAGE // (1 + len(chain.below)))
        for page, start in enumerate(range(0, len(rows), length)):
            part, group = rows[start : start + length], f"{number_of_kind}-{page}"
            first, last = (id_of(segmentation, part[place]) for place in (0, -1))
            groups.append((group, f"{_name(chain, several)}, regions {first} to {last}"))
            lines += _lines(segmentation, chain, part, sheet, group)
    words = _which(segmentation, len(rows))
    if len(several) < len(every):
        words += f" {len(several)} of {len(every)} kinds of traces."
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


def _name(chain: Chain, several: list[Chain]) -> str:
    alike = [one for one in several if one.words == chain.words]
    return chain.words if len(alike) == 1 else f"{chain.words} ({chain.source.name})"


def _kind(traces: Traces, segmentation: Segmentation) -> str:
    """Return what traces are, and which where the regions have several of a kind."""
    alike = sum(one.kind == traces.kind for one in segmentation.traces)
    return NAMES[traces.kind] if alike == 1 else f"{NAMES[traces.kind]} ({traces.name})"


def id_of(segmentation: Segmentation, row: int) -> int:
    """Return the number by which the file calls a region."""
    regions = segmentation.regions
    known = None if isinstance(regions, LazyArray) else regions[row].id
    return int(row) if known is None else known


def _lines(
    segmentation: Segmentation, chain: Chain, rows: npt.NDArray[np.int64], sheet: Sheet, group: str = ""
) -> list[Line]:
    """Return the lines of regions, each followed by what was computed from it."""
    points = sheet.detail.points if not group else max(200, sheet.detail.points // 2)
    events = _events(segmentation, sheet)
    kinds = [
        _of_kind(segmentation, traces, rows, points, group) for traces in (chain.over or chain.source, *chain.below)
    ]
    if chain.over is not None:
        behind = _of_kind(segmentation, chain.source, rows, points, "")
        kinds[0] = [
            replace(one, under=replace(two, label=_kind(chain.source, segmentation)))
            for one, two in zip(kinds[0], behind, strict=True)
        ]
    found: list[Line] = []
    for row, several in zip(rows.tolist(), zip(*kinds, strict=True), strict=True):
        own = events.get(row)
        found += several if own is None else [marked(one, own[0], count(len(own[0]), own[1])) for one in several]
    return found


def _of_kind(
    segmentation: Segmentation, traces: Traces, rows: npt.NDArray[np.int64], points: int, group: str
) -> list[Line]:
    origin = next((one for one in segmentation.traces if one.name == traces.made_from), traces)
    plain = "dff" in (traces.kind, origin.kind)  # a fraction needs no unit
    samples = traces.data.shape[1]
    if samples * traces.data.dtype.itemsize > LONGEST:
        raise BadSource(f"the traces {traces.name} are too long to be drawn")
    each, kind, found = pieces(samples, points), _kind(traces, segmentation), []
    with traces.data.open() as reader:
        for row in rows.tolist():
            values = np.asarray(reader[row : row + 1])[0]
            label = f"Region {id_of(segmentation, row)}: {kind}" if len(segmentation) > 1 or group else f"{kind}"
            unit = traces.unit or ("" if plain else "no unit stated")
            found.append(on_clock(label, unit, Envelope(*extremes(values, each), each), samples, traces, group=group))
    return found


def _events(segmentation: Segmentation, sheet: Sheet) -> dict[int, tuple[Floats, str]]:
    """Return what happened in each region, and what it is called, where a table of events or units says so."""
    found: dict[int, tuple[Floats, str]] = {}
    for table in sheet.of(Events):
        column = next((c for c in table.columns if c.rows_of == segmentation.name and c.ends is None), None)
        if column is not None:
            times, rows = column_values(table["timestamp"]), column_values(column)
            for row in np.unique(rows).tolist():
                found[int(row)] = np.asarray(times[rows == row], np.float64), "event"
    for units in sheet.of(Units):
        column = next((c for c in units.columns if c.rows_of == segmentation.name and c.ends is None), None)
        ends, alone = units["spike_times"].ends, len(units) == len(segmentation) == 1
        if ends is not None and (column is not None or alone):
            spikes = column_values(units["spike_times"])
            for unit, row in enumerate([0] if column is None else column_values(column).tolist()):
                stretch = spikes[ends[unit - 1] if unit else 0 : ends[unit]]
                found[int(row)] = np.asarray(stretch, np.float64), "spike"
    return found

"""Tracks and figures of tables: events, spikes and intervals on the time axis, first rows of any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nwbridge.model import Column, Events, Intervals, LazyArray, Parameters, Table, Units
from nwbridge.report.figures import Figure
from nwbridge.report.markup import count, el, number, sentence
from nwbridge.report.sampling import Floats
from nwbridge.report.sheet import Sheet, column_values, panels, tracks
from nwbridge.report.tracks import Spans, Ticks, Track, thinned

ROWS, COLUMNS, VALUES = 5, 8, 12  # of a table that are shown, and values of parameters
UNITS, KINDS = 24, 24  # rows of ticks
MARKS = 200  # of a row, at least
WORDS = 60  # characters of a cell


@tracks.register
def _(units: Units, sheet: Sheet) -> Iterator[Track]:
    column = units["spike_times"]
    if column.ends is None or not len(units):
        return
    values = np.asarray(column_values(column), np.float64)
    chosen = np.unique(np.linspace(0, len(units) - 1, min(UNITS, len(units))).round().astype(int))
    rows = [values[column.ends[n - 1] if n else 0 : column.ends[n]] for n in chosen.tolist()]
    label = f"{count(len(units), 'unit')}: {count(len(values), 'spike')}"
    label += f", {len(chosen)} units shown" if len(chosen) < len(units) else ""
    most = max(200, sheet.detail.points * 2 // len(rows))
    yield Ticks(label, tuple(thinned(row, most)[0] for row in rows), tuple(str(n) for n in chosen), len(values))


@tracks.register
def _(events: Events, sheet: Sheet) -> Iterator[Track]:
    times = np.asarray(column_values(events["timestamp"]), np.float64)
    rows: dict[str, Floats] = next(filter(None, (_by_kind(column, times) for column in events.columns)), {"": times})
    most = max(MARKS, sheet.detail.points // (2 * len(rows)))
    shown = tuple(thinned(row, most)[0] for row in rows.values())
    more = ", evenly thinned" if sum(map(len, shown)) < len(times) else ""
    names = tuple(rows) if len(rows) > 1 else ()
    yield Ticks(f"{events.name}: {count(len(times), 'event')}{more}", shown, names, len(times))


def _by_kind(column: Column, times: Floats) -> dict[str, Floats]:
    """Return the times of each kind of event, or {} where a column does not tell some few kinds apart."""
    if column.ends is not None or column.values.dtype.kind not in "Uiu":
        return {}
    values = column_values(column)
    found = np.unique(values)
    if len(values) != len(times) or not 1 < len(found) <= KINDS:
        return {}
    return {str(one)[:12]: times[values == one] for one in found}


@tracks.register
def _(intervals: Intervals, sheet: Sheet) -> Iterator[Track]:
    starts, stops = (np.asarray(column_values(intervals[name]), np.float64) for name in Intervals.required)
    known = np.isfinite(starts) & np.isfinite(stops)
    starts, stops = starts[known], stops[known]
    keep = np.arange(len(starts))
    if len(keep) > sheet.detail.points:
        keep = np.linspace(0, len(starts) - 1, sheet.detail.points).round().astype(int)
    yield Spans(f"{intervals.name}: {count(len(starts), 'interval')}", starts[keep], stops[keep], len(starts))


@panels.register
def _(table: Table, sheet: Sheet) -> Iterator[Figure]:
    yield first_rows(table)


def first_rows(table: Table) -> Figure:
    """Return the first rows of a table."""
    columns, length = table.columns[:COLUMNS], min(ROWS, len(table))
    head = [
        el("th", column.name, el("span", f" {column.unit}", class_="unit") if column.unit else None, scope="col")
        for column in columns
    ]
    cells = [_cells(column, length) for column in columns]
    rows = [el("tr", [el("td", cell) for cell in row]) for row in zip(*cells, strict=True)]
    words = sentence(table.description)
    words += f" {count(len(table), 'row')}, {count(len(table.columns), 'column')}"
    words += f"; the first {length} rows" if length < len(table) else ""
    words += f"; the first {len(columns)} columns." if len(columns) < len(table.columns) else "."
    body = el("table", el("caption", f"First rows of {table.name}"), el("thead", el("tr", head)), el("tbody", rows))
    scroll = el("div", body, class_="scroll", tabindex="0", role="region", aria_label=f"First rows of {table.name}")
    return Figure("table", "Table", words.strip(), scroll, name=table.name)


def _cells(column: Column, length: int) -> list[str]:
    if column.ends is not None:
        starts = [0, *column.ends[: length - 1].tolist()] if length else []
        return [count(int(end - start), "value") for start, end in zip(starts, column.ends[:length], strict=True)]
    if isinstance(column.values, LazyArray):
        with column.values.open() as reader:
            values = np.asarray(reader[0:length])
    else:
        values = column.values[:length]
    return [cell(value) for value in values]


def cell(value: Any) -> str:
    """Return a value in few words."""
    if isinstance(value, float | np.floating):
        return number(float(value), 6)
    if isinstance(value, np.ndarray) and value.ndim:
        return cell(", ".join(cell(one) for one in value.ravel()[:6]) + (", …" if value.size > 6 else ""))
    words = str(value)
    return words if len(words) <= WORDS else words[: WORDS - 1] + "…"


@panels.register
def _(parameters: Parameters, sheet: Sheet) -> Iterator[Figure]:
    shown = [*parameters.values.items()][:VALUES]
    rows = [el("tr", el("th", key, scope="row"), el("td", cell(value))) for key, value in shown]
    made = " ".join(filter(None, (parameters.software, parameters.version)))
    words = " ".join(filter(None, (sentence(parameters.description), f"By {made}." if made else "")))
    total = count(len(parameters.values), "value")
    words += f" {total}; the first {len(shown)}." if len(shown) < len(parameters.values) else f" {total}."
    head = el("thead", el("tr", el("th", "name", scope="col"), el("th", "value", scope="col")))
    body = el("table", el("caption", f"Values of {parameters.name}"), head, el("tbody", rows))
    scroll = el("div", body, class_="scroll", tabindex="0", role="region", aria_label=f"Values of {parameters.name}")
    yield Figure("table", "Settings", words.strip(), scroll, name=parameters.name)

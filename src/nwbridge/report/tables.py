"""Tracks and figures of tables: events, spikes and intervals on the time axis, first rows of any other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nwbridge.model import Column, Events, Intervals, LazyArray, Parameters, Table, Units
from nwbridge.report.charts import plot_figure
from nwbridge.report.figures import HEIGHT, WIDTH, Figure, bounds_of, line_path
from nwbridge.report.markup import Markup, count, el, number, sentence
from nwbridge.report.sampling import Floats
from nwbridge.report.sheet import Sheet, column_values, panels, tracks
from nwbridge.report.tracks import Spans, Ticks, Track, thinned

ROWS, COLUMNS, VALUES = 5, 8, 12  # of a table that are shown, and values of parameters
MADE = 40  # values of parameters that a step made
CURVE = (8, 20_000)  # rows of a table that is drawn as a curve
UNITS, KINDS = 24, 24  # rows of ticks
MARKS = 200  # of a row, at least
_LEVEL = re.compile(r"held against (\d+)/([1-9]\d*)")
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
    made = any(table.name in step.made for step in sheet.session.steps)
    if made and (found := _curve(table)) is not None:
        yield found
    alone = made and len(table) == 1 and all(column.ends is None for column in table.columns)
    yield _measures(table) if alone else replace(first_rows(table), folded=not made)


def _measures(table: Table) -> Figure:
    """Return the one row of a table, each value with what it means."""
    rows = []
    for column in table.columns:
        unit = el("span", f" {column.unit}", class_="unit") if column.unit not in (None, "", "1") else None
        (value,) = _cells(column, 1)
        meaning = el("td", sentence(column.description), class_="small")
        rows.append(el("tr", el("th", column.name, scope="row"), el("td", value, unit), meaning))
    head = ("name", "value", "what it is")
    return _listing("Measures", table.name, sentence(table.description), head, rows)


def _listing(title: str, name: str, words: str, head: Sequence[str], rows: Sequence[Markup]) -> Figure:
    top = el("thead", el("tr", [el("th", one, scope="col") for one in head]))
    body = el("table", el("caption", f"Values of {name}"), top, el("tbody", rows))
    scroll = el("div", body, class_="scroll", tabindex="0", role="region", aria_label=f"Values of {name}")
    return Figure("table", title, words, scroll, name=name, half=True, folded=False)


def _curve(table: Table) -> Figure | None:
    """Return the plot of a table whose first column grows: its last column of fractions before those in its unit."""
    first, *rest = table.columns
    others = [column for column in rest if _is_plain(column, "f")]
    others = [column for column in others if column.unit == others[-1].unit]
    if not others or not _is_plain(first, "f") or not CURVE[0] <= len(table) <= CURVE[1]:
        return None
    x, *ys = (np.asarray(column_values(column), np.float64) for column in (first, *others))
    if not np.isfinite(x).all() or not (np.diff(x) > 0).all() or not any(np.isfinite(y).any() for y in ys):
        return None
    bounds = bounds_of(np.concatenate(ys), np.concatenate(ys))
    place = (x - x[0]) / (x[-1] - x[0]) * WIDTH
    paths = [line_path(y, y, place, bounds) for y in ys]
    level = _LEVEL.search(others[-1].description or "")
    held = int(level[1]) / int(level[2]) if level is not None else None
    if held is not None and bounds[0] <= held <= bounds[1]:
        paths.insert(0, f"M0 {HEIGHT * (bounds[1] - held) / (bounds[1] - bounds[0]):.4g}H{WIDTH}")
    words = f"{sentence(table.description)} Drawn: {others[-1].name}"
    words += f"; grey: {', '.join(column.name for column in others[:-1])}." if len(ys) > 1 else "."
    if level is not None and held is not None:
        words += f" Level line: {level[1]}/{level[2]}{_crossing(first, x, ys[-1], held)}."
    axes = ((_with_unit(first), (float(x[0]), float(x[-1]))), (_with_unit(others[-1]), bounds))
    numbers = dict(zip((column.name for column in (first, *others)), (x, *ys), strict=True))
    found = plot_figure("Curve", words.strip(), paths[-1], *axes, numbers, behind="".join(paths[:-1]))
    return replace(found, name=table.name)


def _crossing(column: Column, x: Floats, y: Floats, level: float) -> str:
    """Say where a curve first falls below a level, between its points; of a frequency in 1/nm, to how many nm."""
    below = np.flatnonzero(y < level)
    if not len(below) or not below[0]:
        return ", which the curve does not cross from above"
    place = below[0]
    at = float(x[place - 1] + (x[place] - x[place - 1]) * (y[place - 1] - level) / (y[place - 1] - y[place]))
    _, inverse, unit = (column.unit or "").partition("1/")
    length = f", a resolution of {number(1 / at, 4)} {unit}" if inverse and at > 0 else ""
    return f", which the curve falls below at {number(at)} {column.unit or ''}".rstrip() + length


def _is_plain(column: Column, kinds: str) -> bool:
    return column.ends is None and column.values.dtype.kind in kinds and len(column.values.shape) == 1


def _with_unit(column: Column) -> str:
    return f"{column.name} ({column.unit})" if column.unit else column.name


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


def cell(value: Any, most: int = WORDS) -> str:
    """Return a value in few words."""
    if isinstance(value, float | np.floating):
        return number(float(value), 6)
    if isinstance(value, np.ndarray) and value.ndim:
        return cell(", ".join(cell(one) for one in value.ravel()[:6]) + (", …" if value.size > 6 else ""))
    if isinstance(value, Mapping | list | tuple):
        pairs = value.items() if isinstance(value, Mapping) else (("", one) for one in value)
        return _short(", ".join(f"{key} {cell(one)}".strip() for key, one in pairs), max(most, 3 * WORDS))
    return _short("yes" if value is True else "no" if value is False else "–" if value is None else str(value), most)


def _short(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"


@panels.register
def _(parameters: Parameters, sheet: Sheet) -> Iterator[Figure]:
    made = any(parameters.name in step.made for step in sheet.session.steps)
    shown = [*parameters.values.items()][: MADE if made else VALUES]
    rows = [el("tr", el("th", key, scope="row"), el("td", cell(value, 3 * WORDS))) for key, value in shown]
    by = " ".join(filter(None, (parameters.software, parameters.version)))
    words = " ".join(filter(None, (sentence(parameters.description), f"By {by}." if by else "")))
    total = count(len(parameters.values), "value")
    words += f" {total}; the first {len(shown)}." if len(shown) < len(parameters.values) else f" {total}."
    found = _listing("Settings", parameters.name, words.strip(), ("name", "value"), rows)
    yield found if made else replace(found, half=False, folded=True)

"""The score `spikes`: inferred beside recorded spikes, and the rectified derivative beside both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge import BadOption, BadSource, Finding, Scores, Segmentation, Session, Traces, Units
from nwbridge_events.derivative import rectified_derivative
from nwbridge_events.frames import Counts, frames_of, places, spread
from nwbridge_events.measures import ENOUGH, FALSE, correlations, detected, noise_level
from nwbridge_events.options import SpikesOptions
from nwbridge_events.traces import chosen, rate_of, timestamps_of

SCALES_MS = (40, 200, 1000)  # standard deviations of the Gaussians
ENOUGH_SDS = 10  # standard deviations that a recording has to last
SIZES = (1, 2, 3)  # spikes of an event; the last: or more
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One recorded cell and its region."""

    name: str
    spikes: Floats  # seconds
    observed: Floats | None  # (interval, 2), seconds; None: always
    row: int  # of the traces


def score(truth: Path, result: Path, options: SpikesOptions) -> Scores:
    """Compare the inferred spikes in one file with the recorded ones in another, or in the same."""
    _check(options)
    recorded, inferred = nwbridge.describe(truth), nwbridge.describe(result)
    segmentation, estimate = _inferred(inferred, result, options.traces)
    signal = _signal(segmentation, estimate, options.signal)
    cells = _cells(_units(recorded, truth), segmentation, options.cells)
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for cell in cells:
        rows += _rows(cell, estimate, signal, options, findings)
    if not rows:
        reasons = "; ".join(finding.message for finding in findings)
        raise BadSource(f"nothing to compare in {truth.name} and {result.name}: {reasons}")
    if len(cells) > 1:
        rows += [_median(rows, kind) for kind in dict.fromkeys(row["estimate"] for row in rows)]
    return Scores(tuple(rows), _conventions(options, estimate, signal), tuple(findings))


def _check(options: SpikesOptions) -> None:
    for name in ("lag", "window", "isolation", "burst", "smoothing"):
        value = getattr(options, name)
        if not 0 <= value < np.inf or (name == "window" and value == 0):
            raise BadOption(f"--{name} {value}: expected {'more than 0 s' if name == 'window' else '0 s or more'}")


def _units(session: Session, path: Path) -> Units:
    for units in session.of(Units):
        if len(units):
            return units  # type: ignore[no-any-return]
    raise BadSource(f"{path.name} holds no recorded spikes (Units); expected them in the file that is given as truth")


def _inferred(session: Session, path: Path, name: str | None) -> tuple[Segmentation, Traces]:
    """Return the inferred traces and their regions; the last deconvolved ones, unless named."""
    for segmentation in reversed(session.of(Segmentation)):
        for traces in reversed(segmentation.traces):
            if traces.name == name or (name is None and traces.kind == "deconvolved"):
                return segmentation, traces
    have = ", ".join(f"{t.name} ({t.kind})" for s in session.of(Segmentation) for t in s.traces) or "none"
    if name is not None:
        raise BadOption(f"--traces {name}: {path.name} has no traces of that name; it has {have}")
    raise BadSource(f"{path.name} holds no deconvolved traces; it has {have}: make some with nwbridge process events")


def _signal(segmentation: Segmentation, estimate: Traces, name: str | None) -> Traces | None:
    """Return what the estimate was made from; None where nothing fits."""
    if name is None and estimate.made_from in {traces.name for traces in segmentation.traces}:
        name = estimate.made_from
    try:
        found = chosen(segmentation, name)
    except BadSource:
        return None
    except BadOption as error:
        raise BadOption(str(error).replace("--traces", "--signal")) from None
    return found if found.data.shape == estimate.data.shape else None


def _cells(units: Units, segmentation: Segmentation, given: str | None) -> list[Cell]:
    """Return the cells that have a region."""
    regions = segmentation.regions
    ids = [str(r.id) for r in regions] if isinstance(regions, tuple) else [str(row) for row in range(len(segmentation))]
    rows = _rows_of(units, segmentation.name, ids, given)
    times, observed = _ragged(units, "spike_times"), _ragged(units, "obs_intervals")
    return [
        Cell(ids[row], times[unit], observed[unit].reshape(-1, 2) if observed else None, row)
        for unit, row in enumerate(rows)
        if row is not None
    ]


def _rows_of(units: Units, name: str, ids: Sequence[str], given: str | None) -> list[int | None]:
    """Return the region of each unit: as given, as the table says, or in order."""
    count = len(units)
    if given is not None:
        wanted = [one.strip() for one in given.split(",")]
        if len(wanted) != count:
            raise BadOption(f"--cells names {len(wanted)} regions for {count} units; expected one for each, or -")
        if unknown := [one for one in wanted if one != "-" and one not in ids]:
            raise BadOption(f"--cells {unknown[0]}: {name} has no region of that id; it has {', '.join(ids[:20])}")
        return [None if one == "-" else ids.index(one) for one in wanted]
    for column in units.columns:
        if column.rows_of == name and column.ends is None:
            return [int(row) for row in np.asarray(column.values)]
    if count == len(ids):
        return list(range(count))
    raise BadSource(
        f"{count} recorded units and {len(ids)} regions of {name}: which is which? expected as many, or "
        "--cells with the id of the region of each unit, such as 4,7,-"
    )


def _ragged(units: Units, name: str) -> list[Floats]:
    """Return the values of each row of a column; nothing where there is none."""
    if name not in units:
        return []
    column = units[name]
    values = column.values
    if isinstance(values, nwbridge.LazyArray):
        with values.open() as reader:
            values = reader[0 : values.shape[0]]
    ends = column.ends if column.ends is not None else np.arange(1, len(column) + 1)
    return [np.asarray(values[low:high], np.float64) for low, high in zip([0, *ends[:-1]], ends, strict=True)]


def _row_of(traces: Traces, row: int) -> Floats:
    with traces.data.open() as reader:
        return np.asarray(reader[row : row + 1][0], np.float64)


def _clock(traces: Traces) -> Floats:
    """Return the times of all samples."""
    if (clock := timestamps_of(traces)) is not None:
        if not (np.diff(clock) >= 0).all():
            raise BadSource(f"the timestamps of traces {traces.name} do not grow throughout; expected times in order")
        return clock
    return traces.start_s + np.arange(traces.data.shape[1]) / rate_of(traces)


def _rows(
    cell: Cell, estimate: Traces, signal: Traces | None, options: SpikesOptions, findings: list[Finding]
) -> list[dict[str, Any]]:
    """Return a row for the estimate and one for the derivative; none, and a finding, where nothing can be compared."""
    clock, rate = _clock(estimate), rate_of(estimate)
    at = _places(clock, rate, options)
    values = {estimate.name: _row_of(estimate, cell.row)}
    level = float("nan")
    if signal is not None:
        trace = _row_of(signal, cell.row)
        values["derivative"] = rectified_derivative(spread(trace, at), options.smoothing * rate)[at]
        level = noise_level(trace, rate) if signal.kind == "dff" else level
    inside: npt.NDArray[np.bool_] = np.ones(len(clock), np.bool_)
    if cell.observed is not None and len(cell.observed):
        begin, end = cell.observed.T
        inside = np.any((clock[:, None] >= begin) & (clock[:, None] <= end), axis=1)
    frames = frames_of(cell.spikes, clock)
    counts = np.bincount(frames[frames >= 0], minlength=len(clock)).astype(np.float64)
    if reason := _nothing(counts, inside, cell, clock):
        findings.append(Finding("warning", f"cell {cell.name} is left out: {reason}", check="spikes"))
        return []
    if lost := np.count_nonzero(frames < 0):
        text = f"cell {cell.name}: {lost} of {len(frames)} spikes are in no frame of {estimate.name}, and are left out"
        findings.append(Finding("hint", text, check="spikes"))
    head = {"cell": cell.name, "spikes": len(frames) - lost, "ν %/√Hz": _rounded(level)}
    rows = []
    for name, found in values.items():
        kept = np.where(inside, found, np.nan)
        if not np.isfinite(kept).any():
            findings.append(Finding("warning", f"cell {cell.name}: {name} is NaN throughout", check="spikes"))
        rows.append({**head, "estimate": name, **_compared(counts, cell.spikes, clock, kept, rate, options)})
    return rows


def _places(clock: Floats, rate: float, options: SpikesOptions) -> Counts:
    """Return the place of each frame where none is missing, so that nothing reaches across gaps as if they were not."""
    farthest = max(4 * SCALES_MS[-1] / 1000, 4 * options.smoothing, options.lag)
    return places(clock, int(np.ceil(farthest * rate)) + 1)


def _nothing(counts: Floats, inside: npt.NDArray[np.bool_], cell: Cell, clock: Floats) -> str | None:
    if not len(cell.spikes):
        return "it has no spikes"
    if not inside.any():
        return f"its traces ({clock[0]:g} to {clock[-1]:g} s) and what was observed do not overlap"
    if not counts[inside].any():
        return f"none of its {len(cell.spikes)} spikes falls into the traces ({clock[0]:g} to {clock[-1]:g} s)"
    return None


def _compared(
    counts: Floats, spikes: Floats, clock: Floats, found: Floats, rate: float, options: SpikesOptions
) -> Mapping[str, Any]:
    """Return the columns of one estimate."""
    row: dict[str, Any] = {}
    at = _places(clock, rate, options)
    one, other = spread(counts, at), spread(found, at)
    for scale in SCALES_MS:
        now = best = lag = float("nan")
        if np.isfinite(found).sum() >= ENOUGH_SDS * scale / 1000 * rate:
            now, best, lag = correlations(one, other, scale / 1000 * rate, round(options.lag * rate))
        word = f"{scale} ms" if scale < 1000 else f"{scale / 1000:g} s"
        row |= {f"r {word}": _rounded(now), f"best {word}": _rounded(best), f"lag {word}": _rounded(lag / rate)}
    found_events, windows = detected(spikes, clock, found, options.window, options.burst, options.isolation, SIZES)
    for size, events in found_events.items():
        word = f"{size}{'+' if size == SIZES[-1] else ''}"
        row |= {f"n {word}": events.events, f"found {word}": _rounded(events.share)}
    return row | {"quiet": windows}


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _median(rows: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the medians over the cells of one estimate, of what is defined."""
    of_kind = [row for row in rows if row["estimate"] == kind]
    made: dict[str, Any] = {}
    for key in of_kind[0]:
        known = [row[key] for row in of_kind if isinstance(row[key], int | float)]
        made[key] = _rounded(float(np.median(known))) if known else None
    return made | {"cell": "median", "estimate": kind}


def _conventions(options: SpikesOptions, estimate: Traces, signal: Traces | None) -> dict[str, Any]:
    rate = rate_of(estimate)
    return {
        "bin": f"the frame, {1000 / rate:.1f} ms: spikes count in the nearest, in gaps up to half of that away",
        "smoothing": "both with a Gaussian of the standard deviation that heads the column, cut at four of them",
        "correlation": f"Pearson's r over observed frames without NaN, at least {ENOUGH_SDS} standard deviations",
        "lag": f"of the estimate behind the spikes, in s; the best within ±{options.lag:g} s",
        "n 1, 2, 3+": f"isolated events: spikes within {options.burst:g} s, none {options.isolation:g} s around",
        "window": f"{options.window:g} s from an event's first frame on; none counts that has a gap or NaN",
        "found": "share of these events whose sum of the estimate over the window exceeds the threshold",
        "threshold": f"exceeded by {FALSE:.0%} of the windows without a spike ('quiet'; at least {ENOUGH})",
        "ν": "median step of ΔF/F between frames / √rate",
        "derivative": f"of {signal.name}, rectified, after a Gaussian of {options.smoothing:g} s"
        if signal
        else "no traces to take it of",
    }

"""The step `dff`: from fluorescence to ΔF/F, computed region by region while it is written."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge import BadOption, BadSource, Finding, LazyArray, Reader, Segmentation, Traces
from nwbridge_dff.baselines import running_percentile, smoothed
from nwbridge_dff.options import DffOptions

BLOCK = 1 << 25  # bytes of traces that are held at once, as float64
GAP = 1.5  # times the median step between timestamps: a longer one is a gap
Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Baseline:
    """How a baseline is found, in samples."""

    percent: float
    half: int | None  # of the window; None: the whole trace
    sd: float  # of the smoothing

    def __call__(self, trace: Rows) -> npt.NDArray[np.float64]:
        """Return the baseline of a trace, also where that is 0 or less; NaN where the window holds no number."""
        values = np.asarray(trace, np.float64)
        even = smoothed(np.where(np.isfinite(values), values, np.nan), self.sd)
        if self.half is not None:
            return np.asarray(running_percentile(even, self.half, self.percent))
        seen = even[~np.isnan(even)]
        return np.full(len(even), np.percentile(seen, self.percent) if seen.size else np.nan)

    def dff(self, trace: Rows) -> npt.NDArray[np.float32]:
        """Return (F - F0) / F0; NaN where the trace is, and where the baseline F0 is not above 0."""
        base = self(trace)
        values = np.where(np.isfinite(trace), trace, np.nan)
        return np.asarray(values / np.where(base > 0, base, np.nan) - 1, np.float32)


def run(elements: tuple[Any, ...], options: DffOptions) -> list[Any]:
    """Return the segmentation with ΔF/F, and what is worth knowing."""
    segmentation: Segmentation = elements[0]
    _check(options)
    traces = _chosen(segmentation, options.traces)
    rate = _rate(traces)
    percent = 50.0 if options.method == "median" else options.percentile
    half = None if options.method == "constant" else max(1, round(options.window * rate / 2))
    baseline = Baseline(percent, half, options.smoothing * rate)
    findings = list(_findings(segmentation, traces, baseline, rate))
    taken = {one.name for one in segmentation.traces}
    made = Traces(
        next(name for name in ("dff", *(f"dff_{n}" for n in range(2, 999))) if name not in taken),
        _computed(traces.data, baseline),
        "dff",
        f"ΔF/F of {traces.name}: F / F0 - 1 with F0 = {_in_words(options)}",
        traces.rate_hz,
        traces.timestamps,
        traces.start_s,
        made_from=traces.name,
    )
    return [replace(segmentation, traces=(*segmentation.traces, made)), *findings]


def _check(options: DffOptions) -> None:
    if not 0 <= options.percentile <= 100:
        raise BadOption(f"--percentile {options.percentile}: expected 0 to 100")
    if not 0 < options.window < np.inf:
        raise BadOption(f"--window {options.window}: expected more than 0 s")
    if not 0 <= options.smoothing < np.inf:
        raise BadOption(f"--smoothing {options.smoothing}: expected 0 s or more")


def _in_words(options: DffOptions) -> str:
    what = "median" if options.method == "median" else f"percentile {options.percentile:g}"
    over = "the whole trace" if options.method == "constant" else f"{options.window:g} s around each sample"
    after = f", after a Gaussian of {options.smoothing:g} s" if options.smoothing else ""
    return f"{what} of {over}{after}"


def _chosen(segmentation: Segmentation, name: str | None) -> Traces:
    """Return the traces of a name, or the last that are fluorescence."""
    have = ", ".join(f"{one.name} ({one.kind})" for one in segmentation.traces) or "none"
    if name is None:
        found = [one for one in segmentation.traces if one.kind == "fluorescence"]
        if not found and any(one.kind == "dff" for one in segmentation.traces):
            raise BadSource(
                f"{segmentation.name} has ΔF/F already and no fluorescence to make it from; its traces are {have}: "
                "leave the step dff out, or give others with --traces NAME"
            )
        if not found:
            raise BadSource(
                f"{segmentation.name} has no fluorescence; its traces are {have}: give one with --traces NAME"
            )
    else:
        found = [one for one in segmentation.traces if one.name == name]
        if not found:
            raise BadOption(f"--traces {name}: {segmentation.name} has no traces of that name; it has {have}")
        if found[0].kind in ("dff", "deconvolved"):
            raise BadOption(f"--traces {name}: these are {found[0].kind}; expected fluorescence, it has {have}")
    return found[-1]


def _rate(traces: Traces) -> float:
    """Return samples per second, from the timestamps where no rate is given."""
    if traces.rate_hz is not None:
        return traces.rate_hz
    if len(steps := _steps(traces)) and np.median(steps) > 0:
        return float(1 / np.median(steps))
    raise BadSource(f"traces {traces.name} have no rate and no timestamps that grow; expected either")


def _steps(traces: Traces) -> Rows:
    """Return the seconds from each timestamp to the next; none where there are no timestamps."""
    if traces.timestamps is None:
        return np.empty(0)
    with traces.timestamps.open() as reader:
        return np.diff(np.asarray(reader[0 : traces.timestamps.shape[0]], np.float64))


def _uneven(traces: Traces, baseline: Baseline) -> list[Finding]:
    """Say where timestamps have gaps, which a window of samples does not see."""
    steps = _steps(traces)
    usual = float(np.median(steps)) if len(steps) else 0.0
    if not (gaps := np.count_nonzero(steps > GAP * usual)):
        return []
    text = (
        f"{gaps} of {len(steps)} steps between the timestamps of {traces.name} are longer than {GAP:g} times the "
        f"median of {usual:.4g} s, the longest {steps.max():.6g} s: baselines were found sample by sample, as if the "
        "steps were even"
    )
    advice = "" if baseline.half is None else "distrust baselines near gaps, or choose --method constant"
    return [Finding("warning", text, advice, check="dff")]


def _findings(segmentation: Segmentation, traces: Traces, baseline: Baseline, rate: float) -> Iterator[Finding]:
    """Read all traces once, and say what ΔF/F is not defined for; BadSource where it is for no region."""
    empty, low, count, length = [], [], *traces.data.shape
    for start, rows in _blocks(traces.data):
        for number, row in enumerate(rows, start):
            seen = np.isfinite(row)
            if not seen.any():
                empty.append(number)
            elif row[seen].min() <= 0 and (baseline(row) <= 0).any():
                low.append(number)
        nwbridge.progress("looking at baselines", start + len(rows), count)
    advice = "ΔF/F wants fluorescence with its offset: choose other traces with --traces, or a higher --percentile"
    if len(empty) + len(low) == count and not _any_defined(traces.data, baseline):
        why = f" ({len(empty)} of {count} traces are NaN)" if empty else ""
        raise BadSource(f"no baseline of {traces.name} is above 0{why}; {advice}")
    if empty:
        text = f"{len(empty)} of {count} traces of {traces.name} are NaN, and so is their ΔF/F"
        yield Finding("warning", f"{text} (id {_ids(segmentation, empty)})", check="dff")
    if low:
        text = f"the baselines of {len(low)} of {count} regions are 0 or less in places, and ΔF/F is NaN there"
        yield Finding("warning", f"{text} (id {_ids(segmentation, low)})", advice, check="dff")
    if baseline.half is not None or baseline.sd > 0:
        yield from _uneven(traces, baseline)
    if baseline.half is not None and length < 2 * baseline.half:
        text = f"{traces.name} last {length / rate:g} s, less than the window: baselines are of what there is of it"
        yield Finding("hint", text, check="dff")


def _any_defined(data: LazyArray, baseline: Baseline) -> bool:
    return any(bool((baseline(row) > 0).any()) for _, rows in _blocks(data) for row in rows)


def _ids(segmentation: Segmentation, numbers: list[int], most: int = 8) -> str:
    regions = segmentation.regions
    ids = [regions[number].id if isinstance(regions, tuple) else number for number in numbers]
    return ", ".join(map(str, ids[:most])) + (f" and {len(ids) - most} more" if len(ids) > most else "")


def _blocks(data: LazyArray) -> Iterator[tuple[int, Rows]]:
    """Yield the number of the first row, and rows."""
    height = max(1, BLOCK // (8 * data.shape[1]))
    with data.open() as reader:
        for start in range(0, data.shape[0], height):
            yield start, np.asarray(reader[start : min(data.shape[0], start + height)])


def _computed(data: LazyArray, baseline: Baseline) -> LazyArray:
    threads = 1 if data.parallel else nwbridge.threads()  # one thread reads: then several compute

    @contextmanager
    def opened() -> Iterator[Reader]:
        with data.open() as reader:
            yield _Computed(reader, data.shape[0], baseline, threads)

    return LazyArray(data.shape, np.dtype(np.float32), opened, data.parallel)


@dataclass(frozen=True)
class _Computed:
    rows: Reader
    count: int
    baseline: Baseline
    threads: int

    def __getitem__(self, key: slice, /) -> Rows:
        start, stop, _ = key.indices(self.count)
        rows = np.asarray(self.rows[start:stop])
        if self.threads < 2:
            return np.stack([self.baseline.dff(row) for row in rows])
        with ThreadPoolExecutor(self.threads) as pool:
            return np.stack(list(pool.map(self.baseline.dff, rows)))

"""The step `events`: from traces to denoised and deconvolved ones, and what they were found with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import nwbridge
from nwbridge import BadOption, BadSource, Column, Finding, LazyArray, Segmentation, Table, Traces
from nwbridge_events import estimation
from nwbridge_events.deconvolution import Deconvolved, deconvolve
from nwbridge_events.derivative import rectified_derivative
from nwbridge_events.options import EventsOptions
from nwbridge_events.rows import Rows, blocks, computed, each
from nwbridge_events.traces import chosen, named, new_name, rate_of, uneven

POOR = 2.0  # times the noise: a residual that is worth a word
KINDS = np.dtype([("denoised", np.float32), ("deconvolved", np.float32)])


def run(elements: tuple[Any, ...], options: EventsOptions) -> Sequence[Any]:
    """Return the segmentation with the new traces, a table of parameters, and what is worth knowing."""
    segmentation: Segmentation = elements[0]
    _check(options)
    traces = chosen(segmentation, options.traces)
    rate = rate_of(traces)
    if options.method == "derivative":
        return _derivative(segmentation, traces, options.smoothing * rate, options)
    fits = _fitted(traces, _given(options, rate), options.s_min)
    findings = _findings(segmentation, traces, fits)
    both = _deconvolved(traces, fits)
    common = _clock(traces)
    denoised, deconvolved = (new_name(segmentation, name) for name in KINDS.names or ())
    words = {"oasis-ar1": "AR(1)", "oasis-ar2": "AR(2)"}[options.method]
    new = (
        Traces(
            denoised,
            both["denoised"],
            "denoised",
            f"calcium and baseline of {traces.name}, by OASIS with an {words} model",
            made_from=traces.name,
            **common,
        ),
        Traces(
            deconvolved,
            both["deconvolved"],
            "deconvolved",
            f"by how much calcium jumps at each sample, from {traces.name} by OASIS with an {words} model; not counts",
            made_from=traces.name,
            **common,
        ),
    )
    table = _table(segmentation, traces, deconvolved, fits, rate)
    return [replace(segmentation, traces=(*segmentation.traces, *new)), table, *findings]


def _check(options: EventsOptions) -> None:
    for name in ("decay", "rise", "s_min"):
        value = getattr(options, name)
        if value is not None and not 0 < value < np.inf:
            raise BadOption(f"--{name.replace('_', '-')} {value}: expected more than 0")
    if options.rise is not None and (options.decay is None or options.method != "oasis-ar2"):
        raise BadOption(f"--rise {options.rise}: expected together with --decay and oasis-ar2")
    if options.rise is not None and options.decay is not None and options.rise >= options.decay:
        raise BadOption(f"--rise {options.rise}: expected less than --decay {options.decay}")
    if not 0 <= options.smoothing < np.inf:
        raise BadOption(f"--smoothing {options.smoothing}: expected 0 s or more")
    if options.baseline is not None and not np.isfinite(options.baseline):
        raise BadOption(f"--baseline {options.baseline}: expected a finite number")


def _given(options: EventsOptions, rate: float) -> dict[str, Any]:
    """Return the arguments of `deconvolve` that are the same for every region."""
    order = 2 if options.method == "oasis-ar2" else 1
    given: dict[str, Any] = {"order": order, "baseline": options.baseline}
    if options.decay is not None:
        rise = (options.rise or min(0.05, options.decay / 2)) if order == 2 else None
        g1, g2 = estimation.from_times(options.decay, rise, rate)
        given["g"] = (g1, g2) if order == 2 else (g1,)
    return given


@dataclass(frozen=True)
class _Fit:
    """What one region's spikes were found with; a few numbers, so that the traces need not be kept."""

    g: tuple[float, ...]
    noise: float
    baseline: float
    lam: float
    s_min: float
    residual: float
    gaps: bool
    problem: str | None

    def again(self, trace: Rows) -> Deconvolved:
        """Return the same spikes from the same trace."""
        lam, s_min = (None, self.s_min) if self.s_min else (self.lam, None)
        return deconvolve(trace, self.g, noise=self.noise, baseline=self.baseline, lam=lam, s_min=s_min)


def _fit(trace: Rows, given: dict[str, Any], s_min: float | None) -> _Fit:
    """Find what fits one region."""
    if s_min is not None:
        noise = estimation.noise(np.asarray(trace, np.float64))
        given = given | {"noise": noise, "s_min": s_min * noise if noise > 0 else None}
    found = deconvolve(trace, **given)
    seen = np.isfinite(found.c)
    rest = np.asarray(trace, np.float64)[seen] - found.baseline - found.c[seen]
    residual = float(np.sqrt(np.mean(rest**2))) if seen.any() else float("nan")
    gaps = found.problem is None and not seen.all()
    return _Fit(found.g, found.noise, found.baseline, found.lam, found.s_min, residual, gaps, found.problem)


def _fitted(traces: Traces, given: dict[str, Any], s_min: float | None) -> list[_Fit]:
    """Read all traces once and keep what was found of each region."""
    count, threads = traces.data.shape[0], nwbridge.threads()
    fits: list[_Fit] = []
    nwbridge.progress("inferring events", 0, count)  # the first of which compiles
    for start, rows in blocks(traces.data):
        fits += each(partial(_fit, given=given, s_min=s_min), rows, threads)
        nwbridge.progress("inferring events", start + len(rows), count)
    return fits


def _deconvolved(traces: Traces, fits: Sequence[_Fit]) -> dict[str, LazyArray]:
    """Return denoised and deconvolved values as fields of one array, so that both are found at once."""

    def work(number: int, trace: Rows) -> Rows:
        made = np.full(len(trace), np.nan, KINDS)
        if fits[number].problem is None:
            found = fits[number].again(trace)
            made["denoised"], made["deconvolved"] = found.c + found.baseline, found.s
        return made

    return computed(traces.data, KINDS, work).fields()


def _derivative(segmentation: Segmentation, traces: Traces, sd: float, options: EventsOptions) -> list[Any]:
    """Return the rectified derivative of every trace."""
    name = new_name(segmentation, "deconvolved")
    words = f"rectified derivative of {traces.name}, smoothed with a Gaussian of {options.smoothing} s"
    data = computed(traces.data, np.float32, lambda _, trace: rectified_derivative(trace, sd))
    empty = [
        number + start
        for start, rows in blocks(traces.data)
        for number, row in enumerate(rows)
        if not np.isfinite(row).any()
    ]
    new = Traces(name, data, "deconvolved", words, made_from=traces.name, **_clock(traces))
    findings = [_lost(segmentation, traces, dict.fromkeys(empty, "all NaN"))] if empty else []
    findings += uneven(traces)
    return [replace(segmentation, traces=(*segmentation.traces, new)), *findings]


def _clock(traces: Traces) -> dict[str, Any]:
    return {field: getattr(traces, field) for field in ("rate_hz", "timestamps", "start_s", "unit")}


def _lost(segmentation: Segmentation, traces: Traces, problems: dict[int, str]) -> Finding:
    """Say which regions have no events; BadSource where none has any."""
    kinds = Counter(problems.values())
    why = ", ".join(f"{count} {problem}" for problem, count in kinds.items())
    if len(problems) == len(segmentation):
        raise BadSource(
            f"no region of {segmentation.name} has a trace in {traces.name} to infer events from ({why}); "
            "expected traces of calcium: choose others with --traces"
        )
    text = f"{len(problems)} of {len(segmentation)} regions of {segmentation.name} have no events, their values are NaN"
    which = named(segmentation, list(problems))
    return Finding("warning", f"{text}: {why} (id {which})", f"look at these regions in {traces.name}", check="events")


def _findings(segmentation: Segmentation, traces: Traces, fits: Sequence[_Fit]) -> list[Finding]:
    problems = {number: fit.problem for number, fit in enumerate(fits) if fit.problem is not None}
    found = [_lost(segmentation, traces, problems)] if problems else []
    found += uneven(traces)
    if gaps := [number for number, fit in enumerate(fits) if fit.gaps]:
        text = f"{len(gaps)} traces of {traces.name} have gaps (NaN), across which calcium was let decay"
        found.append(Finding("hint", f"{text} (id {named(segmentation, gaps)})", check="events"))
    if poor := [number for number, fit in enumerate(fits) if fit.residual > POOR * fit.noise > 0]:
        text = (
            f"in {len(poor)} of {len(fits)} traces of {traces.name} the model leaves more than {POOR:g} times the noise"
        )
        advice = "calcium decays faster, or the baseline moves: try --decay, or the step dff before this one"
        found.append(Finding("hint", f"{text} (id {named(segmentation, poor)})", advice, check="events"))
    return found


def _table(segmentation: Segmentation, traces: Traces, made: str, fits: Sequence[_Fit], rate: float) -> Table:
    """Return what each region's events were found with."""
    g = np.array([(*fit.g, 0.0)[:2] for fit in fits])
    decay, rise = np.array([estimation.times(pair, rate) for pair in g]).T
    numbers = {name: np.array([getattr(fit, name) for fit in fits]) for name in ("noise", "baseline", "lam", "s_min")}
    unit = traces.unit
    columns = (
        Column("region", np.arange(len(fits)), "the region", rows_of=segmentation.name),
        Column("g1", g[:, 0], "first coefficient of the model: c[t] = g1 c[t-1] + g2 c[t-2] + s[t]"),
        Column("g2", g[:, 1], "second coefficient of the model; 0 for AR(1)"),
        Column("decay_time", decay, "time constant of the decay that follows from g1 and g2", "s"),
        Column("rise_time", rise, "time constant of the rise; 0 for AR(1)", "s"),
        Column("noise", numbers["noise"], "standard deviation, from the power above half of Nyquist's frequency", unit),
        Column("residual", np.array([f.residual for f in fits]), "standard deviation of what is not explained", unit),
        Column("baseline", numbers["baseline"], "fluorescence without calcium", unit),
        Column("penalty", numbers["lam"], "lambda, the L1 penalty on spikes", unit),
        Column("smallest_spike", numbers["s_min"], "0: spikes were penalised, not thresholded", unit),
    )
    words = f"what {made} of {segmentation.name} was inferred with from {traces.name}"
    words += "" if unit else "; noise, residual, baseline, penalty and smallest spike in the unit of these traces"
    return Table(f"{made}_parameters", columns, words)

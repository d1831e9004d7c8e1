"""Spikes from fluorescence: OASIS after Friedrich, Zhou and Paninski (2017), for one trace and for many."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge_events import estimation
from nwbridge_events.fitting import constrained, penalised, thresholded
from nwbridge_events.pools import Trace, calcium, moments, response, spike_weights

LEAST = 32  # samples, without which nothing is estimated
LOWEST = 1.0  # percentile of a trace, below which no baseline is looked for: slow decays would fit drift from far below
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Deconvolved:
    """Calcium and spikes of one trace, in its unit, and what they were found with."""

    c: npt.NDArray[np.float64]  # (time,): calcium above the baseline; NaN where the trace is
    s: npt.NDArray[np.float64]  # (time,): c[t] - g1 c[t-1] - g2 c[t-2], never negative; s[0] is 0: see `deconvolve`
    baseline: float
    g: tuple[float, ...]  # (g1,) or (g1, g2)
    lam: float  # the L1 penalty
    noise: float  # standard deviation
    s_min: float = 0.0
    problem: str | None = None  # why everything is NaN


def deconvolve(
    trace: npt.ArrayLike,
    g: Sequence[float] | float | None = None,
    *,
    order: int = 1,
    noise: float | None = None,
    baseline: float | None = None,
    lam: float | None = None,
    s_min: float | None = None,
) -> Deconvolved:
    """Return the spikes of a trace.

    Calcium follows ``c[t] = g1 c[t-1] + g2 c[t-2] + s[t]`` with ``s ≥ 0``, and the trace is ``baseline + c`` with
    white noise. What is not given is estimated: `g` from the autocovariance (`order` 1 or 2), `noise` from the power
    above half of Nyquist's frequency, `baseline` together with the spikes, not below the trace's 1st percentile.

    By default the sum of spikes is the smallest that leaves a residual of variance ``noise ** 2`` (or all of the
    trace, where that is less): `lam` is the penalty that does so. With `lam`, the minimum of ``sum((trace - baseline
    - c)**2) / 2 + lam * sum(s)`` is returned. With `s_min`, no spike is smaller, and there is no penalty; that
    problem is not convex, and its solution is good, not provably the best.

    ``s[0]`` stands for calcium from before the recording. It takes part in the fit as any other and is then set to 0.
    NaN in the trace are gaps: calcium decays in them and nothing is fitted. Where nothing can be said, everything is
    NaN and `problem` says why.
    """
    values = np.asarray(trace, np.float64)
    _check(values, order, {"noise": noise, "lam": lam, "s_min": s_min})
    seen = np.isfinite(values)
    known = _known(g)
    sigma = estimation.noise(values) if noise is None else float(noise)
    if known is None and seen.sum() >= LEAST and np.isfinite(sigma):
        known = estimation.coefficients(values, order, sigma)
    problem = _problem(values, seen, sigma if lam is None and s_min is None else 0.0, known)
    if problem is not None or known is None:
        nothing = np.full(values.shape, NAN)
        return Deconvolved(nothing, nothing, NAN, (NAN,) * order, NAN, sigma, NAN, problem)
    first, last = np.flatnonzero(seen)[[0, -1]]
    fit = _fit(values[first : last + 1], seen[first : last + 1], known, sigma, baseline, lam, s_min)
    c, s = np.full(values.shape, NAN), np.full(values.shape, NAN)
    c[seen], s[seen] = fit.c[seen[first : last + 1]], fit.s[seen[first : last + 1]]
    return Deconvolved(c, s, fit.baseline, fit.g, fit.lam, sigma, fit.s_min)


def deconvolve_each(traces: npt.ArrayLike, threads: int = 1, **given: Any) -> list[Deconvolved]:
    """Return the spikes of each trace of (trace, time), found by `threads` threads; the rest is as for `deconvolve`."""
    rows = list(np.asarray(traces))
    if threads < 2 or len(rows) < 2:
        return [deconvolve(row, **given) for row in rows]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda row: deconvolve(row, **given), rows))


def _check(values: npt.NDArray[Any], order: int, sizes: dict[str, float | None]) -> None:
    """Raise ValueError for arguments that cannot be."""
    if values.ndim != 1:
        raise ValueError(f"a trace of shape {values.shape}; expected one number for each time")
    if order not in (1, 2):
        raise ValueError(f"order {order}; expected 1 or 2")
    for name, size in sizes.items():
        if size is not None and size < 0:
            raise ValueError(f"{name} = {size}; expected 0 or more")
    if sizes["lam"] is not None and sizes["s_min"] is not None:
        raise ValueError("lam and s_min were given; expected at most one of them")


def _known(g: Sequence[float] | float | None) -> tuple[float, float] | None:
    """Return what was given as (g1, g2); ValueError where calcium would not decay, or ring."""
    if g is None:
        return None
    given = [float(one) for one in np.atleast_1d(np.asarray(g, np.float64))]
    g1, g2 = (*given, 0.0)[:2]
    if len(given) > 2 or not (0 < g1 < 2 and g1 + g2 < 1 and g2 <= 0 and g1 * g1 + 4 * g2 >= 0):
        raise ValueError(f"g = {given}; expected (g1,) or (g1, g2) of a process that decays without ringing")
    return g1, g2


def _problem(values: npt.NDArray[Any], seen: npt.NDArray[Any], sigma: float, known: Any) -> str | None:
    """Return why nothing can be said of a trace, in a few words."""
    if not seen.any():
        return "all NaN" if np.isnan(values).all() else "not finite"
    if np.isinf(values).any():
        return "infinite values"
    if values[seen].min() == values[seen].max():
        return "constant"
    if known is None and seen.sum() < LEAST:
        return f"fewer than {LEAST} samples"
    if not np.isfinite(sigma):
        return "too few samples in a row for its noise"
    return "no decay in its autocovariance" if known is None else None


def _fit(
    values: npt.NDArray[Any],
    seen: npt.NDArray[Any],
    known: tuple[float, float],
    sigma: float,
    baseline: float | None,
    lam: float | None,
    s_min: float | None,
) -> Deconvolved:
    """Return the spikes of a trace that begins and ends with a number; what is given is complete."""
    shift = float(np.median(values[seen])) if baseline is None else float(baseline)
    count = len(values)
    trace = Trace(
        np.where(seen, values - shift, 0.0), seen, *known, response(*known, count), spike_weights(*known, count)
    )
    c = np.empty(count)
    given, floor = 0.0, -np.inf
    if baseline is None:
        given, floor = NAN, float(np.percentile(trace.y[seen], LOWEST))
    if lam is None:
        b, found, starts = constrained(trace, float(sigma) ** 2 * np.count_nonzero(seen), given, floor, c)
    else:
        found = float(lam)
        b, starts = penalised(trace, found, given, floor, c)
    if s_min is not None:
        found = 0.0
        b, starts = _above(trace, b, float(s_min), floor if baseline is None else None, c)
    jumps = calcium(trace, starts, b, found, c)
    s = np.zeros(count)
    s[starts] = np.maximum(jumps, 0.0)
    s[0] = 0.0
    return Deconvolved(c, s, b + shift, known if known[1] else known[:1], found, sigma, s_min or 0.0)


def _above(trace: Trace, b: float, s_min: float, floor: float | None, c: Any) -> tuple[float, Any]:
    """Return baseline and samples of spikes of at least `s_min`; with a floor, the baseline is fitted as well."""
    for _ in range(10):
        if floor is None:
            break
        found = moments(trace, thresholded(trace, b, s_min, c))
        better = max(floor, found.y1 / found.ones) if found.ones > 0 else b
        if abs(better - b) <= 1e-9 * np.abs(trace.y).max():
            break
        b = better
    return b, thresholded(trace, b, s_min, c)  # of the baseline that is kept: of another, spikes may be too small

"""Spikes of one trace: the problem of OASIS (Friedrich et al. 2017), AR(1) and AR(2), solved to its optimum.

Calcium obeys ``c[t] = g1 c[t-1] + g2 c[t-2] + s[t]`` with ``s ≥ 0``. For a penalty λ the minimum of
``½ Σ (y - b - c)² + λ Σ s`` is found by exchanging the set of samples without a spike until the conditions of the
optimum hold (block principal pivoting; Portugal, Júdice and Vicente 1994). For one such set everything is linear in λ
and b, and one banded Cholesky factorization gives it, so that λ follows from the noise in closed form, as OASIS does
for its pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

Array = npt.NDArray[np.float64]
EXCHANGES = 60  # of the set, before spikes are exchanged one by one
ROUNDS = 30  # of penalty and set
TOLERANCE = 1e-3  # of penalty and noise
GONE = 1e-17  # of a spike, below which its calcium adds nothing
LOWEST = 1.0  # percentile of a trace, below which no baseline is looked for: slow decays would fit drift from far below


@dataclass(frozen=True, eq=False)
class Deconvolved:
    """Calcium and spikes of one trace, and what they were found with."""

    c: Array  # (time,): calcium above the baseline, never negative
    s: Array  # (time,): never negative; 0 where a movie starts, whose calcium is from before
    baseline: float
    g: tuple[float, ...]
    noise: float
    lam: float


class Dynamics:
    """The matrix G of ``s = G c`` by its diagonals; calcium starts anew where a movie does."""

    def __init__(self, g: Sequence[float], count: int, starts: Sequence[int] = (0,)) -> None:
        g1, g2 = (*g, 0.0)[:2]
        self.order = 2 if g2 else 1
        self.first = np.full(count, -g1)  # weight of the sample before
        self.second = np.full(count, -g2)  # of the one before that
        self.starts = np.asarray(starts)
        self.first[self.starts] = self.second[self.starts] = 0.0
        self.second[self.starts[self.starts + 1 < count] + 1] = 0.0

    def spikes(self, calcium: Array) -> Array:
        """Return G c, for (time,) or (time, column)."""
        extra = (slice(None), *(None,) * (calcium.ndim - 1))
        made = calcium.copy()
        made[1:] += self.first[1:][extra] * calcium[:-1]
        if self.order == 2:
            made[2:] += self.second[2:][extra] * calcium[:-2]
        return made

    def response(self, count: int) -> Array:
        """Return the calcium that one spike makes, as long as it is worth looking at."""
        g1, g2 = -self.first.min(initial=0.0), -self.second.max(initial=0.0) if self.order == 2 else 0.0
        made = np.zeros(min(count, 1000))
        made[0] = 1.0
        for at in range(1, len(made)):
            made[at] = g1 * made[at - 1] + (g2 * made[at - 2] if at > 1 else 0.0)
            if made[at] < GONE:
                break
        return made

    def adjoint(self, values: Array) -> Array:
        """Return Gᵀ v, for (time,) or (time, column)."""
        extra = (slice(None), *(None,) * (values.ndim - 1))
        made = values.copy()
        made[:-1] += self.first[1:][extra] * values[1:]
        if self.order == 2:
            made[:-2] += self.second[2:][extra] * values[2:]
        return made

    def multipliers(self, silent: npt.NDArray[np.intp], values: Array) -> Array:
        """Return (G_A G_Aᵀ)⁻¹ of values (silent sample, column), G_A being the rows of the silent samples."""
        first, second = self.first[silent], self.second[silent]
        bands = np.zeros((self.order + 1, len(silent)))
        bands[-1] = 1 + first**2 + second**2
        step = np.diff(silent)
        near = first[1:] + second[1:] * first[:-1]  # rows of neighbours share two samples, rows two apart one
        if self.order == 1:
            bands[0, 1:] = np.where(step == 1, near, 0.0)
        else:
            # a row's own first weight applies to the sample before it only if that is in the same movie
            bands[1, 1:] = np.where(step == 1, near, np.where(step == 2, second[1:], 0.0))
            bands[0, 2:] = np.where(silent[2:] - silent[:-2] == 2, second[2:], 0.0)
        _, solved, failed = lapack.dpbsv(bands, values, overwrite_ab=1)
        if failed:
            raise np.linalg.LinAlgError("the dynamics are singular")
        return np.asarray(solved)


@dataclass(eq=False)
class _Projection:
    """What a set of silent samples leaves of trace, constant and penalty: calcium is linear in these."""

    silent: npt.NDArray[np.bool_]
    calcium: Array  # (time, 3): of y, 1, Gᵀ1
    spikes: Array  # (time, 3)
    duals: Array  # (time, 3), 0 where there may be spikes


def _combined(values: Array, baseline: float, lam: float) -> Array:
    """Return what (time, 3) of a projection comes to at a baseline and a penalty."""
    return np.asarray(values @ np.array([1.0, -baseline, -lam]))


class Problem:
    """One trace and its dynamics; keeps the last set of silent samples, from which the next one starts."""

    def __init__(self, trace: Array, dynamics: Dynamics) -> None:
        self.trace, self.dynamics = trace, dynamics
        ones = np.ones(len(trace))
        self.columns = np.stack([trace, ones, dynamics.adjoint(ones)], axis=1)
        self.in_spikes = dynamics.spikes(self.columns)
        self.silent = np.ones(len(trace), bool)
        self._known: _Projection | None = None

    def project(self) -> _Projection:
        """Return what the present set leaves."""
        if self._known is not None and np.array_equal(self._known.silent, self.silent):
            return self._known
        duals = np.zeros_like(self.columns)
        places = np.flatnonzero(self.silent)
        if len(places):
            duals[places] = self.dynamics.multipliers(places, self.in_spikes[places])
        calcium = self.columns - self.dynamics.adjoint(duals)
        spikes = self.dynamics.spikes(calcium)
        spikes[places] = 0.0
        self._known = _Projection(self.silent.copy(), calcium, spikes, duals)
        return self._known

    def settle(self, baseline: float, lam: float) -> _Projection:
        """Exchange samples until no spike is negative and none is missing."""
        scale = 1e-9 * (np.abs(self.trace).max() + abs(baseline) + 1e-300)
        best, patience, found = len(self.trace) + 1, 3, self.project()
        for _ in range(EXCHANGES * 4):
            missing = _combined(found.duals, baseline, lam) > scale
            wrong = np.where(self.silent, missing, _combined(found.spikes, baseline, lam) < -scale)
            count = int(np.count_nonzero(wrong))
            if not count:
                break
            if count < best:
                best, patience = count, 3
            elif patience:
                patience -= 1
            else:  # one by one, which always ends
                wrong[: np.flatnonzero(wrong)[-1]] = False
            self.silent ^= wrong
            found = self.project()
        return found


def deconvolve(
    trace: npt.ArrayLike,
    g: Sequence[float],
    noise: float,
    *,
    starts: Sequence[int] = (0,),
    baseline: float | None = None,
    nonnegative_baseline: bool = False,
) -> Deconvolved:
    """Return the calcium with the smallest sum of spikes that leaves a residual of the noise's power.

    Args:
        trace: (time,).
        g: (g1,) or (g1, g2) of the dynamics.
        noise: standard deviation.
        starts: samples at which calcium starts anew, as the first one of every movie of a series.
        baseline: of the trace; found with the spikes unless given.
        nonnegative_baseline: hold it at 0 or above.
    """
    values = np.asarray(trace, np.float64)
    lowest = max(0.0 if nonnegative_baseline else -np.inf, float(np.percentile(values, LOWEST)))
    mean = float(np.mean(values)) if baseline is None else baseline
    if float(np.sum((values - mean) ** 2)) <= noise**2 * len(values):  # nothing but noise
        level = max(lowest, mean) if baseline is None else baseline
        return Deconvolved(np.zeros(len(values)), np.zeros(len(values)), level, tuple(g), noise, float("inf"))
    problem = Problem(values, Dynamics(g, len(values), starts))
    level = max(lowest, float(np.percentile(values, 15))) if baseline is None else baseline
    level, lam = _balanced(problem, level, noise, lowest if baseline is None else None)
    found = problem.settle(level, lam)
    calcium = np.maximum(_combined(found.calcium, level, lam), 0.0)
    spikes = np.maximum(_combined(found.spikes, level, lam), 0.0)
    spikes[np.asarray(starts)] = 0.0
    return Deconvolved(calcium, spikes, level, tuple(g), noise, lam)


def _balanced(problem: Problem, level: float, noise: float, lowest: float | None) -> tuple[float, float]:
    """Return baseline, no less than `lowest`, and penalty that leave the noise's power; None: the baseline is known."""
    values = problem.trace
    response = problem.dynamics.response(len(values))
    lam = noise * float(np.sqrt(response @ response))
    for _ in range(ROUNDS):
        found = problem.settle(level, lam)
        before = (lam, level)
        if lowest is not None:
            level = max(lowest, level + float(np.mean(values - level - _combined(found.calcium, level, lam))))
        residual = values - _combined(found.calcium, level, 0.0) - level
        lam = _penalty(residual, found.calcium[:, 2], noise**2 * len(values))
        if abs(lam - before[0]) <= TOLERANCE * (lam + 1e-12) and abs(level - before[1]) <= TOLERANCE * noise:
            break
    return level, lam


def _penalty(residual: Array, change: Array, power: float) -> float:
    """Return the λ ≥ 0 with |residual + λ change|² = power; 0 where the residual is larger already."""
    a, b, c = change @ change, residual @ change, residual @ residual - power
    if c >= 0 or a <= 0:
        return 0.0
    return float((-b + np.sqrt(b * b - a * c)) / a)

"""Calcium between spikes: least squares over traces that may jump up or down at given samples, in linear time.

Calcium follows ``c[t] = g1 c[t-1] + g2 c[t-2] + s[t]``. Where the samples with ``s[t] ≠ 0`` are known, a trace falls
into pools, each from one such sample to the next, and everything in a pool follows from two numbers: its first sample
``v``, which is free, and the last sample ``e`` of the pool before. So the best calcium is found by one sweep back over
the pools and one forth.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

TINY = 1e-100  # below which the response to a spike counts as over, which keeps denormal numbers out of the loops


class Trace(NamedTuple):
    """A trace and the model that it follows."""

    y: Floats  # (time,); 0 in gaps
    seen: Bools  # (time,); false in gaps
    g1: float
    g2: float
    a: Floats  # what follows a spike of 1
    q: Floats  # the sum of spikes is that of q c


class Moments(NamedTuple):
    """What the residual depends on, while the spikes stay where they are, as baseline b and penalty l change.

    It is ``(ey - b e1) + l cq``, two orthogonal parts; ey and e1 are what is left of the trace and of a constant.
    """

    yy: float  # ey · ey
    y1: float  # ey · e1
    ones: float  # e1 · e1
    qq: float  # cq · cq
    q1: float  # cq · 1


def compiled(function: Any) -> Any:
    """Compile a function; it lets other threads run, and is kept on disk for the next process.

    What is kept is known by the date of its own file only: who changes this one or `pivoting` has to touch `fitting`.
    """
    return nb.njit(function, cache=True, nogil=True, error_model="numpy")


@compiled
def response(g1: float, g2: float, count: int) -> Floats:
    """Return what follows a spike of 1: ``a[0] = 1``, ``a[1] = g1``, ``a[k] = g1 a[k-1] + g2 a[k-2]``."""
    a = np.zeros(count)
    before, last = 0.0, 1.0
    for k in range(count):
        a[k] = last
        before, last = last, g1 * last + g2 * before
        if abs(last) < TINY and abs(before) < TINY:
            break
    return a


@compiled
def spike_weights(g1: float, g2: float, count: int) -> Floats:
    """Return q with ``sum(s) == sum(q * c)``: the L1 penalty on spikes as a linear one on calcium."""
    q = np.full(count, 1.0 - g1 - g2)
    if count > 1:
        q[count - 2] = 1.0 - g1
    q[count - 1] = 1.0
    return q


@compiled
def _sweep_back(x: Trace, starts: Counts, gains: Floats, right: Floats) -> None:
    """Fill ``gains`` (Qvv, Qve) and ``right`` (Rv of trace, ones, q) of each pool, for ``v = (Rv - Qve e) / Qvv``."""
    end = len(x.y)
    p = hy = h1 = hq = 0.0  # what later pools say of the last sample of this one: p e² / 2 - h e
    for i in range(len(starts) - 1, -1, -1):
        start = starts[i]
        saa = sad = sdd = ya = yd = na = nd = qa = qd = 0.0
        d = 0.0
        for t in range(start, end):
            k = x.a[t - start]
            qa += k * x.q[t]
            qd += d * x.q[t]
            if x.seen[t]:
                saa += k * k
                sad += k * d
                sdd += d * d
                ya += k * x.y[t]
                yd += d * x.y[t]
                na += k
                nd += d
            d = x.g2 * k
        last = end - 1 - start
        alpha = x.a[last]
        delta = x.g2 * x.a[last - 1] if last else 0.0
        qvv = saa + p * alpha * alpha
        qve = sad + p * alpha * delta
        ry, r1, rq = ya + hy * alpha, na + h1 * alpha, qa + hq * alpha
        gains[i, 0], gains[i, 1] = qvv, qve
        right[i, 0], right[i, 1], right[i, 2] = ry, r1, rq
        share = qve / qvv
        hy, h1, hq = yd + hy * delta - share * ry, nd + h1 * delta - share * r1, qd + hq * delta - share * rq
        p = sdd + p * delta * delta - share * qve
        end = start


@compiled
def moments(x: Trace, starts: Counts) -> Moments:
    """Return the moments of the residual with spikes at `starts`."""
    gains, right = np.empty((len(starts), 2)), np.empty((len(starts), 3))
    _sweep_back(x, starts, gains, right)
    yy = y1 = ones = qq = q1 = 0.0
    for t in range(starts[0] if len(starts) else len(x.y)):
        if x.seen[t]:
            yy += x.y[t] * x.y[t]
            y1 += x.y[t]
            ones += 1.0
    ey = e1 = eq = 0.0
    for i in range(len(starts)):
        start = starts[i]
        end = starts[i + 1] if i + 1 < len(starts) else len(x.y)
        qvv, qve = gains[i, 0], gains[i, 1]
        vy, v1, vq = (right[i, 0] - qve * ey) / qvv, (right[i, 1] - qve * e1) / qvv, (right[i, 2] - qve * eq) / qvv
        d = cy = c1 = cq = 0.0
        for t in range(start, end):
            k = x.a[t - start]
            cy, c1, cq = vy * k + ey * d, v1 * k + e1 * d, vq * k + eq * d
            if x.seen[t]:
                yy += (x.y[t] - cy) * (x.y[t] - cy)
                y1 += (x.y[t] - cy) * (1.0 - c1)
                ones += (1.0 - c1) * (1.0 - c1)
                qq += cq * cq
                q1 += cq
            d = x.g2 * k
        ey, e1, eq = cy, c1, cq
    return Moments(yy, y1, ones, qq, q1)


@compiled
def calcium(x: Trace, starts: Counts, b: float, lam: float, c: Floats) -> Floats:
    """Fill c with the best calcium that jumps only at `starts`, and return the jumps."""
    gains, right = np.empty((len(starts), 2)), np.empty((len(starts), 3))
    _sweep_back(x, starts, gains, right)
    jumps = np.empty(len(starts))
    c[: starts[0] if len(starts) else len(x.y)] = 0.0
    e = 0.0
    for i in range(len(starts)):
        start = starts[i]
        end = starts[i + 1] if i + 1 < len(starts) else len(x.y)
        v = (right[i, 0] - b * right[i, 1] - lam * right[i, 2] - gains[i, 1] * e) / gains[i, 0]
        before = c[start - 2] if start > 1 else 0.0
        jumps[i] = v - x.g1 * e - x.g2 * before
        d = 0.0
        for t in range(start, end):
            k = x.a[t - start]
            c[t] = v * k + e * d
            d = x.g2 * k
        e = c[end - 1]
    return jumps


@compiled
def pooled(x: Trace, b: float, lam: float, s_min: float) -> Counts:
    """Return the samples of the spikes of an AR(1) trace, found by OASIS.

    A pool is merged with the one before while it begins less than `s_min` above where that one ends.
    """
    length = len(x.y)
    starts, top, weight = np.empty(length, np.int64), np.empty(length), np.empty(length)
    n = 0
    for t in range(length):
        linear = -lam * x.q[t]
        if x.seen[t]:
            starts[n], top[n], weight[n] = t, x.y[t] - b + linear, 1.0
            n += 1
        elif n:
            top[n - 1] += x.a[t - starts[n - 1]] * linear
        while n > 1:
            decay = x.a[starts[n - 1] - starts[n - 2]]
            first = top[n - 2] / weight[n - 2]
            if s_min > 0.0 and first < 0.0:
                first = 0.0
            if top[n - 1] / weight[n - 1] >= decay * first + s_min:
                break
            top[n - 2] += decay * top[n - 1]
            weight[n - 2] += decay * decay * weight[n - 1]
            n -= 1
    low = 0
    while low < n and top[low] <= 0.0:  # calcium is never negative
        low += 1
    return starts[low:n].copy()

"""The compiled loops: which molecules count, and what each adds to an image."""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

REACH = 4  # standard deviations at which a Gaussian is cut; it is scaled so that the rest adds up to 1
STEPS = 1024  # of the table below in a standard deviation; between them lines, which are off by less than 3e-8
_ERF = [math.erf(step / STEPS * math.sqrt(0.5)) for step in range(-REACH * STEPS, REACH * STEPS + 1)]
_PART = np.array([(value - _ERF[0]) / (_ERF[-1] - _ERF[0]) for value in _ERF])  # of the Gaussian that lies below


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile when first called, and keep it on disk; in memory only where no folder for it can be written."""
    # threads, not numba's own: every thread has its rows, and numba's simplest pool dies when two callers meet
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # "no locator available": neither beside the module nor in the user's cache
        return numba.njit(nogil=True, error_model="numpy")(function)


@_compiled
def select(  # type: ignore[no-untyped-def]
    y, x, frame, uncertainty, intensity, place, limits, halves, row, column, sigma, weight, counts
):
    """Move the molecules that count to the front of `row`, `column` (pixels), `sigma` (nm), `weight`; return how many.

    Columns of no length are not looked at. `place` is (nm a unit of y, of its origin, of a pixel, the same of x, rows,
    columns, nm a unit of uncertainty, floor, cap), `limits` is (first frame, last frame, uncertainty, intensity),
    `halves` is (first frame, frames in a block, which half or -1), `counts` is (not finite, left out by a limit,
    outside of the image, used, raised to the floor, lowered to the cap).
    """
    kept = 0
    for i in range(y.size):
        bad = not (math.isfinite(y[i]) and math.isfinite(x[i]))
        bad = bad or (frame.size > 0 and not math.isfinite(frame[i]))
        bad = bad or (uncertainty.size > 0 and not math.isfinite(uncertainty[i]))
        bad = bad or (intensity.size > 0 and not math.isfinite(intensity[i]))
        if bad:
            counts[0] += 1
            continue
        wide = uncertainty[i] * place[8] if uncertainty.size > 0 else 0.0
        out = frame.size > 0 and not limits[0] <= frame[i] <= limits[1]
        if out or wide > limits[2] or (intensity.size > 0 and intensity[i] < limits[3]):
            counts[1] += 1
            continue
        if halves[2] >= 0 and math.floor((frame[i] - halves[0]) / halves[1]) % 2 != halves[2]:
            continue
        r = (y[i] * place[0] + place[1]) / place[2]
        c = (x[i] * place[3] + place[4]) / place[5]
        if not (0.0 <= r < place[6] and 0.0 <= c < place[7]):
            counts[2] += 1
            continue
        row[kept], column[kept] = r, c
        if sigma.size > 0:
            counts[4] += wide < place[9]
            counts[5] += wide > place[10]
            sigma[kept] = min(max(wide, place[9]), place[10])
        if weight.size > 0:
            weight[kept] = intensity[i]
        kept += 1
    counts[3] += kept
    return kept


@_compiled
def histogram(image, first, row, column, weight):  # type: ignore[no-untyped-def]
    """Add each molecule to the pixel that it lies in; `image` begins with row `first`, one weight may be all's."""
    rows, last = image.shape[0], weight.size - 1
    for i in range(row.size):
        r = math.floor(row[i]) - first
        if 0 <= r < rows:
            image[r, math.floor(column[i])] += weight[min(i, last)]


@_compiled
def triangle(image, shifts):  # type: ignore[no-untyped-def]
    """Return a histogram's mean over `shifts` shifts along each axis: bins of as many pixels, moved by one pixel."""
    rows, columns = image.shape
    across, out = np.zeros_like(image), np.zeros_like(image)
    for step in range(1 - shifts, shifts):
        share = np.float32((shifts - abs(step)) / (shifts * shifts))
        for r in range(rows):
            for c in range(max(0, -step), min(columns, columns - step)):
                across[r, c] += share * image[r, c + step]
    for step in range(1 - shifts, shifts):
        share = np.float32((shifts - abs(step)) / (shifts * shifts))
        for r in range(max(0, -step), min(rows, rows - step)):
            for c in range(columns):
                out[r, c] += share * across[r + step, c]
    return out


@_compiled
def _shares(out, centre, sigma, first, low, high):  # type: ignore[no-untyped-def]
    """Fill `out` with the part of a cut Gaussian that lies in each of the pixels `low` to `high`."""
    scale, ends = STEPS / sigma, REACH * STEPS
    before = 0.0
    for p in range(low, high + 2):
        at = min(max((first + p - centre) * scale + ends, 0.0), 2.0 * ends - 1e-9)
        index = int(at)
        after = _PART[index] + (at - index) * (_PART[index + 1] - _PART[index])
        if p > low:
            out[p - 1 - low] = after - before
        before = after


@_compiled
def gaussian(image, first, row, column, sigma, weight, rows_a_nm, columns_a_nm):  # type: ignore[no-untyped-def]
    """Add the integral of each molecule's Gaussian over every pixel: its weight, but for what lies beyond the edge."""
    rows, columns = image.shape
    last_sigma, last_weight = sigma.size - 1, weight.size - 1
    down, across = np.empty(rows, np.float64), np.empty(columns, np.float32)
    for i in range(row.size):
        s = sigma[min(i, last_sigma)]
        tall, wide = s * rows_a_nm, s * columns_a_nm
        top = math.floor(row[i] - REACH * tall) - first
        bottom = math.floor(row[i] + REACH * tall) - first
        if bottom < 0 or top >= rows:
            continue
        top, bottom = max(top, 0), min(bottom, rows - 1)
        left = max(math.floor(column[i] - REACH * wide), 0)
        right = min(math.floor(column[i] + REACH * wide), columns - 1)
        _shares(down, row[i], tall, first, top, bottom)
        _shares(across, column[i], wide, 0, left, right)
        for r in range(top, bottom + 1):
            share = np.float32(down[r - top] * weight[min(i, last_weight)])
            for c in range(left, right + 1):
                image[r, c] += share * across[c - left]

"""Exact percentiles of any number of float32 values, from two passes over them: their bits are sorted by counting."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

HALF = 16  # bits that a pass counts by
Values = npt.NDArray[np.float32]


def percentiles(passes: Callable[[], Iterable[Values]], percents: Sequence[float]) -> list[float]:
    """Return percentiles as `numpy.percentile` has them; `passes` returns all values anew, in blocks."""
    counts = np.zeros(1 << HALF, np.int64)
    for block in passes():
        counts += np.bincount(_keys(block) >> HALF, minlength=1 << HALF)
    places = [percent / 100 * (int(counts.sum()) - 1) for percent in percents]
    ranks = sorted({rank for place in places for rank in (math.floor(place), math.ceil(place))})
    values = dict(zip(ranks, _at(passes, counts, ranks), strict=True))
    return [_between(values[math.floor(place)], values[math.ceil(place)], place % 1) for place in places]


def _at(passes: Callable[[], Iterable[Values]], counts: npt.NDArray[np.int64], ranks: Sequence[int]) -> list[float]:
    """Return the values of these ranks: their first bits are told by the counts, the others by a second pass."""
    ends = np.cumsum(counts)
    firsts = [int(np.searchsorted(ends, rank, side="right")) for rank in ranks]
    rest = {first: np.zeros(1 << HALF, np.int64) for first in firsts}
    for block in passes():
        keys = _keys(block)
        for first, found in rest.items():
            found += np.bincount(keys[keys >> HALF == first] & ((1 << HALF) - 1), minlength=1 << HALF)
    last = [
        int(np.searchsorted(np.cumsum(rest[first]), rank - (ends[first] - counts[first]), side="right"))
        for first, rank in zip(firsts, ranks, strict=True)
    ]
    return [_value(first << HALF | second) for first, second in zip(firsts, last, strict=True)]


def _keys(values: Values) -> npt.NDArray[np.uint32]:
    """Return whole numbers that are sorted as the values are."""
    bits = (values.ravel() + np.float32(0)).view(np.uint32)  # which has one 0
    sign = np.uint32(1 << 31)
    return np.where(bits & sign, ~bits, bits | sign)


def _value(key: int) -> float:
    sign = 1 << 31
    bits = key ^ sign if key & sign else key ^ 0xFFFFFFFF
    return float(np.array(bits, np.uint32).view(np.float32))


def _between(low: float, high: float, part: float) -> float:
    return low + (high - low) * part

"""The challenge's scores of one data set, as the neurofinder package (1.1.1) defines them.

A region's centre is the mean of its pixels. For each true region in order, the nearest submitted region that is not yet
matched is its match, if it lies nearer than the threshold.
"""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nwbridge_neurofinder.regions import Pixels, keyed

Matching = Literal["greedy", "optimal"]
Pairs = list[tuple[int, int]]  # numbers of a true and a submitted region
Distances = npt.NDArray[np.float64]  # (true, submitted), pixels; infinite where a region has no pixel


def scores(truth: tuple[Pixels, ...], result: tuple[Pixels, ...], threshold: float, how: Matching) -> dict[str, Any]:
    """Return the counts and the five scores; each is 0 where nothing was matched."""
    away = distances(truth, result)
    pairs = optimal(away, threshold) if how == "optimal" else greedy(away, threshold)
    shared = [(_shared(truth[t], result[r]), len(truth[t]), len(result[r])) for t, r in pairs]
    recall = len(pairs) / len(truth) if truth else 0.0
    precision = len(pairs) / len(result) if result else 0.0
    return {
        "truth": len(truth),
        "submitted": len(result),
        "matched": len(pairs),
        "recall": recall,
        "precision": precision,
        "combined": 2 * recall * precision / (recall + precision) if pairs else 0.0,
        "inclusion": math.fsum(both / mine for both, mine, _ in shared) / len(pairs) if pairs else 0.0,
        "exclusion": math.fsum(both / others for both, _, others in shared) / len(pairs) if pairs else 0.0,
    }


def _shared(one: Pixels, other: Pixels) -> int:
    return len(np.intersect1d(keyed(one), keyed(other), assume_unique=True))


def distances(truth: tuple[Pixels, ...], result: tuple[Pixels, ...]) -> Distances:
    """Return the distance of every true region's centre from every submitted one's."""
    of_truth, of_result = _centres(truth), _centres(result)
    squares = (of_truth[:, None, 0] - of_result[None, :, 0]) ** 2
    squares += (of_truth[:, None, 1] - of_result[None, :, 1]) ** 2
    return np.asarray(np.nan_to_num(np.sqrt(squares), copy=False, nan=math.inf, posinf=math.inf))


def _centres(regions: tuple[Pixels, ...]) -> npt.NDArray[np.float64]:
    return np.array([p.mean(axis=0) if len(p) else (math.nan, math.nan) for p in regions]).reshape(-1, 2)


def greedy(away: Distances, threshold: float) -> Pairs:
    """Return the pairs of the definition."""
    free, pairs = away.copy(), []
    for true in range(free.shape[0] if free.shape[1] else 0):
        nearest = int(free[true].argmin())
        if free[true, nearest] < threshold:
            pairs.append((true, nearest))
            free[:, nearest] = math.inf
    return pairs


def optimal(away: Distances, threshold: float) -> Pairs:
    """Return as many pairs as can be made, of these choices the one of least distance in all."""
    near = away < threshold
    found: Pairs = []
    for true, submitted in _components(near):
        block = np.ix_(true, submitted)
        few, many = sorted((len(true), len(submitted)))
        never = 1 + 2 * many * float(away[block][near[block]].max())  # worse than any set of pairs that may be
        cost = np.where(near[block], away[block], never)
        flipped = len(true) > len(submitted)
        chosen = _assign(cost.T if flipped else cost)
        for row, column in enumerate(chosen[:few]):
            one, other = (column, row) if flipped else (row, column)
            if near[true[one], submitted[other]]:
                found.append((int(true[one]), int(submitted[other])))
    return sorted(found)


def _components(near: npt.NDArray[np.bool_]) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield groups of regions that could be matched with each other and with none outside."""
    waiting = near.any(axis=1)
    while waiting.any():
        true = np.zeros(len(near), bool)
        true[waiting.argmax()] = True
        while True:
            submitted = near[true].any(axis=0)
            grown = near[:, submitted].any(axis=1)
            if np.array_equal(grown, true):
                break
            true |= grown
        waiting &= ~true
        yield np.flatnonzero(true), np.flatnonzero(submitted)


def _assign(cost: Distances) -> list[int]:
    """Return a column for each row, of least cost in all: shortest augmenting paths; no more rows than columns.

    R. Jonker and A. Volgenant, Computing 38 (1987), 325.
    """
    rows, columns = cost.shape
    row_of = np.full(columns, -1)
    rise, fall = np.zeros(rows), np.zeros(columns)  # potentials of rows and columns
    for start in range(rows):
        least, came_from = np.full(columns, math.inf), np.full(columns, -1)
        done = np.zeros(columns, bool)
        row, column, path = start, -1, 0.0
        while row >= 0:
            reached = path + cost[row] - rise[row] - fall
            better = ~done & (reached < least)
            least[better], came_from[better] = reached[better], column
            column = int(np.where(done, math.inf, least).argmin())
            path, row = float(least[column]), int(row_of[column])
            done[column] = True
        rise[start] += path
        inner = done & (row_of >= 0)
        rise[row_of[inner]] += path - least[inner]
        fall[done] -= path - least[done]
        while column >= 0:
            before = int(came_from[column])
            row_of[column] = row_of[before] if before >= 0 else start
            column = before
    return [int(column) for column in np.argsort(row_of)[columns - rows :]]

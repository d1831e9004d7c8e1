"""Outlines of regions along the edges of their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

PART = 0.2  # of a region's largest weight: fainter pixels lie outside of its outline
LARGEST = 1 << 26  # pixels of the box around a region that is looked at

Point = tuple[int, int]  # x, y: the corner at column x and row y


def strong(pixels: npt.NDArray[Any], weights: npt.NDArray[Any] | None) -> npt.NDArray[np.int64]:
    """Return (n, 2) row and column of the pixels that the outline holds, each once; planes are seen from above."""
    if weights is not None and len(weights):
        size = np.abs(np.nan_to_num(np.asarray(weights, np.float64)))
        if size.max() > 0:
            pixels = pixels[size >= PART * size.max()]
    return np.unique(np.asarray(pixels, np.int64)[:, :2], axis=0)


def edges(pixels: npt.NDArray[np.int64]) -> int:
    """Return how many edges of pixels the outlines of a region follow."""
    if not len(pixels):
        return 0
    rows, columns = (pixels.max(axis=0) - pixels.min(axis=0) + 3).tolist()
    if rows * columns > LARGEST:
        return LARGEST  # more than anybody draws
    mask = np.zeros((rows, columns), bool)
    mask[tuple((pixels - pixels.min(axis=0) + 1).T)] = True
    return int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())


def loops(pixels: npt.NDArray[np.int64]) -> Iterator[list[Point]]:
    """Yield the closed outlines of a set of pixels, holes too, by their corners."""
    if not len(pixels):
        return
    top, left = pixels.min(axis=0)
    mask = np.zeros(tuple(pixels.max(axis=0) - (top, left) + 3), bool)
    mask[tuple((pixels - (top, left) + 1).T)] = True
    following = _edges(mask)
    while following:
        start = next(iter(following))
        loop, here, heading = [start], start, (1, 0)
        while True:
            here, heading = _step(following, here, heading)
            if here == start:
                break
            loop.append(here)
        yield [(x + int(left) - 1, y + int(top) - 1) for x, y in _corners(loop)]


def _edges(mask: npt.NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """Return where edges lead from each corner, with the region on their right hand."""
    found: dict[Point, list[Point]] = {}
    inner = mask[1:-1, 1:-1]
    sides = (
        (~mask[:-2, 1:-1], (0, 0), (1, 0)),  # above: to the right
        (~mask[1:-1, 2:], (1, 0), (1, 1)),  # right: down
        (~mask[2:, 1:-1], (1, 1), (0, 1)),  # below: to the left
        (~mask[1:-1, :-2], (0, 1), (0, 0)),  # left: up
    )
    for outside, start, stop in sides:
        for row, column in np.argwhere(inner & outside).tolist():
            x, y = column + 1, row + 1
            found.setdefault((x + start[0], y + start[1]), []).append((x + stop[0], y + stop[1]))
    return found


def _step(following: dict[Point, list[Point]], here: Point, heading: Point) -> tuple[Point, Point]:
    """Take an edge; where two begin, the one that turns right, so that pixels that only touch are apart."""
    ways = following[here]
    right = (-heading[1], heading[0])
    chosen = next((way for way in ways if (way[0] - here[0], way[1] - here[1]) == right), ways[0])
    ways.remove(chosen)
    if not ways:
        del following[here]
    return chosen, (chosen[0] - here[0], chosen[1] - here[1])


def _corners(loop: list[Point]) -> list[Point]:
    """Return the points at which the way turns."""
    around = zip([loop[-1], *loop[:-1]], loop, [*loop[1:], loop[0]], strict=True)
    return [b for a, b, c in around if (b[0] - a[0], b[1] - a[1]) != (c[0] - b[0], c[1] - b[1])]


def path_of(pixels: npt.NDArray[np.int64]) -> str:
    """Return the outlines as a path of SVG, whose unit is the pixel."""
    words = []
    for loop in loops(pixels):
        (x, y), rest = loop[0], loop[1:]
        words.append(f"M{x} {y}")
        for column, row in rest:
            words.append(f"h{column - x}" if row == y else f"v{row - y}")
            x, y = column, row
        words.append("z")
    return "".join(words)

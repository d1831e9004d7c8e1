"""Overlapping patches of a field of view, and how their estimates are blended into one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Where patches lie: each overlaps the next by half, and the last one ends at the edge."""

    shape: tuple[int, int]  # of the field of view
    size: tuple[int, int]  # of a patch
    rows: tuple[int, ...]  # first row of each row of patches
    columns: tuple[int, ...]

    @property
    def pixels(self) -> int:
        """Pixels of a patch."""
        return self.size[0] * self.size[1]

    @property
    def window(self) -> Matrix:
        """How much each pixel of a patch weighs: a bell, so that no edge of a patch can be seen."""
        row, column = (np.hanning(size + 2)[1:-1] for size in self.size)
        return np.outer(row, column).astype(np.float32)

    def weight(self) -> Matrix:
        """Return the sum of all windows over the field of view."""
        total = np.zeros(self.shape, np.float32)
        for row in self.rows:
            for column in self.columns:
                total[row : row + self.size[0], column : column + self.size[1]] += self.window
        return total

    def bands(self, most: int) -> Iterator[tuple[tuple[int, ...], slice]]:
        """Yield rows of patches that together span at most `most` rows of pixels (or one row of patches), and these."""
        band: list[int] = []
        for row in (*self.rows, None):
            if band and (row is None or row + self.size[0] - band[0] > most):
                yield tuple(band), slice(band[0], band[-1] + self.size[0])
                band = []
            if row is not None:
                band.append(row)


def _places(length: int, size: int) -> tuple[int, ...]:
    return tuple(sorted({*range(0, length - size, max(1, size // 2)), length - size}))


def grid(shape: tuple[int, int], patch: int) -> Grid:
    """Lay square patches over a field of view; where it is smaller, they are as small."""
    size = (min(patch, shape[0]), min(patch, shape[1]))
    return Grid(shape, size, _places(shape[0], size[0]), _places(shape[1], size[1]))

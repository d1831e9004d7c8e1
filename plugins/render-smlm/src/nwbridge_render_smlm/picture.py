"""An image that is drawn from molecules, in bands of rows where it is larger than what should be in memory."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

import nwbridge
from nwbridge import LazyArray, arrays
from nwbridge_render_smlm import kernels
from nwbridge_render_smlm.grid import Grid
from nwbridge_render_smlm.molecules import Drawn, Molecules, Place, Tally

BAND = 1 << 26  # pixels in memory at once, 268 MB; a larger image reads the table once for each band
PIECES = 4  # of a band for each thread: molecules are not spread evenly
Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Style:
    """How a molecule is drawn."""

    method: str
    radius_nm: float = 20.0
    shifts: int = 2


@dataclass
class Picture:
    """The image; every pixel is the sum of the same numbers in the same order, whatever the number of threads."""

    molecules: Molecules
    grid: Grid
    style: Style
    moved_nm: tuple[float, float] = (0.0, 0.0)
    tally: Tally = field(default_factory=Tally)  # of the last band drawn
    threads: int = field(
        default_factory=lambda: nwbridge.threads()
    )  # known where the run is, not in the writer's threads
    _kept: tuple[int, Pixels] | None = None  # number of a band, and the band
    _band: int = field(default_factory=lambda: BAND)

    @property
    def rows(self) -> int:
        """How many rows a band has."""
        return max(1, min(self.grid.shape[0], self._band // self.grid.shape[1]))

    @property
    def bands(self) -> int:
        """How many bands there are."""
        return math.ceil(self.grid.shape[0] / self.rows)

    def band(self, number: int) -> Pixels:
        """Return a band; the last one is kept."""
        if self._kept is None or self._kept[0] != number:
            self._kept = None
            first = number * self.rows
            self._kept = number, self._drawn(first, min(first + self.rows, self.grid.shape[0]))
        return self._kept[1]

    def whole(self) -> Pixels:
        """Return the image, for those that need all of it."""
        return np.concatenate([self.band(number) for number in range(self.bands)]) if self.bands > 1 else self.band(0)

    def total(self) -> float:
        """Return the sum of all pixels."""
        total = 0.0
        for number in range(self.bands):
            nwbridge.progress("rendering", number, self.bands)
            total += float(self.band(number).sum(dtype=np.float64))
        return total

    def lazy(self) -> LazyArray:
        """Return the image as it is written, front to back."""

        def read(start: int, stop: int) -> npt.NDArray[Any]:
            out = np.empty((max(0, stop - start), self.grid.shape[1]), np.float32)
            for number in range(start // self.rows, math.ceil(stop / self.rows)):
                begin = number * self.rows
                band = self.band(number)
                low, high = max(start, begin), min(stop, begin + len(band))
                out[low - start : high - start] = band[low - begin : high - begin]
            return out

        return arrays.from_function(self.grid.shape, np.float32, read, parallel=False)

    def _drawn(self, first: int, stop: int) -> Pixels:
        halo = self.style.shifts - 1 if self.style.method == "ash" else 0
        low, high = max(0, first - halo), min(self.grid.shape[0], stop + halo)
        image = np.zeros((high - low, self.grid.shape[1]), np.float32)
        self.tally = Tally()
        place = Place(self.grid.pixel_nm, self.grid.shape, self.moved_nm)
        edges = np.linspace(0, len(image), (PIECES * self.threads if self.threads > 1 else 1) + 1).astype(int)
        with ThreadPoolExecutor(self.threads) as pool:
            for chunk in self.molecules.drawn(place, self.tally):
                pieces = [(image[a:b], low + a) for a, b in itertools.pairwise(edges) if b > a]
                for done in [pool.submit(self._add, piece, at, chunk) for piece, at in pieces]:
                    done.result()
        if self.style.method == "ash":
            image = kernels.triangle(image, self.style.shifts)
        return image[first - low : first - low + stop - first]

    def _add(self, piece: Pixels, first: int, chunk: Drawn) -> None:
        """Add a chunk to some rows, which nobody else writes to."""
        if self.style.method in ("ash", "histogram"):
            kernels.histogram(piece, first, chunk.row, chunk.column, chunk.weight)
            return
        sigma = chunk.sigma_nm if self.style.method == "uncertainty" else np.array([self.style.radius_nm])
        down, across = (1 / size for size in self.grid.pixel_nm)
        kernels.gaussian(piece, first, chunk.row, chunk.column, sigma, chunk.weight, down, across)

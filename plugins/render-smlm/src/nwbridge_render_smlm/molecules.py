"""A table of localizations as numbers with known units, read in chunks of rows."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nwbridge import BadOption, BadSource, Column, LazyArray, Localizations
from nwbridge_render_smlm import kernels

ROWS = 1 << 18  # that are in memory at once
NANOMETRES = {"nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "mm": 1e6, "m": 1e9, "pm": 1e-3, "Å": 0.1} | {
    "nanometer": 1.0, "nanometers": 1.0, "micrometer": 1e3, "micrometers": 1e3, "micron": 1e3, "microns": 1e3,
    "meters": 1e9, "meter": 1e9,
}  # fmt: skip
PIXELS = ("pixel", "pixels", "px")
UNCERTAINTIES = ("uncertainty", "uncertainty_xy")
Floats = npt.NDArray[np.float64]
NONE = np.empty(0)


@dataclass(frozen=True)
class Limits:
    """What is left out."""

    first_frame: float = -math.inf
    last_frame: float = math.inf
    uncertainty_nm: float = math.inf
    intensity: float = -math.inf

    @property
    def values(self) -> Floats:
        """The numbers as the compiled loop takes them."""
        return np.array([self.first_frame, self.last_frame, self.uncertainty_nm, self.intensity])


@dataclass(frozen=True)
class Place:
    """Where positions lie in an image: size of a pixel, number of pixels, what is added; each (row, column)."""

    pixel_nm: tuple[float, float] = (1.0, 1.0)
    shape: tuple[float, float] = (math.inf, math.inf)
    moved_nm: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Half:
    """One of two halves of the frames, in blocks that go to one and the other in turn."""

    first: float
    frames: float  # in a block
    which: Literal[0, 1]


@dataclass(frozen=True)
class Drawn:
    """Molecules in an image: rows, columns (pixels, from the outer corner of the first), radius (nm), weight."""

    row: Floats
    column: Floats
    sigma_nm: Floats
    weight: npt.NDArray[np.float32]


@dataclass
class Tally:
    """How many rows were read, and what became of them."""

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(6, np.int64))
    weights: float = 0.0  # sum of those that are drawn

    def __getattr__(self, name: str) -> int:
        names = ("not_finite", "left_out", "outside", "used", "raised", "lowered")
        if name not in names:
            raise AttributeError(name)
        return int(self.counts[names.index(name)])


@dataclass(frozen=True)
class Molecules:
    """The rows of a table, and which of them count."""

    table: Localizations
    camera_nm: tuple[float, float] | None  # (row, column)
    unit: str | None = None  # where the table states none
    origin_nm: tuple[float, float] = (0.0, 0.0)  # of position 0, from the outer corner of the first pixel
    limits: Limits = Limits()
    by_uncertainty: tuple[float, float] | None = None  # smallest and largest radius in nm
    by_intensity: bool = False
    half: Half | None = None

    def with_half(self, half: Half) -> "Molecules":
        """Return one half of them, each weighing 1."""
        return replace(self, half=half, by_uncertainty=None, by_intensity=False)

    def columns(self) -> dict[str, Column]:
        """Return the columns that are needed; BadSource where one is missing or holds no numbers."""
        wanted = {"y": self.table["y"], "x": self.table["x"]}
        finite = self.limits
        if self.half or finite.first_frame > -math.inf or finite.last_frame < math.inf:
            wanted["frame"] = self._column("frame", ("frame",), "a range or halves of frames")
        if self.by_uncertainty or finite.uncertainty_nm < math.inf:
            wanted["uncertainty"] = self._column("uncertainty", UNCERTAINTIES, "a radius or limit by uncertainty")
        if self.by_intensity or finite.intensity > -math.inf:
            wanted["intensity"] = self._column("intensity", ("intensity",), "a weight or limit by intensity")
        for column in wanted.values():
            if column.ends is not None or len(column.values.shape) != 1 or column.values.dtype.kind not in "uif":
                raise BadSource(f"{self.table.name}: column {column.name} does not hold a number for each row")
        return wanted

    def _column(self, what: str, names: tuple[str, ...], use: str) -> Column:
        for name in names:
            if name in self.table:
                return self.table[name]
        have = ", ".join(column.name for column in self.table.columns)
        raise BadSource(f"{self.table.name} has no column {what}, which {use} needs; it has {have}")

    def nanometres(self, column: Column, axis: int) -> float:
        """Return how many nm one unit of a column is; `axis` 0 runs along the rows' numbers."""
        unit = column.unit or self.unit
        if unit in PIXELS:
            if self.camera_nm is None:
                raise BadSource(
                    f"{self.table.name}: {column.name} is in pixels, whose size is not known; expected an imaging "
                    "plane with a pixel size: give it with the metadata of the conversion"
                )
            return self.camera_nm[axis]
        if unit is None:
            raise BadOption(f"{self.table.name}: column {column.name} states no unit; give --unit nm, um or pixel")
        if unit not in NANOMETRES:
            raise BadSource(f"{self.table.name}: {column.name} is in {unit}; expected nm, µm or pixel")
        return NANOMETRES[unit]

    def drawn(self, place: Place, tally: Tally) -> Iterator[Drawn]:
        """Yield the molecules that lie in an image, chunk by chunk, and count the others."""
        columns = self.columns()
        scale = [self.nanometres(columns["y"], 0), self.nanometres(columns["x"], 1)]
        wide = self.nanometres(columns["uncertainty"], 1) if "uncertainty" in columns else 1.0
        corner = [self.origin_nm[axis] + place.moved_nm[axis] for axis in (0, 1)]
        axes = [(scale[axis], corner[axis], place.pixel_nm[axis]) for axis in (0, 1)]
        numbers = np.array([*axes[0], *axes[1], *place.shape, wide, *(self.by_uncertainty or (0.0, math.inf))])
        halves = np.array([self.half.first, self.half.frames, self.half.which] if self.half else [0.0, 1.0, -1.0])
        row, column = np.empty(ROWS), np.empty(ROWS)
        sigma = np.empty(ROWS) if self.by_uncertainty else NONE
        weight = np.empty(ROWS, np.float32) if self.by_intensity else np.ones(0, np.float32)
        for values in self._chunks(columns):
            given = [values.get(name, NONE) for name in ("y", "x", "frame", "uncertainty", "intensity")]
            kept = kernels.select(*given, numbers, self.limits.values, halves, row, column, sigma, weight, tally.counts)
            chosen = weight[:kept] if self.by_intensity else np.ones(1, np.float32)
            tally.weights += float(chosen.sum(dtype=np.float64)) if self.by_intensity else kept
            yield Drawn(row[:kept], column[:kept], sigma[:kept], chosen)

    def _chunks(self, columns: dict[str, Column]) -> Iterator[dict[str, Floats]]:
        with ExitStack() as stack:
            readers: dict[str, Any] = {
                name: stack.enter_context(column.values.open())
                if isinstance(column.values, LazyArray)
                else column.values
                for name, column in columns.items()
            }
            for start in range(0, len(self.table), ROWS):
                stop = min(start + ROWS, len(self.table))
                yield {name: np.asarray(reader[start:stop], np.float64) for name, reader in readers.items()}

    def extent(self) -> tuple[float, float]:
        """Return the largest (y, x) in nm of those that count; BadSource where none has."""
        tally, far = Tally(), (-math.inf, -math.inf)
        for chunk in self.drawn(Place(), tally):
            if len(chunk.row):
                far = (max(far[0], float(chunk.row.max())), max(far[1], float(chunk.column.max())))
        if far[0] == -math.inf:
            raise BadSource(nothing_left(self.table, tally))
        return far

    def frames(self) -> tuple[float, float]:
        """Return the first and the last frame of those that count."""
        lowest, highest = math.inf, -math.inf
        column = self._column("frame", ("frame",), "halves of frames")
        for values in self._chunks({"frame": column}):
            frame = values["frame"]
            frame = frame[(frame >= self.limits.first_frame) & (frame <= self.limits.last_frame) & np.isfinite(frame)]
            if len(frame):
                lowest, highest = min(lowest, float(frame.min())), max(highest, float(frame.max()))
        return lowest, highest


def nothing_left(table: Localizations, tally: Tally) -> str:
    """Say why no molecule can be drawn."""
    return (
        f"{table.name}: none of {len(table):,} localizations lies in the image ({tally.outside:,} outside, "
        f"{tally.left_out:,} left out by limits, {tally.not_finite:,} not finite); "
        "expected some: check the units, --rows, --columns and the limits"
    )

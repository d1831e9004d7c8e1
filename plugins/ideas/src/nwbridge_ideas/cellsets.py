"""Cell sets: of each cell a float32 image, then its float32 trace, NaN where a sample is missing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import Column, LazyArray, Plane, Segmentation, Traces, arrays
from nwbridge_ideas.isxd import Isxd, read_rows
from nwbridge_ideas.timing import Timing, timing_of

STATUSES = ("accepted", "undecided", "rejected")
_FLOAT = np.dtype("<f4")
# what ``cellMetrics`` holds of each cell, in this order: whole numbers, points in pixels, numbers in pixels
_METRICS = (
    ("components", "number of pieces of the cell's image"),
    ("center", "centre of all pieces"),
    ("largest_center", "centre of the largest piece"),
    ("area", "area of all pieces"),
    ("largest_area", "area of the largest piece"),
    ("width", "greatest width of the contour of all pieces"),
    ("largest_width", "greatest width of the largest piece's contour"),
)
_NO_POINT = -(1 << 63)
_UNITS: dict[str, Any] = {
    "dF over F": "dff",
    "raw": "fluorescence",
}  # of the footer's idps/cellset/units, what says the kind


@dataclass(frozen=True)
class CellSet:
    """The cells of one file."""

    file: Isxd
    timing: Timing
    shape: tuple[int, int]  # (row, column)
    names: tuple[str, ...]
    status: tuple[Any, ...]

    def images(self) -> LazyArray:
        """Return (cell, row, column)."""
        rows, columns = self.shape

        def read(start: int, stop: int) -> npt.NDArray[Any]:
            stride = self._stride
            values = read_rows(self.file.path, start * stride, stop - start, stride, _FLOAT, rows * columns)
            return values.reshape(-1, rows, columns)

        return arrays.from_function((len(self.names), rows, columns), np.float32, read)

    def traces(self) -> LazyArray:
        """Return (cell, time)."""
        skip, count = 4 * self.shape[0] * self.shape[1], self.timing.count

        def read(start: int, stop: int) -> npt.NDArray[Any]:
            return read_rows(self.file.path, start * self._stride + skip, stop - start, self._stride, _FLOAT, count)

        return arrays.from_function((len(self.names), count), np.float32, read)

    @property
    def _stride(self) -> int:
        return 4 * (self.shape[0] * self.shape[1] + self.timing.count)


def cell_set_of(file: Isxd) -> CellSet:
    """Read a cell set's footer; BadSource where its lists, or the bytes before it, disagree."""
    if file.get("dataType", default="float") != "float":
        raise file.bad(("dataType",), file.get("dataType"), "float, as cell sets have")
    if file.get("fileVersion", default=None) != 5:
        raise file.bad(("fileVersion",), file.get("fileVersion", default=None), "5, the version that this source reads")
    names = file.listed("CellNames")
    if not all(isinstance(name, str) for name in names):
        raise file.bad(("CellNames",), names, "text only")
    numbers = file.listed("CellStatuses", count=len(names))
    if not all(type(n) is int and 0 <= n <= 2 for n in numbers):
        raise file.bad(("CellStatuses",), numbers, "0 (accepted), 1 (undecided) or 2 (rejected)")
    cells = CellSet(file, timing_of(file), file.shape(), tuple(names), tuple(STATUSES[n] for n in numbers))
    (rows, columns), count = cells.shape, cells.timing.count
    words = f"{len(names):,} cells of {rows} × {columns} pixels and {count:,} samples"
    file.check_payload(len(names) * 4 * (rows * columns + count), words)
    return cells


def traces_of(cells: CellSet, name: str, kind: Any = None, description: str | None = None) -> tuple[Traces, ...]:
    """Return the traces, of the kind that is given, or that the footer says; none where there is no sample."""
    if not cells.names or not cells.timing.count:
        return ()
    unit = cells.file.said("idps", "cellset", "units")
    unit = unit if isinstance(unit, str) else None
    said = f"the file calls them {unit!r}" if unit else "the file does not say of which kind they are"
    words = description or f"traces of {cells.file.path.name}; {said}"
    known = kind or _UNITS.get(unit or "", "other")
    return (Traces(name, cells.traces(), known, words, cells.timing.rate_hz, unit=None if known == "dff" else unit),)


def segmentation_of(cells: CellSet, plane: Plane, traces: tuple[Traces, ...]) -> Segmentation:
    """Return the cells with their names, status, metrics and colours."""
    method = cells.file.said("idps", "cellset", "method")
    words = f"the cells of {cells.file.path.name}" + (f", found by {method}" if isinstance(method, str) else "")
    return Segmentation(
        "PlaneSegmentation",
        cells.images() if cells.names else (),
        cells.shape,
        plane,
        words,
        status=cells.status,
        columns=columns_of(cells),
        traces=traces,
    )


def columns_of(cells: CellSet) -> tuple[Column, ...]:
    """Return what the footer says of each cell, apart from its status."""
    file, count = cells.file, len(cells.names)
    columns = [Column("cell_name", np.array(cells.names, str), "name of the cell in the .isxd file")]
    if colours := file.listed("CellColors", count=count, optional=True):
        if not all(isinstance(n, int) and 0 <= n < 1 << 32 for n in colours):
            raise file.bad(("CellColors",), colours, "whole numbers of 32 bits")
        columns.append(Column("cell_color", np.array(colours, np.uint32), "colour as the file holds it"))
    if active := file.listed("CellActivity", count=count, optional=True):
        if not all(isinstance(value, bool) for value in active):
            raise file.bad(("CellActivity",), active, "true or false")
        columns.append(Column("cell_active", np.array(active), "whether the cell is active in this part of a series"))
    metrics = file.listed("cellMetrics", count=count, optional=True)
    return (
        (*columns, *_metric_columns(file, metrics)) if any(entry is not None for entry in metrics) else tuple(columns)
    )


def _metric_columns(file: Isxd, metrics: list[Any]) -> list[Column]:
    """Return a column for each metric, two for a point; NaN where a cell has none."""
    columns = []
    for place, (name, words) in enumerate(_METRICS):
        axes = {"row": "y", "column": "x"} if name.endswith("center") else {"": ""}
        for suffix, axis in axes.items():
            values = [_metric(file, entry, place, axis) for entry in metrics]
            unit = None if name == "components" else "pixels²" if name.endswith("area") else "pixels"
            title = f"metric_{name}_{suffix}" if suffix else f"metric_{name}"
            columns.append(Column(title, np.array(values, np.float64), f"{words} {suffix}".strip(), unit))
    return columns


def _metric(file: Isxd, entry: Any, place: int, axis: str) -> float:
    if entry is None:
        return np.nan
    expected = f"{len(_METRICS)} metrics of each cell, two of them points"
    if not isinstance(entry, list) or len(entry) != len(_METRICS):
        raise file.bad(("cellMetrics",), entry, expected)
    value = entry[place]
    if axis:
        value = value.get(axis, entry) if isinstance(value, dict) else entry
    if value is None:  # JSON has no NaN
        return np.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1 << 63:
        raise file.bad(("cellMetrics",), entry, expected)
    return np.nan if value == _NO_POINT else float(value)

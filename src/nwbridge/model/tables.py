"""Tables: events, intervals, spikes, localizations, parameters, and any other."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadSource, PluginFault
from nwbridge.model.lazy import LazyArray, is_number, is_positive
from nwbridge.model.names import check_name
from nwbridge.model.optics import Plane


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table: numbers, yes and no, or text; in memory, or lazy where rows may be millions.

    With `ends` a row holds several values: row i has ``values[ends[i - 1]:ends[i]]``.
    """

    name: str
    values: npt.NDArray[Any] | LazyArray  # (row, …); with `ends` (value, …)
    description: str | None = None
    unit: str | None = None
    ends: npt.NDArray[np.integer[Any]] | None = None  # (row,)
    rows_of: str | None = None  # name of the Segmentation whose row numbers the values are

    def __post_init__(self) -> None:
        check_name("a column", self.name, ("id", "colnames", "description"))
        values = self.values if isinstance(self.values, LazyArray) else np.asarray(self.values)
        if isinstance(values, np.ndarray):
            if values.dtype.kind in "OT" and all(isinstance(value, str) for value in values.flat):
                values = values.astype(str)
            if not values.ndim:
                raise BadSource(f"column {self.name} is a single value; expected one for each row")
        eager = not isinstance(values, LazyArray)
        if not is_number(values.dtype) and not (eager and values.dtype.kind in "bU"):
            raise BadSource(f"column {self.name} holds {values.dtype}; expected numbers{' or text' if eager else ''}")
        object.__setattr__(self, "values", values)
        if self.ends is not None:
            ends = np.asarray(self.ends, np.int64)
            if ends.ndim != 1 or (np.diff(ends, prepend=0) < 0).any() or (len(ends) and ends[-1] != values.shape[0]):
                raise BadSource(f"column {self.name}: the rows' ends do not grow to the {values.shape[0]} values")
            object.__setattr__(self, "ends", ends)

    @classmethod
    def ragged(cls, name: str, rows: Iterable[npt.ArrayLike], description: str | None = None, **more: Any) -> Column:
        """Return a column whose rows hold several values each, all of one type."""
        arrays = [np.asarray(row) for row in rows]
        filled = [array for array in arrays if array.size] or [np.empty(0)]
        ends = np.cumsum([len(array) for array in arrays], dtype=np.int64)
        return cls(name, np.concatenate(filled), description, ends=ends, **more)

    def __len__(self) -> int:
        return len(self.ends) if self.ends is not None else int(self.values.shape[0])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Column):
            return NotImplemented
        facts = ("name", "description", "unit", "rows_of")
        if any(getattr(self, fact) != getattr(other, fact) for fact in facts):
            return False
        return _same(self.ends, other.ends) and _same(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]


def _same(one: Any, other: Any) -> bool:
    """Compare values, where both are at hand; lazy ones by shape and type."""
    if isinstance(one, LazyArray) or isinstance(other, LazyArray):
        return (one.shape, one.dtype) == (other.shape, other.dtype) if one is not None and other is not None else False
    if one is None or other is None:
        return one is other
    floats = one.dtype.kind == other.dtype.kind == "f"
    return (one.dtype.kind == "U") == (other.dtype.kind == "U") and np.array_equal(one, other, equal_nan=floats)


def check_columns(
    table: str, columns: tuple[Column, ...], count: int | None = None, taken: Collection[str] = ()
) -> None:
    """Raise BadSource unless names are unique and all columns have one number of rows."""
    names = [*taken, *(column.name for column in columns)]
    names += [f"{column.name}_index" for column in columns if column.ends is not None]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise BadSource(f"{table}: two columns are named {repeated}; expected every name once")
    for column in columns:
        count = len(column) if count is None else count
        if len(column) != count:
            raise BadSource(f"{table}: column {column.name} has {len(column)} rows; expected {count}")


@dataclass(frozen=True)
class Table:
    """Any table; becomes a DynamicTable in analysis."""

    name: str
    columns: tuple[Column, ...]
    description: str | None = None

    required: ClassVar[tuple[str, ...]] = ()
    numeric: ClassVar[tuple[str, ...]] = ()  # columns that have to hold one number a row
    unfit: ClassVar[tuple[str, ...]] = ()  # names of columns that refer to what the model does not hold

    def __post_init__(self) -> None:
        check_columns(self.name, self.columns)
        missing = [name for name in self.required if name not in self]
        if unfit := next((column.name for column in self.columns if column.name in self.unfit), None):
            raise BadSource(
                f"{self.name} has a column {unfit}, which NWB uses for something else; expected another name"
            )
        if missing or not self.columns:
            raise PluginFault(
                f"{type(self).__name__} {self.name} has no column {' and '.join(missing) or 'at all'}; expected one"
            )
        for column in (self[name] for name in self.numeric):
            if column.values.dtype.kind not in "uif" or column.ends is not None:
                raise BadSource(
                    f"{self.name}: column {column.name} holds {column.values.dtype}; expected a number a row"
                )

    def __len__(self) -> int:
        return len(self.columns[0])

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True)
class Intervals(Table):
    """Spans of time in seconds: columns ``start_time`` and ``stop_time`` and any others; becomes TimeIntervals."""

    required: ClassVar[tuple[str, ...]] = ("start_time", "stop_time")
    numeric: ClassVar[tuple[str, ...]] = required
    unfit: ClassVar[tuple[str, ...]] = ("timeseries", "tags")


@dataclass(frozen=True)
class Events(Table):
    """Things that happened at a ``timestamp`` in seconds, with any other columns; becomes an EventsTable."""

    required: ClassVar[tuple[str, ...]] = ("timestamp",)
    numeric: ClassVar[tuple[str, ...]] = required


@dataclass(frozen=True)
class Units(Table):
    """Spikes of cells: ragged ``spike_times`` in seconds and, if known, ragged ``obs_intervals`` (n, 2); becomes Units.

    A file has one such table, and NWB calls it ``units``.
    """

    name: str = "units"
    columns: tuple[Column, ...] = ()
    resolution_s: float | None = None  # the smallest difference between two spike times

    required: ClassVar[tuple[str, ...]] = ("spike_times",)
    unfit: ClassVar[tuple[str, ...]] = ("electrodes", "electrode_group", "waveforms", "waveform_mean", "waveform_sd")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name != "units":
            raise PluginFault(f"a table of units is named {self.name}; NWB has one, and calls it units")
        if self.resolution_s is not None and not is_positive(self.resolution_s):
            raise BadSource(f"units: a resolution of {self.resolution_s} s; expected more than 0")


@dataclass(frozen=True)
class Localizations(Table):
    """Single molecules as a localization program found them: a row each; becomes the type of ``schemas/nwb/ndx-smlm``.

    Columns that the type knows: ``frame``, ``x``, ``y``, ``z``, ``sigma``, ``sigma1``, ``sigma2``, ``intensity``,
    ``offset``, ``bkgstd``, ``chi2``, ``uncertainty``, ``uncertainty_xy``, ``uncertainty_z``, ``detections``,
    ``loglikelihood``, ``source_id``; each with its unit. Any other column is kept as well.
    """

    plane: Plane | None = None
    frame_base: int | None = None  # number of the first frame: 0 or 1
    found_in: str | None = None  # name of the Movie
    software: str | None = None
    software_version: str | None = None

    required: ClassVar[tuple[str, ...]] = ("x", "y")
    unfit: ClassVar[tuple[str, ...]] = ("imaging_plane", "found_in", "frame_base", "software", "software_version")
    numeric: ClassVar[tuple[str, ...]] = required

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frame_base not in (None, 0, 1):
            raise BadSource(f"{self.name}: the first frame has the number {self.frame_base}; expected 0 or 1")


@dataclass(frozen=True)
class Parameters:
    """Named values that a program ran with or that an instrument was set to; becomes a table of keys and JSON values.

    Nested mappings are flattened: ``{"init": {"K": 4}}`` is ``{"init/K": 4}``.
    """

    name: str
    values: Mapping[str, Any]  # numbers (also inf and nan), text, yes and no, None, lists of these
    description: str | None = None
    software: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", dict(_flat(self.values, "", self.name)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameters):
            return NotImplemented
        facts = ("name", "description", "software", "version")
        same = all(getattr(self, fact) == getattr(other, fact) for fact in facts)
        return same and json.dumps(self.values, sort_keys=True) == json.dumps(other.values, sort_keys=True)  # NaN = NaN

    __hash__ = None  # type: ignore[assignment]


def _flat(value: Any, key: str, name: str) -> Iterable[tuple[str, Any]]:
    """Yield keys and plain values of nested mappings and of lists that hold mappings."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping) and (value or not key):
        for inner, below in value.items():
            yield from _flat(below, f"{key}/{inner}" if key else str(inner), name)
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{key}/{number}", name)
    else:
        try:
            yield key, json.loads(json.dumps(value, default=_plain))
        except (TypeError, ValueError) as error:
            raise BadSource(f"{name}: the value of {key} is a {type(value).__name__}; expected plain values") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic) and not isinstance(plain := value.tolist(), np.generic):
        return plain
    raise TypeError  # also a number too long for Python's

"""A localization table: read through once to count and check it, then lazily, row by row, in bounded memory."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, Column, LazyArray, arrays
from nwbridge_dl_smlm.columns import WHOLE, Header, read_header
from nwbridge_dl_smlm.rows import Rows, Values, spread

_EXACT = 1 << 53  # whole numbers below are the same as float64


@dataclass
class _Seen:
    """What reading the rows has shown of one column so far."""

    not_finite: int = 0
    ends: tuple[float, float] | None = None  # smallest and largest finite value
    integral: bool = True
    text_whole: bool = True  # written as 1, not as 1.0

    def add(self, values: npt.NDArray[Any]) -> None:
        count, self.ends = spread(values, self.ends)
        self.not_finite += count
        if values.dtype.kind == "f" and len(values):
            self.text_whole = False
            self.integral = self.integral and not count and bool((values == np.trunc(values)).all())

    @property
    def whole(self) -> bool:
        """Whether all values are integers, and int64 holds each exactly as it was parsed."""
        small = self.ends is None or max(-self.ends[0], self.ends[1]) < _EXACT
        return self.text_whole or (self.integral and small)


@dataclass(frozen=True)
class Table:
    """A table that was read through once."""

    blob: arrays.Blob
    header: Header
    rows: int
    dtype: np.dtype[Any]  # a field for each column
    not_finite: dict[str, int]  # NaN and infinite values by column, where there are any
    ends: dict[str, tuple[float, float]]  # smallest and largest finite value by column
    ended: bool  # whether the last line has an end
    _source: Rows = field(repr=False)
    _whole: frozenset[str] = field(repr=False)  # columns written as whole numbers throughout

    def columns(self) -> tuple[Column, ...]:
        """Return the columns, which are filled from one reading of the file."""
        fields = LazyArray((self.rows,), self.dtype, self._open).fields()
        return tuple(Column(h.name, fields[h.name], h.description, h.unit) for h in self.header.headings)

    @contextmanager
    def _open(self) -> Iterator["_Reader"]:
        with self.blob.open() as handle:
            yield _Reader(self, handle)

    def blocks(self, handle: Any) -> Iterator[Values]:
        """Yield the columns by blocks, from the first row on."""
        return self._source.blocks(handle, self._whole)


def read_table(blob: arrays.Blob) -> Table:
    """Read a table through; BadSource where a row or a number is not what the first line declares."""
    header = read_header(blob)
    rows = Rows(blob, header.start, header.names, tuple(heading.text for heading in header.headings))
    seen = {name: _Seen() for name in header.names}
    count = 0
    with blob.open() as handle:
        summed = _Summed(handle)
        summed.read(0, header.start)
        for block in rows.blocks(summed, frozenset(WHOLE).intersection(header.names)):
            count += len(block["x"])
            for name, values in block.items():
                seen[name].add(values)
        ended = handle.read(blob.size - 1, 1) == b"\n"
    if blob.crc not in (None, summed.crc):
        raise BadSource(f"{blob.name} does not match its checksum in {blob.path.name}: download it again")
    whole = {name for name in header.names if name in WHOLE and seen[name].whole}
    kinds = [(name, np.int64 if name in whole else np.float64) for name in header.names]
    return Table(
        blob,
        header,
        count,
        np.dtype(kinds),
        {name: column.not_finite for name, column in seen.items() if column.not_finite},
        {name: _ends(column.ends, name in whole) for name, column in seen.items() if column.ends},
        ended,
        rows,
        frozenset(name for name in WHOLE if name in seen and seen[name].text_whole),
    )


def _ends(ends: tuple[float, float], whole: bool) -> tuple[float, float]:
    return (int(ends[0]), int(ends[1])) if whole else ends


class _Summed:
    """Reads on from what was read before, and keeps the checksum."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.crc = 0

    def read(self, offset: int, count: int) -> bytes:
        data: bytes = self._handle.read(offset, count)
        self.crc = zlib.crc32(data, self.crc)
        return data


class _Reader:
    """Rows in the order of the file; an earlier row starts again from the beginning."""

    def __init__(self, table: Table, handle: Any) -> None:
        self._table, self._handle = table, handle
        self._restart()

    def _restart(self) -> None:
        self._blocks = self._table.blocks(self._handle)
        self._block: Values = {}
        self._at = self._size = 0  # first row and number of rows of the block

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        start, stop, _ = key.indices(self._table.rows)
        out = np.empty(max(0, stop - start), self._table.dtype)
        if len(out) and start < self._at:
            self._restart()
        done = 0
        while done < len(out):
            skip = start + done - self._at
            if skip >= self._size:
                self._next()
                continue
            count = min(self._size - skip, len(out) - done)
            for name, values in self._block.items():
                out[name][done : done + count] = values[skip : skip + count]
            done += count
        return out

    def _next(self) -> None:
        self._at += self._size
        block = next(self._blocks, None)
        if block is None:
            name, rows = self._table.blob.name, self._table.rows
            raise BadSource(f"{name} ends after {self._at:,} rows; {rows:,} were counted: it changed while it was read")
        self._block, self._size = block, len(block["x"])

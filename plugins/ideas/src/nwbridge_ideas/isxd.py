"""The envelope of every .isxd file: payload, JSON footer, and what the footer says of time and space.

``[payload][JSON footer][0x00][uint64 length of the footer]``; all numbers are little-endian. Everything is checked
here before anything is read: sizes are compared as Python's whole numbers, so that absurd ones allocate nothing.
"""

import json
import os
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource

KINDS = {
    0: "movie",
    1: "cell set",
    2: "behaviour movie",
    3: "GPIO recording",
    4: "image",
    5: "event set",
    6: "metrics",
    7: "IMU recording",
    8: "vessel set",
}
READ = ("movie", "cell set", "image", "event set")
MAX_FOOTER = 256 << 20
MAX_COUNT = 1 << 53  # above it float64 cannot hold every whole number
Values = npt.NDArray[Any]
_TAIL = struct.Struct("<xQ")
_DAY = 86_400
_ABSENT = object()


@dataclass(frozen=True)
class Isxd:
    """A file's footer, and how many bytes lie before it."""

    path: Path
    footer: dict[str, Any] = field(repr=False)
    payload: int

    @property
    def kind(self) -> str:
        """What the file holds, in words; BadSource for what this source does not read."""
        number = self.whole("type")
        kind = KINDS.get(number)
        if kind not in READ:
            what = f"a {kind} (type {number})" if kind else f"of the unknown type {number}"
            raise BadSource(f"{self.path.name} is {what}; this source reads movies, images, cell sets and event sets")
        return kind

    def bad(self, keys: tuple[Any, ...], found: object, expected: str) -> BadSource:
        """Return the error that names the footer's value."""
        text = str(found)
        shown = text if len(text) <= 60 else text[:57] + "…"
        return BadSource(f"{self.path.name}: footer's {'/'.join(map(str, keys))} is {shown}; expected {expected}")

    def get(self, *keys: str, default: Any = _ABSENT) -> Any:
        """Return a value of the footer; BadSource where it is absent and there is no default."""
        value: Any = self.footer
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                if default is _ABSENT:
                    raise BadSource(f"{self.path.name}: the footer has no {'/'.join(keys)}; expected one")
                return default
            value = value[key]
        return value

    def whole(self, *keys: str, least: int = 0, most: int = MAX_COUNT) -> int:
        """Return a whole number of the footer."""
        value = self.get(*keys)
        if not _is_whole(value) or not least <= value <= most:
            raise self.bad(keys, value, f"a whole number from {least} to {most:,}")
        return int(value)

    def ratio(self, *keys: str, above: int | None = None) -> Fraction:
        """Return a quotient {num, den} of the footer; with `above`, more than that."""
        value = self.get(*keys)
        parts: list[Any] = [value.get(name) for name in ("num", "den")] if isinstance(value, dict) else [None, None]
        limit = 1 << 63  # the format's own numbers have 64 bits
        if not all(_is_whole(n) and abs(n) < limit for n in parts) or parts[1] <= 0:
            raise self.bad(keys, value, "{num, den}, whole numbers of 64 bits, den above 0")
        found = Fraction(int(parts[0]), int(parts[1]))
        if above is not None and found <= above:
            raise self.bad(keys, found, f"more than {above}")
        return found

    def listed(self, *keys: str, count: int | None = None, optional: bool = False) -> list[Any]:
        """Return a list of the footer; where it is `optional`, null, absent and empty are all an empty one."""
        value = self.get(*keys, default=[] if optional else _ABSENT)
        if value is None and optional:
            value = []
        if not isinstance(value, list):
            raise self.bad(keys, value, "a list")
        if count is not None and len(value) != count and not (optional and not value):
            raise self.bad(keys, f"a list of {len(value)}", f"{count}, one for each")
        return value

    def said(self, *keys: str) -> Any:
        """Return what ``extraProperties`` says, None where it says nothing."""
        return self.get("extraProperties", *keys, default=None)

    def check_payload(self, expected: int, words: str) -> None:
        """Raise BadSource unless the bytes before the footer are as many as the footer declares."""
        if self.payload != expected:
            raise BadSource(
                f"{self.path.name} is damaged: {self.payload:,} bytes lie before the footer, which declares {words}, "
                f"{expected:,} bytes; get the file again"
            )

    def shape(self) -> tuple[int, int]:
        """Return (rows, columns)."""
        most = 1 << 20
        rows, columns = (self.whole("spacingInfo", "numPixels", axis, least=1, most=most) for axis in "yx")
        return rows, columns

    def place_um(self, key: str, above: int | None = None) -> tuple[float, float] | None:
        """Return (row, column) of ``pixelSize`` or ``topLeft`` on the sensor; None where the footer has none."""
        if self.get("spacingInfo", key, default=None) is None:
            return None
        rows, columns = (float(self.ratio("spacingInfo", key, axis, above=above)) for axis in "yx")
        return rows, columns


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_isxd(path: Path) -> Isxd:
    """Read a file's footer; BadSource where the file is cut off, or is none."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size < _TAIL.size:
            raise BadSource(f"{path.name} has {size} bytes; an .isxd file ends with its footer and 9 bytes more")
        file.seek(-_TAIL.size, os.SEEK_END)
        tail = file.read(_TAIL.size)
        (length,) = _TAIL.unpack(tail)
        if tail[0] or not 2 <= length <= size - _TAIL.size:
            raise BadSource(
                f"{path.name} is cut off or no .isxd file: its last 8 bytes give its footer {length:,} bytes, "
                f"and the file has {size:,}; get it again"
            )
        if length > MAX_FOOTER:
            raise BadSource(f"{path.name}: a footer of {length:,} bytes; expected at most {MAX_FOOTER:,}")
        payload = size - _TAIL.size - length
        file.seek(payload)
        text = file.read(length)
    try:
        footer = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, nested too deep, a number too long
        raise BadSource(f"{path.name} is damaged: its footer is not JSON ({error}); get it again") from error
    if not isinstance(footer, dict):
        raise BadSource(f"{path.name}: the footer is a {type(footer).__name__}; expected a JSON object")
    return Isxd(path, footer, payload)


def start_of(file: Isxd, *keys: str) -> tuple[Fraction, int]:
    """Return seconds since 1970 and the offset of the local clock in seconds."""
    return file.ratio(*keys, "secsSinceEpoch"), file.whole(*keys, "utcOffset", least=1 - _DAY, most=_DAY - 1)


def clock_time(file: Isxd, start: Fraction, offset_s: int) -> datetime | None:
    """Return when the recording began; None where no clock was set, so that it began at, or just after, 1970.

    The vendor's library shows ``secsSinceEpoch + utcOffset`` as local time: the offset is in seconds, east of UTC.
    """
    if 0 <= start < _DAY:
        return None
    try:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(start * 1_000_000))
        return instant.astimezone(timezone(timedelta(seconds=offset_s)))
    except OverflowError:
        raise file.bad(("start",), f"{float(start):g} s after 1970", "a date that a calendar has") from None


def read_rows(path: Path, offset: int, count: int, stride: int, dtype: np.dtype[Any], length: int) -> Values:
    """Return (count, length) values: `length` of them at `offset`, and after every `stride` bytes again."""
    out = np.empty((count, length), dtype)
    view = memoryview(cast(Any, out.reshape(-1).view(np.uint8)))
    row = length * dtype.itemsize
    with path.open("rb", buffering=0) as file:
        if row == stride:  # nothing between the rows: one read
            _fill(path, file, offset, view)
        else:
            for number in range(count):
                _fill(path, file, offset + number * stride, view[number * row : (number + 1) * row])
    return out if dtype.isnative else out.astype(dtype.newbyteorder("="))


def _fill(path: Path, file: Any, offset: int, view: memoryview) -> None:
    file.seek(offset)
    done = 0
    while done < len(view):
        got = file.readinto(view[done:])
        if not got:
            size = os.fstat(file.fileno()).st_size
            raise BadSource(f"{path.name} ends at byte {size:,}; expected at least {offset + len(view):,}")
        done += got

"""The directories (IFDs) of a TIFF: what they say about each frame, checked before anything is allocated.

Format: TIFF 6.0 (Adobe 1992) and BigTIFF. Read here rather than by a library because the frames are wanted by
position, several at once, inside zips and front to back in a stream, and because damage has to be an error.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from nwbridge.arrays.blobs import Blob, Handle
from nwbridge.errors import BadSource

MAX_FRAME = 1 << 31  # bytes: a larger frame is not one that a microscope took
MAX_PIECES = 1 << 20  # strips or tiles of one frame
_FREE = 16 << 20  # bytes that directories may cost beyond the file's size, for values that several of them share
_INTEGERS = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}
_TEXTS = (1, 2, 7)
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 13: 4, 16: 8, 18: 8}
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_BITS = {"u": (8, 16, 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}
# TIFF method -> the most bytes that one stored byte can stand for: none, LZW, deflate twice, PackBits, zstd twice
_MOST = {1: 1, 5: 4096, 8: 1040, 32946: 1040, 32773: 64, 34926: 1 << 16, 50000: 1 << 16}
_LAYOUT = {254, 256, 257, 258, 259, 262, 266, 270, 273, 277, 278, 279, 317, 322, 323, 324, 325, 339, 32997, 32998}
_LAYOUT |= {33629}  # MetaMorph's (UIC2): one value for each plane
_SAYINGS = {282, 283, 296, 305, 306, 315, 50838, 50839}  # resolution, texts, ImageJ's own


@dataclass(frozen=True, slots=True)
class Page:
    """One frame: its shape, how it is packed, and where its segments (strips or tiles) lie."""

    shape: tuple[int, int]  # rows, columns
    dtype: np.dtype[Any]  # with the file's byte order
    segment: tuple[int, int]  # rows, columns of one strip or tile
    offsets: array[int]
    counts: array[int]
    compression: int = 1
    predictor: int = 1
    description: str = ""
    next: int = 0  # offset of the next directory, 0 after the last

    @property
    def nbytes(self) -> int:
        """Size of the decoded frame in bytes."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    @property
    def words(self) -> str:
        """Its shape and type for people."""
        return f"{self.shape[0]} × {self.shape[1]} {self.dtype.newbyteorder('=').name}"

    @property
    def offset(self) -> int | None:
        """Where the frame's values lie as one run of bytes, or None where they do not."""
        if self.compression != 1 or self.segment[1] != self.shape[1]:
            return None
        end = self.offsets[0]
        for start, count in zip(self.offsets, self.counts, strict=True):
            if start != end:
                return None
            end += count
        return self.offsets[0] if end - self.offsets[0] == self.nbytes else None


class Directories:
    """Walks the chain of directories of one TIFF; `head` spares a stream from going back to its first 16 bytes."""

    def __init__(self, handle: Handle, blob: Blob, head: bytes | None = None) -> None:
        self.handle, self.blob = handle, blob
        self.head = head = handle.read(0, 16) if head is None else head
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        version = struct.unpack(order + "H", head[2:4])[0] if order and len(head) >= 8 else None
        if order is None or version not in (42, 43):
            found = f"begins with {head[:4]!r}" if len(head) >= 8 else f"has {blob.size} bytes"
            raise BadSource(f"{blob.name} is not a TIFF: it {found}")
        if version == 43 and len(head) < 16:
            raise BadSource(f"{blob.name} ends inside its first 16 bytes: it is cut off")
        self.order, self.big = order, version == 43
        self.first: int = struct.unpack_from(order + ("Q" if self.big else "L"), head, 8 if self.big else 4)[0]
        self._left = blob.size + _FREE

    def pages(self, start: int | None = None) -> Iterator[Page]:
        """Yield the pages from the first directory, or from the one at `start`."""
        offset = self.first if start is None else start
        seen: set[int] = set()
        while offset:
            if offset in seen:
                raise BadSource(f"{self.blob.name}: the directory of frame {len(seen)} points back to an earlier one")
            seen.add(offset)
            page = self._page(offset, len(seen) - 1)
            yield page
            offset = page.next

    def _page(self, offset: int, number: int) -> Page:
        return _page_from_tags(*self.tags(offset, number))

    def tags(self, offset: int, number: int) -> tuple[Tags, int]:
        """Return the tags of the directory at `offset`, frame `number`, and where the next one lies."""
        where = f"{self.blob.name}: frame {number}"
        entry_size, count_code, next_code = (20, "Q", "Q") if self.big else (12, "H", "L")
        count_size = struct.calcsize("<" + count_code)
        if offset + count_size > self.blob.size:
            raise BadSource(
                f"{where} should be described at byte {offset:,}, the file ends at {self.blob.size:,}: it is cut off"
            )
        (entries,) = struct.unpack(self.order + count_code, self.read(offset, count_size, where))
        if not 0 < entries <= 4096:
            raise BadSource(f"{where} has {entries:,} tags; expected 1 to 4096: the file is damaged")
        size = entries * entry_size
        body = self.read(offset + count_size, size + struct.calcsize("<" + next_code), where)
        (following,) = struct.unpack_from(self.order + next_code, body, size)
        return Tags(self, body[:size], where), following

    def read(self, offset: int, count: int, where: str) -> bytes:
        """Return `count` bytes; BadSource past the end, or where directories that share values would cost too much."""
        if offset + count > self.blob.size:
            raise BadSource(f"{where}: its directory reaches past the file's end at {self.blob.size:,}: it is cut off")
        self._left -= count
        if self._left < 0:
            raise BadSource(f"{where}: the directories claim more values than the file has bytes: it is damaged")
        return self.handle.read(offset, count)


class Tags:
    """The tags of one directory; values are read when asked for, so that a claimed count alone costs nothing."""

    def __init__(self, directories: Directories, body: bytes, where: str) -> None:
        self.where, self.order = where, directories.order
        self._directories = directories
        inline = 8 if directories.big else 4
        entry = struct.Struct(f"{self.order}HH{'Q' if directories.big else 'L'}{inline}s")
        self._entries: dict[int, tuple[int, int, bytes]] = {}
        for code, kind, count, value in entry.iter_unpack(body):
            if code in _LAYOUT or code in _SAYINGS:
                self._entries.setdefault(code, (kind, count, value))

    def __contains__(self, code: int) -> bool:
        return code in self._entries

    def one(self, code: int, default: int | None = None) -> int:
        """Return the first value of an integer tag, or `default` where the tag is absent."""
        if code not in self and default is not None:
            return default
        return self.many(code, 1)[0]

    def many(self, code: int, expected: int) -> array[int]:
        """Return the first `expected` values of an integer tag; BadSource if it has fewer."""
        kind, count, value = self._entry(code)
        if kind not in _INTEGERS:
            raise BadSource(f"{self.where}: TIFF tag {code} has type {kind}; expected integers: the file is damaged")
        if count < expected:
            raise BadSource(f"{self.where}: TIFF tag {code} has {count:,} values; expected {expected:,}: it is damaged")
        raw = self._raw(kind, count, value, expected)
        return array("Q", struct.unpack(f"{self.order}{expected}{_INTEGERS[kind]}", raw))

    def text(self, code: int) -> str:
        """Return a text tag up to its first NUL, or nothing where the tag is absent."""
        if code not in self:
            return ""
        kind, count, value = self._entry(code)
        if kind not in _TEXTS:
            raise BadSource(f"{self.where}: TIFF tag {code} has type {kind}; expected text: the file is damaged")
        text = self._raw(kind, count, value, count).split(b"\0", 1)[0]
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError:
            return text.decode("latin-1")  # older ImageJ: µm

    def raw(self, code: int) -> bytes:
        """Return the bytes of a tag that holds nothing else; BadSource where it is absent or of another kind."""
        kind, count, value = self._entry(code)
        if kind not in _TEXTS:
            raise BadSource(f"{self.where}: TIFF tag {code} has type {kind}; expected bytes: the file is damaged")
        return self._raw(kind, count, value, count)

    def ratio(self, code: int) -> Fraction | None:
        """Return the first value of a tag of two whole numbers, or None where it is absent or no number."""
        if code not in self or self._entry(code)[0] != 5 or not self.count(code):
            return None
        over, under = struct.unpack(self.order + "LL", self._raw(*self._entry(code), 1))
        return Fraction(over, under) if under else None

    def count(self, code: int) -> int:
        """Return how many values a tag says that it has; 0 where it is absent."""
        return self._entries[code][1] if code in self else 0

    def _entry(self, code: int) -> tuple[int, int, bytes]:
        if code not in self:
            raise BadSource(f"{self.where} lacks TIFF tag {code}: the file is damaged")
        return self._entries[code]

    def _raw(self, kind: int, count: int, value: bytes, wanted: int) -> bytes:
        """Return the bytes of the first `wanted` of `count` values: the field itself, or what it points to."""
        if count * _WIDTHS[kind] <= len(value):
            return value[: wanted * _WIDTHS[kind]]
        (offset,) = struct.unpack(self.order + ("Q" if len(value) == 8 else "L"), value)
        return self._directories.read(offset, wanted * _WIDTHS[kind], self.where)


def _page_from_tags(tags: Tags, following: int) -> Page:
    rows, columns = tags.one(257), tags.one(256)
    dtype, compression = _dtype(tags), tags.one(259, 1)
    if compression not in _MOST:
        raise BadSource(
            f"{tags.where} is compressed with TIFF method {compression}; expected none, LZW, deflate, PackBits or "
            "zstd: save it with one of them"
        )
    if not rows or not columns or rows * columns * dtype.itemsize > MAX_FRAME:
        raise BadSource(
            f"{tags.where} claims {rows:,} × {columns:,} pixels; expected at least 1 and below {MAX_FRAME:,} bytes"
        )
    tiled = 324 in tags
    segment = (tags.one(323), tags.one(322)) if tiled else (min(tags.one(278, rows) or rows, rows), columns)
    offsets, counts = _segments(tags, (rows, columns), segment, dtype, tiled=tiled, compressed=compression != 1)
    page = Page(
        shape=(rows, columns),
        dtype=dtype,
        segment=segment,
        offsets=offsets,
        counts=counts,
        compression=compression,
        predictor=tags.one(317, 1),
        description=tags.text(270),
        next=following,
    )
    if page.nbytes > _MOST[compression] * sum(counts) + 1024 * (compression != 1):
        raise BadSource(
            f"{tags.where} claims {page.nbytes:,} bytes and stores {sum(counts):,}, too few: the file is damaged"
        )
    return page


def _dtype(tags: Tags) -> np.dtype[Any]:
    """Return the type of the pixels, with the file's byte order; BadSource unless they are one plain number each."""
    if max(tags.one(32997, 1), tags.one(32998, 1)) > 1:
        raise BadSource(f"{tags.where} is a volume of {tags.one(32997, 1)} planes; expected one plane a frame")
    samples, photometric = tags.one(277, 1), tags.one(262, 1)
    if samples != 1 or photometric in (2, 6):
        raise BadSource(
            f"{tags.where} has {samples} samples a pixel (colour); expected one number a pixel: save it as greyscale"
        )
    if photometric == 3 or tags.one(266, 1) != 1 or tags.one(254, 0) & 0b101:
        raise BadSource(f"{tags.where} is a palette, mask or preview image; expected a frame of plain numbers")
    if tags.count(33629) > 1:
        raise BadSource(
            f"{tags.where} alone describes a MetaMorph stack (STK) of {tags.count(33629):,} planes: "
            "save it as a TIFF with a page for each"
        )
    bits, sample = tags.one(258, 1), tags.one(339, 1)
    kind = _KINDS.get(sample, "")
    if bits not in _BITS.get(kind, ()):
        raise BadSource(
            f"{tags.where} has {bits}-bit values of format {sample}; expected 8, 16, 32 or 64-bit integers or floats"
        )
    return np.dtype(f"{tags.order}{kind}{bits // 8}")


def _segments(
    tags: Tags,
    shape: tuple[int, int],
    segment: tuple[int, int],
    dtype: np.dtype[Any],
    *,
    tiled: bool,
    compressed: bool,
) -> tuple[array[int], array[int]]:
    """Return where each strip or tile lies and how many bytes it has."""
    size = segment[0] * segment[1] * dtype.itemsize
    # a tile may be larger than the image, but not so much that it costs memory
    if not size or size > max(4 * shape[0] * shape[1] * dtype.itemsize, 1 << 24):
        raise BadSource(f"{tags.where} has tiles of {segment[0]:,} × {segment[1]:,}; the file is damaged")
    expected = -(-shape[0] // segment[0]) * -(-shape[1] // segment[1])
    offsets_tag, counts_tag = (324, 325) if tiled else (273, 279)
    found = tags.count(offsets_tag)
    if found != expected or expected > MAX_PIECES:
        raise BadSource(f"{tags.where} points to {found:,} pieces; expected {expected:,}: the file is damaged")
    offsets = tags.many(offsets_tag, expected)
    if expected == 1 and not compressed and not tiled:
        # some writers give the bytes of the whole stack, or none at all: the shape says how many belong to this frame
        return offsets, array("Q", [shape[0] * shape[1] * dtype.itemsize])
    return offsets, tags.many(counts_tag, expected)

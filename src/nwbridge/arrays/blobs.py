"""A run of bytes with a name, a file or a member of a zip: read by position, or streamed front to back."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from isal import isal_zlib

from nwbridge.errors import BadSource

MAX_TEXT = 256 << 20
_PIECE = 1 << 18  # packed bytes inflated at a time
_MOST_AGAIN, _FREE_AGAIN = 16, 4 << 30  # how often, and how many bytes at least, a stream may be inflated again


class Handle(Protocol):
    """An open blob."""

    blob: Blob

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes at `offset`; fewer at the end."""

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill `out` from `offset`; BadSource if the blob ends before."""


@dataclass(frozen=True)
class Blob:
    """A run of bytes with a name: a file, or a member of a zip.

    `packed` is None where the bytes stand as they are in `path`, else the number of deflated bytes.
    """

    path: Path
    name: str
    start: int
    size: int
    packed: int | None = None
    crc: int | None = None

    @property
    def sequential(self) -> bool:
        """Whether it can only be read front to back at full speed."""
        return self.packed is not None

    @contextmanager
    def open(self) -> Iterator[Handle]:
        """Yield a `Handle`; positional handles serve several threads at once, streams only one."""
        with readable(self.path).open("rb", buffering=0) as file:
            yield Stream(self, file) if self.sequential else Positional(self, file)

    def read(self) -> bytes:
        """Return everything, checked against the zip's checksum."""
        if self.size > MAX_TEXT:
            raise BadSource(f"{self.name} holds {self.size:,} bytes; expected a text below {MAX_TEXT:,}")
        with self.open() as handle:
            data = handle.read(0, self.size)
            if isinstance(handle, Stream):
                handle.finish()
            elif self.crc is not None and isal_zlib.crc32(data) != self.crc:
                raise BadSource(f"{self.name} does not match its checksum in {self.path.name}: download it again")
        return data


def readable(path: Path) -> Path:
    """Return the path of an ordinary file that may be read; BadSource for anything else."""
    try:
        ordinary = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        raise BadSource(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise BadSource(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not ordinary:
        raise BadSource(f"{path} is not an ordinary file")
    if not os.access(path, os.R_OK):
        raise BadSource(f"{path} cannot be read: permission denied")
    return path


class Positional:
    """Reads at any offset; one open file serves all threads."""

    def __init__(self, blob: Blob, file: BinaryIO) -> None:
        self.blob = blob
        self._file = file
        self._lock = threading.Lock()

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes at `offset`; fewer at the end."""
        out = bytearray(max(0, min(count, self.blob.size - offset)))
        self.read_into(offset, memoryview(out))
        return bytes(out)

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill `out` from `offset`; BadSource if the blob ends before."""
        if offset + len(out) > self.blob.size:
            raise BadSource(f"{self.blob.name} ends at byte {self.blob.size:,}; expected {offset + len(out):,}")
        done = 0
        while done < len(out):
            count = self._read_at(self.blob.start + offset + done, out[done:])
            if not count:
                raise BadSource(f"{self.blob.name} became shorter while it was read")
            done += count

    def _read_at(self, position: int, out: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [out], position)
        with self._lock:  # Windows has no positional read
            self._file.seek(position)
            return self._file.readinto(out) or 0  # type: ignore[attr-defined]


class Stream:
    """Inflates a zip member front to back; an earlier offset starts again from the beginning."""

    def __init__(self, blob: Blob, file: BinaryIO) -> None:
        self.blob = blob
        self._file = file
        self._again = 0  # bytes inflated in vain
        self._position = 0
        self._restart()

    def _restart(self) -> None:
        self._again += self._position
        if self._again > _MOST_AGAIN * self.blob.size + _FREE_AGAIN:
            raise BadSource(f"{self.blob.name} in {self.blob.path.name} is not in reading order: unzip it first")
        self._inflate = isal_zlib.decompressobj(-15)
        self._taken = 0  # packed bytes given to the inflater
        self._kept = memoryview(b"")  # inflated bytes from _position - len(_kept)
        self._position = 0  # inflated bytes so far
        self._crc = 0

    def _advance(self) -> bool:
        """Inflate one more piece; False at the end of the member."""
        if self._position >= self.blob.size or self._inflate.eof:
            return False
        source = self._inflate.unconsumed_tail
        if not source:
            packed = self.blob.packed or 0
            self._file.seek(self.blob.start + self._taken)
            source = self._file.read(min(_PIECE, packed - self._taken))
            self._taken += len(source)
        try:
            piece = self._inflate.decompress(source, 4 * _PIECE)
        except isal_zlib.error as error:  # type: ignore[misc]  # its stub does not say that it is an exception
            raise BadSource(
                f"{self.blob.name} in {self.blob.path.name} is damaged ({error}): download it again"
            ) from error
        if not piece and not source and not self._inflate.eof:
            raise BadSource(
                f"{self.blob.name} in {self.blob.path.name} stops after {self._position:,} of {self.blob.size:,} bytes"
            )
        self._position += len(piece)
        if self._position > self.blob.size:
            raise BadSource(
                f"{self.blob.name} in {self.blob.path.name} inflates to more than the {self.blob.size:,} bytes declared"
            )
        self._crc = isal_zlib.crc32(piece, self._crc)
        self._kept = memoryview(piece)
        return True

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes at `offset`; fewer at the end."""
        out = bytearray(max(0, min(count, self.blob.size - offset)))
        self.read_into(offset, memoryview(out))
        return bytes(out)

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill `out` from `offset`; BadSource if the blob ends before."""
        if not len(out):
            return
        if offset < self._position - len(self._kept):
            self._restart()
        done = 0
        while done < len(out):
            skip = offset + done - (self._position - len(self._kept))
            if skip < len(self._kept):
                part = self._kept[skip : skip + len(out) - done]
                out[done : done + len(part)] = part
                done += len(part)
            elif not self._advance():
                raise BadSource(
                    f"{self.blob.name} in {self.blob.path.name} ends after {self._position:,} bytes; "
                    f"expected {offset + len(out):,}"
                )

    def finish(self) -> None:
        """Inflate what is left and compare length and checksum with what the zip declares."""
        while self._advance():
            pass
        if self._position != self.blob.size or self._crc != self.blob.crc:
            raise BadSource(f"{self.blob.name} does not match its checksum in {self.blob.path.name}: download it again")

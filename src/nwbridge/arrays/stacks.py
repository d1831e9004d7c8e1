"""Frames of several files one after the other: TIFFs and raw frames, in folders and zips."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nwbridge.arrays.blobs import Blob, Handle, Stream
from nwbridge.arrays.directories import Page
from nwbridge.arrays.tiff import Frames, bytes_of, frames_of
from nwbridge.errors import BadSource
from nwbridge.model import LazyArray, Reader

_MAX_AROUND = 1 << 20  # bytes around a frame that are compared with the first file's


def from_binary(blobs: Sequence[Blob], rows: int, columns: int, dtype: npt.DTypeLike) -> LazyArray:
    """Return (time, row, column) over raw frames in **column-major** order, one or more frames a file.

    Raises BadSource where a file's size is not a whole number of frames.
    """
    kind = np.dtype(dtype)
    frame = rows * columns * kind.itemsize
    if not blobs or rows <= 0 or columns <= 0:
        raise BadSource(
            f"{len(blobs)} binary files of {rows} × {columns} {kind} frames were described; expected at least one"
        )
    counts = []
    for blob in blobs:
        if not blob.size or blob.size % frame:
            raise BadSource(
                f"{blob.name} holds {blob.size:,} bytes; expected whole frames of {frame:,} "
                f"({rows} × {columns} {kind.name})"
            )
        counts.append(blob.size // frame)
    parts = [_Raw(blob, count, kind) for blob, count in zip(blobs, counts, strict=True)]
    return _concatenate(parts, (rows, columns), kind.newbyteorder("="), transposed=True)


def from_tiff(blobs: Blob | Sequence[Blob]) -> LazyArray:
    """Return (time, row, column) over one TIFF or several in the given order, as many frames a file as it has.

    The first file's header stands for every other of the same size when it holds one uncompressed frame; that is
    checked when the frame is read. Raises BadSource for files that are cut off, mixed, coloured or not TIFF.
    """
    return _concatenate(*_parts(blobs, between=False))


@dataclass(frozen=True)
class TiffPages:
    """Every page of one TIFF or several, whatever it holds: channels and planes lie between each other."""

    array: LazyArray  # (page, row, column)
    counts: tuple[int, ...]  # pages of each file
    parts: tuple[_Part, ...] = field(repr=False, compare=False)

    def descriptions(self) -> Iterator[str]:
        """Yield the ImageDescription of each page; nothing for pages that no directory describes."""
        for part in self.parts:
            frames = part if isinstance(part, Frames) else frames_of(part.blob, between=True)
            yield from itertools.islice(
                itertools.chain((page.description for page in frames.pages), itertools.repeat("")), frames.count
            )

    def openings(self) -> list[str | None]:
        """Return the first ImageDescription of each file; None for one that should be the first file's."""
        return [part.pages[0].description if isinstance(part, Frames) else None for part in self.parts]


def tiff_pages(blobs: Blob | Sequence[Blob]) -> TiffPages:
    """Return the pages of one TIFF or several in the given order, as `from_tiff`, and how many each file has.

    What each page is, which channel and plane, is left to the caller (see `rearranged`).
    """
    parts, frame, dtype = _parts(blobs, between=True)
    return TiffPages(_concatenate(parts, frame, dtype), tuple(part.count for part in parts), tuple(parts))


def _parts(blobs: Blob | Sequence[Blob], *, between: bool) -> tuple[list[_Part], tuple[int, int], np.dtype[Any]]:
    """Return the files with their frames, the frames' shape and type; see `frames_of` for `between`."""
    blobs = [blobs] if isinstance(blobs, Blob) else list(blobs)
    if not blobs:
        raise BadSource("no TIFF file was found")
    first = frames_of(blobs[0], between=between)
    alike = _template(blobs[0], first) if len(blobs) > 1 else None
    parts: list[_Part] = []
    for blob in blobs:
        if alike is not None and blob.size == alike.blob.size:
            parts.append(replace(alike, blob=blob))
        else:
            frames = first if blob is blobs[0] else frames_of(blob, between=between)
            _check_alike(frames.pages[0], first.pages[0], blob, blobs[0])
            parts.append(frames)
    return parts, first.pages[0].shape, first.pages[0].dtype.newbyteorder("=")


def _check_alike(page: Page, first: Page, blob: Blob, first_blob: Blob) -> None:
    if (page.shape, page.dtype.newbyteorder("=")) != (first.shape, first.dtype.newbyteorder("=")):
        raise BadSource(
            f"{blob.name} has frames of {page.words}, {first_blob.name} of {first.words}; expected one shape and type"
        )


class _Part(Protocol):
    """A file that holds consecutive frames of a movie."""

    @property
    def blob(self) -> Blob: ...
    @property
    def count(self) -> int: ...
    def read_into(self, handle: Handle, start: int, out: npt.NDArray[Any]) -> None:
        """Fill `out`, contiguous and of native byte order, with the frames from `start`."""


@dataclass(frozen=True)
class _Raw:
    """Frames without any header."""

    blob: Blob
    count: int
    dtype: np.dtype[Any]

    def read_into(self, handle: Handle, start: int, out: npt.NDArray[Any]) -> None:
        handle.read_into(start * out[0].nbytes, bytes_of(out))
        if not self.dtype.isnative:
            out.byteswap(inplace=True)


@dataclass(frozen=True)
class _Alike:
    """A file of one frame whose bytes around the pixels should equal the first file's."""

    blob: Blob
    first: Frames
    head: bytes
    tail: bytes
    count: int = 1

    def read_into(self, handle: Handle, start: int, out: npt.NDArray[Any]) -> None:
        page = self.first.pages[0]
        head = handle.read(0, len(self.head))
        handle.read_into(len(head), bytes_of(out))
        tail = handle.read(self.blob.size - len(self.tail), len(self.tail))
        if head == self.head and tail == self.tail:
            if not page.dtype.isnative:
                out.byteswap(inplace=True)
            return
        own = frames_of(self.blob)
        _check_alike(own.pages[0], page, self.blob, self.first.blob)
        if own.count != 1:
            raise BadSource(
                f"{self.blob.name} holds {own.count} frames, {self.first.blob.name} one; expected one a file"
            )
        own.read_into(handle, 0, out)


def _template(blob: Blob, frames: Frames) -> _Alike | None:
    """Return what other files of this size should look like, if this one is one plain frame."""
    page = frames.pages[0]
    if frames.count != 1 or page.offset is None or blob.size - page.nbytes > _MAX_AROUND:
        return None
    with blob.open() as handle:
        head = handle.read(0, page.offset)
        end = page.offset + page.nbytes
        tail = handle.read(end, blob.size - end)
    return _Alike(blob, frames, head, tail)


def _concatenate(
    parts: Sequence[_Part], frame: tuple[int, int], dtype: np.dtype[Any], *, transposed: bool = False
) -> LazyArray:
    """Return (time, row, column) over the frames of all parts; `transposed` where files hold (column, row)."""
    starts = list(itertools.accumulate((part.count for part in parts), initial=0))
    inside = frame[::-1] if transposed else frame
    # a stream can only be read in parallel where every block opens whole files of its own
    parallel = all(not part.blob.sequential or part.count == 1 for part in parts) and not (
        len(parts) == 1 and parts[0].blob.sequential
    )

    @contextmanager
    def open_frames() -> Iterator[Reader]:
        with ExitStack() as stack:
            yield _Concatenated(parts, starts, inside, dtype, transposed, stack)

    return LazyArray((starts[-1], *frame), dtype, open_frames, parallel=parallel)


class _Concatenated:
    """Reads blocks of frames across files; keeps at most one file open."""

    def __init__(
        self,
        parts: Sequence[_Part],
        starts: list[int],
        inside: tuple[int, int],
        dtype: np.dtype[Any],
        transposed: bool,
        stack: ExitStack,
    ) -> None:
        self._parts, self._starts = parts, starts
        self._inside, self._dtype, self._transposed = inside, dtype, transposed
        self._stack = stack
        self._open: tuple[int, Handle] | None = None
        if len(parts) == 1:
            self._open = (0, stack.enter_context(parts[0].blob.open()))

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        start, stop, _ = key.indices(self._starts[-1])
        out = np.empty((max(0, stop - start), *self._inside), self._dtype)
        index = bisect.bisect_right(self._starts, start) - 1
        done = 0
        while done < len(out):
            part = self._parts[index]
            skip = start + done - self._starts[index]
            count = min(part.count - skip, len(out) - done)
            self._read(index, skip, out[done : done + count])
            done, index = done + count, index + 1
        return out.transpose(0, 2, 1) if self._transposed else out

    def _read(self, index: int, skip: int, out: npt.NDArray[Any]) -> None:
        part = self._parts[index]
        if len(self._parts) > 1 and (part.count == 1 or not part.blob.sequential):
            with part.blob.open() as handle:  # several threads may be here
                _fill(part, handle, skip, out)
            return
        if self._open is None or self._open[0] != index:
            self._stack.close()
            self._open = (index, self._stack.enter_context(part.blob.open()))
        _fill(part, self._open[1], skip, out)


def _fill(part: _Part, handle: Handle, skip: int, out: npt.NDArray[Any]) -> None:
    """Fill `out` with a part's frames from `skip`; with the last of them a stream's checksum is compared."""
    part.read_into(handle, skip, out)
    if isinstance(handle, Stream) and skip + len(out) == part.count:
        handle.finish()

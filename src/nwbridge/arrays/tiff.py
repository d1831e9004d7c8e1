"""The frames of a TIFF: how many there are, where they lie, and how each is decoded."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from nwbridge.arrays.blobs import Blob, Handle
from nwbridge.arrays.directories import Directories, Page
from nwbridge.errors import BadSource

SMALL = 1024  # bytes of a frame below which other things in a file may look like frames
_DECODERS = {
    5: imagecodecs.lzw_decode,
    8: imagecodecs.zlib_decode,
    32946: imagecodecs.zlib_decode,
    32773: imagecodecs.packbits_decode,
    34926: imagecodecs.zstd_decode,
    50000: imagecodecs.zstd_decode,
}


def declared_frames(description: str) -> int | None:
    """Return the number of frames that an ImageDescription declares (ImageJ, tifffile, OME), or None."""
    if description.startswith("ImageJ="):
        match = re.search(r"^images=(\d{1,18})\s*$", description, re.MULTILINE)
        return int(match.group(1)) if match else None
    if description.startswith("{") and '"shape"' in description:
        try:
            shape = json.loads(description)["shape"]
            return max(1, math.prod(int(size) for size in shape[:-2]))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None
    if "FileName=" not in description and len(images := _ome_images(description)) == 1:
        pixels = images[0].split(">", 1)[0]
        sizes = [re.search(rf'\bSize{axis}="(\d{{1,18}})"', pixels) for axis in "TCZ"]
        if all(sizes):
            return math.prod(int(match.group(1)) for match in sizes if match)
    return None


def interleaved(description: str) -> str | None:
    """Return what an ImageDescription says of channels or planes that lie between each other in time, or None.

    One axis alone is time, whatever it is called: tifffile writes a movie for ImageJ as so many channels.
    """
    if description.startswith("{") and '"shape"' in description:
        return _stacked_axes(description)
    if description.startswith("ImageJ="):
        stated = re.findall(r"^(channels|slices|frames)=(\d{1,9})\s*$", description, re.MULTILINE)
    elif images := _ome_images(description):
        pixels = images[0].split(">", 1)[0]
        stated = re.findall(r'\b(Size[CZT])="(\d{1,9})"', pixels)
    else:
        return None
    several = [f"{key}={count}" for key, count in stated if int(count) > 1]
    return ", ".join(several) if len(several) > 1 else None


def _ome_images(description: str) -> list[str]:
    """Return what follows each Pixels of an OME-XML, whose names may have a prefix; nothing where it is none."""
    if not re.search(r"<(?:\w{1,99}:)?OME[\s>]", description):
        return []
    return re.split(r"<(?:\w{1,99}:)?Pixels(?=\s)", description)[1:]


def _stacked_axes(description: str) -> str | None:
    """Return the shape that tifffile gives where more than one axis lies before the rows."""
    try:
        shape = [int(size) for size in json.loads(description)["shape"]]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return f"shape {shape}" if sum(size > 1 for size in shape[:-2]) > 1 else None


@dataclass(frozen=True)
class Frames:
    """The frames of one TIFF: `pages`, or with `stacked` frames one after the other behind the first page's."""

    blob: Blob
    pages: tuple[Page, ...]
    stacked: int = 0
    head: bytes = field(default=b"", repr=False)  # of a stream whose directories lie behind its frames: compared last

    @property
    def count(self) -> int:
        """Number of frames."""
        return self.stacked or len(self.pages)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (self.count, *self.pages[0].shape)

    def read_into(self, handle: Handle, start: int, out: npt.NDArray[Any]) -> None:
        """Fill `out` (frames, rows, columns), contiguous and of native byte order, with the frames from `start`."""
        page = self.pages[0]
        view = bytes_of(out)
        for first, offset, count in self._runs(start, start + len(out)):
            low = first - start
            if offset is None:
                out[low] = _decode(handle, self.pages[first], self.blob.name, first)
                continue
            handle.read_into(offset, view[low * page.nbytes : (low + count) * page.nbytes])
            if not page.dtype.isnative:
                out[low : low + count].byteswap(inplace=True)
        if self.head and start + len(out) == self.count:
            self._walk_behind(handle)

    def _runs(self, start: int, stop: int) -> Iterator[tuple[int, int | None, int]]:
        """Yield (first frame, offset, number) of frames that follow each other without a gap; offset None: decode."""
        if self.stacked:
            yield start, (self.pages[0].offset or 0) + start * self.pages[0].nbytes, stop - start
            return
        first, begin, number = start, self.pages[start].offset, 1
        for index in range(start + 1, stop):
            offset = self.pages[index].offset
            if begin is not None and offset == begin + number * self.pages[index].nbytes:
                number += 1
            else:
                yield first, begin, number
                first, begin, number = index, offset, 1
        yield first, begin, number

    def _walk_behind(self, handle: Handle) -> None:
        """Compare the directories behind a streamed stack with the frames that its first one declared."""
        first, count = self.pages[0], 1
        for count, page in enumerate(Directories(handle, self.blob, self.head).pages(first.next), 2):
            if (
                page.shape != first.shape
                or page.dtype != first.dtype
                or page.offset != (first.offset or 0) + (count - 1) * first.nbytes
            ):
                raise BadSource(
                    f"{self.blob.name}: frame {count - 1} is not where its first directory says: convert it unzipped"
                )
        if count != self.count:
            raise BadSource(f"{self.blob.name} declares {self.count:,} frames and describes {count:,}")


def bytes_of(out: npt.NDArray[Any]) -> memoryview:
    """Return the bytes behind a contiguous array, to be written."""
    return memoryview(out.reshape(-1).view(np.uint8))  # type: ignore[arg-type]  # numpy lacks __buffer__ before 3.12


def _decode(handle: Handle, page: Page, name: str, number: int) -> npt.NDArray[Any]:
    """Return one frame that is compressed, tiled or scattered."""
    frame = np.empty(page.shape, page.dtype.newbyteorder("="))
    height, width = page.segment
    across = -(-page.shape[1] // width)
    where = f"{name}: frame {number}"
    # in the order in which they lie in the file, so that a stream need not go back
    for index in sorted(range(len(page.offsets)), key=page.offsets.__getitem__):
        row, column = (index // across) * height, (index % across) * width
        rows = min(height, page.shape[0] - row)
        data = _unpack(handle, page, index, where)
        wanted = rows * width * page.dtype.itemsize
        if len(data) < wanted:
            raise BadSource(f"{where} unpacks to {len(data):,} bytes; expected {wanted:,}: the file is damaged")
        block = np.frombuffer(data, page.dtype, rows * width).reshape(rows, width)
        frame[row : row + rows, column : column + width] = _unpredict(block, page.predictor, name)[
            :, : page.shape[1] - column
        ]
    return frame


def _unpack(handle: Handle, page: Page, index: int, where: str) -> bytes:
    """Return the bytes of one strip or tile; the last strip may be padded to the height of the others."""
    offset, count = page.offsets[index], page.counts[index]
    if offset + count > handle.blob.size:
        raise BadSource(f"{where} lies past the file's end: it is cut off")
    data = handle.read(offset, count)
    if page.compression == 1:
        return data
    try:
        size = page.segment[0] * page.segment[1] * page.dtype.itemsize
        return bytes(_DECODERS[page.compression](data, out=size))
    except Exception as error:
        raise BadSource(f"{where} cannot be decompressed ({error}): the file is damaged") from error


def _unpredict(block: npt.NDArray[Any], predictor: int, name: str) -> npt.NDArray[Any]:
    """Undo TIFF's horizontal differencing (2) or floating point predictor (3)."""
    if predictor == 1:
        return block
    if predictor == 2 and block.dtype.kind in "ui":
        native = block.astype(block.dtype.newbyteorder("="))
        return np.cumsum(native, axis=1, dtype=native.dtype, out=native)
    if predictor == 3 and block.dtype.kind == "f":
        # the predictor stores byte planes from the most significant down, whatever the file's byte order
        planes = np.cumsum(block.view("u1").reshape(len(block), -1), axis=1, dtype="u1")
        size = block.dtype.itemsize
        values = planes.reshape(len(block), size, -1).transpose(0, 2, 1)
        return np.ascontiguousarray(values).view(f">f{size}")[..., 0]
    raise BadSource(
        f"{name} uses TIFF predictor {predictor} on {block.dtype}; expected none, 2 on integers or 3 on floats"
    )


def frames_of(blob: Blob, *, between: bool = False) -> Frames:
    """Find the frames of one TIFF; BadSource where it is cut off, mixed, coloured or contradicts what it declares.

    With `between` also where channels or planes lie between the frames.
    """
    with blob.open() as handle:
        return _find(handle, blob, between)


def _find(handle: Handle, blob: Blob, between: bool) -> Frames:
    directories = Directories(handle, blob)
    walk = directories.pages()
    first = next(walk, None)
    if first is None:
        raise BadSource(f"{blob.name} holds no frame")
    if not between and (parts := interleaved(first.description)):
        raise BadSource(
            f"{blob.name} holds {parts}: channels or planes lie between the frames; save each as a movie of its own"
        )
    declared = declared_frames(first.description)
    # where the other directories of a stream lie behind its frames, reading them now would inflate everything twice
    streamed = blob.sequential and declared is not None and declared > 1 and first.offset is not None
    if streamed and (first.offset or 0) + (declared or 0) * first.nbytes <= first.next < blob.size:
        return Frames(blob, (first,), declared or 0, directories.head)
    pages = _walk_all(first, walk, blob, declared)
    if len(pages) == 1 and declared is not None and declared > 1:
        return _stacked(first, declared, blob)
    if declared is not None and first.description.startswith("{"):  # tifffile describes each appended stack
        appended = [page.description for page in pages[1:] if page.description.startswith("{")]
        declared += sum(declared_frames(text) or 1 for text in appended)
        parts = interleaved(first.description)
        if odd := next((other for text in appended if (other := interleaved(text)) and other != parts), None):
            raise BadSource(f"{blob.name} holds stacks of several forms, one of {odd}: save each as a file of its own")
    if len(pages) == 1 and declared is None:
        _refuse_undescribed(first, directories.first, blob)
    if declared is not None and declared != len(pages):
        raise BadSource(f"{blob.name} declares {declared:,} frames and holds {len(pages):,}: it is incomplete")
    _check_extent(pages, blob)
    return Frames(blob, tuple(pages))


def _refuse_undescribed(page: Page, directory: int, blob: Blob) -> None:
    """Raise BadSource where the one frame that is described is followed by whole frames up to the file's end."""
    if page.offset is None or directory > page.offset or page.nbytes < SMALL:
        return
    frames, rest = divmod(blob.size - page.offset, page.nbytes)
    if frames > 1 and not rest:
        raise BadSource(
            f"{blob.name} describes one frame and holds {frames:,}: nothing says what the others are; "
            "save it with a page for each frame"
        )


def _walk_all(first: Page, walk: Iterator[Page], blob: Blob, declared: int | None) -> list[Page]:
    pages = [first]
    try:
        for page in walk:
            if (page.shape, page.dtype) != (first.shape, first.dtype):
                raise BadSource(
                    f"{blob.name}: frame {len(pages)} is {page.words}, frame 0 is {first.words}; "
                    "expected one shape and type"
                )
            pages.append(page)
    except BadSource as error:
        if "cut off" not in str(error):
            raise
        of = f" of {declared:,} declared" if declared else ""
        raise BadSource(f"{blob.name} is cut off: {len(pages):,} frames{of} are described ({error})") from None
    return pages


def _stacked(first: Page, declared: int, blob: Blob) -> Frames:
    """Frames behind a single directory, as ImageJ writes them above 4 GB."""
    if first.offset is None:
        raise BadSource(
            f"{blob.name} declares {declared:,} frames but describes one, compressed: the others are missing"
        )
    present = (blob.size - first.offset) // first.nbytes
    if present < declared:
        raise BadSource(f"{blob.name} is cut off: {present:,} of {declared:,} frames are present")
    return Frames(blob, (first,), declared)


def _check_extent(pages: Sequence[Page], blob: Blob) -> None:
    """Raise BadSource where frames lie past the end, or upon each other so that few bytes claim a long movie."""
    whole = stored = 0
    for page in pages:
        if all(start + count <= blob.size for start, count in zip(page.offsets, page.counts, strict=True)):
            whole += 1
        stored += sum(page.counts)
    if whole < len(pages):
        raise BadSource(f"{blob.name} is cut off: {whole:,} of {len(pages):,} frames are present")
    if stored > blob.size:
        raise BadSource(f"{blob.name} has {blob.size:,} bytes and claims {stored:,} of frames: it is damaged")
    if len({page.offsets[0] for page in pages}) < len(pages):
        raise BadSource(f"{blob.name}: several of its {len(pages):,} frames lie at one place: it is damaged")

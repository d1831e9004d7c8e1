"""How values are cut into HDF5 chunks, and how a chunk becomes bytes and values again.

The bytes are those of HDF5's own filters, shuffle then deflate, so every HDF5 reader opens them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

Compression = Literal["fast", "small", "none"]
COMPRESSIONS: tuple[Compression, ...] = ("fast", "small", "none")
CACHE = (8 << 20) - 1  # HDF5 2 keeps 8 MiB of inflated chunks of a data set: what one frame touches has to fit
CHUNK = 2 << 20
ROWS = 1 << 17  # of a column
ACROSS = 1 << 14  # samples of a trace, or pixels of an image's row
SLAB = 16 << 20  # bytes of whole rows that are read at a time
SAMPLES, SAMPLE = 8, 1024  # places and bytes at each that tell whether a row can be compressed
STORED = 0xFFFF  # bytes in a stored block, at most
_ZLIB = b"\x78\x01"  # the head of a zlib stream
TILES = 4  # a frame is cut at most into 4 × 4 tiles
STRIP = 32  # values of a row that are copied at a time where rows and columns change places: two to three times as fast
TILE = 128  # pixels; smaller tiles compress worse and cost more requests


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return chunks for stored (time, …) values that serve frames and traces alike.

    A frame is cut into at most 4 × 4 tiles, so that one pixel's time series costs a sixteenth of the file; and as many
    frames go into a chunk as let all tiles of a frame fit HDF5's default cache, so that frame after frame is inflated
    only once.
    """
    if math.prod(shape) == 0:
        return tuple(max(1, size) for size in shape)
    if len(shape) == 1:
        return row_chunks(shape, itemsize)
    tiles = tuple(math.ceil(size / min(TILES, max(1, round(size / TILE)))) for size in shape[1:])
    frame = math.prod(math.ceil(size / tile) * tile for size, tile in zip(shape[1:], tiles, strict=True)) * itemsize
    chunk = math.prod(tiles) * itemsize
    frames = max(1, min(CACHE // frame, CHUNK // chunk, shape[0]))
    return (frames, *tiles)


def row_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return chunks for values that are read row after row, whichever way they are stored: traces, images, columns.

    Columns are cut after one number of rows whatever their type, so that those of a table are filled side by side.
    """
    if len(shape) == 1:
        return (min(shape[0], ROWS),)
    across = min(shape[1], ACROSS)
    entry = math.prod(shape[1:]) * itemsize
    chunk = across * math.prod(shape[2:]) * itemsize
    return (max(1, min(shape[0], CHUNK // chunk, SLAB // entry)), across, *shape[2:])


def transpose(block: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
    """Copy `block` to `out`, whose axes may run in another order, in strips that the processor's cache holds."""
    strip = STRIP if block.strides[-1] != block.itemsize else max(1, block.shape[-1])
    for start in range(0, block.shape[-1], strip):
        out[..., start : start + strip] = block[..., start : start + strip]


def shuffle(values: npt.NDArray[Any], out: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Write the bytes of contiguous `values` into `out` (itemsize, n), a row for each byte of the value."""
    flat = values.reshape(-1)
    if flat.dtype.itemsize == 2 and flat.dtype.kind in "ui" and flat.dtype.isnative and np.little_endian:
        words = flat.view(np.uint16)  # shift and mask run three times as fast as strided copies
        np.bitwise_and(words, 0xFF, out=out[0], casting="unsafe")
        np.right_shift(words, 8, out=out[1], casting="unsafe")
    else:
        columns = flat.view(np.uint8).reshape(-1, flat.dtype.itemsize)
        for byte in range(flat.dtype.itemsize):  # one at a time: four times as fast as all at once
            out[byte] = columns[:, byte]
    return out


def unshuffle(data: bytes | memoryview, out: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Undo `shuffle` into contiguous `out`."""
    size = out.dtype.itemsize
    rows = np.frombuffer(data, np.uint8).reshape(size, -1)
    flat = out.reshape(-1)
    if size == 2 and out.dtype.kind in "ui" and out.dtype.isnative and np.little_endian:
        words = flat.view(np.uint16)
        np.copyto(words, rows[1], casting="unsafe")
        np.left_shift(words, 8, out=words)
        np.bitwise_or(words, rows[0], out=words)
    else:
        columns = flat.view(np.uint8).reshape(-1, size)
        for byte in range(size):
            columns[:, byte] = rows[byte]
    return out


def compressor(compression: Compression) -> Callable[[npt.NDArray[np.uint8]], bytes]:
    """Return the function that deflates the rows of `shuffle`; both settings write ordinary zlib streams."""
    if compression == "small":
        return lambda planes: zlib.compress(planes.data, 6)
    return _deflate


def _deflate(planes: npt.NDArray[np.uint8]) -> bytes:
    """Deflate with ISA-L into one zlib stream, with a block of its own for each row.

    A Huffman code shared by two rows costs 2 % more bytes. Rows that would not become smaller, such as the low bytes of
    noisy floating-point values, are stored as they are: written three times as fast, and read five times.
    """
    stream = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
    pieces = [_ZLIB]
    for row in planes:
        if _is_noise(row):
            pieces += _stored(row)
        else:
            pieces += (stream.compress(row), stream.flush(isal_zlib.Z_FULL_FLUSH))  # full: no reference to rows before
    checksum = isal_zlib.adler32(planes.data)
    return b"".join((*pieces, stream.flush(), checksum.to_bytes(4, "big")))


def _is_noise(row: npt.NDArray[np.uint8]) -> bool:
    """Whether samples from all over the row save less than 2 % when they are deflated."""
    if len(row) < SAMPLES * SAMPLE:
        return False
    step = len(row) // SAMPLES
    sample = b"".join(row[start : start + SAMPLE].tobytes() for start in range(0, SAMPLES * step, step))
    return len(isal_zlib.compress(sample, 1)) > 0.98 * len(sample)


def _stored(row: npt.NDArray[np.uint8]) -> Iterator[bytes]:
    """Yield a row as stored blocks (RFC 1951, 3.2.4), which begin where a flush has ended on a whole byte."""
    for start in range(0, len(row), STORED):
        part = row[start : start + STORED].tobytes()
        yield b"\0" + len(part).to_bytes(2, "little") + (len(part) ^ 0xFFFF).to_bytes(2, "little")
        yield part


def inflate(data: bytes, size: int) -> bytes:
    """Return the `size` bytes of a zlib stream."""
    return bytes(isal_zlib.decompress(data, 15, size))

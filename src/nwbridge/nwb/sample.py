"""How large a file will be and how long it takes, judged from a few blocks without writing any."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nwbridge.nwb.fill import measure
from nwbridge.nwb.layout import Layout

BLOCKS = 3
VERIFYING = 0.6  # of the time that writing takes, as measured in docs/performance.md
FIXED = 2.0  # seconds to lay out and validate any file
SCHEMAS = 180_000  # bytes of any file, most of them NWB's own schemas
OBJECT = 2_200  # bytes that HDF5 keeps about each object of a file, with its attributes


@dataclass(frozen=True)
class Estimate:
    """Bytes before compression and of the whole file, and seconds with verification, all rough but the first."""

    array_bytes: int
    file_bytes: int
    seconds: float


def estimate(layout: Layout, threads: int, objects: int = 0) -> Estimate:
    """Compress some blocks of every array that `layout` still has to fill; the file has `objects` in all."""
    total = 0
    size = SCHEMAS + OBJECT * objects + sum(exact.values.nbytes for exact in layout.exact)
    seconds = FIXED
    for slot in layout.slots:
        begin = time.perf_counter()
        read, packed = measure(
            slot.array, slot.axes, slot.chunks, layout.compression, 1 if slot.array.field_of else BLOCKS
        )
        share = slot.array.nbytes / max(1, read)
        total += slot.array.nbytes
        size += round(packed * share)
        seconds += (time.perf_counter() - begin) * share / threads * (1 + VERIFYING)
    return Estimate(total, size, round(seconds, 1))

"""What a TIFF says of itself in its first directory: the texts of microscopes and of ImageJ, and its resolution."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from nwbridge.arrays.blobs import Blob
from nwbridge.arrays.directories import Directories, Tags
from nwbridge.errors import BadSource


@dataclass(frozen=True)
class TiffTags:
    """The first directory of a TIFF as plain values; empty or None where it has no such tag."""

    shape: tuple[int, int]  # rows, columns
    dtype: np.dtype[Any]  # of native byte order
    description: str = ""  # ImageDescription: ImageJ's keys, OME-XML, an older ScanImage's header
    software: str = ""  # Software; ScanImage's header since 2016
    artist: str = ""  # Artist; ScanImage's regions of interest, as JSON
    date_time: str = ""  # DateTime, without a time zone
    resolution: tuple[Fraction, Fraction] | None = None  # pixels in one unit, along (rows, columns)
    resolution_unit: int = 2  # ResolutionUnit: 1 none, 2 inch, 3 centimetre
    labels: tuple[str, ...] = ()  # ImageJ's, one a page


def tiff_tags(blob: Blob) -> TiffTags:
    """Return what a TIFF says of itself; BadSource where it is no TIFF or its first directory is damaged."""
    with blob.open() as handle:
        directories = Directories(handle, blob)
        page = next(directories.pages(), None)
        if page is None:
            raise BadSource(f"{blob.name} holds no frame")
        tags, _ = directories.tags(directories.first, 0)
        across, down = tags.ratio(282), tags.ratio(283)
        return TiffTags(
            shape=page.shape,
            dtype=page.dtype.newbyteorder("="),
            description=page.description,
            software=tags.text(305),
            artist=tags.text(315),
            date_time=tags.text(306),
            resolution=(down, across) if down and across else None,
            resolution_unit=tags.one(296, 2),
            labels=_labels(tags),
        )


def _labels(tags: Tags) -> tuple[str, ...]:
    """Return the labels that ImageJ keeps of each page (its tags 50838, lengths, and 50839, values)."""
    if 50838 not in tags or 50839 not in tags:
        return ()
    lengths = tags.many(50838, tags.count(50838))
    data = tags.raw(50839)
    head = int(lengths[0]) if lengths else 0
    if head > len(data) or data[:4] not in (b"IJIJ", b"JIJI") or (head - 4) % 8:
        return ()
    found, place, number = [], head, 1
    for kind, count in struct.iter_unpack(f"{tags.order}4sL", data[4:head]):
        for length in lengths[number : number + count]:
            if kind in (b"labl", b"lbal"):
                found.append(data[place : place + length])
            place += length
        number += count
    coding = "utf-16-le" if tags.order == "<" else "utf-16-be"
    return tuple(text.decode(coding, "replace") for text in found)

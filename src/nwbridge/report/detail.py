"""How finely a report draws: a page of many recordings has to stay light."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Detail:
    """What the pictures of one recording may cost."""

    side: int  # pixels along the longer side of a projection
    points: int  # into which a line is cut, each with its lowest and highest value
    static: int  # points of the line that is drawn where no script runs
    regions: int  # whose traces are in the page
    kinds: int  # of traces
    outline: int  # characters of all outlines of a segmentation
    shapes: int  # spikes that are laid over one another
    images: int  # of one container
    compared: int  # pixels along the longer side of pictures before and after
    means: bool  # of them, also the means
    places: int  # whose traces are compared
    read: int  # bytes of a movie that are read, at least a few runs of frames in any case


LARGE = Detail(
    side=256, points=2000, static=600, regions=24, kinds=4, outline=60_000, shapes=30, images=8, read=256 << 20,
    compared=192, means=True, places=3,
)  # fmt: skip
MIDDLE = Detail(
    side=192, points=1000, static=400, regions=12, kinds=3, outline=24_000, shapes=15, images=4, read=96 << 20,
    compared=112, means=True, places=2,
)  # fmt: skip
SMALL = Detail(
    side=128, points=600, static=250, regions=6, kinds=2, outline=9_000, shapes=8, images=2, read=48 << 20,
    compared=56, means=False, places=1,
)  # fmt: skip


def detail_of(recordings: int) -> Detail:
    """Return the detail for a page of so many recordings."""
    return LARGE if recordings <= 12 else MIDDLE if recordings <= 30 else SMALL

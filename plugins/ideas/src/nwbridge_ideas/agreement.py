"""Whether files of one run agree: the same cells, the same images, the same numbers."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbridge import BadSource, LazyArray, Region
from nwbridge_ideas.cellsets import CellSet
from nwbridge_ideas.events import EventSet

MOST = 256 << 20  # bytes of images, and of traces, that are compared; of larger sets, cells spread over all
Note = Callable[..., None]


def same_cells(one: CellSet, other: CellSet, note: Note) -> None:
    """Raise BadSource unless two cell sets have the same cells at the same times."""
    names = f"{one.file.path.name} and {other.file.path.name}"
    facts = {
        "image size": (one.shape, other.shape),
        "number of cells": (len(one.names), len(other.names)),
        "number of samples": (one.timing.count, other.timing.count),
        "period in s": (float(one.timing.period), float(other.timing.period)),
        "start in s": (float(one.timing.start), float(other.timing.start)),
        "missing samples": (_gaps(one), _gaps(other)),
    }
    facts |= {f"name of cell {n}": pair for n, pair in enumerate(zip(one.names, other.names, strict=False))}
    for what, (mine, theirs) in facts.items():
        if mine != theirs:
            raise BadSource(f"{names} are not of one run: {what} is {mine} and {theirs}; expected the same")
    changed = [n for n, pair in enumerate(zip(one.status, other.status, strict=True)) if pair[0] != pair[1]]
    if changed:
        cell = one.names[changed[0]]
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        message = f"{cell}{more} is {one.status[changed[0]]}, and {other.status[changed[0]]}"
        note("warning", f"{names} differ in the status of cells: {message}", f"that of {one.file.path.name} is written")
    same_images(one, other.images(), other.file.path.name, note)


def _gaps(cells: CellSet) -> list[tuple[int, int, str]]:
    return [(span.first, span.last, span.reason) for span in cells.timing.spans]


def _some(count: int, nbytes: int) -> list[int]:
    """Return the numbers of all cells, or of as many as may be read, spread over all."""
    most = max(2, MOST // max(1, nbytes))
    return sorted({int(n) for n in np.linspace(0, count - 1, min(count, most))}) if count else []


def same_images(cells: CellSet, regions: tuple[Region, ...] | LazyArray, other: str, note: Note) -> None:
    """Raise BadSource unless the cells' images are another file's, in float32."""
    rows, columns = cells.shape
    looked_at = _some(len(cells.names), 4 * rows * columns)
    with ExitStack() as stack:
        mine = stack.enter_context(cells.images().open())
        theirs = stack.enter_context(regions.open()) if isinstance(regions, LazyArray) else None
        for number in looked_at:
            image = mine[number : number + 1][0]
            expected = theirs[number : number + 1][0] if theirs is not None else _drawn(regions, number, cells.shape)
            _compare(cells, number, image, expected.astype(np.float32), f"the footprint in {other}", "pixels")
    _note_some(cells, "images", len(looked_at), other, note)


def _note_some(cells: CellSet, what: str, count: int, other: str, note: Note) -> None:
    if count < len(cells.names):
        message = (
            f"the {what} of {count} of {len(cells.names)} cells of {cells.file.path.name} were compared with {other}"
        )
        note("hint", f"{message}, and are the same")


def _drawn(regions: Any, number: int, shape: tuple[int, int]) -> npt.NDArray[Any]:
    region = regions[number]
    weights = np.ones(len(region.pixels)) if region.weights is None else region.weights
    image = np.zeros(shape, weights.dtype)
    image[tuple(region.pixels.T)] = weights
    return image


def same_traces(cells: CellSet, traces: LazyArray, other: str, note: Note) -> None:
    """Raise BadSource unless the traces, where they are known, are another file's.

    They are float32, and sums of two such numbers, so that the last digits may differ.
    """
    looked_at = _some(len(cells.names), 4 * cells.timing.count)
    with cells.traces().open() as mine, traces.open() as theirs:
        for number in looked_at:
            trace, expected = mine[number : number + 1][0], theirs[number : number + 1][0].astype(np.float32)
            known = ~np.isnan(trace)
            trace, expected = trace[known], expected[known]
            least = 1e-4 * np.abs(expected[np.isfinite(expected)]).max(initial=0)
            expected = np.where(np.isclose(trace, expected, 1e-4, least), trace, expected)
            _compare(cells, number, trace, expected, f"the trace in {other}", "samples")
    _note_some(cells, "traces", len(looked_at), other, note)


def same_events(cells: CellSet, events: EventSet) -> None:
    """Raise BadSource unless the channels of an event set are the cells, in the same span of time."""
    names = f"{events.file.path.name} and {cells.file.path.name} do not belong together"
    if events.names != cells.names:
        pairs = enumerate(zip(events.names, cells.names, strict=False))
        at = next((n for n, (one, other) in pairs if one != other), None)
        what = f"{len(events.names)} channels and {len(cells.names)} cells"
        what = what if at is None else f"channel {at} is {events.names[at]}, cell {at} is {cells.names[at]}"
        raise BadSource(f"{names}: {what}; expected the same")
    if events.start != cells.timing.start:
        begun = [one.start_time or f"{float(one.start):g} s after 1970 began" for one in (events, cells.timing)]
        raise BadSource(f"{names}: they start at {begun[0]} and {begun[1]}; expected the same")
    end_us = cells.timing.count * cells.timing.period * 1_000_000
    if events.last_us > end_us:
        raise BadSource(
            f"{names}: an event lies {events.last_us / 1e6:g} s after the start, and the traces last "
            f"{float(end_us) / 1e6:g} s; expected none later"
        )


def as_many_events(events: EventSet, deconvolved: LazyArray, other: str, note: Note) -> None:
    """Say where cells have not as many events as deconvolved samples above 0, of which the tool makes one each."""
    looked_at = _some(len(events.names), deconvolved.shape[1] * deconvolved.dtype.itemsize)
    with deconvolved.open() as traces:
        expected = {n: int((traces[n : n + 1][0].astype(np.float32) > 0).sum()) for n in looked_at}
    wrong = [n for n in looked_at if events.counts[n] != expected[n]]
    if wrong:
        first = f"{events.counts[wrong[0]]} events of {events.names[wrong[0]]}"
        note(
            "warning",
            f"{events.file.path.name} has {first}, {other} a deconvolved trace with {expected[wrong[0]]} samples "
            f"above 0; so it is for {len(wrong)} of {len(looked_at)} cells",
            "make sure that they are of one run",
        )


def _compare(
    cells: CellSet, number: int, one: npt.NDArray[Any], other: npt.NDArray[Any], words: str, unit: str
) -> None:
    differ = ~((one == other) | (np.isnan(one) & np.isnan(other)))
    if differ.any():
        raise BadSource(
            f"{cells.file.path.name}: cell {number} ({cells.names[number]}) differs from {words} in "
            f"{int(differ.sum())} of {differ.size} {unit}; expected the same: are the files of one run?"
        )

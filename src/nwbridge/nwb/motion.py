"""Movies that were registered, to and from NWB: a CorrectedImageStack in processing/ophys/MotionCorrection.

What a frame was moved by is stored as NWB wants it: x (columns) before y (rows), the delta that aligns the frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pynwb import NWBFile, ProcessingModule, TimeSeries
from pynwb.image import ImageSeries
from pynwb.ophys import CorrectedImageStack, MotionCorrection, OnePhotonSeries, TwoPhotonSeries

from nwbridge.model import Finding, LazyArray, Movie, Reader
from nwbridge.model.lazy import is_number
from nwbridge.nwb.facts import stated, stating
from nwbridge.nwb.layout import Layout
from nwbridge.nwb.stored import Stored, dataset_of

CORRECTED = "corrected"  # as NWB names the movie inside of a stack
XY = "xy_translation"
_CONVENTION = (
    "x (columns, to the right) and y (rows, downwards), in pixels, that each frame was moved by: "
    "what lies at (column, row) of the original frame lies at (column + x, row + y) of the corrected one"
)
_PIXELS = ("pixels", "pixel", "px")


def series_named(name: str | None, file: NWBFile) -> ImageSeries | None:
    """Return the series of frames that a movie of this name became, where the file holds it."""
    places = [file.acquisition, *(module.data_interfaces for module in file.processing.values())]
    corrections = [one for place in places for one in place.values() if isinstance(one, MotionCorrection)]
    for place in (*places, *(one.corrected_image_stacks for one in corrections)):
        found = place.get(name)
        found = found.corrected if isinstance(found, CorrectedImageStack) else found
        if isinstance(found, ImageSeries):
            return found
    return None


def element_of(series: Any) -> Any:
    """Return the container that has the name of a movie: the stack, of frames that were registered."""
    return series.parent if isinstance(series.parent, CorrectedImageStack) else series


def place_stack(
    movie: Movie, corrected: ImageSeries, original: ImageSeries, xy: TimeSeries, module: ProcessingModule
) -> None:
    """Put a registered movie, with its shifts, beside the others that were registered."""
    stack = CorrectedImageStack(name=movie.name, corrected=corrected, original=original, xy_translation=xy)
    if "MotionCorrection" not in module.data_interfaces:
        module.add(MotionCorrection(name="MotionCorrection"))
    module["MotionCorrection"].add_corrected_image_stack(stack)


def translation(
    movie: Movie, shifts: LazyArray, times: Mapping[str, Any], layout: Layout, *, inside: bool
) -> TimeSeries:
    """Return the series of a movie's shifts; beside a movie that is in no stack it has a name that says whose."""
    name = XY if inside else f"{movie.name}_{XY}"
    if not inside:
        why = f"{movie.made_from}, which {movie.name} was registered from, is not in the file"
        layout.findings.append(Finding("hint", f"{why}: its shifts are the series {name} beside it", "nothing"))
    words = _CONVENTION if inside else stating(_CONVENTION, kind=XY, made_from=movie.name)
    return TimeSeries(name=name, data=layout.empty(_swapped(shifts)), unit="pixels", description=words, **times)


def _swapped(pairs: LazyArray) -> LazyArray:
    """Return (time, 2) with the two columns in the other order."""

    @contextmanager
    def opened() -> Iterator[Reader]:
        with pairs.open() as reader:
            yield _Swapped(reader)

    return LazyArray(pairs.shape, pairs.dtype, opened, pairs.parallel)


@dataclass(frozen=True)
class _Swapped:
    reader: Reader

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        return np.asarray(self.reader[key])[:, ::-1]


def shifts_of(movie: Any, stored: Stored) -> LazyArray | None:
    """Return what a file says that a movie's frames were moved by: in its stack, or in a series of ours beside it."""
    if isinstance(movie.parent, CorrectedImageStack):
        xy = movie.parent.xy_translation
    else:
        xy = getattr(movie.parent, "data_interfaces", {}).get(f"{movie.name}_{XY}")
        if xy is None or movie_beside(xy) is not movie:
            return None
    if (why := _unfit(xy, movie)) is not None:
        if xy.name == XY:
            stored.say(f"the shifts of {xy.parent.name} are not carried over: {why}")
        else:
            stored.leave(xy, why)
        return None
    if (xy.rate, xy.starting_time) != (movie.rate, movie.starting_time):
        stored.say(f"{xy.name} of {xy.parent.name} is taken to be at the times of the frames")
    stored.carry(xy)
    return _swapped(stored.array(xy.data))


def _unfit(xy: TimeSeries, movie: Any) -> str | None:
    """Return why a series cannot be the shifts of a movie."""
    data = dataset_of(xy.data)
    if data.shape != (len(movie.data), 2) or not is_number(data.dtype):
        return f"the values are {data.shape} {data.dtype}; expected x and y of {len(movie.data)} frames"
    if str(xy.unit).lower() not in _PIXELS or (xy.conversion, xy.offset) != (1.0, 0.0):
        return f"the values are in {xy.unit}, conversion {xy.conversion}, offset {xy.offset}; expected pixels"
    return None


def movie_beside(series: TimeSeries) -> Any | None:
    """Return the movie whose shifts a series holds, if it is one of ours beside a movie."""
    facts = stated(series.description)[1]
    place = getattr(series.parent, "data_interfaces", {})
    movie = place.get(facts.get("made_from")) if facts.get("kind") == XY else None
    alike = isinstance(movie, TwoPhotonSeries | OnePhotonSeries) and series.name == f"{movie.name}_{XY}"
    return movie if alike else None

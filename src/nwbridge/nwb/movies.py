"""Movies and images, to and from NWB: stored with x (columns) before y (rows)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pynwb import NWBFile, ProcessingModule, TimeSeries
from pynwb.base import Images as NwbImages
from pynwb.image import GrayscaleImage, RGBAImage, RGBImage
from pynwb.ophys import CorrectedImageStack, MotionCorrection, OnePhotonSeries, TwoPhotonSeries

from nwbridge.errors import BadSource, MissingMetadata
from nwbridge.model import Image, Images, LazyArray, Movie, Reader
from nwbridge.nwb import motion
from nwbridge.nwb.facts import stated, stating
from nwbridge.nwb.layout import Layout, add
from nwbridge.nwb.planes import as_float, imaging_plane, plane_of
from nwbridge.nwb.stored import Stored, elements, micrometres, number, positive

AXES = (0, 2, 1, 3)  # (time, column, row, plane), from (time, row, column, plane)
IMAGE_AXES = (1, 0, 2)
_MODULES = {
    "ophys": "optical physiology: what was made from the movies",
    "icephys": "intracellular electrophysiology: what was made from the recorded voltages",
    "misc": "what was made from other recordings",
}
_IMAGES = {2: GrayscaleImage, 3: RGBImage, 4: RGBAImage}
NOT_STATED = "not stated"


def module(file: NWBFile, name: str) -> ProcessingModule:
    """Return a processing module of the file, made at the first call."""
    return file.processing.get(name) or file.create_processing_module(name, _MODULES[name])


def clock(element: Any, layout: Layout, hint: str) -> dict[str, Any]:
    """Return NWB's words for when samples were taken; MissingMetadata where neither rate nor times are known."""
    if element.timestamps is not None:
        return {"timestamps": layout.empty(_as_doubles(element.timestamps))}
    if element.rate_hz is None:
        raise MissingMetadata(f"the rate of {element.name} is stated nowhere and NWB requires it: {hint}")
    return {"rate": float(element.rate_hz), "starting_time": float(element.start_s)}


def _as_doubles(times: LazyArray) -> LazyArray:
    """Return times as NWB wants them: as float64."""
    if times.dtype == np.float64 and times.dtype.isnative:
        return times

    @contextmanager
    def opened() -> Iterator[Reader]:
        with times.open() as reader:
            yield _Doubles(reader)

    return LazyArray(times.shape, np.dtype(np.float64), opened, times.parallel)


@dataclass(frozen=True)
class _Doubles:
    """Values of another type as float64."""

    reader: Reader

    def __getitem__(self, key: slice, /) -> npt.NDArray[np.float64]:
        return np.asarray(self.reader[key]).astype(np.float64)


@add.register
def _(movie: Movie, file: NWBFile, layout: Layout) -> None:
    original = None if movie.shifts is None else motion.series_named(movie.made_from, file)
    if original is None:
        place(_series(movie, movie.name, movie.made_from, file, layout), file, "ophys", movie.made_from)
    if movie.shifts is None:
        return
    corrected = None if original is None else _series(movie, motion.CORRECTED, None, file, layout)
    xy = motion.translation(movie, movie.shifts, clock(movie, layout, ""), layout, inside=original is not None)
    if corrected is None:
        module(file, "ophys").add(xy)
    else:
        motion.place_stack(movie, corrected, original, xy, module(file, "ophys"))


def _series(movie: Movie, name: str, made_from: str | None, file: NWBFile, layout: Layout) -> TimeSeries:
    common: dict[str, Any] = {
        "name": name,
        **clock(movie, layout, f"give it with --set Ophys.{movie.series_type}.rate=HZ"),
        "data": layout.empty(movie.data, AXES[: len(movie.data.shape)], movie=True),
        "imaging_plane": imaging_plane(movie.plane, file),
        "unit": movie.unit or "n.a.",
        "description": stating(movie.description, made_from=made_from),
        "conversion": float(movie.conversion),
        "offset": float(movie.offset),
        "pmt_gain": as_float(movie.pmt_gain),
    }
    if movie.kind == "one-photon":
        return OnePhotonSeries(
            **common,
            exposure_time=as_float(movie.exposure_s),
            binning=None if movie.binning is None else int(movie.binning),
        )
    if movie.field_of_view_um is not None:
        rows, columns = movie.field_of_view_um
        common["field_of_view"] = [columns * 1e-6, rows * 1e-6]  # width, height in metres
    return TwoPhotonSeries(**common)


def place(made: Any, file: NWBFile, name: str, made_from: str | None) -> None:
    """Put what was acquired into acquisition, and what was made from something into a processing module."""
    if made_from is None:
        file.add_acquisition(made)
    else:
        module(file, name).add(made)


@elements.register
def _(series: TwoPhotonSeries, stored: Stored) -> Iterator[Movie]:
    view = series.field_of_view
    extent = None if view is None or len(view) < 2 else (micrometres(view[1]), micrometres(view[0]))
    if view is not None and len(view) > 2:
        stored.say(f"the depth of the field of view of {series.name} cannot be carried over")
    yield from _movie(series, stored, field_of_view_um=extent)


@elements.register
def _(series: OnePhotonSeries, stored: Stored) -> Iterator[Movie]:
    binning = int(series.binning) if positive(series.binning) else None
    yield from _movie(series, stored, kind="one-photon", exposure_s=positive(series.exposure_time), binning=binning)


def _movie(series: Any, stored: Stored, **more: Any) -> Iterator[Movie]:
    if series.external_file is not None:
        stored.leave(series, "its frames are in other files")
        return
    words, facts = stated(series.description)
    stack = series.parent if isinstance(series.parent, CorrectedImageStack) else None
    yield Movie(
        name=stored.name(motion.element_of(series)),
        data=stored.array(series.data, _axes(series, stored)),
        plane=plane_of(series.imaging_plane, stored),
        description=words,
        **stored.clock(series),
        unit=None if series.unit == "n.a." else series.unit,
        conversion=float(series.conversion),
        offset=float(series.offset),
        pmt_gain=number(series.pmt_gain),
        made_from=made_from(series, facts) if stack is None else stored.name(motion.element_of(stack.original)),
        shifts=motion.shifts_of(series, stored),
        **more,
    )
    stored.carry(series)


@elements.register
def _(corrections: MotionCorrection, stored: Stored) -> Iterator[Movie]:
    for stack in corrections.corrected_image_stacks.values():
        try:
            yield from elements(stack, stored)
        except Exception as error:  # noqa: BLE001 one damaged stack spoils no other
            stored.leave(stack, error)


@elements.register
def _(stack: CorrectedImageStack, stored: Stored) -> Iterator[Movie]:
    corrected = stack.corrected
    if not isinstance(corrected, TwoPhotonSeries | OnePhotonSeries):
        kind = type(corrected).__name__
        stored.leave(stack, f"its frames are an {kind}; expected a TwoPhotonSeries or a OnePhotonSeries")
        return
    if corrected.external_file is not None:
        stored.leave(stack, "its frames are in other files")
        return
    yield from elements(corrected, stored)
    stored.carry(stack)


def _axes(series: Any, stored: Stored) -> tuple[int, ...]:
    """Return which stored axis is time, row, column and plane."""
    axes = len(series.data.shape)
    if stored.rows_first and not isinstance(series.parent, ProcessingModule | CorrectedImageStack):
        stored.say(f"{series.name} is taken as stored (time, height, width), against the standard: --rows-first")
        return tuple(range(axes))
    return AXES[:axes]


def made_from(container: Any, facts: dict[str, str]) -> str | None:
    """Return what a container of a processing module was made from; None for what was acquired."""
    if not isinstance(container.parent, ProcessingModule):
        return None
    return facts.get("made_from", NOT_STATED)


@add.register
def _(images: Images, file: NWBFile, layout: Layout) -> None:
    made = NwbImages(
        name=images.name,
        description=stating(images.description, made_from=images.made_from),
        images=[_image(image, layout) for image in images.images],
    )
    place(made, file, "ophys", images.made_from)


def _image(image: Image, layout: Layout) -> Any:
    pixel = image.pixel_um
    axes = IMAGE_AXES[: len(image.data.shape)]
    words = None if pixel is None else f"{float(pixel[0])!r} × {float(pixel[1])!r} µm (row × column)"
    return _IMAGES[image.data.shape[2] if len(axes) == 3 else 2](
        name=image.name,
        data=layout.empty(image.data, axes),
        description=stating(image.description, pixel=words),
        resolution=1e4 / pixel[0] if pixel is not None and pixel[0] == pixel[1] else None,  # pixels in a centimetre
    )


@elements.register
def _(images: NwbImages, stored: Stored) -> Iterator[Images]:
    words, facts = stated(images.description)
    found = []
    for image in images.images.values():
        said, inside = stated(image.description)
        pixel = None
        if "pixel" in inside:
            row, _, column, *_ = inside["pixel"].split()
            pixel = (float(row), float(column))
        elif image.resolution:
            pixel = (1e4 / float(image.resolution),) * 2
        try:
            data = stored.array(image.data, IMAGE_AXES[: len(image.data.shape)])
            found.append(Image(image.name, data, said, pixel))
        except BadSource as error:
            stored.say(f"image {image.name} of {images.name} is not carried over: {error}")
    if found:
        yield Images(stored.name(images), tuple(found), words, made_from(images, facts))
        stored.carry(images)

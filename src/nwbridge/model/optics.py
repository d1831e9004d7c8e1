"""Instruments, imaging planes, movies and images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from nwbridge.errors import BadSource
from nwbridge.model.lazy import LazyArray, check_clock, is_number, is_positive
from nwbridge.model.names import check_name


@dataclass(frozen=True)
class Device:
    """An instrument."""

    name: str = "Microscope"
    description: str | None = None
    manufacturer: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        check_name("a device", self.name, ("models",))


@dataclass(frozen=True)
class Channel:
    """A detection path of a microscope."""

    name: str = "OpticalChannel"
    description: str | None = None
    emission_nm: float | None = None  # centre of the detected band

    def __post_init__(self) -> None:
        check_name("an optical channel", self.name, ("device", "location", "indicator", "description"))


@dataclass(frozen=True)
class Plane:
    """An imaging plane: where and how the frames of a movie were taken."""

    name: str = "ImagingPlane"
    description: str | None = None
    device: Device = field(default_factory=Device)
    channels: tuple[Channel, ...] = (Channel(),)
    indicator: str | None = None
    location: str | None = None  # brain area, Allen CCF name where it is mouse brain
    excitation_nm: float | None = None
    rate_hz: float | None = None  # frames a second
    pixel_um: tuple[float, ...] | None = None  # (row spacing, column spacing[, plane spacing])

    def __post_init__(self) -> None:
        check_name("an imaging plane", self.name, ("description",))
        names = [channel.name for channel in self.channels]
        if not names or len(set(names)) < len(names):
            raise BadSource(f"imaging plane {self.name} has the channels {names}; expected one or more, each name once")
        emissions = [channel.emission_nm for channel in self.channels]
        if self.pixel_um is not None:
            object.__setattr__(self, "pixel_um", tuple(float(size) for size in self.pixel_um))
        for value in (self.rate_hz, self.excitation_nm, *emissions, *(self.pixel_um or ())):
            if value is not None and not is_positive(value):
                raise BadSource(
                    f"imaging plane {self.name} has a rate, wavelength or pixel size of {value}; expected more than 0"
                )
        if self.pixel_um is not None and len(self.pixel_um) not in (2, 3):
            raise BadSource(
                f"imaging plane {self.name}: a pixel of {self.pixel_um} µm; expected (row, column[, plane])"
            )


@dataclass(frozen=True)
class Movie:
    """Frames, or volumes, over time in one imaging plane; becomes a TwoPhotonSeries or OnePhotonSeries.

    It belongs to what was acquired, unless `made_from` names what it was computed from.
    """

    name: str
    data: LazyArray  # (time, row, column) or (time, row, column, plane)
    plane: Plane
    kind: Literal["two-photon", "one-photon"] = "two-photon"
    description: str | None = None
    rate_hz: float | None = None
    timestamps: LazyArray | None = None  # (time,), seconds; where given, the rate is not written
    start_s: float = 0.0  # of the first frame, where a rate is given
    unit: str | None = None  # of the values after conversion and offset
    conversion: float = 1.0
    offset: float = 0.0
    pmt_gain: float | None = None  # two-photon
    field_of_view_um: tuple[float, float] | None = None  # (rows' extent, columns' extent), two-photon
    exposure_s: float | None = None  # one-photon
    binning: int | None = None  # camera pixels in one of the image, along each axis, one-photon
    made_from: str | None = None  # an element's name, or words
    shifts: LazyArray | None = None  # (time, 2): rows and columns that each frame was moved by, in pixels

    def __post_init__(self) -> None:
        if len(self.data.shape) not in (3, 4) or 0 in self.data.shape:
            raise BadSource(
                f"movie {self.name} was described as {self.data.shape}; "
                "expected (time, row, column) or (time, row, column, plane), none of them 0"
            )
        if not is_number(self.data.dtype):
            raise BadSource(f"movie {self.name}: values are {self.data.dtype}; expected integers, float32 or float64")
        if not all(math.isfinite(n) for n in (self.conversion, self.offset, self.pmt_gain or 0)):
            raise BadSource(f"movie {self.name}: conversion, offset or gain is not a finite number")
        if self.binning is not None and self.binning != int(self.binning):
            raise BadSource(f"movie {self.name}: binning is {self.binning}; expected a whole number")
        for what, value in (("exposure", self.exposure_s), ("binning", self.binning)):
            if value is not None and not is_positive(value):
                raise BadSource(f"movie {self.name}: {what} is {value}; expected more than 0")
        check_clock(f"movie {self.name}", self.data.shape[0], self.rate_hz, self.timestamps, self.start_s)
        if self.shifts is not None:
            self._check_shifts(self.shifts)

    def _check_shifts(self, shifts: LazyArray) -> None:
        if shifts.shape != (self.data.shape[0], 2) or not is_number(shifts.dtype):
            raise BadSource(
                f"movie {self.name}: shifts of {shifts.shape} {shifts.dtype}; "
                f"expected rows and columns for each of {self.data.shape[0]} frames"
            )
        if self.made_from is None:
            raise BadSource(f"movie {self.name} has shifts; expected the name of what it was registered from")

    @property
    def series_type(self) -> str:
        """The NWB type that the movie becomes."""
        return "OnePhotonSeries" if self.kind == "one-photon" else "TwoPhotonSeries"

    def first(self, count: int) -> Movie:
        """Return the movie's first `count` frames."""
        times = self.timestamps.first(count) if self.timestamps else None
        shifts = self.shifts.first(count) if self.shifts else None
        return replace(self, data=self.data.first(count), timestamps=times, shifts=shifts)


@dataclass(frozen=True)
class Image:
    """One image: grey, or red, green, blue[, alpha] along the last axis."""

    name: str
    data: LazyArray  # (row, column) or (row, column, 3 or 4)
    description: str | None = None
    pixel_um: tuple[float, float] | None = None  # (row spacing, column spacing)

    def __post_init__(self) -> None:
        check_name("an image", self.name, ("description", "order_of_images"))
        shape = self.data.shape
        if len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] not in (3, 4)):
            raise BadSource(
                f"image {self.name} was described as {shape}; expected (row, column) or (row, column, 3 or 4)"
            )
        if not is_number(self.data.dtype):
            raise BadSource(f"image {self.name}: values are {self.data.dtype}; expected integers, float32 or float64")
        if self.pixel_um is not None and not (len(self.pixel_um) == 2 and all(map(is_positive, self.pixel_um))):
            raise BadSource(f"image {self.name}: a pixel of {self.pixel_um} µm; expected (row, column), more than 0")


@dataclass(frozen=True)
class Images:
    """Images that belong together; with `made_from` they were computed, without they were acquired."""

    name: str
    images: tuple[Image, ...]
    description: str | None = None
    made_from: str | None = None  # an element's name, or words

    def __post_init__(self) -> None:
        names = [image.name for image in self.images]
        if not names or len(set(names)) < len(names):
            raise BadSource(f"{self.name} has the images {names}; expected one or more, each name once")

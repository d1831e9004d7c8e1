"""What a recording holds, between a source and NWB: frozen records without any I/O.

``None`` means "the source does not say"; nobody invents a value. Arrays are only ever `LazyArray`.
Axis order is (time, row, column) as in microscopy; the NWB side transposes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from nwbridge.errors import BadOption, BadSource, PluginFault

Severity = Literal["error", "warning", "hint"]


@dataclass(frozen=True)
class Finding:
    """Something worth knowing about a recording or a file, and what to do about it."""

    severity: Severity
    message: str  # what was found, one line
    advice: str = ""  # what to do, one line
    where: str = ""  # file, or object inside the NWB file
    check: str = ""  # who found it

    def __post_init__(self) -> None:
        if self.severity not in get_args(Severity):
            raise PluginFault(
                f"a finding of severity {self.severity!r}; expected one of {', '.join(get_args(Severity))}"
            )
        for name in ("message", "advice", "where"):  # other programs' words may span lines
            object.__setattr__(self, name, " ".join(str(getattr(self, name)).split()))


class Reader(Protocol):
    """What `LazyArray.open` yields: `reader[start:stop]` is a block along the first axis."""

    def __getitem__(self, key: slice, /) -> npt.NDArray[Any]:
        """Return the block; `h5py.Dataset`, `numpy.ndarray` and `numpy.memmap` fit as they are."""


@dataclass(frozen=True)
class LazyArray:
    """An array that is read only while it is written to the output.

    `open()` is a context manager that yields a `Reader`. With `parallel`, that reader may be indexed from several
    threads at once and in any order; without, blocks are asked for in one thread, front to back.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    open: Callable[[], AbstractContextManager[Reader]] = field(compare=False, repr=False)
    parallel: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        object.__setattr__(self, "shape", tuple(operator.index(size) for size in self.shape))
        if not self.shape or any(size < 0 for size in self.shape):
            raise BadSource(f"an array of shape {self.shape} was described; expected at least one axis, sizes ≥ 0")

    @property
    def nbytes(self) -> int:
        """Size of all values in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def first(self, count: int) -> LazyArray:
        """Return the first `count` entries of the first axis."""
        return replace(self, shape=(min(count, self.shape[0]), *self.shape[1:]))


def _is_positive(value: float) -> bool:
    """Whether a float can hold it, above 0; whole numbers may be longer than any float."""
    try:
        return 0 < float(value) < math.inf
    except OverflowError:
        return False


@dataclass(frozen=True)
class Device:
    """An instrument."""

    name: str = "Microscope"
    description: str | None = None
    manufacturer: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Channel:
    """A detection path of a microscope."""

    name: str = "OpticalChannel"
    description: str | None = None
    emission_nm: float | None = None  # centre of the detected band


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
    pixel_um: tuple[float, float] | None = None  # (row spacing, column spacing)

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        if not names or len(set(names)) < len(names):
            raise BadSource(f"imaging plane {self.name} has the channels {names}; expected one or more, each name once")
        emissions = [channel.emission_nm for channel in self.channels]
        for value in (self.rate_hz, self.excitation_nm, *emissions, *(self.pixel_um or ())):
            if value is not None and not _is_positive(value):
                raise BadSource(
                    f"imaging plane {self.name} has a rate, wavelength or pixel size of {value}; expected more than 0"
                )


@dataclass(frozen=True)
class Movie:
    """Frames over time in one imaging plane; becomes a TwoPhotonSeries or OnePhotonSeries."""

    name: str
    data: LazyArray  # (time, row, column)
    plane: Plane
    kind: Literal["two-photon", "one-photon"] = "two-photon"
    description: str | None = None
    rate_hz: float | None = None
    timestamps: LazyArray | None = None  # (time,), seconds
    unit: str | None = None  # of the values after conversion and offset
    conversion: float = 1.0
    offset: float = 0.0
    pmt_gain: float | None = None
    field_of_view_um: tuple[float, float] | None = None  # (rows' extent, columns' extent)

    def __post_init__(self) -> None:
        if len(self.data.shape) != 3 or 0 in self.data.shape:
            raise BadSource(
                f"movie {self.name} was described as {self.data.shape}; expected (time, row, column), none of them 0"
            )
        if self.data.dtype.kind not in "uif" or self.data.dtype == np.float16:
            raise BadSource(f"movie {self.name}: values are {self.data.dtype}; expected integers, float32 or float64")
        if self.rate_hz is not None and not _is_positive(self.rate_hz):
            raise BadSource(f"movie {self.name}: a frame rate of {self.rate_hz} Hz was found; expected more than 0")
        if not all(math.isfinite(n) for n in (self.conversion, self.offset, self.pmt_gain or 0)):
            raise BadSource(f"movie {self.name}: conversion, offset or gain is not a finite number")
        if self.timestamps is not None and self.timestamps.shape != self.data.shape[:1]:
            raise BadSource(
                f"movie {self.name}: timestamps of shape {self.timestamps.shape}; "
                f"expected one for each of {self.data.shape[0]} frames"
            )

    @property
    def series_type(self) -> str:
        """The NWB type that the movie becomes."""
        return "OnePhotonSeries" if self.kind == "one-photon" else "TwoPhotonSeries"

    def first(self, count: int) -> Movie:
        """Return the movie's first `count` frames."""
        times = self.timestamps.first(count) if self.timestamps else None
        return replace(self, data=self.data.first(count), timestamps=times)


@dataclass(frozen=True, eq=False)
class Region:
    """A region of interest as exact pixels; regions may overlap."""

    pixels: npt.NDArray[np.integer[Any]]  # (n, 2): row, column
    weights: npt.NDArray[np.floating[Any]] | None = None  # (n,); None: every pixel counts 1
    id: int | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return NotImplemented
        ones = np.ones(len(self.pixels))
        mine, others = (ones if r.weights is None else np.asarray(r.weights, float) for r in (self, other))
        return (
            self.id == other.id
            and np.array_equal(self.pixels, other.pixels)
            and np.array_equal(mine, others, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Segmentation:
    """Regions of interest in one imaging plane; becomes a PlaneSegmentation."""

    name: str
    regions: tuple[Region, ...]
    image_shape: tuple[int, ...]  # (rows, columns)
    plane: Plane
    description: str | None = None

    def __post_init__(self) -> None:
        if len(self.image_shape) != 2 or min(self.image_shape) < 1:
            raise BadSource(f"{self.name}: an image of {self.image_shape}; expected (rows, columns), none of them 0")
        seen: dict[int, int] = {}
        for number, region in enumerate(self.regions):
            label = f"{self.name}: region {number}" + (f" (id {region.id})" if region.id is not None else "")
            _check_pixels(label, region, self.image_shape)
            if region.id is not None and not -(1 << 63) <= region.id < 1 << 63:
                raise BadSource(f"{label} has an id of more than 64 bits; expected a smaller one")
            if region.id is not None and seen.setdefault(region.id, number) != number:
                raise BadSource(f"{label} has the id of region {seen[region.id]}; expected every id once")
        if len({region.id is None for region in self.regions}) > 1:
            raise BadSource(f"{self.name}: some regions have an id and some have none; expected all or none")


def _check_pixels(label: str, region: Region, image_shape: tuple[int, ...]) -> None:
    """Raise BadSource unless the region has pixels, all of them inside the image."""
    pixels = region.pixels
    if pixels.ndim != 2 or pixels.shape[1] != 2 or not len(pixels) or pixels.dtype.kind not in "iu":
        raise BadSource(
            f"{label} has pixels of shape {pixels.shape}, {pixels.dtype}; "
            "expected whole numbers of shape (n, 2), at least one (row, column)"
        )
    if region.weights is not None and region.weights.shape != pixels.shape[:1]:
        raise BadSource(f"{label} has {len(pixels)} pixels and {len(region.weights)} weights; expected as many")
    outside = ((pixels < 0) | (pixels >= image_shape)).any(axis=1)
    if outside.any():
        row, column = pixels[outside][0]
        raise BadSource(
            f"{label} has {int(outside.sum())} of {len(pixels)} pixels outside the image, the first at row {row}, "
            f"column {column}; the image has {image_shape[0]} rows and {image_shape[1]} columns"
        )


@dataclass(frozen=True)
class Subject:
    """The animal or culture that was recorded."""

    subject_id: str | None = None
    species: str | None = None  # Latin binomial
    sex: str | None = None  # M, F, O, U
    age: str | None = None  # ISO 8601 duration
    age_reference: str | None = None  # birth, gestational
    date_of_birth: datetime | None = None
    description: str | None = None
    genotype: str | None = None
    strain: str | None = None
    weight: str | None = None  # "0.025 kg"


Element = Any  # Movie, Segmentation, or a type that a plugin registered with `nwbridge.nwb.build.add`


@dataclass(frozen=True)
class Session:
    """One recording session: what a source describes and what one NWB file holds.

    `origins` maps a metadata key (``Subject.species``) to words saying where the source states it.
    """

    id: str
    description: str
    elements: tuple[Element, ...]
    start_time: datetime | None = None
    subject: Subject | None = None
    files: tuple[Path, ...] = ()  # everything that was read
    experimenter: tuple[str, ...] | None = None
    lab: str | None = None
    institution: str | None = None
    experiment_description: str | None = None
    keywords: tuple[str, ...] | None = None
    related_publications: tuple[str, ...] | None = None
    data_collection: str | None = None
    notes: str | None = None
    pharmacology: str | None = None
    protocol: str | None = None
    slices: str | None = None
    stimulus_notes: str | None = None
    surgery: str | None = None
    virus: str | None = None
    findings: tuple[Finding, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id or not self.description:
            raise BadSource("a session was described without an id or a description; expected both")
        names = [getattr(element, "name", None) for element in self.elements]
        repeated = sorted({name for name in names if name is not None and names.count(name) > 1})
        if repeated:
            raise BadSource(f"session {self.id}: several elements are named {repeated[0]}; expected every name once")
        odd = next((name for name in names if name is not None and {"/", ":"} & set(name)), None)
        if odd is not None:
            raise BadSource(f"session {self.id}: an element is named {odd}; expected a name without / and :")
        born = self.subject.date_of_birth if self.subject else None
        for what, time in (("start", self.start_time), ("date of birth", born)):
            if time is not None and time.tzinfo is None:  # pynwb would take this machine's
                raise BadSource(f"session {self.id}: the {what} is {time}, without a time zone; expected one with it")
        planes: dict[str, Plane] = {}
        for plane in (e.plane for e in self.elements if isinstance(getattr(e, "plane", None), Plane)):
            if planes.setdefault(plane.name, plane) != plane:
                raise BadSource(f"session {self.id}: two imaging planes are named {plane.name}; expected a name each")

    def of(self, kind: type[Any]) -> tuple[Any, ...]:
        """Return the elements of one type, in order."""
        return tuple(element for element in self.elements if isinstance(element, kind))

    def first(self, count: int) -> Session:
        """Return the session with only the first `count` frames of every movie, and a description that says so."""
        if count < 1:
            raise BadOption(f"--first {count}: expected at least 1 frame")
        longest = max((movie.data.shape[0] for movie in self.of(Movie)), default=0)
        if longest <= count:
            return self
        elements = tuple(e.first(count) if isinstance(e, Movie) else e for e in self.elements)
        note = f" This file holds only the first {count} of {longest} frames."
        return replace(self, elements=elements, description=self.description + note)

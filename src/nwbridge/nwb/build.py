"""From a session to an NWBFile whose large arrays are still empty: one small function an element.

A plugin with an element of its own registers a function with `add.register`.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.common import DynamicTable, VectorData, VectorIndex
from pynwb import NWBFile
from pynwb.device import Device as NwbDevice
from pynwb.device import DeviceModel
from pynwb.file import Subject as NwbSubject
from pynwb.ophys import (
    ImageSegmentation,
    ImagingPlane,
    OnePhotonSeries,
    OpticalChannel,
    PlaneSegmentation,
    TwoPhotonSeries,
)

from nwbridge.errors import BadOption, MissingMetadata, PluginFault
from nwbridge.model import Device, LazyArray, Movie, Plane, Segmentation, Session, Subject
from nwbridge.nwb.chunks import Compression, chunk_shape

UNKNOWN_START = datetime(1900, 1, 1, tzinfo=UTC)
UNKNOWN_START_NOTE = "The recording's date is not distributed; session_start_time is a placeholder."
MAX_CHUNK = 256 << 20  # bytes: whoever reads one value has to inflate all of them
MOVIE_AXES = (0, 2, 1)  # NWB stores (time, x = column, y = row)
_MASK = np.dtype([("x", "<u4"), ("y", "<u4"), ("weight", "<f4")])
_TEXTS = (
    "lab",
    "institution",
    "experiment_description",
    "data_collection",
    "pharmacology",
    "protocol",
    "slices",
    "stimulus_notes",
    "surgery",
    "virus",
)


@dataclass(frozen=True)
class Slot:
    """A data set still to be filled: where it will be, and the values that belong there."""

    target: H5DataIO
    array: LazyArray
    axes: tuple[int, ...]  # stored axis i is axis axes[i] of the array
    chunks: tuple[int, ...]  # as stored


@dataclass(frozen=True)
class Exact:
    """Values that pynwb wrote itself, to be compared in the file."""

    container: Any
    values: npt.NDArray[Any]


@dataclass
class Layout:
    """What a build collects for the steps after it: the one record that grows, since every element adds to it."""

    compression: Compression = "fast"
    chunks: tuple[int, ...] | None = None  # of movies, in the array's axis order
    slots: list[Slot] = field(default_factory=list)
    exact: list[Exact] = field(default_factory=list)

    def empty(self, array: LazyArray, axes: Sequence[int] | None = None) -> H5DataIO:
        """Return the place for an array, stored with its axes in the order `axes`; it is filled later."""
        order = tuple(axes) if axes is not None else tuple(range(len(array.shape)))
        shape = tuple(array.shape[axis] for axis in order)
        if self.chunks is not None and len(self.chunks) == len(shape):
            chunks = tuple(min(self.chunks[axis], array.shape[axis]) for axis in order)
        else:
            chunks = chunk_shape(shape, array.dtype.itemsize)
        if (size := math.prod(chunks) * array.dtype.itemsize) > MAX_CHUNK:
            raise BadOption(f"--chunks: one chunk would have {size:,} bytes; expected at most {MAX_CHUNK:,}")
        filters = {} if self.compression == "none" else {"compression": "gzip", "compression_opts": 4, "shuffle": True}
        target = H5DataIO(shape=shape, dtype=array.dtype, chunks=chunks, **filters)
        self.slots.append(Slot(target, array, order, chunks))
        return target


@singledispatch
def add(element: Any, file: NWBFile, layout: Layout) -> None:
    """Add one element to the file; register a function for each type."""
    raise PluginFault(
        f"there is no place in NWB for a {type(element).__name__}: register one with nwbridge.nwb.build.add"
    )


@add.register
def _(movie: Movie, file: NWBFile, layout: Layout) -> None:
    if movie.rate_hz is None and movie.timestamps is None:
        raise MissingMetadata(
            f"the frame rate of {movie.name} is stated nowhere and NWB requires it: "
            f"give it with --set Ophys.{movie.series_type}.rate=HZ"
        )
    common: dict[str, Any] = {
        "name": movie.name,
        "data": layout.empty(movie.data, MOVIE_AXES),
        "imaging_plane": imaging_plane(movie.plane, file),
        "unit": movie.unit or "n.a.",
        "description": movie.description or "no description",
        "conversion": float(movie.conversion),
        "offset": float(movie.offset),
        "pmt_gain": _float(movie.pmt_gain),
    }
    if movie.timestamps is not None:
        common["timestamps"] = layout.empty(movie.timestamps)
    else:
        common |= {"rate": _float(movie.rate_hz), "starting_time": 0.0}
    if movie.kind == "one-photon":
        file.add_acquisition(OnePhotonSeries(**common))
        return
    if movie.field_of_view_um is not None:
        rows, columns = movie.field_of_view_um
        common["field_of_view"] = [columns * 1e-6, rows * 1e-6]  # width, height in metres
    file.add_acquisition(TwoPhotonSeries(**common))


@add.register
def _(segmentation: Segmentation, file: NWBFile, layout: Layout) -> None:
    if not segmentation.regions:
        return  # the NWB inspector, and so DANDI, stumbles over a mask column without rows; `convert` says it
    masks = [_mask(region.pixels, region.weights) for region in segmentation.regions]
    ids = [region.id for region in segmentation.regions]
    rows = np.concatenate(masks)
    pixels = VectorData(
        name="pixel_mask", description="pixels of each region: x = column, y = row, and weight", data=rows
    )
    index = VectorIndex(
        name="pixel_mask_index", data=np.cumsum([len(m) for m in masks], dtype=np.uint64), target=pixels
    )
    rows_, columns = segmentation.image_shape
    table = PlaneSegmentation(
        name=segmentation.name,
        description=(segmentation.description or "regions of interest")
        + f" (image of {rows_} rows × {columns} columns)",
        imaging_plane=imaging_plane(segmentation.plane, file),
        id=np.arange(len(ids)) if None in ids else np.array(ids, dtype=np.int64),
        columns=[pixels, index],
        colnames=["pixel_mask"],
    )
    _image_segmentation(file).add_plane_segmentation(table)
    layout.exact += [
        Exact(pixels, rows),
        Exact(index, index.data),
        Exact(table.id, np.asarray(table.id.data)),
    ]


def _mask(pixels: npt.NDArray[Any], weights: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
    mask = np.empty(len(pixels), _MASK)
    mask["x"], mask["y"] = pixels[:, 1], pixels[:, 0]
    mask["weight"] = 1.0 if weights is None else weights
    return mask


def _image_segmentation(file: NWBFile) -> ImageSegmentation:
    module = file.processing.get("ophys") or file.create_processing_module(
        "ophys", "optical physiology: what was made from the movies"
    )
    found = module.data_interfaces.get("ImageSegmentation")
    if found is None:
        found = ImageSegmentation(name="ImageSegmentation")
        module.add(found)
    return found


def imaging_plane(plane: Plane, file: NWBFile) -> ImagingPlane:
    """Return the file's imaging plane for `plane`, made at the first call."""
    if plane.name in file.imaging_planes:
        return file.imaging_planes[plane.name]
    channels = [
        OpticalChannel(
            name=channel.name,
            description=channel.description or "unknown",
            emission_lambda=_float(channel.emission_nm, math.nan),
        )
        for channel in plane.channels
    ]
    spacing = None if plane.pixel_um is None else [plane.pixel_um[1], plane.pixel_um[0]]  # x = columns first
    return file.create_imaging_plane(
        name=plane.name,
        optical_channel=channels,
        description=plane.description or "no description",
        device=_device(plane.device, file),
        excitation_lambda=_float(plane.excitation_nm, math.nan),
        indicator=plane.indicator or "unknown",
        location=plane.location or "unknown",
        imaging_rate=_float(plane.rate_hz),
        grid_spacing=spacing,
        grid_spacing_unit="micrometers" if spacing else "meters",
    )


def _float(value: float | None, unknown: float | None = None) -> float | None:
    """NWB takes floats only where plugins may give whole numbers."""
    return unknown if value is None else float(value)


def _device(device: Device, file: NWBFile) -> NwbDevice:
    if device.name in file.devices:
        return file.devices[device.name]
    model = None
    if device.manufacturer or device.model:
        model = DeviceModel(name=device.model or "unknown model", manufacturer=device.manufacturer or "unknown")
        file.add_device_model(model)
    made = NwbDevice(name=device.name, description=device.description or "not described by the source", model=model)
    file.add_device(made)
    return made


def _subject(subject: Subject, session_id: str) -> NwbSubject:
    """Write sex and age as marked unknowns where nobody states them; leave out the rest (see docs/metadata.md)."""
    dated = subject.date_of_birth is not None
    return NwbSubject(
        subject_id=subject.subject_id or session_id,
        species=subject.species,
        sex=subject.sex or "U",
        age=subject.age or (None if dated else "P0D/"),
        age__reference=subject.age_reference or "birth",
        date_of_birth=subject.date_of_birth,
        description=subject.description or "not described by the source",
        genotype=subject.genotype,
        strain=subject.strain,
        weight=subject.weight,
    )


def build(
    session: Session, layout: Layout, unknown: Sequence[str], made_by: Sequence[tuple[str, str]], script: str
) -> NWBFile:
    """Return the NWBFile of a session; `layout` collects what is still to be filled.

    `unknown` names the fields that nobody states, `made_by` the software and its versions, `script` the command.
    """
    notes = [session.notes] if session.notes else []
    if unknown:
        notes.append("Not stated by the source or the user: " + "; ".join(unknown) + ".")
    description = session.description + ("" if session.start_time else f" {UNKNOWN_START_NOTE}")
    file = NWBFile(
        session_description=description,
        identifier=str(uuid.uuid4()),
        session_id=session.id,
        session_start_time=session.start_time or UNKNOWN_START,
        experimenter=list(session.experimenter) if session.experimenter else None,
        keywords=list(session.keywords) if session.keywords else None,
        related_publications=list(session.related_publications) if session.related_publications else None,
        notes=" ".join(notes) or None,
        was_generated_by=[list(pair) for pair in made_by],
        source_script=script,
        source_script_file_name="nwbridge",
        subject=_subject(session.subject or Subject(), session.id),
        **{name: getattr(session, name) for name in _TEXTS},
    )
    for element in session.elements:
        add(element, file, layout)
    if session.files:
        _add_sources(session, file)
    return file


def _add_sources(session: Session, file: NWBFile) -> None:
    """Name every file that was read; its size and checksum follow when it has been read."""
    root = os.path.commonpath([path.parent for path in session.files])
    names = [os.fsencode(p.relative_to(root)).decode("utf-8", "replace") for p in session.files]
    table = DynamicTable(
        name="source_files",
        description="the files that this NWB file was made from, as they were read",
        columns=[
            VectorData(name="path", description="name, relative to the recording's folder", data=names),
            VectorData(name="size", description="bytes", data=np.zeros(len(names), dtype=np.uint64)),
            VectorData(name="sha256", description="SHA-256 of the file, in hexadecimal", data=[" " * 64] * len(names)),
        ],
        colnames=["path", "size", "sha256"],
    )
    file.add_analysis(table)
